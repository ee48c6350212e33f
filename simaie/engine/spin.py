"""Spin loops that only look: the engine replaces their fruitless rounds by a wait.

**The problem.** A guest that spins (``while load(x): pass``) has infinitely many executions, one for each number of
fruitless looks. No exhaustive search of it ends. And if no vCPU ever writes `x`, an execution ends at the step limit,
which proves nothing.

**The idea.** A vCPU is in the same state as before if its guest is (`simaie.engine.snapshot`). Assume that a vCPU has
come back to an earlier state, and that it only looked in between: it performed loads and fences, at least one load, and
never read two different values at one place. What it does next is then a function of the values that these loads return
next. While they return the same values, it comes back to this state. So it need not run another round until one of the
places has another value. If no place ever changes, the vCPU spins for ever, and the execution ends as a livelock.

* A PAUSE (YIELD, WFE) in the same state as the PAUSE before *becomes* an AWAIT: an operation that is disabled until
  one of the places has changed.
* A look (load, load-linked, fence) in the same state as an earlier look, with no write or PAUSE in between, *is
  preceded by* such an AWAIT. The look itself follows as a separate step, whatever value its place then has. The AWAIT
  belongs to no guest instruction, because it replaces whole rounds of the loop.

A vCPU is held back only where it may stay for ever: before the first operation of a guest instruction, or inside an
instruction if the whole loop is inside it. An instruction that has begun must be able to complete, because other vCPUs
may wait for that.

**What is proved.** A search of all interleavings loses no outcome, no finding and no deadlock. Consider an execution
that runs a round of the loop although nothing has changed since the round before. The round before began in the same
state and read the same values, so that it can be left out. The execution leaves the loop in a round that sees a change,
at its beginning or in its middle. Once the fruitless rounds are left out, this round takes the place of the round
before it, at a later time; and that round is not held back. The argument also holds for several places, because an
AWAIT of several places ends when any one of them has changed. A load-linked renews a reservation in every round. It
therefore counts as a look only if the loop looks at nothing else: the next round then begins by reading again
everything that can end the loop.

**What is given up.** The number of fruitless looks of a spinning vCPU is no longer random. Three kinds of loop are left
unchanged: those that count their rounds, those that take a lock to look (as LDREX does under a scheme with a lock for
each granule), and those that test a value that they have not just loaded.

**When a snapshot is taken.** A snapshot is taken at every PAUSE. At a look it is taken only if the vCPU is in a loop
and has looked at the same place since its last write. If a loop reaches only new states, its rounds are compared less
and less often.

Everything here depends only on the vCPU's own history, and neither on the driver nor on the steps of other vCPUs.
"""

from __future__ import annotations

from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.snapshot import Snapshot, loop_position, snapshot, where
from simaie.op import Cell, Function, Kind, Op, show
from simaie.trace import Event

__all__ = ["await_change", "looks_again"]

_Place = tuple[Cell | None, int, int]  # as in an Op: cell, address, width
_LOAD, _FENCE, _LOAD_LINKED = Kind.LOAD, Kind.FENCE, Kind.LOAD_LINKED  # looked up once, not per announcement
_LOOKS = frozenset({Kind.LOAD, Kind.LOAD_LINKED, Kind.FENCE})
#: The number of rounds in new states that are all compared. Of later rounds, those are compared whose number is a power
#: of two, and the next after each.
_PATIENCE = 8


def await_change(actor: Actor, pause: Op, events: list[Event]) -> Op:
    """Return `pause`, which `actor` announces, or an AWAIT of the places that it has read since its last PAUSE."""
    before = actor.paused
    now = snapshot(actor.coroutine, actor.cpu)
    actor.paused = None if now is None else (len(events), now)
    if before is None or now is None or not before[1].same_as(now):
        return pause
    return _wait_for_change(actor, events, before[0]) or pause


def looks_again(actor: Actor, op: Op, events: list[Event]) -> bool:
    """Whether `actor`, which announces the plain operation `op`, first has to wait for a change of what it looks at."""
    kind = op.kind
    if kind is not _LOAD and kind is not _FENCE and kind is not _LOAD_LINKED:
        actor.looks = None
        return False
    looks = actor.looks
    if looks is None:
        actor.looks = op
        return False
    if type(looks) is Op:
        looks = actor.looks = Looks(looks)
    wait = looks.await_change(actor, op, events)
    if wait is not None:
        actor.held, actor.op = op, wait
    return wait is not None


