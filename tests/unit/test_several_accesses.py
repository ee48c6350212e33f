"""Instructions of more than one register, one location or one access, and guests of other byte and memory orders."""

from __future__ import annotations

import pytest
from runs import execute

import simaie
from simaie import Barrier, Machine, Program, explore, ins, replay
from simaie.exploration.architecture import architecture_machine
from simaie.guest.isa import ISAS
from simaie.op import Kind, Role
from simaie.schemes.native import Native

X, Y = 0x100, 0x200
ONES = (1 << 128) - 1


def seen(program, scheme="native", register="1:r", **options):
    """All values that the register has at the end."""
    report = explore(program, Machine(scheme, **options), scheduler="dpor", checkers=[], failures=None)
    assert report.verdict == "holds"
    return {outcome.as_dict()[register] for outcome in report.outcomes}


# -- two registers -----------------------------------------------------------------------------------


def pairs(isa, load, store, width, address=X):
    """A store of two registers of `width` bytes and a load of them by another vCPU, of which the register gets 8 bytes.

    The values are 1 in the lowest byte of each half.
    """
    value = 1 + (1 << 8 * width)
    options = {} if isa == "x86" else {"width": width}
    low = [ins(load, address, into="r", **options)]
    return Program("pairs", isa=isa, threads=[[ins(store, address, value, **options)], low], init={X: bytes(64)})


def test_a_pair_of_words_is_two_accesses_unless_there_is_lse2():
    program = pairs("aarch64", "ldp", "stp", 4)
    whole, halves = {0, 1 + (1 << 32)}, {1, 1 << 32}
    assert seen(program) == whole | halves
    assert seen(program, "native:single_copy=lse2") == whole
    assert seen(pairs("aarch64", "ldp", "stp", 4, X + 12), "native:single_copy=lse2") == whole | halves
    assert seen(pairs("aarch64", "ldp", "stp", 4, X + 4), "native:single_copy=lse2") == whole
    assert seen(program, "native:single_copy=any") == whole


@pytest.mark.parametrize(("isa", "load", "store", "extension"), [
    ("aarch64", "ldp", "stp", "lse2"),
    ("aarch64", "ldiapp", "stilp", "lse2"),
    ("x86", "movaps_load", "movaps", "avx"),
])  # fmt: skip
def test_a_pair_of_doublewords_is_whole_with_the_extension_only(isa, load, store, extension):
    """Of the steps, since a register of a list holds one half only."""
    program = pairs(isa, load, store, 8)
    for scheme, widths in (("native", [8, 8, 8, 8]), (f"native:single_copy={extension}", [16, 16])):
        trace = execute(program, Machine(scheme))
        assert [event.op.width for event in trace.events if event.op.width] == widths


def test_the_checker_judges_each_half_of_a_pair_and_with_lse2_the_whole():
    program = pairs("aarch64", "ldp", "stp", 4)
    for checker, findings in (("single-copy-atomicity", False), ("single-copy-atomicity-lse2", True)):
        report = explore(program, Machine("none"), scheduler="dpor", checkers=[checker])
        assert not report.failures  # one host access
        report = explore(program, Machine("native"), scheduler="dpor", checkers=[checker])
        assert bool(report.failures) is findings
    vector = pairs("x86", "movaps_load", "movaps", 8)
    for checker, findings in (("single-copy-atomicity", False), ("single-copy-atomicity-avx", True)):
        assert bool(explore(vector, Machine("none"), scheduler="dpor", checkers=[checker]).failures) is findings
    wide = pairs("aarch64", "ldp", "stp", 8)
    torn = explore(wide, Machine("none", host_word=32), scheduler="dpor", checkers=["single-copy-atomicity"])
    assert torn.failures


def test_barriers_of_the_guests_order_stand_before_a_pair_too():
    """Once each: native does not make a pair of its plain accesses, and other schemes do."""
    program = Program("p", isa="x86", threads=[[ins("movaps", X, 1), ins("movaps", Y, 1)]])
    for scheme in ("native:barriers=full", "none:barriers=full"):
        trace = execute(program, Machine(scheme, host="pso"))
        assert [event.op.orders.text for event in trace.events if event.op.kind is Kind.FENCE] == ["st-st", "st-st"]


# -- two locations -----------------------------------------------------------------------------------


def both(name="both"):
    """Two vCPUs that add 1 to X and 16 to Y, if they find 0 and 0; the second one may find 1 and 16."""
    codes = [[ins("cas2", X, Y, 0, 0, 1, 16, into="r")], [ins("cas2", Y, X, 0, 0, 32, 2, into="r")]]
    return Program(name, isa="m68k", threads=codes, init={X: 0, Y: 0})


