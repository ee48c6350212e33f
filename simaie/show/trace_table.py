"""The layout of a trace as a table: one column per vCPU, time downward. This is data; `trace_view` prints it.

A guest instruction is a heading in its vCPU's column, on the row before its first operation. Its operations follow
below, indented, even where other vCPUs cut in. An instruction of a single operation takes one row. A store that drains
from a store buffer has a row of its own in its vCPU's column, because its instruction has long ended. Calls and atomic
blocks that the guest records have a row where they begin and one where they end, and so has the cycle of a lasso. Every
row carries the state of each column, its *lane*: outside any instruction, inside one, or holding a lock.

Two things are folded into one row: steps far from anything of interest, and a walk down the radix tree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from simaie.dependence import RELEASES, TAKES
from simaie.finding import Finding
from simaie.op import Kind, owner_of
from simaie.show.blocks import block_rows
from simaie.show.folding import kept_steps
from simaie.show.format import clean, format_drain, format_event, format_instruction, format_single_access, is_drain
from simaie.show.reordered import early_accesses
from simaie.show.walks import Walk, walk_in
from simaie.trace import Event, Fault, Instruction, Trace

__all__ = ["Lane", "Row", "RowKind", "TraceTable", "structural_order", "switched_steps", "title", "trace_table",
           "walks_of"]  # fmt: skip


class RowKind(StrEnum):
    """A kind of row."""

    INSTRUCTION = "instruction"  # the heading of an instruction
    OPERATION = "operation"
    SINGLE = "single"  # an instruction with its only operation
    DRAIN = "drain"
    FAULT = "fault"
    FOLD = "fold"
    BLOCK = "block"  # the beginning or the end of a call or of an atomic block
    CYCLE_BEGIN = "cycle-begin"  # where the cycle of a lasso begins
    CYCLE_END = "cycle-end"  # where it leads back to its beginning
    WALK = "walk"  # the steps of a walk down the radix tree


class Lane(Enum):
    """The state of a vCPU at a row."""

    ABSENT = auto()  # not started yet, or finished
    OUTSIDE = auto()  # between two instructions
    INSIDE = auto()  # inside an instruction
    LOCKED = auto()  # holding a host lock, or having stopped the world


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        kind: What the row shows.
        text: The row in words.
        step: Index of the event, of a walk the first; None for a heading and a fold.
        column: Index into the table's columns; None for a fold.
        steps: Number of steps that the row represents.
        marks: Numbers, from 1, of the findings that name this step.
        switched: Whether the scheduler deviated from its default here; unknown on a host of execution graphs.
        early: Whether it took effect before earlier accesses of its vCPU.
        lanes: State of each column after the step.
    """

    kind: RowKind
    text: str
    step: int | None = None
    column: int | None = None
    steps: int = 1
    marks: tuple[int, ...] = ()
    switched: bool = False
    lanes: tuple[Lane, ...] = ()
    early: bool = False

    @property
    def number(self) -> str:
        """The number of its step, ``"1-12"`` for a walk; empty for a heading and a fold."""
        if self.step is None:
            return ""
        return str(self.step) if self.steps == 1 else f"{self.step}-{self.step + self.steps - 1}"

    @property
    def mark(self) -> str:
        """The findings that name its step, as ``">1,2"``; a plus sign replaces those after the third."""
        return f">{','.join(map(str, self.marks[:3]))}{'+' * (len(self.marks) > 3)}" if self.marks else ""


@dataclass(frozen=True, slots=True)
class TraceTable:
    """The columns and rows of a trace.

    Attributes:
        columns: Names of the vCPUs and devices in structural order.
        rows: The rows in order of time.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def folded(self) -> int:
        """The number of steps that are not shown; those of a walk count as shown."""
        return sum(row.steps for row in self.rows if row.kind is RowKind.FOLD)


def trace_table(trace: Trace, findings: Sequence[Finding] = (), *, everything: bool = False) -> TraceTable:
    """Lay out `trace` with the steps that `findings` name marked.

    Args:
        trace: The execution.
        findings: Findings in it, numbered from 1.
        everything: Fold nothing.
    """
    columns = tuple(sorted(_actors(trace), key=structural_order))
    layout = _Layout(trace, findings, columns)
    if everything:
        return TraceTable(columns, tuple(layout.rows(range(len(trace)))))
    return TraceTable(columns, tuple(_fold_walks(trace, tuple(layout.rows(kept_steps(trace, findings))))))


def walks_of(trace: Trace, rows: Sequence[Row], breaks: Collection[int] = ()) -> Iterator[tuple[int, Walk]]:
    """Yield each walk in `rows` with the index of its first row; it has a row for each step.

    Args:
        trace: The execution that the rows show.
        rows: Rows of its table.
        breaks: Indices of rows at which a walk is cut in two.
    """
    index = 0
    while index < len(rows):
        walk = walk_in(trace, _foldable(rows, index, breaks))
        if walk is not None:
            yield index, walk
        index += 1 if walk is None else walk.last - walk.first + 1


def _foldable(rows: Sequence[Row], start: int, breaks: Collection[int]) -> Iterator[int]:
    """Yield the steps of the rows from `start` on that a walk may hide: operations that no finding names."""
    for index in range(start, len(rows)):
        row = rows[index]
        if row.kind is not RowKind.OPERATION or row.step is None or row.marks or (index in breaks and index > start):
            return
        yield row.step


def _fold_walks(trace: Trace, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield `rows` with each walk as one row."""
    walks = dict(walks_of(trace, rows))
    index = 0
    while index < len(rows):
        walk = walks.get(index)
        if walk is None:
            yield rows[index]
            index += 1
            continue
        length = walk.last - walk.first + 1
        switched = any(row.switched for row in rows[index : index + length])
        early = any(row.early for row in rows[index : index + length])
        last = rows[index + length - 1]
        yield replace(
            last, kind=RowKind.WALK, text=walk.text, step=walk.first, steps=length, switched=switched, early=early
        )
        index += length


