"""Blocks: ranges of a vCPU's instructions that the guest declares as atomic, or as one call of an object.

To record a block is no operation and no scheduling point. An event belongs to a block by the number of its instruction,
even if it takes effect after the block, as the drain of a buffered store does.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Block", "Call"]


class Block(msgspec.Struct, eq=False):
    """The instructions of a vCPU from `first` to the one before `after`, which is None if the block never ended."""

    vcpu: str
    name: str
    first: int
    after: int | None = None

    def holds(self, number: int) -> bool:
        """Whether the vCPU's instruction of that number belongs to the block."""
        return self.first <= number and (self.after is None or number < self.after)


class Call(Block, eq=False):
    """A block that is one call of an object.

    Attributes:
        args: The arguments.
        result: What it returned.
        completed: Whether it returned; a call that did not may or may not have taken effect.
        ordered: Whether operations mark its two ends. The order of a call's end and another call's begin is then an
            order of conflicting operations, which every exhaustive search explores.
    """

    args: tuple[Any, ...] = ()
    result: Any = None
    completed: bool = False
    ordered: bool = False

    def __str__(self) -> str:
        call = f"{self.name}({', '.join(map(repr, self.args))})"
        return f"{call} = {self.result!r}" if self.completed else f"{call} (pending)"
