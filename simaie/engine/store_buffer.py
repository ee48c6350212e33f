"""A store buffer as the engine keeps it: an actor without code, whose only step is to drain its oldest store."""

from __future__ import annotations

from collections import deque

from simaie.engine.actor import Actor
from simaie.op import Kind, Op, buffer_name
from simaie.trace import Instruction

__all__ = ["StoreBuffer"]

_NOTHING = Op(Kind.PAUSE)


class StoreBuffer:
    """One of a vCPU's store buffers; a `Candidate` while its oldest store may drain.

    owner: whose it is. key: which of the owner's. op: the store that drains next. instructions: of the buffered stores,
    oldest first.
    """

    __slots__ = ("enabled", "instructions", "key", "name", "op", "owner", "rank")

    internal = True
    special = True
    yielding = False

    def __init__(self, owner: Actor, key: str) -> None:
        self.owner = owner
        self.key = key
        self.name = buffer_name(owner.name, key)
        # Right behind its owner, before the threads that this one has spawned.
        self.rank = (*owner.rank, -1, *key.encode())
        self.op: Op = _NOTHING
        self.enabled = False
        self.instructions: deque[Instruction | None] = deque()

    def __repr__(self) -> str:
        return f"<store buffer {self.name}: {self.op}>"