def switched_steps(trace: Trace) -> frozenset[int]:
    """Return the steps at which the scheduler deviated from its default; those of a graph's schedule are decisions."""
    return frozenset() if trace.graph is not None else frozenset(switch.step for switch in trace.schedule.switches)


def structural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``"2"`` before ``"10"``, ``"0"`` before ``"0.1"``, and vCPUs before devices."""
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in name.split("."))


def title(column: str) -> str:
    """Return the name of a column: ``vCPU 0``, or a device's own name."""
    return f"vCPU {clean(column)}" if column[:1].isdecimal() else clean(column)


def _actors(trace: Trace) -> set[str]:
    names = {e.actor for e in trace.events} | set(trace.waiting) | {f.vcpu for f in trace.faults}
    return {owner_of(name) for name in names}


def _extents(trace: Trace) -> dict[int, tuple[int, int]]:
    """Return, by the instruction's id, the last step of its own vCPU in it and the number of such steps."""
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
        self._switches = switched_steps(trace)
        self._early = early_accesses(trace)
        self._extent = _extents(trace)
        self._last_of = {e.actor: step for step, e in enumerate(trace.events)}
        self._locks = [0] * len(columns)
        # A spawned vCPU starts later, all others at once.
        self._lanes = [Lane.ABSENT if "." in name else Lane.OUTSIDE for name in columns]
        self._begins, self._ends = block_rows(trace)
        self._headed: dict[int, Instruction] = {}  # by column: the instruction whose heading is the last one shown

    def rows(self, kept: Collection[int]) -> Iterable[Row]:
        """Yield every row; the steps that are not `kept` are folded."""
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
            if step == self._trace.cycle and shown:
                words = f"the cycle begins: the steps from here to {len(self._trace) - 1} repeat"
                yield self._cycle(RowKind.CYCLE_BEGIN, words)
            yield from self._step(step, event, shown)
            hidden += not shown
        if hidden:
            yield self._fold(hidden)
        for late in faults.values():
            yield from map(self._fault, late)
        if self._trace.cycle is not None:
            yield self._cycle(RowKind.CYCLE_END, f"back to step {self._trace.cycle}, for ever")

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
            marks, switched, early = self._marks.get(step, ()), step in self._switches, step in self._early
            if instruction is not None and length == 1:
                text = format_single_access(instruction, event)
                yield Row(RowKind.SINGLE, text, step, column, 1, marks, switched, lanes, early)
            else:
                yield Row(RowKind.OPERATION, format_event(event), step, column, 1, marks, switched, lanes, early)
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

    def _cycle(self, kind: RowKind, text: str) -> Row:
        """Return a row that marks an end of the cycle, in the column of its first step."""
        first = self._trace.events[self._trace.cycle or 0]
        self._headed.clear()
        return Row(kind, text, None, self._column[owner_of(first.actor)], 0, lanes=tuple(self._lanes))

    def _fault(self, fault: Fault) -> Row:
        text = f"{fault.kind}: {clean(fault.message)}"
        return Row(RowKind.FAULT, text, None, self._column[fault.vcpu], 0, lanes=tuple(self._lanes))

    def _fold(self, steps: int) -> Row:
        self._headed.clear()  # after a fold, the instruction needs its heading again
        text = f"... {steps} step{'s' * (steps != 1)} folded ..."
        return Row(RowKind.FOLD, text, steps=steps, lanes=tuple(self._lanes))


def _marks(findings: Sequence[Finding]) -> dict[int, tuple[int, ...]]:
    """Return, by step, the numbers of the findings that name it."""
    marks: dict[int, tuple[int, ...]] = {}
    for number, finding in enumerate(findings, 1):
        for step in sorted(set(finding.steps)):
            marks[step] = (*marks.get(step, ()), number)
    return marks
