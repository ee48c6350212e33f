"""Blocks of a guest's heap: what their headers hold, which `malloc` and `free` write and checkers read.

The header of a block is one word. Its low 16 bits are the size of the block, and all others are a tag that is made of
the address of the block and of whether it is freed. So a word in the middle of a block is not taken for a header, and
a checker knows from the header that `free` found whether the block was freed before.
"""

from __future__ import annotations

from typing import NamedTuple

from simaie.host.loaded import lift
from simaie.op import Function
from simaie.trace import CodePlace

__all__ = ["FREE", "HEADER", "MALLOC", "MOST_BYTES", "HeapBlock", "freeing", "header", "is_freed", "size_in"]

#: The names of the instructions that allocate and free.
MALLOC, FREE = "malloc", "free"
#: The distance from the header of a block to its content, in bytes; blocks are multiples of it.
HEADER = 16
#: The size of the largest block, in bytes.
MOST_BYTES = 0xFFFF
_SIZE_BITS = 16
_TAKEN, _FREED = 0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F  # odd numbers without a pattern


class HeapBlock(NamedTuple):
    """A block that was allocated before the threads began.

    Attributes:
        start: The address of its first byte.
        size: Its size in bytes.
        place: Where it was allocated.
    """

    start: int
    size: int
    place: CodePlace


def header(start: int, size: int, word: int) -> int:
    """Return the header of the block at `start`, in words of `word` bytes."""
    return _tag(start, _TAKEN, word) | size


def size_in(value: int, start: int, word: int) -> int | None:
    """Return the size of the block at `start`, from its header; None if the value is no header of a block in use."""
    size = value & MOST_BYTES
    return size if value == header(start, size, word) else None


def is_freed(value: int, start: int, word: int) -> bool:
    """Whether a value is the header of the block at `start` once it is freed."""
    return value & ~MOST_BYTES == _tag(start, _FREED, word)


def freeing(start: int, word: int) -> Function:
    """Return the function that turns the header of the block at `start` into that of a freed block.

    It changes no other value: `free` of what is no block leaves memory as it is.
    """

    def apply(old: int) -> int:
        size = size_in(old, start, word)
        return old if size is None else _tag(start, _FREED, word) | size

    return Function(FREE, lambda old: lift(apply, old))


def _tag(start: int, state: int, word: int) -> int:
    bits = 8 * word - _SIZE_BITS
    mixed = (start // HEADER + 1) * state % (1 << 64) >> 64 - bits
    return (mixed | 1) << _SIZE_BITS  # never that of memory that is all 0
