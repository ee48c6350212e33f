"""Store-conditionals that succeeded wrongly are found, at each level of strictness as it says."""

import pytest
from handmade import Tape, X, Y, found, kinds, run

from simaie.check import (
    LLSC_ARCHITECTURAL,
    LLSC_STRICT,
    LLSC_VALUE,
    Intruder,
    Level,
    intruder,
    judge,
    llsc_atomicity,
)
from simaie.errors import UsageError
from simaie.op import Kind, Op
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind, Ending, Event

FLAG = 0x3000
LL, SC = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL
LEVELS = {Level.STRICT: LLSC_STRICT, Level.VALUE: LLSC_VALUE, Level.ARCHITECTURAL: LLSC_ARCHITECTURAL}


def linked(tape, vcpu="0", value=0, address=X, width=4, cut=False):
    return tape.begin(vcpu, LL, "ldrex", address, width, cut=cut).load(vcpu, value, address, width)


def conditional(tape, vcpu="0", value=1, address=X, width=4):
    return tape.begin(vcpu, SC, "strex", address, width).store(vcpu, value, address, width)


def failed(tape, vcpu="0"):
    return tape.begin(vcpu, SC, "strex").cas(vcpu, 1, 2, seen=0)


def levels_that_complain(tape, **fields):
    return {level for level, checker in LEVELS.items() if list(checker(tape.trace(**fields)))}


ALL = set(Level)


def test_a_plain_store_that_changes_the_value_breaks_every_level():
    assert levels_that_complain(conditional(linked(Tape()).plain_store("1", 5))) == ALL


def test_the_evidence_is_the_load_the_foreign_store_and_the_store():
    tape = conditional(linked(Tape()).plain_store("1", 5, X + 1, 1).plain_store("1", 6))
    (finding,) = LLSC_ARCHITECTURAL(tape.trace())
    assert finding.kind == "llsc-atomicity"
    assert finding.steps == (0, 1, 3)
    assert finding.addresses == (X, X + 1, X)
    assert finding.vcpus == ("0", "1")


def test_a_store_of_the_same_value_breaks_all_levels_but_the_value_level():
    tape = conditional(linked(Tape(), value=5).plain_store("1", 5))
    assert levels_that_complain(tape) == {Level.STRICT, Level.ARCHITECTURAL}


def test_a_value_changed_and_changed_back_breaks_every_level():
    assert levels_that_complain(conditional(linked(Tape(), value=5).plain_store("1", 6).plain_store("1", 5))) == ALL


def test_the_value_level_names_the_store_that_changed_something():
    tape = conditional(linked(Tape(), value=5).plain_store("1", 5).plain_store("1", 6))
    (finding,) = LLSC_VALUE(tape.trace())
    assert finding.steps == (0, 2, 3)


@pytest.mark.parametrize(("endian", "changed"), [("little", False), ("big", True)])
def test_the_value_level_compares_bytes_as_they_lie_in_memory(endian, changed):
    tape = conditional(linked(Tape(), value=0x00000005).plain_store("1", 5, X, 1))
    assert bool(list(llsc_atomicity("value", endian=endian)(tape.trace()))) is changed


def test_the_value_level_follows_the_vcpus_own_stores_too():
    tape = linked(Tape(), value=5).plain_store("0", 6).plain_store("1", 6)
    assert Level.VALUE not in levels_that_complain(conditional(tape))


def test_the_value_level_understands_a_foreign_fetch():
    tape = linked(Tape(), value=5).begin("1", AccessKind.ATOMIC, "swp").fetch("1", 5)
    assert levels_that_complain(conditional(tape)) == ALL


def test_stores_before_the_load_after_the_store_or_beside_the_bytes_are_legal():
    before = conditional(linked(Tape().plain_store("1", 5), value=5))
    after = conditional(linked(Tape())).plain_store("1", 5)
    beside = conditional(linked(Tape()).plain_store("1", 5, X + 4).plain_store("1", 5, X - 4))
    own = conditional(linked(Tape()).plain_store("0", 5))
    for tape in (before, after, beside, own):
        assert levels_that_complain(tape) == set()


