"""One rule for LL/SC per instruction set: `native`, `compare` and the architectural checker all go by it."""

from __future__ import annotations

import pytest

from simaie import Machine, Page, Program, Scheme, compare, explore, ins
from simaie.guest.isa import ISAS
from simaie.guest.reservation import Cause

X, FLAG, BEGUN = 0x100, 0x1100, 0x1200
FAR = X + 0x8000

LINKED = {
    "arm": "ldrex", "aarch64": "ldxr", "riscv": "lr", "mips": "ll", "ppc": "lwarx", "alpha": "ldl_l",
    "loongarch": "ll", "sh4": "movli_l", "xtensa": "l32ex", "openrisc": "l_lwa", "microblaze": "lwx",
    "hexagon": "memw_locked",
}  # fmt: skip
CONDITIONAL = {
    "arm": "strex", "aarch64": "stxr", "riscv": "sc", "mips": "sc", "ppc": "stwcx", "alpha": "stl_c",
    "loongarch": "sc", "sh4": "movco_l", "xtensa": "s32ex", "openrisc": "l_swa", "microblaze": "swx",
    "hexagon": "memw_locked_store",
}  # fmt: skip
#: What the store-conditional returns when it stored.
STORED = {isa: int(isa not in ("arm", "aarch64", "riscv", "microblaze")) for isa in LINKED}
ALL = frozenset(LINKED)
#: Those whose exception need not end a reservation, by their manuals or because that is not known.
KEPT = {"arm", "riscv", "ppc", "xtensa", "openrisc", "hexagon"}
#: Those with a store-conditional of 8 bytes.
WIDE = ALL - {"sh4", "xtensa", "openrisc", "microblaze"}
#: Those on which a store-conditional to other bytes may store even if others have stored to the reserved ones.
LOOSE = {"arm", "aarch64", "mips", "loongarch", "xtensa", "openrisc", "hexagon"}


def ll(isa, address=X):
    return ins(LINKED[isa], address)


def sc(isa, address=X, into="status"):
    return ins(CONDITIONAL[isa], address, 7, into=into)


def sc8(isa):
    """One of 8 bytes at the address of `ll`."""
    names = {"mips": "scd", "ppc": "stdcx", "alpha": "stq_c", "hexagon": "memd_locked_store"}
    if isa in names:
        return ins(names[isa], X, 7, into="status")
    return ins(CONDITIONAL[isa], X, 7, into="status", width=8)


#: Between a load-linked of 4 bytes at X and the end: what happens, and on which instruction sets the last
#: store-conditional may store. On all of them it may fail.
CASES = {
    "to the same bytes": (lambda isa: [ll(isa), sc(isa)], ALL),
    "to the next word": (lambda isa: [ll(isa), sc(isa, X + 4)], ALL),
    "32 KiB away": (lambda isa: [ll(isa), sc(isa, FAR)], ALL - {"riscv"}),
    "in the next granule of RISC-V": (lambda isa: [ll(isa, X + 60), sc(isa, X + 64)], ALL - {"riscv"}),
    "of another width": (lambda isa: [ll(isa), sc8(isa) if isa in WIDE else sc(isa)], ALL),
    "after an exception": (lambda isa: [ll(isa), ins("exception"), sc(isa)], KEPT),
    "after a store-conditional": (lambda isa: [ll(isa), sc(isa, into="first"), sc(isa)], set()),
    "after one that went elsewhere": (lambda isa: [ll(isa), sc(isa, FAR, into="first"), sc(isa)], set()),
    "without a load-linked": (lambda isa: [sc(isa)], set()),
    "to address 0 without a load-linked": (lambda isa: [sc(isa, 0)], set()),
    "after a store of its own": (lambda isa: [ll(isa), ins("store", X, 3), sc(isa)], ALL),
    "after another load-linked": (lambda isa: [ll(isa), ll(isa, X + 256), sc(isa, X + 256)], ALL),
    "to what was linked before": (lambda isa: [ll(isa), ll(isa, X + 256), sc(isa)], ALL - {"riscv"}),
}
CLEARED = {isa: [ll(isa), ins("clrex"), sc(isa)] for isa in ("arm", "aarch64", "xtensa")}
#: Address of the load-linked (of 4 bytes), of a foreign store that certainly comes in between, of the
#: store-conditional -> where the latter may store.
INTRUSIONS = {
    (X, X, X): set(),
    (X, X + 3, X): set(),
    (X, X + 4, X): ALL,
    (X, X, X + 4): LOOSE,
    (X, X + 4, X + 4): ALL - {"riscv"},
    (X, X + 8, X + 4): ALL,
    (X, X + 4, X + 8): ALL - {"riscv"},
}


