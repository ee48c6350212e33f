"""Why a test of the emulator's own did not see a foreign write: what it read, and what became of the mark.

Of a scheme that simaie does not know this is all that can be told, and it is often all there is to tell. A
store-conditional looks at some place of the emulator's (a tag, a flag, a monitor). The foreign access marked that
place, and the mark was overwritten, or waited in a store buffer; or it never marked it.
"""

from __future__ import annotations

from collections.abc import Iterator

from simaie.op import Cell, Kind, owner_of, show
from simaie.show.explain.phrases import a_kind_of, at, instruction_of
from simaie.show.format import clean, format_event, is_drain
from simaie.trace import Event, Trace

__all__ = ["what_it_tested"]

_TESTS = (Kind.LOAD, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.UPDATE)


def what_it_tested(trace: Trace, foreign: int, write: int) -> str:
    """What the instruction that wrote at step `write` had tested, and why that did not show the write `foreign`.

    Empty if it tested no place of the emulator's own.
    """
    tests = [step for step in _steps_of(trace, write, write) if trace.events[step].op.kind in _TESTS]
    if not tests:
        return ""
    test = tests[-1]
    cell = trace.events[test].op.cell
    assert cell is not None
    return f"{_read(trace, test, cell)} {_mark(trace, test, foreign, cell)}"


def _steps_of(trace: Trace, step: int, before: int) -> Iterator[int]:
    """The steps before `before` at which the instruction of `step` touched a place of the emulator's own."""
    instruction = trace.events[step].instruction
    for earlier in range(before):
        event = trace.events[earlier]
        if event.instruction is instruction and event.op.cell is not None:
            yield earlier


def _read(trace: Trace, test: int, cell: Cell) -> str:
    event = trace.events[test]
    text = f"{instruction_of(event)} went by {clean(cell.name)}: {format_event(event)} {at(test)}"
    sources = [step for step in _writes(trace, cell) if step < test]
    if not sources:
        return f"{text}, which was never written."
    return f"{text}, as {instruction_of(trace.events[sources[-1]])} had left it {at(sources[-1])}."


def _mark(trace: Trace, test: int, foreign: int, cell: Cell) -> str:
    """What became of the mark that the foreign access left in `cell`, if it left one."""
    event, name = trace.events[foreign], clean(cell.name)
    marks = [step for step in _writes(trace, cell) if trace.events[step].instruction is event.instruction]
    if not marks:
        return f"{instruction_of(event)} does not write to {name}: {a_kind_of(event)} leaves no mark there."
    mark = marks[-1]
    who = instruction_of(trace.events[mark])
    if mark > test:
        return f"{who} marked {name} {at(mark)} only after the test{_waited(trace, mark)}."
    told = f"{who} had marked it, {show(trace.events[mark].op.value)} {at(mark)}"
    over = next((step for step in _writes(trace, cell) if mark < step < test), None)
    if over is None:
        return f"{told}."
    by = instruction_of(trace.events[over])
    return f"{told}, but {by} overwrote the mark {at(over)}{_waited(trace, over)}."


def _waited(trace: Trace, step: int) -> str:
    """Since when the store of that step had waited in a store buffer; empty if it had not."""
    entered = _entered(trace, step)
    return "" if entered is None else f", with a store that had waited in the store buffer since step {entered}"


def _writes(trace: Trace, cell: Cell) -> Iterator[int]:
    """The steps at which a write to `cell` took effect."""
    for step, event in enumerate(trace.events):
        if event.op.cell is cell and event.wrote:
            yield step


def _entered(trace: Trace, step: int) -> int | None:
    """The step at which the store that drained at `step` had entered the store buffer; None if it is no drain."""
    event = trace.events[step]
    if not is_drain(event):
        return None
    return next((s for s in range(step - 1, -1, -1) if _is_entry(trace.events[s], event)), None)


def _is_entry(earlier: Event, drain: Event) -> bool:
    return (
        earlier.op.kind is Kind.BUFFER
        and earlier.actor == owner_of(drain.actor)
        and earlier.instruction is drain.instruction
        and earlier.op.value is drain.op
    )