def test_a_store_conditional_that_failed_is_not_judged():
    assert levels_that_complain(failed(linked(Tape()).plain_store("1"))) == set()


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda tape: tape.plain_store("1"), Intruder.PLAIN_STORE),
        (lambda tape: conditional(linked(tape, "1"), "1"), Intruder.STORE_CONDITIONAL),
        (lambda tape: tape.begin("1", AccessKind.ATOMIC, "swp").fetch("1"), Intruder.ATOMIC),
        (lambda tape: tape.begin("1", AccessKind.PLAIN_RMW, "add").store("1"), Intruder.PLAIN_RMW),
        (lambda tape: tape.begin("dma0", AccessKind.STORE, "dma-write").store("dma0"), Intruder.DEVICE),
        (lambda tape: tape.store("walker"), Intruder.OTHER),
    ],
)
def test_the_kind_of_the_intervening_access_is_told_apart(write, expected):
    tape = linked(Tape())
    write(tape)
    trace = conditional(tape).trace()
    (finding,) = (f for f in LLSC_ARCHITECTURAL(trace) if f.vcpus[0] == "0")
    assert intruder(trace.events[finding.steps[1]]) is expected


# -- the architecture's other rules -----------------------------------------------------------------


def test_success_without_any_load_linked_breaks_the_architecture_only():
    assert levels_that_complain(conditional(Tape())) == {Level.ARCHITECTURAL}


def test_success_after_an_earlier_attempt_breaks_the_architecture_only():
    again = conditional(conditional(linked(Tape())))
    after_failure = conditional(failed(linked(Tape())))
    for tape in (again, after_failure):
        assert levels_that_complain(tape) == {Level.ARCHITECTURAL}


def test_success_after_clrex_breaks_the_architecture_only():
    tape = linked(Tape()).begin("0", AccessKind.OTHER, "clrex", 0, 0).load("0", address=Y)
    assert levels_that_complain(conditional(tape)) == {Level.ARCHITECTURAL}


def test_a_new_load_linked_makes_a_new_reservation():
    tape = linked(failed(linked(Tape())).plain_store("1", 5), value=5)
    assert levels_that_complain(conditional(tape)) == set()


def test_a_load_linked_that_never_completed_reserves_nothing():
    assert levels_that_complain(conditional(linked(Tape(), cut=True))) == {Level.ARCHITECTURAL}


def test_each_vcpu_has_a_reservation_of_its_own():
    tape = conditional(linked(linked(Tape(), "1"), "0", address=Y), "0", address=Y)
    assert levels_that_complain(conditional(tape, "1")) == set()


def test_a_store_conditional_elsewhere_is_unpredictable_and_not_judged_by_the_architecture():
    told = linked(Tape()).plain_store("1", 5).plain_store("1", 1, FLAG)
    elsewhere = conditional(told.begin("0", AccessKind.LOAD, "ldr", FLAG).load("0", 1, FLAG), address=Y)
    wider = conditional(linked(Tape()).plain_store("1", 5), width=8)
    for tape in (elsewhere, wider):
        assert Level.ARCHITECTURAL not in levels_that_complain(tape)
        assert Level.STRICT in levels_that_complain(tape)


def test_each_half_of_a_split_load_linked_counts_from_its_own_read():
    def halves(first_store):
        tape = Tape().begin("0", LL, "ldrexd", X, 8).load("0", width=4)
        tape.plain_store("1", 5, first_store).load("0", 5, X + 4)
        return tape.begin("0", SC, "strexd", X, 8).store("0").store("0", address=X + 4)

    assert levels_that_complain(halves(X)) == ALL
    assert levels_that_complain(halves(X + 4)) == set()


def test_a_helper_that_reads_again_is_judged_by_its_last_read():
    tape = linked(Tape()).plain_store("1", 5).load("0", 5)
    assert levels_that_complain(conditional(tape)) == set()


