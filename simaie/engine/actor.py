"""Actors as the engine stores them: a vCPU or device with its coroutine, and each store buffer of a vCPU.

Each is a `simaie.protocols.Candidate` with the operation that it performs next.
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
    """A vCPU or device: the `Candidate` that schedulers see, and the engine's bookkeeping about it.

    Attributes:
        op: The operation that it has announced and not yet performed.
        enabled: Whether it is a candidate.
        special: Whether its operation may be disabled, or may change which actors are enabled.
        inbox: The value that its coroutine receives when it is resumed.
        thread: The handle of the thread, if it was spawned.
        paused: The steps and the states, all equal, of its last PAUSEs, up to as many as the limit on tries.
        waits_for_change: Whether its operation replaces a PAUSE (see `simaie.engine.spin`).
        looks: None if its last operation was no part of a try; then the first operation, and after further ones a
            `Looks`; see `simaie.engine.spin`.
        held: The operation that it has announced, while its `op` is a wait that must come first.
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
    owner: Actor | None = None  # only store buffers have one

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
        self.paused: list[tuple[int, Snapshot]] = []
        self.waits_for_change = False
        self.looks: Any = None  # an Op or Looks
        self.held: Op | None = None

    def __repr__(self) -> str:
        return f"<actor {self.name}: {self.op}>"

    @property
    def yielding(self) -> bool:
        """Whether a switch away is no preemption: it is about to pause, to look again, or to retry a store-conditional.

        An actor blocked on a mutex is disabled, so it never spins on it.
        """
        if self.op.kind >= _PAUSE and (self.op.kind is _PAUSE or self.waits_for_change or self.held is not None):
            return True
        entered = self.cpu.entered
        # The result of a store-conditional in progress is `PENDING`, which does not equal 0.
        return entered is not None and entered.access is _STORE_CONDITIONAL and entered.result == 0

    @property
    def inside_instruction(self) -> bool:
        """Whether it has performed an operation of a guest instruction that is not complete.

        A vCPU waiting in BEGIN_EXCLUSIVE counts as outside its instruction, because it has left its translation block.
        """
        instruction = self.cpu.instruction
        if instruction is None or self.op.kind is Kind.BEGIN_EXCLUSIVE:
            return False
        return self.cpu.entered is instruction


class StoreBuffer:
    """A store buffer of a vCPU, which is a `Candidate` while its oldest store may drain.

    Attributes:
        owner: The vCPU.
        key: The name of the buffer among those of its owner.
        op: The store that drains next.
        instructions: The guest instructions of the buffered stores, oldest first.
    """

    __slots__ = ("enabled", "instructions", "key", "name", "op", "owner", "rank")

    internal = True
    special = True
    yielding = False

    def __init__(self, owner: Actor, key: str) -> None:
        self.owner = owner
        self.key = key
        self.name = buffer_name(owner.name, key)
        # Directly after its owner, before the threads that the owner has spawned.
        self.rank = (*owner.rank, -1, *key.encode())
        self.op: Op = _NOTHING
        self.enabled = False
        self.instructions: deque[Instruction | None] = deque()

    def __repr__(self) -> str:
        return f"<store buffer {self.name}: {self.op}>"
