"""Histories of vCPUs, which reveal a vCPU that depends on something other than the results of its operations.

A vCPU is a deterministic function of the results that it received. If it receives the same results in two executions
and then announces different operations, it depends on something else: a list that it shares with another vCPU, a
counter that it kept from the previous execution, or a clock.

Each exploration has one table: for each vCPU a tree from results to the next operation. The size of the table is
bounded. After the first executions, only every sixteenth is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.errors import NondeterminismError
from simaie.op import Kind, Op, owner_of, show
from simaie.trace import Ending, Trace

__all__ = ["Histories", "same_operation", "went_differently"]

_MOST_POINTS = 100_000
_ALL_OF_THE_FIRST = 128
_EVERY = 16
_PLAIN = frozenset({int, str, bool, type(None)})
_CUT = frozenset({Ending.PRUNED, Ending.STEP_LIMIT, Ending.THREAD_LIMIT})


class _Point:
    """The point that one vCPU reaches after certain results.

    Attributes:
        op: The operation that it announced; None if it ended.
        known: Whether `op` is known.
        next: The next point for each result of the operation.
    """

    __slots__ = ("known", "next", "op")

    def __init__(self) -> None:
        self.op: Op | None = None
        self.known = False
        self.next: dict[Any, _Point] = {}


class Histories:
    """The table of histories of one exploration."""

    def __init__(self) -> None:
        self._roots: dict[tuple[str, int], _Point] = {}
        self._points = self._observed = 0

    def observe(self, trace: Trace, identities: Mapping[str, int]) -> None:
        """Compare an execution with the table, and add it.

        Args:
            trace: The execution.
            identities: The identity of each vCPU, on which a scheme may depend.

        Raises:
            NondeterminismError: A vCPU acted differently after the same results; the error has the vCPU, the step, what
                was expected, and what happened.
        """
        self._observed += 1
        if self._observed > _ALL_OF_THE_FIRST and self._observed % _EVERY:
            return
        at = {name: self._root(name, identity) for name, identity in identities.items()}
        for step, event in enumerate(trace.events):
            point = at.get(event.actor)
            if point is None:  # a store buffer, or the table is full
                continue
            op = event.op
            if not point.known:
                point.op, point.known = op, True
            elif point.op is None or not same_operation(point.op, op):
                raise went_differently(trace.program, event.actor, step, _shown(point.op), _shown(op))
            value = event.value
            at[event.actor] = self._after(point, value if type(value) in _PLAIN else show(value))
        if trace.ending not in _CUT:
            self._observe_end(trace, at)

    def _observe_end(self, trace: Trace, at: Mapping[str, _Point | None]) -> None:
        for name, point in at.items():
            op = trace.waiting.get(name)
            if point is None:
                continue
            if not point.known:
                point.op, point.known = op, True
            elif not (op is point.op or (op is not None and point.op is not None and same_operation(point.op, op))):
                raise went_differently(trace.program, name, len(trace.events), _shown(point.op), _shown(op))

    def _root(self, name: str, identity: int) -> _Point | None:
        found = self._roots.get((name, identity))
        if found is None and owner_of(name) == name and self._points < _MOST_POINTS:
            found = self._roots[name, identity] = _Point()
        return found

    def _after(self, point: _Point, value: Any) -> _Point | None:
        found = point.next.get(value)
        if found is None and self._points < _MOST_POINTS:
            found = point.next[value] = _Point()
            self._points += 1
        return found


def same_operation(one: Op, other: Op) -> bool:
    """Whether two operations of two executions are the same, with cells and their contents compared by name."""
    if one is other:
        return True
    if one.kind is not other.kind or one.address != other.address or one.width != other.width:
        return False
    if one.cell is not other.cell and getattr(one.cell, "name", None) != getattr(other.cell, "name", None):
        return False
    if one.function is not other.function and getattr(one.function, "name", None) != getattr(
        other.function, "name", None
    ):
        return False
    if one.note != other.note or one.orders != other.orders or one.buffer != other.buffer or one.bit != other.bit:
        return False
    if one.kind is Kind.AWAIT:  # whether its vCPU could go on depends on others
        return _same_value(one.value, other.value)
    return _same_value(one.value, other.value) and _same_value(one.expected, other.expected)


def _same_value(one: Any, other: Any) -> bool:
    if type(one) is int and type(other) is int:
        return one == other
    return one is other or show(one) == show(other)


def went_differently(program: str, vcpu: str, step: int, expected: str, got: str) -> NondeterminismError:
    """Return the error for a vCPU that acted differently after the same results; without a vCPU, for another end."""
    what = f"vCPU {vcpu} of program {program!r} acted differently" if vcpu else f"program {program!r} ended differently"
    return NondeterminismError(
        f"{what} at step {step} after the same results of all operations: expected {expected}, got {got}; guests "
        "and schemes must share nothing except guest memory (no list, no object), keep nothing from one execution "
        "to the next, and depend on no clock, random number or set order",
        step=step,
        expected=expected,
        got=got,
        vcpu=vcpu,
    )


def _shown(op: Op | None) -> str:
    return "its end" if op is None else str(op)
