"""Store buffers, on hosts that have them: stores enter one, and drain from it when the scheduler says so.

The host memory knows what is buffered and what may drain next; here each buffer becomes an actor that a scheduler can
choose, made when the first store enters it.
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

    __slots__ = ("_buffers", "_cast", "_memory")

    def __init__(self, cast: ActorTable, memory: HostMemory) -> None:
        self._cast = cast
        self._memory = memory
        self._buffers: dict[Actor, dict[str, StoreBuffer]] = {}

    def take(self, actor: Actor, op: Op) -> None:
        """A store of `actor` enters a buffer, which from then on drains when it is chosen."""
        self._memory.perform(actor, op)
        buffers = self._buffers.setdefault(actor, {})
        buffer = buffers.get(op.buffer)
        if buffer is None:
            buffer = buffers[op.buffer] = StoreBuffer(actor, op.buffer)
            self._cast.add(buffer)
        buffer.instructions.append(actor.cpu.instruction)
        self._ask(actor)

    def drain(self, buffer: StoreBuffer) -> Event:
        """The oldest store takes effect. Its owner may have waited for that, and others for the value."""
        self._memory.drain(buffer.owner, buffer.key)
        event = Event(buffer.name, buffer.op, None, buffer.instructions.popleft())
        self._ask(buffer.owner)
        return event

    def close(self) -> None:
        """No buffer is a candidate any more."""
        for buffers in self._buffers.values():
            for buffer in buffers.values():
                buffer.enabled = False

    def _ask(self, owner: Actor) -> None:
        """Which of its stores may drain next?"""
        ready = dict(self._memory.drains(owner))
        for key, buffer in self._buffers[owner].items():
            op = ready.get(key)
            if op is not None:
                buffer.op = op
            if buffer.enabled is not (op is not None):
                self._cast.set_enabled(buffer, op is not None)
