"""Spin loops that only look: the engine waits in their stead.

**The problem.** A guest that spins (``while load(x): pause()``) has infinitely many executions, one for each number of
times that it looks in vain, so that no exhaustive search of it ends; and if nobody will ever write `x`, a run ends at
the step limit, which says nothing.

**The idea.** When a vCPU announces a PAUSE (YIELD, WFE), compare with its PAUSE before. If

* the local state is the same (`simaie.engine.snapshot`): it stands at the same place, with the same values, and
* in between it only looked: loads and fences, no place with two different values,

then all that it does is a function of what these loads will return, and as long as they return the same it comes back
to this PAUSE in this state. So the PAUSE becomes an AWAIT: disabled until one of the places holds something else. If it
never does, the vCPU spins for ever: the execution ends as a livelock.

**What is proved.** No outcome, finding or deadlock is lost to a search that visits all interleavings. Take one
in which this round of the loop is run although nothing has changed yet. The round before it began in the same state
and read the same values, so it could be left out; the loop is left in that execution by a round that sees a change,
wholly or in the middle, and this could as well have been the round before, run that much later, which is not
converted. It holds for several places as well: an AWAIT of several is over when any one of them has changed. A
load-linked renews a reservation with every round that is left out, hence counts as looking only where nothing else is
looked at: then nothing can end the loop that the next round does not begin by reading anew.

**What is given up.** The executions themselves: how often a spinner looks in vain is no longer random. The loop has to
contain a PAUSE: nothing else says that a vCPU is about to repeat itself. A loop that counts its rounds, or takes a lock
to look (as LDREX does under a scheme with a lock for each granule), is left alone. So is one that tests a value it has
not just loaded. Guests that share Python objects with each other behind the engine's back get what they ask for.

Everything here depends on the vCPU's own history alone, not on the driver, nor on what others did in between.
"""

from __future__ import annotations

from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.snapshot import snapshot
from simaie.op import Cell, Function, Kind, Op, show
from simaie.trace import Event

__all__ = ["await_change"]

_Place = tuple[Cell | None, int, int]  # as in an Op: cell, address, width


def await_change(actor: Actor, pause: Op, events: list[Event]) -> Op:
    """What `actor`, which announces `pause`, will do: that, or wait for a change of what it looks at.

    Returns `pause` itself or an AWAIT of the places that the vCPU has read since its last PAUSE.
    """
    before = actor.paused
    now = snapshot(actor.coroutine, actor.cpu)
    actor.paused = None if now is None else (len(events), now)
    if before is None or now is None:
        return pause
    seen = _looked_at(actor.name, events, before[0])
    if not seen or before[1].state != now.state:
        return pause
    return _await(seen, f"spin{' at ' if now.where else ''}{now.where}")


def _looked_at(name: str, events: list[Event], start: int) -> dict[_Place, Any]:
    """What `name` has read since the PAUSE that it announced at step `start`; nothing if it did more than look."""
    seen: dict[_Place, Any] = {}
    own = (event for event in events[start:] if event.actor == name)
    next(own, None)  # the PAUSE itself, or the AWAIT that stood for it
    reserved = False
    for event in own:
        op, value = event.op, event.value
        if op.kind is Kind.FENCE:
            continue
        reserved = reserved or op.kind is Kind.LOAD_LINKED
        place = (op.cell, op.address, op.width)
        if op.kind not in (Kind.LOAD, Kind.LOAD_LINKED) or not _same(seen.setdefault(place, value), value):
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
