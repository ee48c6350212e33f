"""The trace of a replay file of version 1, read off its steps: who did what, as it was shown.

Such a file has the operations as texts only. Each becomes an operation on a place that has the name it was shown by;
what it returned is not known, and shown as ``?``.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from simaie.op import Cell, Function, Kind, Op
from simaie.replaying.file import ReplayFile, Step
from simaie.replaying.trace_record import Named
from simaie.trace import Ending, Event, Outcome, Trace

__all__ = ["trace_of_steps"]

_KINDS = {kind.name.lower().replace("_", "-"): kind for kind in Kind}
#: Without a place: fences, the beginnings and ends of threads.
_NOWHERE = frozenset({Kind.FENCE, Kind.PAUSE, Kind.CHOICE, Kind.SPAWN, Kind.JOIN, Kind.EXIT, Kind.CLEAR_RESERVATION,
                      Kind.BEGIN_EXCLUSIVE, Kind.END_EXCLUSIVE})  # fmt: skip
_PLACE = re.compile(r"(\[0x[0-9a-f]{1,32}\]/\d{1,4})(?: (.*))?", re.DOTALL)
_UNKNOWN = Named("?")


def trace_of_steps(record: ReplayFile) -> Trace:
    """Return what `record`, which holds no trace, tells of one: no values, no instructions, no outcome."""
    cells: dict[str, Cell] = {}
    return Trace(
        program=record.program.name,
        events=[_event(step, cells) for step in record.steps],
        ending=Ending.PRUNED,
        outcome=Outcome(),
        schedule=record.schedule,
        waiting={},
        endian=record.machine.endian,
    )


def _event(step: Step, cells: dict[str, Cell]) -> Event:
    word, _, rest = step.op.partition(" ")
    kind = _KINDS.get(word, Kind.PAUSE)
    if kind in _NOWHERE or not rest:
        return Event(step.actor, Op(Kind.PAUSE, note=step.op), None)
    place = _PLACE.fullmatch(rest)
    name, more = (place[1], place[2] or "") if place is not None else (rest, "")
    cell = cells.setdefault(name, Cell(name))
    if kind in (Kind.LOCK, Kind.UNLOCK) and place is None:
        return Event(step.actor, Op(kind, cell), None)
    if kind is Kind.LOAD and not more:
        return Event(step.actor, Op(kind, cell), _UNKNOWN)
    if kind is Kind.STORE and re.fullmatch(r"\d{1,40}", more):
        return Event(step.actor, Op(kind, cell, value=int(more)), None)
    return Event(step.actor, Op(Kind.UPDATE, cell, function=Function(f"{word} {more}".strip(), _not_known)), _UNKNOWN)


def _not_known(_: Any) -> NoReturn:
    raise LookupError("what an operation made is not in a file of version 1")
