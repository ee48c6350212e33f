"""Memo executions on a sequentially consistent host: one loop for accesses to values, and for mutexes.

Everything that an execution consists of (actors, offer, memory) is made once for each memo and scheduler, and set back
before the next execution. The loop performs an operation by one call of C, follows the edge, and asks the scheduler
again. Wherever more can happen (a wait for a value or a thread, a missing edge, the end of a vCPU while others wait),
it leaves the step to `simaie.engine.execution`, which works on the same actors and the same memory.
"""

from __future__ import annotations

from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.lazy import MemoTrace
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.node import (
    END,
    MUTEX,
    OTHER,
    PERFORM,
    READ,
    READ_CELL,
    SWAP,
    WRITE,
    WRITE_CELL,
    Node,
    key_of,
)
from simaie.host.sc import ScMemory
from simaie.op import Kind, Op
from simaie.protocols import ExecutionInfo, HostMemory, Scheduler
from simaie.trace import Ending, Event

__all__ = ["QuickExecution", "draws", "make_memo_execution"]

_MOST_KNOWN = 1_000
_LOCK = Kind.LOCK


def draws(scheduler: Scheduler) -> bool:
    """Whether the class of `scheduler` says that it `draws_uniformly`, and the object does not choose otherwise."""
    return vars(type(scheduler)).get("draws_uniformly") is True and "choose" not in vars(scheduler)


def make_memo_execution(
    memo: Memo, scheduler: Scheduler, info: ExecutionInfo, before: MemoExecution | None = None
) -> MemoExecution:
    """Return an execution of `memo`, ready to run.

    Args:
        memo: The memo.
        scheduler: The scheduler; it is started.
        info: What the scheduler is told.
        before: The execution before this one, which has ended. It is begun again if that makes no difference.
    """
    if not memo.is_quick:
        return MemoExecution(memo, scheduler, info)
    if type(before) is QuickExecution and before.can_be_repeated_for(memo, scheduler):
        before.restart(info)
        return before
    return QuickExecution(memo, scheduler, info)


