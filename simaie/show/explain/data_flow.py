"""Why a store-conditional's test did not notice a foreign write: what the test read, and what happened to the mark.

For a scheme that simaie does not know, this is all that the trace shows. A store-conditional tests some cell of the
emulator (a tag, a flag, a monitor). Either the foreign access marked that cell and the mark was overwritten or waited
in a store buffer, or the access did not mark it at all.
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
    """Return what the instruction that wrote at step `write` had tested, and why that missed the write `foreign`.

    The result is empty if the instruction tested no cell of the emulator.
    """
    tests = [step for step in _steps_of(trace, write, write) if trace.events[step].op.kind in _TESTS]
    if not tests:
        return ""
    test = tests[-1]
    cell = trace.events[test].op.cell
    assert cell is not None
    return f"{_read(trace, test, cell)} {_mark(trace, test, foreign, cell)}"


def _steps_of(trace: Trace, step: int, before: int) -> Iterator[int]:
    """Yield the steps before `before` at which the instruction of `step` touched a cell of the emulator."""
    instruction = trace.events[step].instruction
    for earlier in range(before):
        event = trace.events[earlier]
        if event.instruction is instruction and event.op.cell is not None:
            yield earlier


def _read(trace: Trace, test: int, cell: Cell) -> str:
    event = trace.events[test]
    text = f"{instruction_of(event)} tested {clean(cell.name)}: {format_event(event)} {at(test)}"
    sources = [step for step in _writes(trace, cell) if step < test]
    if not sources:
        return f"{text}, which was never written."
    return f"{text}, as {instruction_of(trace.events[sources[-1]])} had left it {at(sources[-1])}."


def _mark(trace: Trace, test: int, foreign: int, cell: Cell) -> str:
    """Return what happened to the mark that the foreign access left in `cell`, or that it left no mark."""
    event, name = trace.events[foreign], clean(cell.name)
    marks = [step for step in _writes(trace, cell) if trace.events[step].instruction is event.instruction]
    if not marks:
        return f"{instruction_of(event)} does not write to {name}: {a_kind_of(event)} leaves no mark there."
    mark = marks[-1]
    marker = instruction_of(trace.events[mark])
    if mark > test:
        return f"{marker} marked {name} {at(mark)} only after the test{_waited(trace, mark)}."
    marked = f"{marker} had marked it, {show(trace.events[mark].op.value)} {at(mark)}"
    over = next((step for step in _writes(trace, cell) if mark < step < test), None)
    if over is None:
        return f"{marked}."
    by = instruction_of(trace.events[over])
    return f"{marked}, but {by} overwrote the mark {at(over)}{_waited(trace, over)}."


def _waited(trace: Trace, step: int) -> str:
    """Return since when the store of that step had waited in a store buffer; empty if it had not."""
    entered = _entered(trace, step)
    return "" if entered is None else f", with a store that had waited in the store buffer since step {entered}"


def _writes(trace: Trace, cell: Cell) -> Iterator[int]:
    """Yield the steps at which a write to `cell` took effect."""
    for step, event in enumerate(trace.events):
        if event.op.cell is cell and event.wrote:
            yield step


def _entered(trace: Trace, step: int) -> int | None:
    """Return the step at which the store that drains at `step` entered the store buffer; None if it is no drain."""
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