def test_each_level_is_a_kind_of_finding():
    tape = conditional(linked(Tape()).plain_store("1", 5))
    found = {level: kinds(checker(tape.trace())) for level, checker in LEVELS.items()}
    assert found == {
        Level.VALUE: ["llsc-atomicity-value"],
        Level.ARCHITECTURAL: ["llsc-atomicity"],
        Level.STRICT: ["llsc-atomicity-strict"],
    }


def test_what_changed_no_value_is_told_apart():
    """Evidence is a write that changed something, if there is one, at every level."""
    same = conditional(linked(Tape(), value=5).plain_store("1", 5)).trace()
    both = conditional(linked(Tape(), value=5).plain_store("1", 5).plain_store("2", 6)).trace()
    for checker in (LLSC_STRICT, LLSC_ARCHITECTURAL):
        (harmless,), (harmful,) = checker(same), checker(both)
        assert harmless.vcpus == ("0", "1")
        assert harmful.steps == (0, 2, 3)
        assert harmful.vcpus == ("0", "2")


def returned(tape, vcpu, result):
    """The latest instruction of `vcpu` has returned `result`."""
    tape.events[-1].instruction.result = result
    return tape


def test_what_a_store_conditional_says_does_not_hide_what_it_did():
    intruded = returned(conditional(linked(Tape()).plain_store("1", 5)), "0", False)
    unlinked = returned(conditional(Tape()), "0", False)
    after_failure = returned(conditional(returned(failed(linked(Tape())), "0", False)), "0", True)
    for tape in (intruded, unlinked, after_failure):
        assert kinds(LLSC_ARCHITECTURAL(tape.trace())) == ["llsc-atomicity"]
    assert not list(LLSC_ARCHITECTURAL(returned(conditional(linked(Tape())), "0", False).trace()))


def test_a_success_that_wrote_nothing_is_judged_like_any_other():
    def claims(tape, result=True):
        return returned(tape.begin("0", SC, "strex").load("0", 5), "0", result)

    assert levels_that_complain(claims(Tape())) == {Level.ARCHITECTURAL}
    assert levels_that_complain(claims(failed(linked(Tape())))) == {Level.ARCHITECTURAL}
    assert levels_that_complain(claims(linked(Tape()).plain_store("1", 5))) == ALL
    assert levels_that_complain(claims(linked(Tape()))) == set()
    assert levels_that_complain(claims(linked(Tape()).plain_store("1", 5), result=False)) == set()


def drained(tape, vcpu, op, instruction):
    tape.events.append(Event(f"{vcpu}~", op, None, instruction))
    return tape


def buffered(tape, vcpu, value):
    """A store enters the buffer; returns what drains it."""
    op = Op(Kind.STORE, None, X, 4, value)
    tape.op(vcpu, Op(Kind.BUFFER, value=op))
    instruction = tape.events[-1].instruction
    return lambda: drained(tape, vcpu, op, instruction)


def test_a_store_conditional_whose_store_drains_late_belongs_to_the_load_linked_before_it():
    tape = linked(Tape()).begin("0", SC, "strex")
    drain = buffered(tape, "0", 1)
    linked(tape, address=Y).plain_store("1", 5)
    drain()
    assert levels_that_complain(tape) == ALL


def test_a_load_linked_that_read_its_own_buffered_store_reads_it_where_that_drains():
    """What another vCPU stores before the drain came before it in memory, hence before the load-linked."""
    tape = Tape().begin("0", AccessKind.STORE, "str")
    drain = buffered(tape, "0", 7)
    linked(tape, value=7).plain_store("1", 5)
    drain()
    assert levels_that_complain(conditional(tape)) == set()
    tape = Tape().begin("0", AccessKind.STORE, "str")
    drain = buffered(tape, "0", 7)
    linked(tape, value=7)
    drain().plain_store("1", 5)
    assert levels_that_complain(conditional(tape)) == ALL


