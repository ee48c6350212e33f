"""What a guest says of its own code: this stretch shall be atomic, or is one call of an object.

A block is a range of guest instructions of one vCPU and no operation: recording it is no scheduling point. An event
belongs to it by the number of its instruction, also one that takes effect late (the drain of a buffered store).
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Block", "Call"]


class Block(msgspec.Struct, eq=False):
    """Instructions `first` up to and without `after` of a vCPU; `after` is None if the block never ended."""

    vcpu: str
    name: str
    first: int
    after: int | None = None

    def holds(self, number: int) -> bool:
        """Whether the vCPU's instruction of that number belongs to the block."""
        return self.first <= number and (self.after is None or number < self.after)


class Call(Block, eq=False):
    """A block that is one call of an object, with its arguments and what it returned.

    completed: whether it returned; otherwise it may or may not have taken effect. ordered: whether its first and last
    operations mark its two ends, so that two executions in which a call ends before another begins, or does not, differ
    in the order of operations that conflict.
    """

    args: tuple[Any, ...] = ()
    result: Any = None
    completed: bool = False
    ordered: bool = False

    def __str__(self) -> str:
        call = f"{self.name}({', '.join(map(repr, self.args))})"
        return f"{call} = {self.result!r}" if self.completed else f"{call} (pending)"
