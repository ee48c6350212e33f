"""Who takes steps, as the engine keeps them: a vCPU with its coroutine, and each of its store buffers.

Each is a `simaie.protocols.Candidate` with the operation that it would perform next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from typing import Any

from simaie.engine.snapshot import Snapshot
from simaie.guest.cpu import Cpu, Thread
from simaie.op import Kind, Op, buffer_name
from simaie.trace import AccessKind, Instruction

__all__ = ["Actor", "StoreBuffer"]

_NOTHING = Op(Kind.PAUSE)
_PAUSE, _STORE_CONDITIONAL = Kind.PAUSE, AccessKind.STORE_CONDITIONAL


class Actor:
    """What schedulers see as a `Candidate`, and the engine's own bookkeeping beside it.

    op: announced, not yet performed. enabled: whether it is a candidate. special: whether its op may be disabled, or
    change what is enabled.
    inbox: what its coroutine gets sent when it is next resumed. thread: the handle, if it was spawned.
    paused: at which step it last announced a PAUSE, and in which state; None if never, or if that cannot be told.
    waits_for_change: whether its op stands for a PAUSE (see `simaie.engine.spin`).
    looks: None if its last operation was no look; the look if there was one since; else what it looked at.
    held: the operation that it has announced, while its op is a wait that has to come before that.
    """

    __slots__ = (
        "children",
        "coroutine",
        "cpu",
        "driver_state",
        "enabled",
        "epilogue",
        "held",
        "inbox",
        "is_device",
        "looks",
        "name",
        "op",
        "paused",
        "rank",
        "special",
        "thread",
        "waits_for_change",
    )

    internal = False
    owner: Actor | None = None  # of a store buffer, whose it is

    def __init__(self, name: str, rank: tuple[int, ...], cpu: Cpu, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.name = name
        self.rank = rank
        self.cpu = cpu
        self.coroutine = coroutine
        self.op: Op = _NOTHING
        self.enabled = False
        self.special = False
        self.inbox: Any = None
        self.epilogue = False
        self.children = 0
        self.is_device = False
        self.thread: Thread | None = None
        self.driver_state: Any = None
        self.paused: tuple[int, Snapshot] | None = None
        self.waits_for_change = False
        self.looks: Any = None  # an Op or Looks
        self.held: Op | None = None

    def __repr__(self) -> str:
        return f"<actor {self.name}: {self.op}>"

    @property
    def yielding(self) -> bool:
        """Whether leaving it is no preemption: it is about to pause, to look again, or to retry a store-conditional.

        A vCPU that cannot have a lock does not try and fail: it is no candidate at all.
        """
        if self.op.kind >= _PAUSE and (self.op.kind is _PAUSE or self.waits_for_change or self.held is not None):
            return True
        entered = self.cpu.entered
        # A store-conditional in progress is `PENDING`, which is no 0.
        return entered is not None and entered.access is _STORE_CONDITIONAL and entered.result == 0

    @property
    def inside_instruction(self) -> bool:
        """Whether it has performed part of a guest instruction, and not come to its end.

        Who waits to stop the world has left its translation block and does not count.
        """
        instruction = self.cpu.instruction
        if instruction is None or self.op.kind is Kind.BEGIN_EXCLUSIVE:
            return False
        return self.cpu.entered is instruction


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