@pytest.mark.parametrize("scheme", ["native", "cas", "aie-rfc", "aie-v2"])
@pytest.mark.parametrize("host", ["sc", "tso", "armv8"])
def test_a_compare_and_swap_of_two_locations_is_indivisible(scheme, host):
    report = explore(both(), Machine(scheme, host=host), scheduler="dpor")
    assert report.verdict == "holds"
    memory = {(each.as_dict()[f"[{X:#x}]"], each.as_dict()[f"[{Y:#x}]"]) for each in report.outcomes}
    assert memory == {(1, 16), (2, 32)}


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
@pytest.mark.parametrize("other", [ins("cas", X, 0, 2, into="r"), ins("store", X, 2)])
def test_under_aie_it_is_indivisible_next_to_locked_instructions_and_stores(scheme, other):
    """Whichever comes first, X has what the second one makes of it; Y changes if X was 0."""
    codes = [[ins("cas2", X, Y, 0, 0, 1, 16, into="r")], [other]]
    program = Program("next-to", isa="m68k", threads=codes, init={X: 0, Y: 0})
    for host in ("sc", "tso"):
        report = explore(program, Machine(scheme, host=host), scheduler="dpor")
        assert report.verdict == "holds"
        memory = {(each.as_dict()[f"[{X:#x}]"], each.as_dict()[f"[{Y:#x}]"]) for each in report.outcomes}
        assert memory == {(1 if other.name == "cas" else 2, 16), (2, 0)}


def test_under_aie_its_stores_are_checked_and_revoke_as_plain_stores_do():
    """Only the granule of X is registered, so one lock is taken and one set emptied; and only if it stores."""
    code = [ins("cas", X, 0, 1), ins("cas2", X, Y, 1, 0, 2, 3), ins("cas2", X, Y, 1, 0, 4, 5)]
    program = Program("told", isa="m68k", threads=[code], init={X: 0, Y: 0})
    trace = execute(program, Machine("aie-rfc:checked_store_revokes=true"))
    ops = [event.op for event in trace.events if event.instruction.mnemonic == "cas2.l"]
    assert [op.kind for op in ops].count(Kind.LOCK) == 1
    assert [op.cell.role for op in ops if op.kind is Kind.UPDATE] == [Role.RESERVATIONS]
    assert trace.outcome[f"[{X:#x}]"] == 2


def test_a_failing_one_stores_nothing_and_returns_both_old_values():
    program = Program("p", isa="m68k", threads=[[ins("cas2", X, Y, 5, 7, 1, 1, into="r")]], init={X: 5, Y: 6})
    outcome = execute(program, Machine("cas")).outcome.as_dict()
    assert outcome == {"0:r": 5 + (6 << 32), f"[{X:#x}]": 5, f"[{Y:#x}]": 6}


class OneAfterTheOther(Native):
    """Compares and swaps both locations, but not indivisibly: each by itself."""

    async def cmpxchg_two(self, cpu, addresses, width, expected, new):
        """Swap the first, then the second."""
        first = await self.cmpxchg(cpu, addresses[0], width, expected[0], new[0])
        second = await self.cmpxchg(cpu, addresses[1], width, expected[1], new[1])
        return first | second << 8 * width


def test_one_location_seen_without_the_other_is_found(tmp_path):
    """Each location by itself is swapped indivisibly, so that only both together show it."""
    codes = [[ins("cas2", X, Y, 0, 0, 1, 1)], [ins("load", X, into="x"), ins("load", Y, into="y")]]
    program = Program("between", isa="m68k", threads=codes, init={X: 0, Y: 0})
    assert simaie.compare(program, machine=Machine(OneAfterTheOther)).verdict == "violated"
    assert simaie.compare(program, machine=Machine("cas")).verdict == "holds"
    assert not explore(program, Machine("cas"), scheduler="dpor", checkers=["serializability"]).failures
    failure = explore(program, Machine(OneAfterTheOther), scheduler="dpor", checkers=["serializability"]).failures[0]
    failure.save(tmp_path / "between.json")
    again = replay(tmp_path / "between.json", program=program, scheme=OneAfterTheOther)
    assert [finding.kind for finding in again.findings] == ["serializability"]
    instruction = next(event.instruction for event in again.trace.events if event.instruction.mnemonic == "cas2.l")
    assert instruction.second == Y


