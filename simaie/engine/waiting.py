"""Blocked actors: they wait for a mutex, a value, a thread's end or their own stores, or because the world is stopped.

An actor that must wait is no candidate. Whether it must wait is checked as rarely as possible: for the contenders of a
mutex when the mutex changes hands, for the actors that join a thread when it ends, for all other waiting actors after
every step.
"""

from __future__ import annotations

from simaie.dependence import STOPS
from simaie.engine.actor import Actor
from simaie.engine.actors import ELSEWHERE, ActorTable
from simaie.engine.blame import guest_line
from simaie.errors import SchemeError
from simaie.guest.cpu import Thread
from simaie.op import Cell, Kind, Op
from simaie.protocols import HostMemory

__all__ = ["Waiting"]


def _may_go_on(actor: Actor) -> bool:
    """Whether `actor` can step while another has stopped the world: a device, unless it is to stop the world too."""
    return actor.is_device and actor.op.kind not in STOPS


class Waiting:
    """The actors whose announced operation is of a blocking kind.

    Attributes:
        stopper: The actor that has stopped the world; None while the world runs.
        in_section: Whether it did so by an indivisible section, in which devices stop too.
    """

    __slots__ = ("_cast", "_contenders", "_joiners", "_memory", "_waiting", "in_section", "stopper")

    def __init__(self, cast: ActorTable, memory: HostMemory) -> None:
        self._cast = cast
        self._memory = memory
        self._waiting: list[Actor] = []  # without those that contend for a mutex or join a thread
        self._contenders: dict[Cell, list[Actor]] = {}
        self._joiners: dict[Thread, list[Actor]] = {}
        self.stopper: Actor | None = None
        self.in_section = False

    @property
    def busy(self) -> bool:
        """Whether the waiting actors must be checked after every step."""
        return self.stopper is not None or bool(self._waiting)

    def clear(self) -> None:
        """Forget every actor: another execution begins."""
        self._waiting.clear()
        self._contenders.clear()
        self._joiners.clear()
        self.stopper, self.in_section = None, False

    # -- beginning and ending to wait ---------------------------------------------------------

    def enter(self, actor: Actor) -> None:
        """Add `actor`, which has announced an operation of a blocking kind.

        Raises:
            SchemeError: It begins an exclusive section inside its own, which no emulator allows.
        """
        if actor is self.stopper and actor.op.kind is Kind.BEGIN_EXCLUSIVE:
            where = guest_line(actor)
            raise SchemeError(
                f"vCPU {actor.name} begins an exclusive section{f' at {where}' if where else ''} although it already "
                "owns the exclusive section; end that one first"
            )
        self._beside(actor.op).append(actor)
        self.ask(actor)

    def leave(self, actor: Actor) -> None:
        """Remove `actor`, which performs its operation or has withdrawn it."""
        self._beside(actor.op).remove(actor)

    def _beside(self, op: Op) -> list[Actor]:
        """Return the list of the actors that wait for the same mutex or thread as `op`, or of all others."""
        if op.kind is Kind.JOIN:
            return self._joiners.setdefault(op.value, [])
        if op.kind is not Kind.LOCK:
            return self._waiting
        assert op.cell is not None
        return self._contenders.setdefault(op.cell, [])

    # -- enabling and disabling ---------------------------------------------------------------

    def ask(self, actor: Actor) -> None:
        """Update whether `actor` is a candidate: exactly if it need not wait."""
        self._cast.set_enabled(actor, self.can_perform(actor))

    def refresh(self) -> None:
        """Update the actors that any step may have enabled or disabled."""
        if self.stopper is not None:
            self._ask_everybody()
            return
        for actor in self._waiting:
            self.ask(actor)

    def mutex_changed(self, op: Op) -> None:
        """Update the contenders of a mutex that `op` has locked or unlocked."""
        assert op.cell is not None
        for contender in self._contenders.get(op.cell, ()):
            self._cast.set_enabled(contender, op.kind is Kind.UNLOCK and self.can_perform(contender))

    def thread_ended(self, thread: Thread) -> None:
        """Update the actors that join `thread`, which is done."""
        for joiner in self._joiners.get(thread, ()):
            self.ask(joiner)

    def _ask_everybody(self) -> None:
        for actor in self._cast.vcpus:
            self.ask(actor)

    def can_perform(self, actor: Actor) -> bool:
        """Return whether the announced operation of `actor` can be performed now."""
        op, stopper = actor.op, self.stopper
        if op is ELSEWHERE:
            return False
        if stopper is not None and stopper is not actor and (self.in_section or not _may_go_on(actor)):
            return False
        if op.kind is Kind.BEGIN_EXCLUSIVE:
            others = [a for a in self._cast.vcpus if a is not actor and not a.is_device]
            return not any(a.inside_instruction for a in others) and self._memory.enabled(actor, op)
        if op.kind is Kind.JOIN:
            thread: Thread = op.value
            return thread.done
        return self._memory.enabled(actor, op)

    # -- stopping the world -------------------------------------------------------------------

    def stop_world(self, actor: Actor, *, section: bool) -> None:
        """Stop the world: from now on only `actor` can step, and devices unless it is an indivisible section.

        Raises:
            SchemeError: `actor` has stopped the world already.
        """
        if self.stopper is actor:
            where = guest_line(actor)
            raise SchemeError(
                f"vCPU {actor.name} begins an indivisible section{f' at {where}' if where else ''} although it has "
                "already stopped the world; end the first section before"
            )
        self.stopper, self.in_section = actor, section

    def release_world(self, actor: Actor, *, section: bool) -> None:
        """Let all actors continue; SchemeError if `actor` has not stopped the world in this way."""
        if self.stopper is not actor or self.in_section is not section:
            what = "indivisible" if section else "exclusive"
            raise SchemeError(f"vCPU {actor.name} ends an {what} section that it does not own")
        self.stopper, self.in_section = None, False
        self._ask_everybody()
