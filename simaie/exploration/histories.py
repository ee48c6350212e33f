"""What each vCPU did after which results: the same in every execution, or something escapes the scheduler.

A vCPU is a deterministic function of the results that it got. Two executions in which the same vCPU got the same
results and then announced different operations show that it depends on something else: a list that it shares with
another vCPU, a counter that it kept from the execution before, a clock.

One table for each exploration: a tree for each vCPU, from results to the next operation. It is bounded in size, and of
many executions only every sixteenth is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.errors import NondeterminismError
from simaie.op import Op, owner_of, show
from simaie.trace import Ending, Trace

__all__ = ["Histories", "same_operation", "went_differently"]

_MOST_POINTS = 100_000
_ALL_OF_THE_FIRST = 128
_EVERY = 16
_PLAIN = frozenset({int, str, bool, type(None)})
_CUT = frozenset({Ending.PRUNED, Ending.STEP_LIMIT, Ending.THREAD_LIMIT})


class _Point:
    """After some results of one vCPU. op: what it announced then, None if it ended; next: the points that follow."""

    __slots__ = ("known", "next", "op")

    def __init__(self) -> None:
        self.op: Op | None = None
        self.known = False
        self.next: dict[Any, _Point] = {}


class Histories:
    """The table of one exploration."""

    def __init__(self) -> None:
        self._roots: dict[tuple[str, int], _Point] = {}
        self._points = self._heard = 0

    def observe(self, trace: Trace, identities: Mapping[str, int]) -> None:
        """Compare `trace` with what is known, and add it; identities: those of the vCPUs, which schemes may use.

        Raises NondeterminismError with vCPU, step, expected and got if a vCPU did otherwise after the same results.
        """
        self._heard += 1
        if self._heard > _ALL_OF_THE_FIRST and self._heard % _EVERY:
            return
        at = {name: self._root(name, identity) for name, identity in identities.items()}
        for step, event in enumerate(trace.events):
            point = at.get(event.actor)
            if point is None:  # a store buffer, or beyond what is kept
                continue
            op = event.op
            if not point.known:
                point.op, point.known = op, True
            elif point.op is None or not same_operation(point.op, op):
                raise went_differently(trace.program, event.actor, step, _shown(point.op), _shown(op))
            value = event.value
            at[event.actor] = self._after(point, value if type(value) in _PLAIN else show(value))
        if trace.ending not in _CUT:
            self._hear_end(trace, at)

    def _hear_end(self, trace: Trace, at: Mapping[str, _Point | None]) -> None:
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
    """Whether two operations of two executions are the same: cells, and what is stored there, are known by name."""
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
    return _same_value(one.value, other.value) and _same_value(one.expected, other.expected)


def _same_value(one: Any, other: Any) -> bool:
    if type(one) is int and type(other) is int:
        return one == other
    return one is other or show(one) == show(other)


def went_differently(program: str, vcpu: str, step: int, expected: str, got: str) -> NondeterminismError:
    """The error for a vCPU that did something else after the same results; for the end of an execution without one."""
    who = f"vCPU {vcpu} of program {program!r} did something else" if vcpu else f"program {program!r} ended otherwise"
    return NondeterminismError(
        f"{who} at step {step} after the same results of all operations: expected {expected}, got {got}; guests must "
        "share nothing but guest memory (no list, no object), keep nothing from one execution to the next, and look at "
        "no clock, random number or set order",
        step=step,
        expected=expected,
        got=got,
        vcpu=vcpu,
    )


def _shown(op: Op | None) -> str:
    return "its end" if op is None else str(op)
