"""An actor as the engine keeps it: a vCPU, its coroutine, and the operation that it has announced."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from simaie.guest.cpu import Cpu, Thread
from simaie.op import Kind, Op
from simaie.trace import Instruction

__all__ = ["Actor"]

_NOTHING = Op(Kind.PAUSE)


class Actor:
    """What schedulers see as a `Candidate`, and the engine's own bookkeeping beside it.

    op: announced, not yet performed. enabled: whether it is a candidate. special: whether its op may be disabled, or
    change what is enabled.
    inbox: what its coroutine gets sent when it is next resumed. entered: the instruction of its last performed
    operation, by which the engine knows whether it is inside one. thread: the handle, if it was spawned.
    """

    __slots__ = (
        "children",
        "coroutine",
        "cpu",
        "driver_state",
        "enabled",
        "entered",
        "epilogue",
        "inbox",
        "is_device",
        "name",
        "op",
        "rank",
        "special",
        "thread",
    )

    def __init__(self, name: str, rank: tuple[int, ...], cpu: Cpu, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.name = name
        self.rank = rank
        self.cpu = cpu
        self.coroutine = coroutine
        self.op: Op = _NOTHING
        self.enabled = False
        self.special = False
        self.inbox: Any = None
        self.entered: Instruction | None = None
        self.epilogue = False
        self.children = 0
        self.is_device = False
        self.thread: Thread | None = None
        self.driver_state: Any = None

    def __repr__(self) -> str:
        return f"<actor {self.name}: {self.op}>"

    @property
    def yielding(self) -> bool:
        """Whether leaving it is no preemption: it is about to pause."""
        return self.op.kind is Kind.PAUSE

    @property
    def inside_instruction(self) -> bool:
        """Whether it has performed part of a guest instruction, and not come to its end.

        Who waits to stop the world has left its translation block and does not count.
        """
        instruction = self.cpu.instruction
        if instruction is None or self.op.kind is Kind.BEGIN_EXCLUSIVE:
            return False
        return self.entered is instruction