def single(isa, name):
    return Program(name, isa=isa, threads=[CASES[name][0](isa)], init={X: (0, 8), 0: 0, FAR: 0, X + 64: 0})


def intruded(isa, linked, stored, conditional):
    """The loads of the flags tell whether the foreign store, of one byte, came in between."""
    return Program(
        "intruded",
        isa=isa,
        threads=[
            [ll(isa, linked), ins("store", BEGUN, 1), ins("load", FLAG, into="flag"), sc(isa, conditional)],
            [ins("load", BEGUN, into="begun"), ins("store", stored, 5, width=1), ins("store", FLAG, 1)],
        ],
        init={X: (0, 16), FLAG: 0, BEGUN: 0},
    )


def statuses(program, machine="native:spurious_failures=true", host="sc"):
    """Whether the store-conditional stored: all results there are, of executions in which both flags were seen."""
    report = explore(
        program, Machine(machine, host=host, address_bits=16), scheduler="dpor", failures=None, checkers=[]
    )
    assert report.verdict == "holds"
    outcomes = [outcome.as_dict() for outcome in report.outcomes]
    return {outcome["0:status"] == STORED[program.isa] for outcome in outcomes if is_meant(outcome)}


def is_meant(outcome):
    """Whether whatever is to come between load-linked and store-conditional did."""
    return outcome.get("0:flag", 1) and outcome.get("1:begun", 1)


class Blind(Scheme):
    """A store-conditional that always stores."""

    def load_linked(self, cpu, address, width):
        return self.load(cpu, address, width)

    async def store_conditional(self, cpu, address, width, value):
        await self.store(cpu, address, width, value)
        return True


def is_forbidden(program):
    """Whether the architectural checker finds anything in an execution in which both flags were seen."""
    report = explore(program, Machine(Blind, address_bits=16), scheduler="dpor", failures=None)
    return any(is_meant(failure.trace.outcome.as_dict()) for failure in report.failures)


def test_every_instruction_set_that_has_llsc_says_what_each_cause_does():
    assert {name for name, isa in ISAS.items() if isa.reservation is not None} == ALL | {"riscv_ztso"}
    for name, isa in ISAS.items():
        rule = isa.reservation
        if rule is None:
            continue
        assert not rule.must & rule.may
        assert rule.must | rule.may == set(Cause) - ({Cause.CLEAR} if name not in CLEARED else set())
        assert rule.least & (rule.least - 1) == rule.most & (rule.most - 1) == 0
        assert rule.least <= rule.most


@pytest.mark.parametrize("isa", sorted(ALL))
@pytest.mark.parametrize("name", CASES)
def test_native_does_all_that_the_rule_allows_and_nothing_else(isa, name):
    may_store = isa in CASES[name][1]
    assert statuses(single(isa, name)) == {False, may_store}


@pytest.mark.parametrize("isa", sorted(ALL))
@pytest.mark.parametrize("name", CASES)
def test_the_checker_forbids_what_the_rule_does_not_allow(isa, name):
    assert is_forbidden(single(isa, name)) is (isa not in CASES[name][1])


@pytest.mark.parametrize("isa", CLEARED)
def test_an_instruction_that_clears_the_reservation_must_do_so(isa):
    program = Program("cleared", isa=isa, threads=[CLEARED[isa]], init={X: 0})
    assert statuses(program) == {False}
    assert is_forbidden(program)


