"""Spin loops that change nothing: the engine replaces their fruitless rounds by a wait.

**The problem.** A guest that spins (``while load(x): pass``, ``while xchg(x, 1): pass``) has infinitely many
executions, one for each number of fruitless rounds. No exhaustive search of it ends. And if no vCPU ever writes `x`, an
execution ends at the step limit, which proves nothing.

**The idea.** A vCPU is in the same state as before if its guest is (`simaie.engine.snapshot`). Assume that a vCPU has
come back to an earlier state, and that the round in between was a *try* (`simaie.engine.tries`): it read, never two
different values at one place, and wrote at most the values that were there. What it does next is then a function of the
values that it reads next. While these are the same, it comes back to this state. So it need not run another round until
one of the places has another value. If no place ever changes, the vCPU spins for ever, and the execution ends as a
livelock.

* A PAUSE (YIELD, WFE) in the same state as the PAUSE before *becomes* an AWAIT: an operation that is disabled until
  one of the places has changed.
* An operation that reads, in the same state as an earlier time, with no news written and no PAUSE in between, *is
  preceded by* such an AWAIT. The operation itself follows as a separate step, whatever value its place then has. The
  AWAIT belongs to no guest instruction, because it replaces whole rounds of the loop.

`Limits.tries` is the number of fruitless rounds in a row that a vCPU makes before it has to wait.

A vCPU is held back only where it may stay for ever: before the first operation of a guest instruction, or inside an
instruction if the whole loop is inside it. An instruction that has begun must be able to complete, because other vCPUs
may wait for that.

**What is proved.** A search of all interleavings loses no outcome, no finding and no deadlock. Consider an execution
that runs a round of the loop although nothing has changed since the round before. The round before began in the same
state and read the same values, so that it can be left out. The execution leaves the loop in a round that sees a change,
at its beginning or in its middle. Once the fruitless rounds are left out, this round takes the place of the round
before it, at a later time; and that round is not held back. The argument also holds for several places, because an
AWAIT of several places ends when any one of them has changed. A reservation that a round leaves must be renewed in
every round. A load-linked without a store-conditional therefore counts only if the loop looks at nothing else: the next
round then begins by reading again everything that can end the loop.

A try that another vCPU noticed cannot be left out: it took back what the other one wrote, or it ended a reservation of
the other one (`simaie.engine.tries.was_noticed`). Its vCPU is not held back: the AWAIT is enabled at once.

**Tries that may succeed.** A round in which a store-conditional failed can be left out, as any try. But the vCPU does
not spin for ever if another vCPU made it fail (`simaie.engine.tries.was_disturbed`). An execution that ends while such
a vCPU is held back only repeats what another execution shows, which leaves the round out. Its ending is
`Ending.PRUNED`. A search has to reverse its races nevertheless. That vCPUs can let each other fail for ever is not seen
by such a search (see `simaie.engine.lasso`). If no vCPU disturbed the round, it fails again for ever, and the vCPU
spins as any other.

**What is given up.** The number of fruitless rounds of a spinning vCPU is no longer random. These loops are left
unchanged: those that count their rounds, those that change cells of the scheme other than mutexes and sets of
reservations, those that make a local choice, and those that test a value that they have not just loaded.

**When a snapshot is taken.** A snapshot is taken at every PAUSE. At an operation that reads it is taken only if the
vCPU is in a loop and has been at the same place since it last wrote news. If a loop reaches only new states, its rounds
are compared less and less often.

What follows from the vCPU's own history depends neither on the driver nor on the steps of other vCPUs (`Wait`). Only
whether others noticed a try, or made it fail, does (`granted`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from simaie.engine.actor import Actor
from simaie.engine.snapshot import Snapshot, loop_position, snapshot, where
from simaie.engine.tries import Try, place_of, same, try_of, verb_of, was_disturbed, was_noticed, wrote_news
from simaie.op import SPIN, Cell, Function, Kind, Op, Role, show
from simaie.trace import Event

__all__ = ["Wait", "await_change", "ends_looking", "granted", "looks_again"]

_STORE, _STORE_CONDITIONAL = Kind.STORE, Kind.STORE_CONDITIONAL  # looked up once, not per announcement
_ATOMICS = frozenset({Kind.CAS, Kind.EXCHANGE, Kind.FETCH})
#: The operations before which a vCPU may be held back.
_HOLDS = frozenset({Kind.LOAD, Kind.LOAD_LINKED, Kind.FENCE, *_ATOMICS})
#: The operations of tries.
_TRIES = _HOLDS | {_STORE, _STORE_CONDITIONAL, Kind.CLEAR_RESERVATION, Kind.LOCK, Kind.UNLOCK}
#: The number of rounds in new states that are all compared. Of later rounds, those are compared whose number is a power
#: of two, and the next after each.
_PATIENCE = 8


class Wait(NamedTuple):
    """A wait for a change of what a vCPU looks at.

    Attributes:
        op: The AWAIT.
        tried: The rounds that it replaces.
    """

    op: Op
    tried: Try


def granted(wait: Wait, vcpu: str, events: Sequence[Event]) -> Op:
    """Return the AWAIT of `wait`, changed by what other vCPUs have to do with what `vcpu` tried.

    It is enabled at once if others noticed the try. It is one of a vCPU that could go on if others made it fail.

    Args:
        wait: The wait that `vcpu` has just come to.
        vcpu: The name of the vCPU.
        events: The steps of all vCPUs.
    """
    op, tried = wait
    function = op.function
    assert function is not None
    if was_noticed(tried, vcpu, events):
        function = Function(function.name, _always)
    elif not tried.fails:
        return op
    could_go_on = True if tried.fails and was_disturbed(vcpu, tried.steps, events) else None
    return Op(op.kind, op.cell, op.address, op.width, op.value, could_go_on, function, note=op.note)


def _always(value: Any) -> bool:
    return True


def await_change(actor: Actor, events: Sequence[Event], tries: int) -> Wait | None:
    """Return the AWAIT that a PAUSE, which `actor` announces, becomes; None if it stays a PAUSE.

    Args:
        actor: The vCPU.
        events: The steps so far.
        tries: The number of rounds in a row that are no wait.
    """
    now = snapshot(actor.coroutine, actor.cpu)
    if now is None:
        actor.paused.clear()
        return None
    paused = actor.paused
    if paused and not paused[-1][1].same_as(now):
        paused.clear()
    wait = _wait_for_change(actor, events, paused[-tries][0]) if len(paused) >= tries else None
    if wait is not None:
        paused.clear()
    paused.append((len(events), now))
    del paused[:-tries]
    return wait


def looks_again(actor: Actor, op: Op, events: Sequence[Event], tries: int) -> Wait | None:
    """Return the wait for which `actor`, which announces the operation `op` of a try, has to wait first; or None.

    Args:
        actor: The vCPU.
        op: The operation, of any kind but PAUSE.
        events: The steps so far. If any is a step of `actor`, so is the last one.
        tries: The number of rounds in a row that are no wait.
    """
    last = events[-1] if events and events[-1].actor == actor.name else None
    if ends_looking(op, last):
        actor.looks = op if op.kind in _HOLDS else None
        return None
    looks = actor.looks
    if looks is None:
        actor.looks = op
        return None
    if op.kind not in _HOLDS:
        return None
    if type(looks) is Op:
        looks = actor.looks = Looks(looks)
    return looks.await_change(actor, op, events, tries)  # type: ignore[no-any-return]  # a Looks


def ends_looking(op: Op, last: Event | None) -> bool:
    """Whether the round of a vCPU that announces `op` is certainly no try.

    Args:
        op: The operation.
        last: The last step of the vCPU; None if it is not known.
    """
    kind = op.kind
    if last is not None and last.op.kind in _ATOMICS and wrote_news(last.op, last.value):
        return True
    if kind is _STORE:  # in a try it puts back what was read just before, or it is that of a store-conditional
        if last is None or verb_of(last.op):
            return last is None
        return bool(last.value != op.value) or place_of(last.op) != place_of(op)
    return kind not in _TRIES and not (kind is Kind.UPDATE and verb_of(op))


class Looks:
    """The places at which a vCPU has looked since it last wrote news or paused, and its states at these looks."""

    __slots__ = ("_places", "_rounds")

    def __init__(self, first: Op) -> None:
        self._places = {place_of(first)}
        self._rounds: dict[Any, _Round] = {}

    def await_change(self, actor: Actor, look: Op, events: Sequence[Event], tries: int) -> Wait | None:
        """Return the wait that must come before `look`, which `actor` announces; None if `actor` need not wait."""
        place = place_of(look)
        if place not in self._places:
            self._places.add(place)
            return None
        position = loop_position(actor.coroutine)
        if position is None:
            return None
        # The exact access is part of the state, because another round may look at the place in another way.
        round_ = self._rounds.setdefault((place, look.kind, look.order, look.orders, look.note, position), _Round())
        return round_.await_change(actor, events, tries)


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

    def await_change(self, actor: Actor, events: Sequence[Event], tries: int) -> Wait | None:
        if self.in_vain > _PATIENCE and not _is_compared(self.in_vain):
            self.in_vain += 1
            return None
        now = snapshot(actor.coroutine, actor.cpu)
        if now is None:
            self.in_vain += 1
            return None
        steps = [step for step, state in self.before if state.same_as(now)]
        wait = _wait_for_change(actor, events, steps[-tries]) if len(steps) >= tries else None
        if wait is not None:
            self.before, self.in_vain = [], 0
        del self.before[: -max(_PATIENCE, tries)]
        self.before.append((len(events), now))
        self.in_vain += 1
        return wait


def _is_compared(number: int) -> bool:
    """Whether a later round is compared: its number, or the one before, is a power of two."""
    return not number & number - 1 or not number - 1 & number - 2


def _wait_for_change(actor: Actor, events: Sequence[Event], start: int) -> Wait | None:
    """Return a wait for a change of the places that `actor` has read since step `start`.

    At that step it announced the operation that it announces again now. None if it did more than try since then.
    """
    since = [event for event in events[start:] if event.actor == actor.name]
    if since and since[0].op.kind in (Kind.PAUSE, Kind.AWAIT):
        del since[0]  # the announced operation was a PAUSE, or a look that had to wait
    instruction = actor.cpu.instruction
    if actor.inside_instruction and any(event.instruction is not instruction for event in since):
        return None
    tried = try_of(since)
    if tried is None:
        return None
    place = where(actor.coroutine)
    return Wait(_await(tried, f"{SPIN} at {place}" if place else SPIN), tried)


def _await(tried: Try, note: str) -> Op:
    places, olds = tuple(tried.seen), tuple(tried.seen.values())
    cells = tuple([cell for cell, _, _ in places])
    noticed = ", or others noticed the try" if tried.stores else ""
    if len(places) == 1:
        ((cell, address, width),), (old,) = places, olds
        changed = Function(f"changes from {show(old)}{noticed}", lambda value: _has_changed(cell, old, value))
        return Op(Kind.AWAIT, cell, address, width, function=changed, note=note)
    changed = Function(f"changes from {show(olds)}{noticed}", lambda now: any(map(_has_changed, cells, olds, now)))
    loads = tuple(Op(Kind.LOAD, *place) for place in places)
    return Op(Kind.AWAIT, value=loads, function=changed, note=note)


def _has_changed(cell: Cell | None, old: Any, value: Any) -> bool:
    """Whether a place has another value than `old`.

    A search asks this also of a value that an equal execution has left there. A slot of the tree then leads to another
    object with the same name; it is written only once.
    """
    if cell is not None and cell.role is Role.SLOT:
        return show(value) != show(old)
    return not same(value, old)
