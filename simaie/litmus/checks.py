"""Consistency checks of a well-formed file: undeclared names, and statements that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simaie.litmus.errors import PositionedError, nearest, quoted
from simaie.litmus.instruction import LabelRef
from simaie.litmus.location import CodeLabel, CType, Global, Location, RegisterOf, Value
from simaie.litmus.model import InitItem, LitmusTest, LitmusThread
from simaie.litmus.proposition import Atom, Same, atoms
from simaie.litmus.source import Position

__all__ = ["check"]

_Labels = Mapping[int, Mapping[str, Position]]


def check(test: LitmusTest) -> None:
    """Raise `PositionedError` for the first inconsistency of the test."""
    labels = {thread.id: _labels(thread) for thread in test.threads}
    for thread in test.threads:
        _check_targets(thread, labels[thread.id])
    _check_init(test.init)
    arrays = {item.location.key: item.type.count for item in test.init if item.type and item.type.count}
    for location, position in _locations(test):
        _check_location(location, position, labels, arrays)
    for value, position in _values(test):
        if isinstance(value, CodeLabel):
            _check_code_label(value, position, labels)


def _labels(thread: LitmusThread) -> Mapping[str, Position]:
    found: dict[str, Position] = {}
    for statement in thread.statements:
        for label in statement.labels:
            if label in found:
                first = f"first in line {found[label].line}"
                problem = f"label {quoted(label)} is defined twice in P{thread.id}, {first}"
                raise PositionedError(statement.position, problem)
            found[label] = statement.position
    return found


def _check_targets(thread: LitmusThread, labels: Mapping[str, Position]) -> None:
    for statement in thread.statements:
        if statement.instruction is None:
            continue
        for operand in statement.instruction.operands:
            if isinstance(operand, LabelRef) and operand.name not in labels:
                raise _undefined(operand.name, thread.id, labels, statement.position)


def _undefined(label: str, thread: int, labels: Mapping[str, Position], position: Position) -> PositionedError:
    problem = f"label {quoted(label)} is not defined in P{thread}{nearest(label, labels)}"
    return PositionedError(position, problem, [quoted(known) for known in sorted(labels)[:8]])


def _check_init(items: tuple[InitItem, ...]) -> None:
    """Check that a location mentioned again (its type first, then its value) is not contradicted."""
    types: dict[Location, tuple[CType, Position]] = {}
    values: dict[Location, tuple[Value, Position]] = {}
    for item in items:
        if item.type is not None:
            _agree(types.setdefault(item.location, (item.type, item.position)), item.type, item, "declared", "type")
        if item.value is not None:
            first = values.setdefault(item.location, (item.value, item.position))
            _agree(first, item.value, item, "initialised", "value")


def _agree(first: tuple[object, Position], said: object, item: InitItem, verb: str, what: str) -> None:
    before, place = first
    if before != said:
        problem = f"{item.location.key} is {verb} twice, with different {what}s"
        raise PositionedError(item.position, problem, [f"the {what} of line {place.line}, column {place.column}"])


def _locations(test: LitmusTest) -> Iterator[tuple[Location, Position]]:
    for item in test.init:
        yield item.location, item.position
    for observed in test.locations:
        yield observed.location, observed.position
    for prop in (test.filter, test.condition.prop):
        for atom in atoms(prop) if prop is not None else ():
            yield from ((location, atom.position) for location in _sides(atom))


def _sides(atom: Atom | Same) -> tuple[Location, ...]:
    return (atom.location,) if isinstance(atom, Atom) else (atom.left, atom.right)


def _check_location(
    location: Location, position: Position, labels: _Labels, arrays: Mapping[str, int | None]
) -> None:
    if isinstance(location, RegisterOf) and location.thread not in labels:
        raise _no_thread(location.thread, position, labels)
    if isinstance(location, Global) and location.index is not None:
        count = arrays.get(location.name)
        if location.index < 0 or (count is not None and location.index >= count):
            raise PositionedError(position, f"{location.key} is outside of its array", [f"0 to {(count or 1) - 1}"])


def _values(test: LitmusTest) -> Iterator[tuple[object, Position]]:
    for item in test.init:
        yield item.value, item.position
    for prop in (test.filter, test.condition.prop):
        for atom in atoms(prop) if prop is not None else ():
            if isinstance(atom, Atom):
                yield atom.value, atom.position


def _check_code_label(value: CodeLabel, position: Position, labels: _Labels) -> None:
    if value.thread not in labels:
        raise _no_thread(value.thread, position, labels)
    if value.label not in labels[value.thread]:
        raise _undefined(value.label, value.thread, labels[value.thread], position)


def _no_thread(thread: int, position: Position, labels: _Labels) -> PositionedError:
    return PositionedError(position, f"there is no thread P{thread}", [f"P{known}" for known in labels][:8])
