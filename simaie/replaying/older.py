"""The traces of older replay files.

A file of version 1 has no trace, only the text of each step: its actor and operation. Each step becomes an operation on
a cell with the name in the text. What it returned is not known, and is shown as ``?``.

A file of version 2 has a trace. Facts that are fields now are part of the names of cells and notes of operations there.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec

from simaie.barrier import parse_barrier
from simaie.dependence import STOPS_WORLD
from simaie.op import Cell, Function, Kind, Op, Role
from simaie.replaying.file import ReplayFile, Step
from simaie.replaying.trace_record import CellRecord, Named, OpRecord, TraceRecord
from simaie.trace import Ending, Event, Outcome, Trace

__all__ = ["trace_of_steps", "with_fields"]

_KINDS = {kind.name.lower().replace("_", "-"): kind for kind in Kind}
#: Kinds of operation without a place, such as fences and thread operations.
_NOWHERE = frozenset({Kind.FENCE, Kind.PAUSE, Kind.CHOICE, Kind.SPAWN, Kind.JOIN, Kind.EXIT, Kind.CLEAR_RESERVATION,
                      *STOPS_WORLD})  # fmt: skip
_PLACE = re.compile(r"(\[0x[0-9a-f]{1,32}\]/\d{1,4})(?: (.*))?", re.DOTALL)
_UNKNOWN = Named("?")


def trace_of_steps(record: ReplayFile) -> Trace:
    """Return the trace of a `record` without one, from its steps: without values, instructions and outcome."""
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


# -- version 2 ------------------------------------------------------------------------------------

_NAMED = re.compile(r"(lock|set|bitmap|bm_set|pte) 0x([0-9a-f]{1,32})")
_SLOT = re.compile(r"radix((?:/[0-9a-f]{2}){1,16})")
_BIT = re.compile(r"bit (\d{1,20})")


def with_fields(record: TraceRecord) -> TraceRecord:
    """Return the trace of a file of version 2 in the form of later versions.

    Raises:
        UsageError: A fence keeps orders that do not exist.
    """
    cells = tuple(map(_cell, record.cells))
    return msgspec.structs.replace(record, cells=cells, ops=tuple([_op(op, cells) for op in record.ops]))


def _cell(cell: CellRecord) -> CellRecord:
    replace = msgspec.structs.replace
    if found := _NAMED.fullmatch(cell.name):
        return replace(cell, role=Role(found[1]), address=int(found[2], 16))
    if found := _SLOT.fullmatch(cell.name):
        return replace(cell, role=Role.SLOT, address=int(found[1].replace("/", ""), 16))
    return replace(cell, role=Role.SWITCH) if cell.name == Role.SWITCH.value else cell


def _op(op: OpRecord, cells: tuple[CellRecord, ...]) -> OpRecord:
    replace = msgspec.structs.replace
    if op.kind is Kind.FENCE:
        return replace(op, orders=int(parse_barrier(op.note)), note="")
    if op.kind is Kind.BUFFER:
        return replace(op, buffer=op.note, note="")
    bit = _BIT.fullmatch(op.note)
    of_bitmap = op.cell is not None and 0 <= op.cell < len(cells) and cells[op.cell].role is Role.BITMAP
    return replace(op, bit=int(bit[1]), note="") if bit and of_bitmap else op
