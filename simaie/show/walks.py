"""Walks down the radix tree, each folded into one row: ``walk radix: 6 levels, missing at 00/01``.

A guest address of 48 bits takes up to twelve operations to find its entry, and they say one thing between them. So the
consecutive operations of one instruction on slots of the tree become one row, unless a finding names one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from simaie.op import Kind, Role
from simaie.show.format import clean, format_value
from simaie.trace import Event, Trace

__all__ = ["Walk", "walk_in"]

#: A walk of fewer operations is as easy to read as its summary.
SHORTEST_WALK = 3
_WALKS = (Kind.LOAD, Kind.CAS)


class Walk(NamedTuple):
    """The consecutive steps of one walk, from `first` to `last`.

    Attributes:
        first: Index of its first step.
        last: Index of its last step.
        text: The walk in one line.
    """

    first: int
    last: int
    text: str


def walk_in(trace: Trace, steps: Iterable[int]) -> Walk | None:
    """Return the walk that begins at the first of `steps`; None if it is too short to fold."""
    taken = list(_taken(trace, steps))
    if len(taken) < SHORTEST_WALK:
        return None
    return Walk(taken[0], taken[-1], _summary([trace.events[step] for step in taken]))


def _taken(trace: Trace, steps: Iterable[int]) -> Iterator[int]:
    """Yield the steps that belong to the walk, without a gap."""
    before: int | None = None
    for step in steps:
        event = trace.events[step]
        if not _is_part(event) or (before is not None and not _goes_on(trace, before, step)):
            return
        yield step
        before = step


def _goes_on(trace: Trace, before: int, step: int) -> bool:
    a, b = trace.events[before], trace.events[step]
    return step == before + 1 and a.actor == b.actor and a.instruction is b.instruction


def _is_part(event: Event) -> bool:
    cell = event.op.cell
    return cell is not None and cell.role is Role.SLOT and event.op.kind in _WALKS


def _summary(events: Sequence[Event]) -> str:
    """Return how many levels the walk saw and added, and where it came to."""
    names = dict.fromkeys(_name(event) for event in events)
    tree, _, _ = next(iter(names)).partition("/")
    added = sum(event.op.kind is Kind.CAS and event.wrote for event in events)
    levels = f"{len(names)} level{'s' * (len(names) != 1)}" + (f", {added} added" if added else "")
    return clean(f"walk {tree}: {levels}, {_end(events[-1])}")


def _name(event: Event) -> str:
    return "" if event.op.cell is None else event.op.cell.name


def _end(event: Event) -> str:
    """Return the end of a walk whose last step is `event`: an entry, an empty slot, or a node between two levels."""
    found = event.op.value if event.op.kind is Kind.CAS and event.wrote else event.value
    _, _, path = _name(event).partition("/")
    if found is None:
        return f"missing at {path}"
    shown = format_value(found)
    return f"to {path}" if shown == f"node {_name(event)}" else f"to {shown}"