def test_a_foreign_store_that_nothing_orders_before_the_store_conditional_is_no_intrusion():
    """To bytes that were load-linked and are not stored to: it may as well have come afterwards."""
    wide = linked(Tape(), width=8).plain_store("1", 5, X + 4)
    assert levels_that_complain(conditional(wide)) == set()
    told = linked(Tape(), width=8).plain_store("1", 5, X + 4).plain_store("1", 1, Y)
    told.begin("0", AccessKind.LOAD, "ldr", Y).load("0", 1, Y)
    assert levels_that_complain(conditional(told), isa="arm") == {Level.STRICT}
    assert levels_that_complain(told, isa="riscv") == ALL


def test_an_unknown_level_is_refused():
    with pytest.raises(UsageError):
        llsc_atomicity("lenient")


# -- real executions ------------------------------------------------------------------------------


class Blind(Scheme):
    """A store-conditional that always stores."""

    def load_linked(self, cpu, address, width):
        return self.load(cpu, address, width)

    async def store_conditional(self, cpu, address, width, value):
        await self.store(cpu, address, width, value)
        return True


async def increment(cpu):
    while await cpu.strex(X, await cpu.ldrex(X) + 1):
        pass


async def eager(cpu):
    await cpu.ldrex(X)
    await cpu.clrex()
    await cpu.strex(X, 1)
    await cpu.strex(X, 2)


async def storer(cpu):
    await cpu.str_(X, 5)


async def dma(device):
    await device.dma_write(X, 9)


@pytest.mark.parametrize("level", list(Level))
def test_a_scheme_without_a_monitor_is_found_at_every_level(level):
    assert found(llsc_atomicity(level), [increment, increment], Blind)
    assert found(llsc_atomicity(level), [increment, storer], Blind)
    assert found(llsc_atomicity(level), [increment], Blind, devices=[dma])


def test_a_scheme_that_ignores_its_own_attempts_is_found_in_every_execution():
    assert found(LLSC_ARCHITECTURAL, [eager], Blind, executions=3) == 3


class Forgetful(Blind):
    """A store-conditional that fails once, without any operation, and keeps the reservation."""

    def enter(self, cpu):
        cpu.local = False

    async def store_conditional(self, cpu, address, width, value):
        again, cpu.local = cpu.local, True
        return again and await super().store_conditional(cpu, address, width, value)


def test_a_failure_that_left_no_event_has_ended_the_reservation():
    async def tries_twice(cpu):
        await cpu.ldrex(X)
        assert await cpu.strex(X, 1) == 1
        await cpu.strex(X, 2)

    assert found(LLSC_ARCHITECTURAL, [tries_twice], Forgetful, executions=1)
    assert not found(LLSC_STRICT, [tries_twice], Forgetful, executions=1)


def test_compare_and_swap_is_found_by_a_value_that_returns():
    async def aba(cpu):
        await cpu.str_(X, 5)
        await cpu.str_(X, 0)

    assert found(LLSC_VALUE, [increment, aba], "cas")
    assert not found(LLSC_VALUE, [increment, increment], "cas")


def test_the_ideal_scheme_is_clean():
    for seed in range(100):
        trace = run([increment, increment, storer, eager], "native", seed=seed, devices=[dma])
        assert judge(trace, [*LEVELS.values()]) == ()


def test_a_trace_that_was_cut_short_is_judged_as_far_as_it_goes():
    tape = conditional(linked(Tape()).plain_store("1", 5))
    assert kinds(LLSC_STRICT(tape.trace(Ending.STEP_LIMIT))) == ["llsc-atomicity-strict"]


def test_what_ended_the_reservation_is_part_of_the_evidence():
    async def again(cpu):
        await cpu.ldrex(X)
        await cpu.strex(X, 1)
        await cpu.ldr(Y)
        await cpu.strex(X, 2)

    (finding,) = LLSC_ARCHITECTURAL(run([again], Blind))
    assert finding.steps == (1, 3)
