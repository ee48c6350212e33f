"""A trace laid out as a table: one column per vCPU, time downward. Data only; `trace_view` gives it ink.

A guest instruction is a heading in its vCPU's column, on the row before its first operation; its operations stand
indented below it, wherever other vCPUs cut in. An instruction of a single operation takes one row. A store that
drains from a store buffer stands in the column of its vCPU, by itself: its instruction is long over. What the guest
records as a call or as atomic has a row at its beginning and one at its end. Every row carries the state of every
column beside it, its *lane*: outside any instruction, inside one, or holding a lock. What is far from anything of
interest is folded into one row that says how many steps it stands for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from simaie.dependence import RELEASES, TAKES
from simaie.finding import Finding
from simaie.op import Kind, owner_of
from simaie.show.blocks import block_rows
from simaie.show.folding import kept_steps
from simaie.show.format import clean, format_drain, format_event, format_instruction, format_single_access, is_drain
from simaie.trace import Event, Fault, Instruction, Trace

__all__ = ["Lane", "Row", "RowKind", "TraceTable", "structural_order", "title", "trace_table"]


class RowKind(StrEnum):
    """What a row shows. A `SINGLE` is an instruction of one operation, both on one row."""

    INSTRUCTION = "instruction"
    OPERATION = "operation"
    SINGLE = "single"
    DRAIN = "drain"
    FAULT = "fault"
    FOLD = "fold"
    BLOCK = "block"  # the beginning or the end of what the guest calls one call, or atomic


class Lane(Enum):
    """What a vCPU is doing while a row happens: not there yet or any more, between instructions, inside one, ..."""

    ABSENT = auto()
    OUTSIDE = auto()
    INSIDE = auto()
    LOCKED = auto()  # ... or holding a host lock, or having stopped the world


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    step: index of the event; None for a heading and a fold. column: index into the table's columns; None for a fold.
    steps: how many steps it stands for. marks: numbers of the findings (from 1) that name this step as guilty.
    switched: whether the scheduler deviated from its default here. lanes: one per column, after the step.
    """

    kind: RowKind
    text: str
    step: int | None = None
    column: int | None = None
    steps: int = 1
    marks: tuple[int, ...] = ()
    switched: bool = False
    lanes: tuple[Lane, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceTable:
    """columns: the names of the vCPUs and devices in structural order. rows: in the order of time."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def folded(self) -> int:
        """How many steps are not shown."""
        return sum(row.steps for row in self.rows if row.kind is RowKind.FOLD)


def trace_table(trace: Trace, findings: Sequence[Finding] = (), *, everything: bool = False) -> TraceTable:
    """Lay out `trace`, with the guilty steps of `findings` marked; `everything` folds nothing."""
    columns = tuple(sorted(_actors(trace), key=structural_order))
    kept = range(len(trace)) if everything else kept_steps(trace, findings)
    return TraceTable(columns, tuple(_Layout(trace, findings, columns).rows(kept)))


def structural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts ``"2"`` before ``"10"``, ``"0"`` before ``"0.1"``, and vCPUs before devices."""
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in name.split("."))


def title(column: str) -> str:
    """A column's name for people: ``vCPU 0``, or a device's own name."""
    return f"vCPU {clean(column)}" if column[:1].isdecimal() else clean(column)


def _actors(trace: Trace) -> set[str]:
    names = {e.actor for e in trace.events} | set(trace.waiting) | {f.vcpu for f in trace.faults}
    return {owner_of(name) for name in names}


def _extents(trace: Trace) -> dict[int, tuple[int, int]]:
    """By instruction (its id): the last step of its own vCPU in it, and how many there are."""
    found: dict[int, tuple[int, int]] = {}
    for instruction, steps in trace.instructions:
        own = [step for step in steps if trace.events[step].actor == instruction.vcpu]
        found[id(instruction)] = (own[-1], len(own)) if own else (steps[-1], len(steps))
    return found


