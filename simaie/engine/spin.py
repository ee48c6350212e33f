"""Spin loops that only look: the engine waits in their stead.

**The problem.** A guest that spins (``while load(x): pass``) has infinitely many executions, one for each number of
times that it looks in vain, so that no exhaustive search of it ends; and if no vCPU will ever write `x`, a run ends at
the step limit, which says nothing.

**The idea.** A vCPU is in the same state as before if its guest is (`simaie.engine.snapshot`). If it has come back to
such a state and in between it only looked (loads and fences, at least one load, no place with two different values),
then all that it does is a function of what these loads will return, and as long as they return the same it comes back
to this state. So it need not go round again before one of the places holds something else. If none ever does, the vCPU
spins for ever: the execution ends as a livelock.

* A PAUSE (YIELD, WFE) in the same state as the PAUSE before *becomes* an AWAIT: an operation that is disabled until
  one of the places has changed.
* A look (load, load-linked, fence) in the same state as one before, with no write or PAUSE in between, *is preceded by*
  such an AWAIT. The look itself follows as its own step, whatever its place then holds. The AWAIT belongs to no guest
  instruction, since it stands for the rounds that are left out.

Either may be held back only where a vCPU may be kept for ever: before the first operation of a guest instruction, or
inside one if the whole loop is. An instruction that is begun comes to its end, as others may wait for that.

**What is proved.** No outcome, finding or deadlock is lost to a search that visits all interleavings. Take one
in which this round of the loop is run although nothing has changed yet. The round before it began in the same state
and read the same values, so it could be left out; the loop is left in that execution by a round that sees a change,
wholly or in the middle, and this could as well have been the round before, run that much later, which is not
held back. It holds for several places as well: an AWAIT of several is over when any one of them has changed. A
load-linked renews a reservation with every round that is left out, hence counts as looking only where nothing else is
looked at: then nothing can end the loop that the next round does not begin by reading anew.

**What is given up.** The executions themselves: how often a spinner looks in vain is no longer random. A loop that
counts its rounds, or takes a lock to look (as LDREX does under a scheme with a lock for each granule), is left alone.
So is one that tests a value it has not just loaded.

**When a snapshot is taken.** At every PAUSE, and at a look only if the vCPU stands in a loop and has looked at the
place before, since its last write. A loop that looks for long in ever new states is compared ever more seldom.

Everything here depends on the vCPU's own history alone, not on the driver, nor on what others did in between.
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
#: So many rounds in ever new states are all compared; of later ones each whose number is a power of two, and the next.
_PATIENCE = 8


def await_change(actor: Actor, pause: Op, events: list[Event]) -> Op:
    """What `actor`, which announces `pause`, will do: that, or wait for a change of what it looks at.

    Returns `pause` itself or an AWAIT of the places that the vCPU has read since its last PAUSE.
    """
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
    """What a vCPU has looked at since its last write or PAUSE, and in which states it was then."""

    __slots__ = ("_places", "_rounds")

    def __init__(self, first: Op) -> None:
        self._places = {_place(first)}
        self._rounds: dict[Any, _Round] = {}

    def await_change(self, actor: Actor, look: Op, events: list[Event]) -> Op | None:
        """An AWAIT that has to come before `look`, which `actor` announces; None if it need not wait."""
        place = _place(look)
        if place not in self._places:
            self._places.add(place)
            return None
        position = loop_position(actor.coroutine)
        if position is None:
            return None
        # The exact access is part of the state: another round may look at the place in another way.
        round_ = self._rounds.setdefault((place, look.kind, look.order, look.orders, look.note, position), _Round())
        return round_.await_change(actor, events)


class _Round:
    """A position in a loop. before: at which steps and in which states the vCPU stood there, as far as was looked at.

    in_vain: how often it was in a new state.
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
    """Of the later rounds: those whose number is a power of two, and the next."""
    return not number & number - 1 or not number - 1 & number - 2


def _place(op: Op) -> _Place:
    return op.cell, op.address, op.width


def _wait_for_change(actor: Actor, events: list[Event], start: int) -> Op | None:
    """An AWAIT of a change of what `actor` has read since it announced, at step `start`, what it announces again."""
    since = [event for event in events[start:] if event.actor == actor.name]
    if since and since[0].op.kind in (Kind.PAUSE, Kind.AWAIT):
        del since[0]  # what it announced was a PAUSE, or had to wait
    instruction = actor.cpu.instruction
    if actor.inside_instruction and any(event.instruction is not instruction for event in since):
        return None
    seen = _looked_at(since)
    place = where(actor.coroutine) if seen else ""
    return _await(seen, f"spin at {place}" if place else "spin") if seen else None


def _looked_at(events: list[Event]) -> dict[_Place, Any]:
    """What a vCPU has read in `events`, all its own; nothing if it did more than look."""
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
