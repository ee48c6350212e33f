"""What optimal DPOR knows of an operation before it is performed: its effect, and whether it is enabled.

Each program here has a race whose second half does something else where the race is reversed. Were that not foreseen,
an outcome would be lost, or an execution made in vain.
"""

from __future__ import annotations

import itertools
import json

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor
from simaie_schedulers.dpor.values import UNKNOWN, Values

from exhaustive.canonical import canonical
from exhaustive.programs import Hypercalls
from exhaustive.searches import NATIVE, run, search
from simaie.exploration.canonical import trace_digest
from simaie.exploration.litmus import explore_litmus
from simaie.guest.program import Program
from simaie.host.sc import ScMemory
from simaie.litmus import parse
from simaie.machine import Machine
from simaie.op import Cell, Function
from simaie.schemes.native import Native

X, Y = 0x100, 0x108
HYPERCALLS = Machine(Hypercalls)
WASTE = ("sleep_set_blocked", "redundant", "presumed", "infeasible", "unforeseen")


def make(*threads, isa="x86", init=None, devices=()):
    return Program("effects", isa=isa, threads=threads, init=init or {X: (0, 8)}, devices=devices)


def calls(*names_and_operands, width=4):
    """A thread of instructions: (name, operand, ...) each; what they read is observed."""

    async def thread(cpu):
        for number, (name, *operands) in enumerate(names_and_operands):
            wide = {} if name in ("exception", "clrex") else {"width": width}
            read = await getattr(cpu, name)(*operands, **wide)
            if read is not None:
                cpu.observe(f"r{number}", read)

    return thread


LOAD, STORE = calls(("load", X)), calls(("store", X, 1))


def same_as_all_interleavings(program, machine=NATIVE):
    """The scheduler of an optimal search that ran one execution of each class that `dfs` sees."""
    interleavings = search(program, DepthFirst(), machine)
    scheduler = Dpor()
    traces = [trace for trace in search(program, scheduler, machine) if trace.ending != "pruned"]
    assert {canonical(trace) for trace in traces} == {canonical(trace) for trace in interleavings}
    assert scheduler.complete
    return scheduler


def is_optimal(program, machine=NATIVE):
    """Whether it also did nothing in vain."""
    statistics = same_as_all_interleavings(program, machine).statistics
    return not any(statistics[kind] for kind in WASTE)


def is_optimal_in_every_order(threads, machine=NATIVE, isa="x86"):
    """The same of the threads in all orders, as it depends on that which half of a race comes first."""
    return all(is_optimal(make(*order, isa=isa), machine) for order in itertools.permutations(threads))


# -- the value that a compare-and-swap finds ---------------------------------------------------------


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_a_compare_and_swap_that_always_fails_is_a_read_that_hides_nothing(host):
    """Two loads and a failing compare-and-swap, each before or after the store: 2**3 classes."""
    program = make(STORE, LOAD, calls(("lock_cmpxchg", X, 2, 7)), LOAD)
    scheduler = same_as_all_interleavings(program, Machine(host=host))
    assert scheduler.statistics["executions"] == 8
    assert not any(scheduler.statistics[kind] for kind in WASTE)


def test_the_litmus_search_does_not_call_never_what_a_failed_compare_and_swap_lets_happen():
    text = """AArch64 failed-cas
{ 0:X1=x; 1:X1=x; 2:X1=x; 3:X1=x; 2:X2=2; 2:X3=7; 0:X2=1; }
 P0         | P1         | P2            | P3         ;
 STR W2,[X1]| LDR W0,[X1]| CAS W2,W3,[X1]| LDR W0,[X1];
exists (1:X0=1 /\\ 2:X2=0 /\\ 3:X0=0)
"""
    result = explore_litmus(parse(text))
    assert result.verdict.observation == "Sometimes"
    assert len(result.states) == 8


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("initial", [0, 0x0101_0101])
def test_a_value_is_merged_of_accesses_of_several_widths(initial, endian):
    expected = 0x0101_0201 if initial else 0x0200
    program = make(
        calls(("store", X + (1 if endian == "little" else 2), 2), width=1),
        calls(("lock_cmpxchg", X, expected, 7)),
        LOAD,
        calls(("load", X), width=2),
        init={X: (initial, 4)},
    )
    assert is_optimal(program, Machine(endian=endian))


@pytest.mark.parametrize("first", [("xchg", X, 0x1_0000_0002), ("lock_xadd", X, -1), ("lock_cmpxchg", X, 0, -1)])
def test_what_a_read_modify_write_leaves_is_wrapped(first):
    compares = calls(("lock_cmpxchg", X, 0xFFFF_FFFF, 1)), calls(("lock_cmpxchg", X, 2, 5))
    assert is_optimal_in_every_order([calls(first), *compares])
    assert is_optimal_in_every_order([slot("decrement"), *compares], Machine(Slots))


def test_what_a_store_conditional_leaves_is_known():
    for expected in (1, 9):
        threads = [calls(("ldxr", X), ("stxr", X, 1)), calls(("cas", X, expected, 7)), calls(("str_", X, 3))]
        assert is_optimal_in_every_order(threads, isa="aarch64")