def test_a_second_location_out_of_range_is_a_fault_of_the_guest():
    program = Program("p", isa="m68k", threads=[[ins("cas2", X, 1 << 32, 0, 0, 1, 1)]], init={X: 0})
    trace = execute(program, Machine("cas"))
    assert trace.faults
    assert trace.outcome[f"[{X:#x}]"] == 0


# -- several accesses --------------------------------------------------------------------------------


def test_a_string_instruction_is_interrupted_between_its_elements():
    copy = [ins("rep_movs", Y, X, 2), ins("store", Y + 8, 1)]
    program = Program(
        "copy", isa="x86", threads=[copy, [ins("load", Y + 4, into="r"), ins("load", Y, into="s")]],
        init={X: (0x2_0000_0001, 8), Y: (0, 8)},
    )  # fmt: skip
    report = explore(program, Machine("native"), scheduler="dpor", failures=None)
    assert report.verdict == "holds"
    pairs = {(each.as_dict()["1:s"], each.as_dict()["1:r"]) for each in report.outcomes}
    assert pairs == {(0, 0), (1, 0), (1, 2)}


@pytest.mark.parametrize(("address", "verdict"), [(X, "holds"), (X + 2, "violated")])
def test_an_addition_to_storage_is_interlocked_where_it_is_aligned(address, verdict):
    add = [ins("asi", address, 1)]
    program = Program(
        "add", isa="s390x", threads=[add, add], init={X: (0, 8)},
        final=lambda state: state.read(address) == 2,
    )  # fmt: skip
    assert explore(program, Machine("native"), scheduler="dpor").verdict == verdict


# -- byte order and memory order ---------------------------------------------------------------------


@pytest.mark.parametrize("isa", sorted(ISAS))
def test_a_guest_has_the_byte_order_of_its_instruction_set_unless_the_machine_has_one(isa):
    code = [ins("store", X, 0x11223344), ins("load", X, width=1, into="r")]
    program = Program("order", isa=isa, threads=[code], init={X: 0})
    big = isa in ("sparc", "s390x", "m68k", "openrisc")
    for endian, first in ((None, 0x11 if big else 0x44), ("little", 0x44), ("big", 0x11)):
        report = explore(program, Machine("native", endian=endian), scheduler="dpor")
        assert [outcome.as_dict()["0:r"] for outcome in report.outcomes] == [first]
        assert report.machine.endian == (endian or ISAS[isa].byte_order)


def test_a_failure_of_a_big_endian_guest_is_saved_and_replayed_in_its_byte_order(tmp_path):
    program = Program("lost", isa="s390x", threads=[[ins("laa", X, 1)]] * 2, init={X: 0})
    failure = explore(program, Machine("none"), scheduler="dpor").failures[0]
    failure.save(tmp_path / "lost.json")
    again = replay(tmp_path / "lost.json")
    assert (again.machine.endian, again.trace.digest) == ("big", failure.trace.digest)


@pytest.mark.parametrize(("isa", "host"), [
    ("x86", "tso"), ("sparc", "tso"), ("s390x", "tso"), ("riscv_ztso", "tso"), ("riscv", "rvwmo"), ("alpha", "pso"),
    ("aarch64", "armv8"), ("loongarch", "pso"), ("m68k", "pso"), ("microblaze", "sc"),
])  # fmt: skip
def test_the_architecture_of_a_guest_is_modelled_by_the_memory_with_its_orders(isa, host):
    machine = architecture_machine(isa, Machine("cas"))
    assert machine.host == host
    assert ("spurious_failures" in machine.scheme) is (ISAS[isa].reservation is not None)
    assert machine.for_program(Program("p", isa=isa, threads=[[]])).endian == ISAS[isa].byte_order


@pytest.mark.parametrize("isa", sorted(ISAS))
def test_an_instruction_set_that_keeps_orders_names_the_memory_that_keeps_them(isa):
    known = {Barrier.FULL: "sc", Barrier.FULL & ~Barrier.ST_LD: "tso"}
    assert ISAS[isa].memory_model == known.get(ISAS[isa].memory_order, {"aarch64": "armv8", "riscv": "rvwmo"}.get(isa))


def test_with_ztso_two_stores_keep_their_order():
    passing = [[ins("sw", X, 1), ins("sw", Y, 1)], [ins("lw", Y, into="y"), ins("lw", X, into="x")]]
    for isa, verdict in (("riscv", "holds"), ("riscv_ztso", "violated")):
        program = Program("passing", isa=isa, threads=passing, init={X: 0, Y: 0})
        comparison = simaie.compare(program, machine=Machine("cas:barriers=none", host="pso"))
        assert comparison.verdict == verdict