class QuickExecution(MemoExecution):
    """An execution along a memo, on a sequentially consistent host; it can be begun again when it has ended."""

    def __init__(self, memo: Memo, scheduler: Scheduler, info: ExecutionInfo) -> None:
        super().__init__(memo, scheduler, info)
        self._ahead: Node | None = None  # where the actor that is resumed next has already gone
        self._all = tuple(self._cast.live)
        self._opening: list[tuple[Any, Node]] | None = None  # where each actor announces first
        self._was_special = False  # whether anything happened outside of the loop
        #: The traces of the program by their steps, as long as they repeat; a final check is asked each time.
        self._known: dict[tuple[Node, ...], MemoTrace] | None = {} if memo.program.final is None else None
        self._repeated = 0
        #: A scheduler of a third party may keep candidates by mistake, and has to be told then.
        self._is_reusable = type(scheduler).__module__.startswith("simaie")
        self._draws = draws(scheduler) and self._tries is not None

    def _memory(self) -> HostMemory:
        memory = self.memo.memory
        assert isinstance(memory, ScMemory)
        self._reservations = memory.reservations
        return memory

    # -- beginning again ---------------------------------------------------------------------------

    def can_be_repeated_for(self, memo: Memo, scheduler: Scheduler) -> bool:
        """Whether another execution of `scheduler` along `memo` may use the same actors."""
        return self.memo is memo and self.scheduler is scheduler and self._is_reusable

    def restart(self, info: ExecutionInfo) -> None:
        """Begin another execution."""
        if self.ending is not Ending.FINISHED:
            self._was_special = True  # an actor may still wait
        self.info = info
        self._start()
        self.events.clear()
        self._switches.clear()
        if self._tries is None:
            self._record.cycle = None
            self._look_for_lassos()
        self._offer.running, self._offer.candidates = None, ()
        if self._was_special:
            self._record.choices.clear()
            self._record.faults.clear()
            self._ahead = None
            self._waiting.clear()
            self._cast.restart()  # type: ignore[attr-defined]  # the actors of a memo
            self._was_special = False
        else:
            self._cast.live[:] = self._all
        self._busy = True

    def begin(self) -> Actor | None:
        """Return the actor to resume first. If it is known how all vCPUs begin, they are there."""
        opening = self._opening or self._find_opening()
        if opening is None:
            self._was_special = True
            self._cast.restart()  # type: ignore[attr-defined]  # as above
            return self.proceed()
        cast = self._cast
        if cast.to_advance:
            cast.to_advance.clear()
        self._offer.candidates = self._all
        cast.changed = self._busy = False
        for actor, node in opening:
            actor.node, actor.op, actor.enabled = node, node.op, True
            if node.code == MUTEX:
                assert node.op is not None
                self._announce_mutex(actor, node.op)
        return self._decide()

    def _find_opening(self) -> list[tuple[Any, Node]] | None:
        """Return the first nodes of all actors, if they are known, and no operation may wait for more than a mutex."""
        found = [(actor, actor.start.edges.get(None)) for actor in self._all]
        if not found or any(node is None or node.code in (OTHER, END) for _, node in found):
            return None
        self._opening = found
        return found

    def close(self) -> None:
        """No actor is a candidate any more. The coroutines are the memo's."""
        if self._cast.live:
            super().close()
        else:
            self.memo.ended(self.events)

    def trace(self) -> MemoTrace:
        """The finished trace. An execution of the same steps as an earlier one has the same trace."""
        known = self._known
        if known is None or self._was_special or self.ending is not Ending.FINISHED:
            return super().trace()
        steps: Any = tuple(self.events)
        trace = known.get(steps)
        if trace is not None:
            self._repeated += 1
            return trace
        trace = super().trace()
        if len(known) < _MOST_KNOWN:
            known[steps] = trace
        elif self._repeated < len(known):
            self._known = None  # they repeat too seldom
        else:
            known.clear()
            self._repeated = 0
        return trace

    # -- the loop ------------------------------------------------------------------------------------

    def resume(self, actor: Any) -> Actor | None:
        """Move `actor` on with the result in its inbox, unless it has already gone; return the actor to resume next."""
        node = self._ahead
        self._was_special = True
        if node is None:
            return super().resume(actor)
        self._ahead = None
        return self.arrived(actor, node)

    def _decide(self) -> Actor | None:
        """As in an `Execution`, but go on as long as operations only read or write."""
        offer, cast, switches, events = self._offer, self._cast, self._switches, self.events
        choose, perform, limit, reserved = self._choose, self._perform, self._step_limit, self._reservations
        word: Any = self.scheduler.word if self._draws else None  # type: ignore[attr-defined]  # it says that it has it
        note: Any = events.append
        running: Any = offer.running
        least = END if not self._busy else PERFORM + 1  # the least code of a node that needs nothing else
        while True:
            if cast.changed and not self._offer_enabled():
                return self._end(self._stuck())
            candidates: Any = offer.candidates
            count = len(candidates)
            could_go_on = running is not None and running.enabled
            for step in range(len(events), limit):
                if word is not None:
                    chosen: Any = candidates[word() * count >> 32]
                else:
                    chosen = choose(offer)
                    try:
                        if not chosen.enabled:
                            return self._refuse(chosen)
                    except AttributeError:  # the scheduler returned something that is no candidate
                        return self._refuse(chosen)
                if chosen is not running:
                    if could_go_on or chosen is not candidates[0]:
                        switches.append(step)
                    offer.running = running = chosen
                    could_go_on = True
                node = chosen.node
                code = node.code
                if code == READ:
                    value = node.place[node.offset]
                    following = node.edges.get(value)
                elif code == WRITE and not reserved:
                    node.place[node.offset] = node.stored
                    value = None
                    following = node.after
                elif code == WRITE_CELL:
                    node.place.value = node.stored
                    value = None
                    following = node.after
                elif code == SWAP and not reserved:
                    value = node.place[node.offset]
                    if value == node.op.expected:
                        node.place[node.offset] = node.stored
                    following = node.edges.get(value)
                elif code == MUTEX:
                    self._carry_out(chosen, node.op)
                    self._busy = least != END  # as before: it makes none wait for a value
                    value = None
                    following = node.after
                else:
                    if code == READ_CELL:
                        value = node.place.value
                    elif code >= WRITE:
                        value = perform(chosen, node.op)
                    elif not chosen.special:
                        value = perform(chosen, chosen.op)
                    elif chosen.held is None:
                        return self._performed(chosen)
                    else:
                        self._end_wait(chosen)
                        break
                    following = node.edges.get(value if value is None or type(value) is int else key_of(value))
                if following is None:
                    chosen.inbox = value
                    note(Event(chosen.name, chosen.op, value, node.instruction))
                    return chosen  # type: ignore[no-any-return]  # an Actor, because only actors are enabled
                chosen.node = following
                note(following)
                if following.code > least:
                    chosen.op = following.op
                    if code == MUTEX and cast.changed:
                        break
                elif following.code == MUTEX and least == END:
                    self._announce_mutex(chosen, following.op)
                    if cast.changed:
                        break
                elif following.code == least == END:
                    cast.remove(chosen)
                    if not cast.live:
                        return self._end(Ending.FINISHED)
                    break
                else:
                    self._ahead = following
                    return chosen  # type: ignore[no-any-return]  # as above
            else:
                return self._end(Ending.STEP_LIMIT)

    def _announce_mutex(self, actor: Any, op: Op) -> None:
        """Take the announcement of an operation that takes or releases a mutex, for which `actor` may have to wait."""
        actor.op, actor.looks, actor.special = op, None, True
        if op.kind is _LOCK:
            self._waiting.enter(actor)

    def _performed(self, chosen: Any) -> Actor:
        """Perform an operation that may wake others or change which actors are enabled; return its actor."""
        op, cpu = chosen.op, chosen.cpu
        instruction = cpu.entered = cpu.instruction
        value = self._perform_special(chosen, op)
        self.events.append(Event(chosen.name, op, value, instruction))
        actor: Actor = chosen
        return actor
