"""Monitors report what the checkers would find, and an execution of which they report nothing needs no trace.

Each execution runs twice along one memo, so that the second time every step is known. The checkers judge the trace of
the reference engine. A monitor may suspect more than they find, but for these programs it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from exhaustive.generated import FAMILIES, program, under_scheme
from handmade import Tape, X
from memo_runs import info
from mutants import MUTANTS
from simaie_schedulers.dpor.search import Dpor

from simaie import Machine, Page, Program
from simaie.check import DEFAULT
from simaie.check.alone import Interval, atomic_interval, reserved_interval
from simaie.check.entries import one_entry_per_granule, registered_by_atomics
from simaie.check.invariants import unguarded_update
from simaie.check.llsc import LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE
from simaie.check.locks import lock_leak
from simaie.check.needs import SUSPECT, UNPROVED, can_find
from simaie.check.results import instruction_results, is_right
from simaie.check.rmw import rmw_atomicity
from simaie.engine.inline import run_inline
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.finished import trace_of
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.monitors import watch
from simaie.engine.memo.node import Node
from simaie.engine.memo.quick import make_memo_execution
from simaie.engine.memo.run import run_memo
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.steps import MemoSteps
from simaie.exploration.judging import CheckerRunner
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.guest.reservation import Cause
from simaie.op import Cell, Kind, Op
from simaie.protocols import Checker
from simaie.replaying.run import make_execution
from simaie.trace import AccessKind, Instruction, ReservationEnd, Trace

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

LLSC = (LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE)
MONITORED: tuple[Checker, ...] = (
    instruction_results, rmw_atomicity, *LLSC, lock_leak, one_entry_per_granule, registered_by_atomics,
    unguarded_update,
)  # fmt: skip
X86 = ("none", "aie-rfc", "aie-v2", "cas", "global-lock", "native")
ARM = ("none", "aie-rfc", "cas", "native", "hst-weak", "ldstex2cas", "pico-st")
PLACE = 0x100
SIZES = [(2, 2), (3, 2), (2, 1, 1), (3, 3)]


async def add(cpu: Any) -> None:
    await cpu.lock_xadd(PLACE, 1)


async def store(cpu: Any) -> None:
    await cpu.store(PLACE, 7)


async def increment(cpu: Any) -> None:
    if not await cpu.strex(PLACE, await cpu.ldrex(PLACE) + 1):
        cpu.observe("done", 1)


GUESTS: dict[str, list[Any]] = {"x86": [add, store], "arm": [increment, store]}


def counter(isa: str, *guests: Any) -> Program:
    return Program("counter", isa=isa, threads=guests, watch={PLACE: 4})


def twice(made: Program, machine: Machine, executions: int) -> Iterator[tuple[Trace, Trace, bool]]:
    """Random executions on the reference engine and a memo, first of new steps; whether all steps are known."""
    memo = Memo(made, machine, SharedState(made))
    execution: MemoExecution | None = None
    for again in (False, True):
        scheduler, for_memo = make_scheduler("random-walk")[0], make_scheduler("random-walk")[0]
        for index in range(executions):
            execution = make_memo_execution(memo, for_memo, info(made, index), execution)
            followed = run_memo(execution)
            assert execution.is_known or not again
            yield run_inline(make_execution(made, machine, scheduler, index=index, verify=False)), followed, again
    memo.close()


def undone(made: Program, machine: Machine) -> list[Trace]:
    """The executions of a search by undo, none of which the reference engine runs again."""
    memo, found = Memo(made, machine, SharedState(made)), []
    state = MemoSteps(memo)
    state.begin()
    search: Any = Dpor().by_undo(state)
    while search.advance():
        found.append(trace_of(state))
    memo.close()
    return found


def asked(trace: Trace) -> set[Checker]:
    return {checker for checker in MONITORED if can_find(checker, trace.occurred)}


def finds(trace: Trace) -> set[Checker]:
    return {checker for checker in MONITORED if tuple(checker(trace))}


def compare(made: Program, machine: Machine, executions: int, *, exact: bool) -> set[Checker]:
    """Hold monitors and checkers against each other; return the checkers that found something."""
    found: set[Checker] = set()
    for reference, followed, is_known in twice(made, machine, executions):
        wanted = finds(reference)
        if exact and is_known:
            # A monitor does not tell the levels of LL/SC, nor the two kinds of atomicity, from each other.
            atomicity = {rmw_atomicity, *LLSC}
            assert asked(followed) - atomicity == wanted - atomicity, made.name
            assert bool(asked(followed) & atomicity) == bool(wanted & atomicity), made.name
        assert wanted <= asked(followed), made.name
        found |= wanted
    return found


@pytest.mark.parametrize(("isa", "schemes"), [("x86", X86), ("arm", ARM)])
def test_monitors_report_what_the_checkers_find(isa: str, schemes: tuple[str, ...]) -> None:
    found: set[Checker] = set()
    for scheme in schemes:
        found |= compare(counter(isa, *GUESTS[isa]), Machine(scheme, address_bits=12), 20, exact=True)
        for seed in range(4):
            # Whether a store-conditional to other bytes is judged at all depends on the architecture.
            made, exact = under_scheme(isa, seed, SIZES[seed % 4]), isa == "x86" or scheme != "native"
            found |= compare(made, Machine(scheme, address_bits=12), 8, exact=exact)
    assert found == {rmw_atomicity} if isa == "x86" else set(LLSC) <= found


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("isa", ["x86", "arm"])
def test_monitors_miss_nothing_on_hosts_with_store_buffers(isa: str, host: str) -> None:
    found: set[Checker] = set()
    for scheme in ("none", "cas", "aie-rfc"):
        for seed in (0, 3, 7):
            machine = Machine(scheme, host=host, address_bits=12)
            found |= compare(under_scheme(isa, seed, SIZES[seed % 4]), machine, 6, exact=False)
    assert found


@pytest.mark.parametrize("family", ["widths", "exclusives of two widths", "reservation sets", "undefined exclusives"])
def test_monitors_miss_nothing_where_accesses_overlap_in_part(family: str) -> None:
    for scheme in ("none", "cas", "native"):
        for seed in range(6):
            compare(program(family, seed, (3, 3)), Machine(scheme), 8, exact=False)


@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_monitors_report_what_mutants_do(number: int) -> None:
    mutant = MUTANTS[number]
    compare(mutant.program(), Machine(mutant.spoiled, address_bits=12), 30, exact=False)


@pytest.mark.soak
@pytest.mark.parametrize("family", FAMILIES)
def test_monitors_miss_nothing_in_many_programs(family: str) -> None:
    for host in ("sc", "sc", "tso", "pso"):
        for scheme in ("none", "cas", "native", "hst-weak", "aie-rfc"):
            for seed in range(40):
                try:
                    compare(program(family, seed, SIZES[seed % 4]), Machine(scheme, host=host), 10, exact=False)
                except Exception as error:  # the scheme does not emulate an instruction, or the guest cannot run on it
                    if isinstance(error, AssertionError):
                        raise


# -- searches by undo --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("isa", "schemes"), [("x86", X86), ("arm", ("none", "aie-rfc", "cas", "hst-weak"))])
def test_monitors_report_what_the_checkers_find_in_a_search_by_undo(isa: str, schemes: tuple[str, ...]) -> None:
    violated = 0
    for scheme in schemes:
        for made in (counter(isa, *GUESTS[isa]), *[under_scheme(isa, seed, (2, 1)) for seed in range(4)]):
            for trace in undone(made, Machine(scheme, address_bits=12)):
                wanted = finds(trace)
                assert wanted <= asked(trace)
                assert bool(asked(trace)) == bool(wanted)
                violated += bool(wanted)
    assert violated


@pytest.mark.parametrize(("isa", "scheme", "guest"), [
    ("x86", "aie-rfc", add), ("x86", "global-lock", add), ("arm", "aie-rfc", increment), ("arm", "cas", increment),
])  # fmt: skip
def test_no_trace_is_made_where_monitors_report_nothing(isa: str, scheme: str, guest: Any) -> None:
    made = counter(isa, guest, guest)
    judge = CheckerRunner(DEFAULT, made, Dpor())
    traces = undone(made, Machine(scheme, address_bits=12))
    assert traces
    for trace in traces:
        assert judge.judge(trace) == ()
        assert trace.__dict__["_left"] is not None


@pytest.mark.parametrize("guests", [[add, store], [add, add]])
def test_a_trace_is_made_where_monitors_report_an_intrusion(guests: list[Any]) -> None:
    made = counter("x86", *guests)
    judge = CheckerRunner(DEFAULT, made, Dpor())
    traces = undone(made, Machine("none"))
    failing = [trace for trace in traces if judge.judge(trace)]
    assert len(failing) == sum(bool(tuple(rmw_atomicity(trace))) for trace in traces) == judge.failing
    assert 0 < len(failing) < len(traces)


# -- what one vCPU shows by itself -------------------------------------------------------------------------

LL, SC = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL


def atomic() -> Tape:
    return Tape().begin("0", AccessKind.ATOMIC, "lock xadd", X, 8)


@pytest.mark.parametrize(("tape", "interval"), [
    (atomic().load("0").store("0"), Interval(0, X, 4)),
    (atomic().load("0").load("0").store("0"), Interval(1, X, 4)),
    (atomic().load("0").load("0", address=X + 4).store("0", address=X + 4), Interval(1, X + 4, 4)),
    (atomic().load("0").load("0", address=X + 4).store("0", width=8), Interval(0, X, 8)),
    (atomic().load("0").store("0").store("0"), Interval(0, X, 4)),
    (atomic().load("0").cas("0", 0, 1, 0).store("0"), Interval(1, X, 4)),
    (atomic().load("0").cas("0", 0, 1, 0), None),
    (atomic().load("0").fetch("0"), None),
    (atomic().store("0"), None),
])  # fmt: skip
def test_an_interval_begins_at_the_read_on_which_the_write_rests(tape: Tape, interval: Interval | None) -> None:
    assert atomic_interval(tape.events) == interval


def linked(address: int = X, width: int = 4, parts: int = 1) -> Tape:
    tape, part = Tape().begin("0", LL, "ldrex", address, width), width // parts
    for number in range(parts):
        tape.load("0", 0, address + part * number, part)
    return tape


def conditional(tape: Tape, address: int = X, width: int = 4) -> Tape:
    return tape.begin("0", SC, "strex", address, width).store("0", 1, address, width)


TO_EXAMINE = None, True


@pytest.mark.parametrize(("tape", "answer"), [
    (conditional(linked()), (Interval(0, X, 4), False)),
    (conditional(linked().load("0")), (Interval(1, X, 4), False)),
    (conditional(linked(width=8, parts=2), width=8), (Interval(0, X, 8), False)),
    (conditional(linked()).store("0", 2), (Interval(0, X, 4), False)),
    (linked().begin("0", SC, "strex").cas("0", 1, 2, seen=0), (None, False)),
    (conditional(Tape()), TO_EXAMINE),
    (conditional(conditional(linked())), TO_EXAMINE),
    (conditional(linked(width=8)), TO_EXAMINE),
    (conditional(linked(), width=8), (Interval(0, X, 4), False)),
    (conditional(linked(), address=X + 4), TO_EXAMINE),
    (linked().begin("0", SC, "strex").fetch("0"), (Interval(0, X, 4), False)),
])  # fmt: skip
def test_an_interval_begins_at_the_load_linked(tape: Tape, answer: Any) -> None:
    assert reserved_interval(tape.events, (), "arm") == answer


@pytest.mark.parametrize(("cause", "number", "answer"), [
    (Cause.CLEAR, 1, TO_EXAMINE), (Cause.EXCEPTION, 2, TO_EXAMINE), (Cause.STORE_CONDITIONAL, 1, TO_EXAMINE),
    (Cause.STORE_CONDITIONAL, 2, (Interval(0, X, 4), False)), (Cause.CLEAR, 0, (Interval(0, X, 4), False)),
])  # fmt: skip
def test_what_ended_the_reservation_makes_a_store_conditional_suspect(cause: Cause, number: int, answer: Any) -> None:
    tape = linked().begin("0", AccessKind.OTHER, "nop")
    ends = (ReservationEnd("0", number, cause.name, "it"),)
    assert reserved_interval(conditional(tape).events, ends, "aarch64") == answer


def test_a_store_conditional_of_more_bytes_is_examined_where_the_granule_counts() -> None:
    assert reserved_interval(conditional(linked(), width=8).events, (), "riscv") == TO_EXAMINE


# -- waits, of which the memo does not know what they read ---------------------------------------------------


def after(op: Op, wait: Op | None, access: AccessKind, *, ends: bool, **options: Any) -> int:
    """The bits of a step that belongs to an instruction of this access, which ends if so."""
    made = Program("counter", isa="x86", threads=[add], **options)
    memo = Memo(made, Machine(), SharedState(made))
    start = memo.root("0", 0, made.cpu_class, add, spawned_at=None, is_device=False).start
    before = Node(start.root, start)
    before.op, before.wait = op, wait
    before.instruction = Instruction("0", 0, "it", access, X, 4)
    node = Node(start.root, before, None if op.kind is Kind.PAUSE else 0)
    if ends:
        node.final = Instruction("0", 0, "it", access, X, 4, 0)
    return watch(node, memo)


AWAIT = Op(Kind.AWAIT, None, X, 4)


def test_a_wait_for_ram_that_stands_for_a_pause_makes_an_atomic_instruction_suspect() -> None:
    assert after(Op(Kind.PAUSE), AWAIT, AccessKind.ATOMIC, ends=False) & SUSPECT
    assert not after(Op(Kind.LOAD, None, X, 4), AWAIT, AccessKind.ATOMIC, ends=False) & SUSPECT
    assert not after(Op(Kind.PAUSE), AWAIT, AccessKind.LOAD, ends=False) & SUSPECT


def test_a_wait_for_ram_leaves_the_result_of_its_instruction_open() -> None:
    load = Op(Kind.LOAD, None, X, 4)
    assert after(load, AWAIT, AccessKind.LOAD, ends=True) & UNPROVED
    assert not after(load, Op(Kind.AWAIT, Cell("flag", 0)), AccessKind.LOAD, ends=True) & UNPROVED


# -- page tables, which others may change -------------------------------------------------------------------


def test_a_result_is_open_if_an_operation_is_elsewhere_than_its_instruction() -> None:
    store = Tape().begin("0", AccessKind.STORE, "mov").store("0", 1).store("0", 9, X + 0x3000)
    instruction = Instruction("0", 0, "mov", AccessKind.STORE, X, 4, None, 1)
    assert is_right(instruction, store.events[:1], "little")
    assert not is_right(instruction, store.events, "little")


def test_a_result_is_open_if_the_program_maps_pages() -> None:
    load = Op(Kind.LOAD, None, X, 4)
    assert not after(load, None, AccessKind.LOAD, ends=True) & UNPROVED
    assert after(load, None, AccessKind.LOAD, ends=True, pages={X: Page(0x3000)}) & UNPROVED