class _Layout:
    """The rows of one trace, made in one pass over its events."""

    def __init__(self, trace: Trace, findings: Sequence[Finding], columns: Sequence[str]) -> None:
        self._trace = trace
        self._column = {name: i for i, name in enumerate(columns)}
        self._marks = _marks(findings)
        self._switches = {s.step for s in trace.schedule.switches}
        self._extent = _extents(trace)
        self._last_of = {e.actor: step for step, e in enumerate(trace.events)}
        self._locks = [0] * len(columns)
        # Who is spawned comes into being later; everybody else is there from the start.
        self._lanes = [Lane.ABSENT if "." in name else Lane.OUTSIDE for name in columns]
        self._begins, self._ends = block_rows(trace)
        self._headed: dict[int, Instruction] = {}  # by column: whose heading stands there, not folded away since

    def rows(self, kept: Collection[int]) -> Iterable[Row]:
        """Every row; the steps that are not `kept` are folded."""
        faults: dict[int, list[Fault]] = {}
        for fault in self._trace.faults:
            faults.setdefault(fault.step, []).append(fault)
        hidden = 0
        for step, event in enumerate(self._trace.events):
            shown = step in kept
            if shown and hidden:
                yield self._fold(hidden)
                hidden = 0
            yield from map(self._fault, faults.pop(step, ()))
            yield from self._step(step, event, shown)
            hidden += not shown
        if hidden:
            yield self._fold(hidden)
        for late in faults.values():
            yield from map(self._fault, late)

    def _step(self, step: int, event: Event, shown: bool) -> Iterable[Row]:
        if is_drain(event):
            if shown:
                column = self._column[owner_of(event.actor)]
                marks, switched = self._marks.get(step, ()), step in self._switches
                lanes = self._with(column, self._lanes[column])
                yield Row(RowKind.DRAIN, format_drain(event), step, column, 1, marks, switched, lanes)
            return
        column, instruction = self._column[event.actor], event.instruction
        last, length = self._extent[id(instruction)] if instruction is not None else (step, 1)
        if shown:
            yield from self._blocks(self._begins.get(step, ()), column)
        if shown and instruction is not None and length > 1 and self._headed.get(column) is not instruction:
            self._headed[column] = instruction
            lanes = self._with(column, self._state(column, inside=True))
            yield Row(RowKind.INSTRUCTION, format_instruction(instruction), None, column, 0, lanes=lanes)
        locks_before = self._locks[column]
        self._count_locks(column, event)
        if shown:
            held = max(locks_before, self._locks[column])
            lanes = self._with(column, self._state(column, inside=instruction is not None, locks=held))
            marks, switched = self._marks.get(step, ()), step in self._switches
            if instruction is not None and length == 1:
                text = format_single_access(instruction, event)
                yield Row(RowKind.SINGLE, text, step, column, 1, marks, switched, lanes)
            else:
                yield Row(RowKind.OPERATION, format_event(event), step, column, 1, marks, switched, lanes)
        self._after(step, event, column, inside=step != last)
        if shown:
            yield from self._blocks(self._ends.get(step, ()), column)

    def _blocks(self, texts: Iterable[str], column: int) -> Iterable[Row]:
        for text in texts:
            self._headed.pop(column, None)
            yield Row(RowKind.BLOCK, text, None, column, 0, lanes=tuple(self._lanes))

    def _after(self, step: int, event: Event, column: int, inside: bool) -> None:
        """Set the lanes to what holds between this step and the next."""
        if event.op.kind is Kind.SPAWN and event.value is not None:
            child = self._column.get(event.value.name)
            if child is not None:
                self._lanes[child] = Lane.OUTSIDE
        waits = event.actor in self._trace.waiting
        stuck = waits and event.instruction is not None and not event.instruction.completed
        lane = self._state(column, inside=inside or stuck)
        if self._last_of[event.actor] == step and lane is not Lane.LOCKED and not waits:
            lane = Lane.ABSENT
        self._lanes[column] = lane

    def _state(self, column: int, *, inside: bool, locks: int | None = None) -> Lane:
        if self._locks[column] if locks is None else locks:
            return Lane.LOCKED
        return Lane.INSIDE if inside else Lane.OUTSIDE

    def _with(self, column: int, lane: Lane) -> tuple[Lane, ...]:
        return (*self._lanes[:column], lane, *self._lanes[column + 1 :])

    def _count_locks(self, column: int, event: Event) -> None:
        if event.op.kind in TAKES:
            self._locks[column] += 1
        elif event.op.kind in RELEASES:
            self._locks[column] -= 1

    def _fault(self, fault: Fault) -> Row:
        text = f"{fault.kind}: {clean(fault.message)}"
        return Row(RowKind.FAULT, text, None, self._column[fault.vcpu], 0, lanes=tuple(self._lanes))

    def _fold(self, steps: int) -> Row:
        self._headed.clear()  # a heading out of sight is no heading
        text = f"... {steps} step{'s' * (steps != 1)} folded ..."
        return Row(RowKind.FOLD, text, steps=steps, lanes=tuple(self._lanes))


def _marks(findings: Sequence[Finding]) -> dict[int, tuple[int, ...]]:
    """Step -> the numbers of the findings that name it."""
    marks: dict[int, tuple[int, ...]] = {}
    for number, finding in enumerate(findings, 1):
        for step in sorted(set(finding.steps)):
            marks[step] = (*marks.get(step, ()), number)
    return marks