class Slots(Native):
    """Exceptions act on a cell of the emulator's own, which starts with 5."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.slot = self.host.cell("slot", 5)

    async def exception(self, cpu, cause):
        what, *operands = cause.split()
        numbers = list(map(int, operands))
        if what == "cas":
            cpu.observe(f"slot {cause}", await self.slot.compare_and_swap(*numbers))
        elif what == "load":
            cpu.observe("slot", await self.slot.load())
        elif what == "store":
            await self.slot.store(*numbers)
        elif what == "decrement":
            await self.host.fetch(X, 4, Function("minus 1", lambda value: value - 1))
        elif what == "update":
            await self.slot.update("count", lambda value: (value + 1, None))
        else:
            for step in numbers:  # each function sees the last of them, once the loop has ended
                await self.slot.fetch(Function(f"add {step}", lambda value: value + step))  # noqa: B023 - that is it


def slot(*causes):
    return calls(*(("exception", cause) for cause in causes))


def test_what_a_cell_holds_at_the_start_is_known():
    assert Cell("c", 5).initial == 5
    program = make(slot("store 1"), slot("load"), slot("cas 2 7"), slot("load"))
    assert is_optimal(program, Machine(Slots))
    assert is_optimal(make(slot("store 1"), slot("load"), slot("cas 5 7"), slot("load")), Machine(Slots))


def test_a_function_is_that_of_the_moment_when_it_was_applied():
    program = make(slot("fetch 1 10"), slot("cas 6 2"), slot("cas 16 3"), slot("load"))
    assert is_optimal(program, Machine(Slots))


def test_a_value_that_cannot_be_told_loses_nothing():
    """An UPDATE may do anything: the compare-and-swap is presumed to write, and some executions are in vain."""
    machine = Machine(Slots)
    program = make(slot("update", "store 1"), slot("load"), slot("cas 2 7", "cas 6 1"), slot("load"))
    scheduler = same_as_all_interleavings(program, machine)
    classes = {canonical(trace) for trace in search(program, DepthFirst(), machine)}
    statistics = scheduler.statistics
    in_vain = statistics["executions"] - len(classes)
    assert 0 < in_vain <= statistics["presumed"] + statistics["redundant"]
    assert statistics["unforeseen"] == 0


def test_an_execution_repeats_alone_where_effects_are_presumed():
    machine = Machine(Slots)
    program = make(slot("update", "store 1"), slot("load"), slot("cas 2 7", "cas 6 1"), slot("load"))
    scheduler, begun = Dpor(), []
    while not scheduler.exhausted:
        begun.append((json.loads(json.dumps(scheduler.profile())), run(program, scheduler, machine)))
    for number, (profile, trace) in enumerate(begun[:-1]):
        alone = Dpor()
        alone.restore(profile)
        assert run(program, alone, machine).digest == trace.digest
        if number % 8 == 0:  # an instance made anew goes on from there without losing anything
            rest = {later.outcome for later in [trace, *search(program, alone, machine)]}
            assert rest == {other.outcome for _, other in begun}


class WeakCompareAndSwap(ScMemory):
    """A host memory whose compare-and-swap fails the first time, whatever it finds; nothing announces that."""

    failed = False

    def _cas(self, actor, op):
        if not self.failed:
            self.failed = True
            return op.expected + 1
        return super()._cas(actor, op)

    def perform(self, actor, op):
        return self._cas(actor, op) if op.kind.name == "CAS" else super().perform(actor, op)


def test_a_host_memory_that_does_otherwise_is_found_out():
    program = make(STORE, LOAD, calls(("lock_cmpxchg", X, 0, 7)), LOAD)
    scheduler = Dpor()
    search(program, scheduler, Machine(host=WeakCompareAndSwap))
    assert scheduler.exhausted
    assert not scheduler.complete
    assert scheduler.statistics["unforeseen"] > 0
    assert scheduler.bound_note


# -- the reservation of a store-conditional ----------------------------------------------------------


def test_a_stopped_world_ends_no_reservation():
    pauses = calls(("exception", "stop"), ("exception", "go"))
    links = calls(("ldrex", X), ("strex", X, 1))
    assert is_optimal_in_every_order([links, pauses, calls(("ldr", X))], HYPERCALLS, "arm")


def test_a_store_conditional_fails_where_something_else_is_reserved():
    links = calls(("ldrex", Y), ("strex", X, 1))
    assert is_optimal_in_every_order([links, calls(("ldr", X)), calls(("str_", X, 2))], isa="arm")


def test_a_foreign_store_conditional_writes_less_than_it_reserved():
    upper = calls(("ldxr", X + 4), ("stxr", X + 4, 1))

    async def lower(cpu):
        await cpu.ldxr(X, width=8)
        cpu.observe("stored", await cpu.stxr(X, 1))

    for order in itertools.permutations([upper, lower, calls(("ldr", X + 4))]):
        program = make(*order, isa="aarch64")
        scheduler = Dpor()
        traces = search(program, scheduler)
        assert {trace.outcome for trace in traces} == {trace.outcome for trace in search(program, DepthFirst())}
        assert scheduler.complete
        assert not any(scheduler.statistics[kind] for kind in WASTE)


@pytest.mark.parametrize(
    ("isa", "names", "wide", "narrow"), [("aarch64", ("ldxr", "stxr"), 8, 4), ("arm", ("ldrex", "strex"), 8, 4)]
)
def test_a_store_to_the_other_half_of_what_is_reserved_ends_the_reservation(isa, names, wide, narrow):
    """The store-conditional fails if the store to the other half, which it does not overlap, comes in between."""
    linked, conditional = names

    async def atomic(cpu):
        await getattr(cpu, linked)(X, width=wide)
        cpu.observe("f", await getattr(cpu, conditional)(X, 1, width=narrow))

    program = make(atomic, calls(("str_", X + 4, 7)), isa=isa)
    exact = Machine("native:reservation=exact")  # the architecture says no more than that it may store
    interleavings = search(program, DepthFirst(), exact)
    outcomes = {trace.outcome for trace in interleavings}
    assert {outcome["0:f"] for outcome in outcomes} == {0, 1}
    assert len({trace_digest(trace) for trace in interleavings}) == 3  # whether it stored tells two of them apart
    scheduler = Dpor()
    assert {trace.outcome for trace in search(program, scheduler, exact)} == outcomes
    assert scheduler.complete


# -- who could go on ---------------------------------------------------------------------------------


def test_a_predicate_is_that_of_the_moment_when_the_wait_ended():
    async def waits(cpu):
        for wanted in (1, 2):  # each predicate sees the last value, once the loop has ended
            cpu.observe(f"r{wanted}", await cpu.wait_until(X, lambda value: value & wanted))  # noqa: B023 - that is it

    program = make(waits, calls(("lock_xadd", X, 1)), calls(("lock_xadd", X, 1)), calls(("lock_xadd", X, 2)))
    assert is_optimal(program)


def test_a_predicate_that_may_have_changed_since_is_tried():
    class Wanted:
        value = 1

    async def waits(cpu):
        wanted = Wanted()
        for _ in range(2):
            cpu.observe(f"r{wanted.value}", await cpu.wait_until(X, lambda value: value & wanted.value))
            wanted.value += 1

    program = make(waits, calls(("lock_xadd", X, 1)), calls(("lock_xadd", X, 1)), calls(("lock_xadd", X, 2)))
    scheduler = same_as_all_interleavings(program)
    assert scheduler.statistics["unforeseen"] == 0


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_what_a_wait_sees_is_merged_of_memory_and_of_its_own_buffered_stores(host):
    async def waits(cpu):
        await cpu.store(X + 1, 1, width=1)
        cpu.observe("r", await cpu.wait_until(X, lambda value: value in (0x101, 0x102)))

    others = calls(("store", X, 1), width=1), calls(("store", X, 2))
    assert is_optimal_in_every_order([waits, *others], Machine(host=host))


def test_what_waits_in_a_stopped_world_has_the_effect_that_it_would_have():
    """The world is stopped by a vCPU that then waits for ever for a mutex: whose load, whose compare-and-swap waits too
    might have been performed before, as a read."""
    stops = calls(("exception", "stop"), ("exception", "lock m"))
    for waiting in (("load", X), ("lock_cmpxchg", X, 2, 7)):
        holds = calls(("exception", "lock m"), waiting)
        assert is_optimal(make(holds, stops, STORE, LOAD), HYPERCALLS)


def test_a_device_goes_on_in_a_stopped_world_which_it_never_keeps_from_stopping():
    async def device(dma):
        await dma.dma_write(X, 0x5_0000_0005, width=8)

    stops = calls(("exception", "stop"), ("load", X), ("store", X, 1), ("exception", "go"))
    for word in (64, 32):
        machine = Machine(Hypercalls, host_word=word)
        assert is_optimal(make(stops, devices=[device]), machine)


def test_a_world_can_be_stopped_beside_a_vcpu_that_waits_for_ever_between_two_instructions():
    """It is inside none, so nobody waits for it."""
    stops = calls(("exception", "stop"), ("exception", "go"))

    async def waits(cpu):
        await cpu.store(X, 1)
        await cpu.wait_until(Y + 8, lambda value: value == 1)

    for order in itertools.permutations((stops, waits, calls(("store", Y, 1)))):
        same_as_all_interleavings(make(*order), HYPERCALLS)


def test_only_those_executions_count_as_presumed_in_which_a_presumed_write_was_none(monkeypatch):
    """Once the search has left that execution, nothing of it counts any more."""
    monkeypatch.setattr(Values, "at", lambda self, op, mask: UNKNOWN)
    scheduler = Dpor()
    assert len(search(make(LOAD, STORE, calls(("lock_cmpxchg", X, 2, 7))), scheduler)) == 4
    assert scheduler.statistics["presumed"] == 1