@pytest.mark.parametrize("isa", sorted(ALL))
@pytest.mark.parametrize("places", INTRUSIONS, ids=str)
def test_a_foreign_store_in_between_ends_what_it_must_and_no_more(isa, places):
    may_store, program = isa in INTRUSIONS[places], intruded(isa, *places)
    assert statuses(program) == {False, may_store}
    assert is_forbidden(program) is not may_store
    assert statuses(program, host="tso") == {False, may_store}


def test_a_quadword_after_a_load_linked_doubleword_may_be_stored_until_another_vcpu_stores_to_it():
    """SC.Q of LoongArch after an LL.D of the lower half: the granule is that of the quadword."""
    code = [ins("ll", X, width=8), ins("sc_q", X, 7, into="status")]
    program = Program("quadword", isa="loongarch", threads=[code], init={X: (0, 16)})
    assert statuses(program, "native") == {False, True}
    for stored in (X, X + 8):
        between = [code[0], ins("store", BEGUN, 1), ins("load", FLAG, into="flag"), code[1]]
        other = [ins("load", BEGUN, into="begun"), ins("store", stored, 5, width=1), ins("store", FLAG, 1)]
        program = Program(
            "quadword", isa="loongarch", threads=[between, other], init={X: (0, 16), FLAG: 0, BEGUN: 0}
        )
        assert statuses(program) == {False}


def test_a_store_conditional_within_the_block_of_alpha_needs_the_reservation():
    """Within 16 bytes it needs the reservation; outside them nothing is certain."""
    for conditional, may_store in ((X + 12, set()), (X + 16, {True})):
        assert statuses(intruded("alpha", X, X, conditional)) == {False} | may_store


def test_what_is_left_open_is_a_decision_also_where_nothing_fails_without_cause():
    assert statuses(single("riscv", "to the next word"), "native") == {False, True}
    assert statuses(single("arm", "to the next word"), "native") == {False, True}
    assert statuses(single("ppc", "after an exception"), "native") == {False, True}
    assert statuses(single("arm", "to the same bytes"), "native") == {True}
    assert statuses(single("arm", "after a store of its own"), "native") == {True}


@pytest.mark.parametrize("isa", sorted(ALL))
def test_an_exact_reservation_is_that_of_the_bytes_alone(isa):
    """The rule of herd7's models."""
    for name in ("to the next word", "32 KiB away", *(["of another width"] if isa in WIDE else [])):
        assert statuses(single(isa, name), "native:reservation=exact,spurious_failures=true") == {False}
    assert statuses(single(isa, "to the same bytes"), "native:reservation=exact") == {True}


@pytest.mark.parametrize("isa", sorted(ALL))
def test_what_the_rule_allows_is_not_forbidden_to_an_emulator(isa):
    for name in ("to the next word", "of another width", "after an exception", "32 KiB away"):
        verdict = compare(single(isa, name), machine=Machine(Blind, address_bits=16)).verdict
        assert verdict == ("holds" if isa in CASES[name][1] else "violated"), name


def test_a_scheme_that_keeps_the_reservation_over_an_exception_breaks_where_the_rule_ends_it():
    """Its exception performs no operation, so that no event tells of it."""
    for isa in ALL:
        assert is_found(isa, "cas:on_exception=leave") is (isa not in KEPT)
        assert not is_found(isa, "cas:on_exception=clear")


def is_found(isa, scheme):
    return bool(explore(single(isa, "after an exception"), Machine(scheme), scheduler="dpor").failures)


def test_an_alias_is_another_address_where_the_virtual_one_counts():
    """The load-linked by one address, the store-conditional by another of the same bytes."""
    for isa, decided in (("arm", True), ("riscv", False)):
        program = Program(
            "alias", isa=isa, threads=[[ll(isa, 0x4100), sc(isa, 0x5100)]],
            pages={0x4000: Page(0x1000), 0x5000: Page(0x1000)}, init={0x1100: 0},
        )  # fmt: skip
        assert statuses(program, "native") == ({False, True} if decided else {True})