class Looks:
    """The places at which a vCPU has looked since its last write or PAUSE, and its states at these looks."""

    __slots__ = ("_places", "_rounds")

    def __init__(self, first: Op) -> None:
        self._places = {_place(first)}
        self._rounds: dict[Any, _Round] = {}

    def await_change(self, actor: Actor, look: Op, events: list[Event]) -> Op | None:
        """Return an AWAIT that must come before `look`, which `actor` announces; None if `actor` need not wait."""
        place = _place(look)
        if place not in self._places:
            self._places.add(place)
            return None
        position = loop_position(actor.coroutine)
        if position is None:
            return None
        # The exact access is part of the state, because another round may look at the place in another way.
        round_ = self._rounds.setdefault((place, look.kind, look.order, look.orders, look.note, position), _Round())
        return round_.await_change(actor, events)


class _Round:
    """A position in a loop.

    Attributes:
        before: The steps and states in which the vCPU was at this position, if they were compared.
        in_vain: The number of times that the vCPU was at this position in a new state.
    """

    __slots__ = ("before", "in_vain")

    def __init__(self) -> None:
        self.before: list[tuple[int, Snapshot]] = []
        self.in_vain = 0

    def await_change(self, actor: Actor, events: list[Event]) -> Op | None:
        if self.in_vain > _PATIENCE and not _is_compared(self.in_vain):
            self.in_vain += 1
            return None
        now = snapshot(actor.coroutine, actor.cpu)
        if now is None:
            self.in_vain += 1
            return None
        step = next((step for step, state in reversed(self.before) if state.same_as(now)), None)
        wait = None if step is None else _wait_for_change(actor, events, step)
        if wait is not None:
            self.before, self.in_vain = [], 0
        del self.before[:-_PATIENCE]
        self.before.append((len(events), now))
        self.in_vain += 1
        return wait


def _is_compared(number: int) -> bool:
    """Whether a later round is compared: its number, or the one before, is a power of two."""
    return not number & number - 1 or not number - 1 & number - 2


def _place(op: Op) -> _Place:
    return op.cell, op.address, op.width


def _wait_for_change(actor: Actor, events: list[Event], start: int) -> Op | None:
    """Return an AWAIT of a change of the places that `actor` has read since step `start`.

    At that step it announced the operation that it announces again now. None if it did more than look since then.
    """
    since = [event for event in events[start:] if event.actor == actor.name]
    if since and since[0].op.kind in (Kind.PAUSE, Kind.AWAIT):
        del since[0]  # the announced operation was a PAUSE, or a look that had to wait
    instruction = actor.cpu.instruction
    if actor.inside_instruction and any(event.instruction is not instruction for event in since):
        return None
    seen = _looked_at(since)
    place = where(actor.coroutine) if seen else ""
    return _await(seen, f"spin at {place}" if place else "spin") if seen else None


def _looked_at(events: list[Event]) -> dict[_Place, Any]:
    """Return the values that a vCPU has read in `events`, all its own; empty if it did more than look."""
    seen: dict[_Place, Any] = {}
    reserved = False
    for event in events:
        op, value = event.op, event.value
        if op.kind not in _LOOKS:
            return {}
        if op.kind is Kind.FENCE:
            continue
        reserved = reserved or op.kind is Kind.LOAD_LINKED
        if not _same(seen.setdefault(_place(op), value), value):
            return {}
    return {} if reserved and len(seen) > 1 else seen


def _same(a: Any, b: Any) -> bool:
    return a is b or bool(a == b)


def _await(seen: dict[_Place, Any], note: str) -> Op:
    places, values = tuple(seen), tuple(seen.values())
    if len(places) == 1:
        cell, address, width = places[0]
        old = values[0]
        changed = Function(f"changes from {show(old)}", lambda value: not _same(value, old))
        return Op(Kind.AWAIT, cell, address, width, function=changed, note=note)
    changed = Function(f"changes from {show(values)}", lambda now: not all(map(_same, now, values)))
    return Op(Kind.AWAIT, value=tuple(Op(Kind.LOAD, *place) for place in places), function=changed, note=note)
