"""The layout of a trace: columns, rows, headings, marks, lanes and folds, on traces made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from simaie import corpus
from simaie.check import DEFAULT, judge
from simaie.decision import Schedule, Switch
from simaie.exploration.explorer import explore
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.host.host import Mutex, SharedCell
from simaie.machine import Machine
from simaie.op import Kind, Op
from simaie.replaying.run import run
from simaie.replaying.shrink.turns import InTurns
from simaie.show.folding import SHORT, SMALLEST_FOLD, kept_steps
from simaie.show.format import clean
from simaie.show.trace_table import Lane, Row, RowKind, structural_order, trace_table
from simaie.show.trace_view import MOST_LANES, trace_view
from simaie.trace import AccessKind, Ending, Event, Fault, Instruction, Outcome, Trace

LOCK = Mutex("m")
CELL = SharedCell("cell")


def a_trace(events: Sequence[Event], **other: Any) -> Trace:
    given: dict[str, Any] = {"ending": Ending.FINISHED, "waiting": {}, "schedule": Schedule()}
    return Trace(program="p", events=list(events), outcome=Outcome(), **given | other)


def an_instruction(vcpu: str, number: int = 0, *, completed: bool = True) -> Instruction:
    made = Instruction(vcpu, number, "ldrex", AccessKind.LOAD_LINKED, 0x100, 4)
    if completed:
        made.result = 7
    return made


def load(vcpu: str, instruction: Instruction | None) -> Event:
    return Event(vcpu, Op(Kind.LOAD, None, 0x100, 4), 7, instruction)


def on_lock(kind: Kind, vcpu: str, instruction: Instruction) -> Event:
    return Event(vcpu, Op(kind, LOCK), None, instruction)


def kinds(rows: Iterable[Row]) -> list[tuple[str, int | None]]:
    return [(row.kind.value, row.column) for row in rows]


def test_columns_are_in_structural_order_whatever_the_order_of_the_events() -> None:
    names = ["10", "2", "dma0", "0.1", "0", "0.0.1", "0.0"]
    table = trace_table(a_trace([load(name, None) for name in names]))
    assert table.columns == ("0", "0.0", "0.0.1", "0.1", "2", "10", "dma0")
    assert sorted(names, key=structural_order) == list(table.columns)


def test_an_instruction_is_a_heading_in_its_column_with_its_operations_below_wherever_others_cut_in() -> None:
    first, other = an_instruction("0"), an_instruction("1")
    table = trace_table(a_trace([load("0", first), load("1", other), load("0", first), load("1", other)]))
    assert kinds(table.rows) == [
        ("instruction", 0),
        ("operation", 0),
        ("instruction", 1),
        ("operation", 1),
        ("operation", 0),
        ("operation", 1),
    ]
    assert [row.step for row in table.rows] == [None, 0, None, 1, 2, 3]


def test_an_instruction_of_one_operation_takes_one_row() -> None:
    table = trace_table(a_trace([load("0", an_instruction("0")), load("0", an_instruction("0", 1))]))
    assert kinds(table.rows) == [("single", 0), ("single", 0)]


def test_guilty_steps_carry_the_numbers_of_their_findings() -> None:
    trace = a_trace([load("0", None)] * 4)
    table = trace_table(trace, [Finding("a", "", (1, 3)), Finding("b", "", (3, 3, 99))])
    assert [row.marks for row in table.rows] == [(), (1,), (), (1, 2)]


def test_the_steps_where_the_scheduler_left_its_default_are_marked() -> None:
    trace = a_trace([load("0", None), load("1", None)], schedule=Schedule((Switch(1, "1"),)))
    assert [row.switched for row in trace_table(trace).rows] == [False, True]


def test_a_lane_shows_who_is_inside_an_instruction_and_who_holds_a_lock() -> None:
    one = an_instruction("0")
    events = [
        load("0", one),
        on_lock(Kind.LOCK, "0", one),
        load("1", an_instruction("1")),
        on_lock(Kind.UNLOCK, "0", one),
        load("0", one),
        load("1", an_instruction("1", 1)),
    ]
    lanes = {row.step: row.lanes for row in trace_table(a_trace(events)).rows if row.step is not None}
    assert lanes == {
        0: (Lane.INSIDE, Lane.OUTSIDE),
        1: (Lane.LOCKED, Lane.OUTSIDE),
        2: (Lane.LOCKED, Lane.INSIDE),
        3: (Lane.LOCKED, Lane.OUTSIDE),  # the step that releases still belongs to the lock
        4: (Lane.INSIDE, Lane.OUTSIDE),
        5: (Lane.ABSENT, Lane.INSIDE),  # vCPU 0 has done its last step
    }


def test_a_spawned_vcpu_has_no_lane_before_it_is_spawned() -> None:
    class Handle:
        name = "0.0"

    spawn = Event("0", Op(Kind.SPAWN), Handle(), None)
    table = trace_table(a_trace([load("0", None), spawn, load("0.0", None)]))
    assert [row.lanes[1] for row in table.rows] == [Lane.ABSENT, Lane.ABSENT, Lane.OUTSIDE]


def test_a_stuck_vcpu_stays_in_the_instruction_and_under_the_lock_that_it_is_stuck_with() -> None:
    one, two = an_instruction("0", completed=False), an_instruction("1")
    events = [on_lock(Kind.LOCK, "0", one), load("1", two)]
    trace = a_trace(events, ending=Ending.DEADLOCK, waiting={"0": Op(Kind.LOCK, LOCK)})
    assert [row.lanes[0] for row in trace_table(trace).rows] == [Lane.LOCKED, Lane.LOCKED]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_fault_stands_in_its_column_before_the_step_that_it_preceded(step: int) -> None:
    trace = a_trace([load("0", None), load("0", None)], faults=(Fault("1", step, "not aligned"),))
    rows = trace_table(trace).rows
    assert [row.kind for row in rows].index(RowKind.FAULT) == step
    assert rows[step].column == 1


def test_a_vcpu_that_never_took_a_step_has_a_column_if_it_waits() -> None:
    trace = a_trace([load("0", None)], ending=Ending.DEADLOCK, waiting={"1": Op(Kind.LOCK, LOCK)})
    assert trace_table(trace).columns == ("0", "1")
    assert trace_view(trace)


# -- folding -----------------------------------------------------------------------------------------


def test_a_short_trace_is_never_folded() -> None:
    assert trace_table(a_trace([load("0", None)] * SHORT)).folded == 0


def test_a_long_trace_keeps_what_is_guilty_and_the_rest_of_its_instruction_and_says_how_much_it_folds() -> None:
    one = an_instruction("0")
    events = [load("1", None)] * 500
    for step in (100, 250, 400):
        events[step] = load("0", one)
    table = trace_table(a_trace(events), [Finding("a", "", (250,))])
    shown = {row.step for row in table.rows if row.step is not None}
    assert {0, 100, 250, 400, 499} <= shown
    assert table.folded == 500 - len(shown)
    assert len(table.rows) < 60


def test_every_fold_saves_rows_and_steps_add_up_for_any_guilty_step() -> None:
    trace = a_trace([load("0", None)] * (SHORT + 40))
    for guilty in range(len(trace)):
        table = trace_table(trace, [Finding("a", "", (guilty,))])
        assert sum(row.steps for row in table.rows) == len(trace)
        assert all(row.steps >= SMALLEST_FOLD for row in table.rows if row.kind is RowKind.FOLD)
        assert guilty in {row.step for row in table.rows}


def test_an_instruction_that_a_fold_cuts_gets_its_heading_again() -> None:
    one = an_instruction("0")
    table = trace_table(a_trace([load("0", one)] * 300))
    headings = [i for i, row in enumerate(table.rows) if row.kind is RowKind.INSTRUCTION]
    folds = [i for i, row in enumerate(table.rows) if row.kind is RowKind.FOLD]
    assert len(folds) == 1
    assert headings == [0, folds[0] + 1]


def test_evidence_as_long_as_the_trace_does_not_undo_the_folding() -> None:
    trace = a_trace([load("0", None)] * 5000)
    assert len(kept_steps(trace, [Finding("a", "", tuple(range(5000)))])) < 200


def test_everything_shows_every_step() -> None:
    table = trace_table(a_trace([load("0", None)] * 500), everything=True)
    assert [row.step for row in table.rows] == list(range(500))


# -- the text ----------------------------------------------------------------------------------------


def test_an_empty_trace_can_be_shown() -> None:
    assert trace_view(a_trace([]))


@pytest.mark.parametrize("vcpus", [1, 2, MOST_LANES, MOST_LANES + 1, 64])
def test_no_line_of_the_table_is_wider_than_it_may_be(vcpus: int) -> None:
    """Lanes give way to one column where they would not fit; 45 characters hold the longest row."""
    trace = a_trace([load(str(n), an_instruction(str(n))) for n in range(vcpus)])
    for width in (45, 60, 80, 200):
        assert max(map(len, trace_view(trace, width=width))) <= width


def test_what_the_guest_named_moves_no_cursor_and_is_no_markup() -> None:
    evil = "[red]x[/red]\x1b[31m\r\n\x07\u202e"
    op = Op(Kind.STORE, SharedCell(evil), value=1, note=evil)
    trace = a_trace([Event("0", op, None, None)], faults=(Fault("0", 1, evil),))
    plain = "\n".join(line.plain for line in trace_view(trace, [Finding(evil, evil, (0,))]))
    assert "[red]x[/red]" in plain
    assert all(c.isprintable() for c in plain.replace("\n", ""))


def test_clean_leaves_printable_text_alone() -> None:
    assert clean("vCPU 0: é") == "vCPU 0: é"
    assert clean("a\tb\x00\udc80") == "a\\tb\\x00\\udc80"


# -- real traces -------------------------------------------------------------------------------------


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", [case.name for case in corpus.cases()])
def test_every_corpus_program_can_be_shown_under_every_scheme_that_it_is_for(name: str) -> None:
    """Of a few executions each: every step is in a row or a fold, every mark is where the finding says."""
    case = corpus.case(name)
    needs = case.needs
    for scheme in case.expected:
        machine = Machine(
            (scheme, dict(needs.options)),
            full_system=needs.full_system,
            host_word=needs.host_word,
            address_bits=needs.address_bits,
        )
        report = explore(case.program, machine, executions=30, failures=3, checkers=DEFAULT)
        for failure in report.failures:
            check_table(failure.trace, judge(failure.trace))


def check_table(trace: Trace, findings: Sequence[Finding]) -> None:
    table = trace_table(trace, findings)
    assert sum(row.steps for row in table.rows) == len(trace)
    shown = [row.step for row in table.rows if row.step is not None]
    assert shown == sorted(shown)
    guilty = {step for finding in findings for step in finding.steps}
    assert {row.step for row in table.rows if row.marks} == guilty & set(shown)
    for row in table.rows:
        assert len(row.lanes) == len(table.columns)
        if row.step is not None:
            assert row.column is not None
            assert table.columns[row.column] == trace.events[row.step].actor
            assert row.lanes[row.column] is not Lane.ABSENT
    for width in (50, 100, 200):
        assert trace_view(trace, findings, width=width)


def test_calls_and_atomic_blocks_have_a_row_at_their_beginning_and_at_their_end() -> None:
    async def thread(cpu: Any) -> None:
        async with cpu.call("push", 1) as call, cpu.atomic("both"):
            await cpu.store(0x100, 1)
            await cpu.store(0x104, 1)
            call.returns()
        async with cpu.atomic("nothing"):
            pass

    trace = run(Program("blocks", isa="x86", threads=[thread, thread]), Machine(), InTurns([], ()))
    rows = [(row.text, row.column) for row in trace_table(trace).rows if row.kind is RowKind.BLOCK]
    assert rows[:4] == [
        ("call push(1)", 0), ("begin atomic both", 0), ("end atomic both", 0), ("return push(1) = None", 0)
    ]  # fmt: skip
    assert [column for _, column in rows] == [0] * 4 + [1] * 4
    assert "call push(1)" in "\n".join(line.plain for line in trace_view(trace))


def test_a_block_that_the_execution_never_left_has_no_end() -> None:
    async def thread(cpu: Any) -> None:
        async with cpu.call("get") as call:
            call.returns(await cpu.wait_until(0x100, bool))

    trace = run(Program("stuck", isa="x86", threads=[thread]), Machine(), InTurns([], ()))
    assert trace.ending is Ending.LIVELOCK
    assert [row.text for row in trace_table(trace).rows if row.kind is RowKind.BLOCK] == []
