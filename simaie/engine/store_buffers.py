"""Store buffers as actors: stores enter a buffer, and drain from it when the scheduler chooses the buffer.

The host memory stores the buffered values and decides which may drain next. This module makes each buffer an actor that
a scheduler can choose, when the first store enters it.
"""

from __future__ import annotations

from simaie.engine.actor import Actor, StoreBuffer
from simaie.engine.actors import ActorTable
from simaie.op import Op
from simaie.protocols import HostMemory
from simaie.trace import Event

__all__ = ["StoreBuffers"]


class StoreBuffers:
    """The store buffers of one execution."""

    __slots__ = ("_buffers", "_cast", "_memory", "_only")

    def __init__(self, cast: ActorTable, memory: HostMemory) -> None:
        self._cast = cast
        self._memory = memory
        self._buffers: dict[Actor, dict[str, StoreBuffer]] = {}
        self._only: Actor | None = None  # the owner of the only buffers that may drain now; None if all may

    def take(self, actor: Actor, op: Op) -> None:
        """Let a store of `actor` enter a buffer, which from then on is an actor."""
        self._memory.perform(actor, op)
        buffers = self._buffers.setdefault(actor, {})
        buffer = buffers.get(op.buffer)
        if buffer is None:
            buffer = buffers[op.buffer] = StoreBuffer(actor, op.buffer)
            self._cast.add(buffer)
        buffer.instructions.append(actor.cpu.instruction)
        self._ask(actor)

    def drain(self, buffer: StoreBuffer) -> Event:
        """Let the oldest store of a buffer take effect, and return the event; other actors may wait for it."""
        self._memory.drain(buffer.owner, buffer.key)
        event = Event(buffer.name, buffer.op, None, buffer.instructions.popleft())
        self._ask(buffer.owner)
        return event

    def let_only(self, owner: Actor | None) -> None:
        """Let only the buffers of `owner` drain, which begins an indivisible section; those of all actors if None."""
        self._only = owner
        for each in self._buffers:
            self._ask(each)

    def close(self) -> None:
        """Make all buffers no candidates any more."""
        for buffers in self._buffers.values():
            for buffer in buffers.values():
                buffer.enabled = False

    def _ask(self, owner: Actor) -> None:
        """Update which buffers of `owner` are candidates, and with which store."""
        ready = dict(self._memory.drains(owner)) if self._only in (None, owner) else {}
        for key, buffer in self._buffers[owner].items():
            op = ready.get(key)
            if op is not None:
                buffer.op = op
            if buffer.enabled is not (op is not None):
                self._cast.set_enabled(buffer, op is not None)
