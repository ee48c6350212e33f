"""Where the memory of a program lies that its file does not describe: stacks, TLS blocks, the heap."""

from __future__ import annotations

from simaie.binary.abi import EXTERNALS
from simaie.binary.heap import ARENA
from simaie.binary.image import Image
from simaie.errors import UsageError
from simaie.guest.heap import HEADER, HeapBlock

__all__ = ["MOST_CREATED", "STACK_BYTES", "Layout"]

#: The most threads that a whole program creates.
MOST_CREATED = 16

#: The size of a stack, if the caller chooses no other.
STACK_BYTES = 16 << 10
_PAGE = 0x1000
_LEAST_STACK, _MOST_STACK = 256, 1 << 24


class Layout:
    """The stacks of a program, in slots above its image; slot 0 is for `init` and the final check.

    Below each stack is a page without memory, so that an overflow is a fault.

    Args:
        image: The program.
        threads: The number of threads.
        stack: The size of a stack in bytes.

    Raises:
        UsageError: The size is out of range.
    """

    def __init__(self, image: Image, threads: int, stack: int = STACK_BYTES) -> None:
        if type(stack) is not int or not _LEAST_STACK <= stack <= _MOST_STACK:
            raise UsageError(f"a stack has {_LEAST_STACK} to {_MOST_STACK:,} bytes, not {stack!r}")
        #: The size of the TLS block of a thread, with what surrounds it.
        self.tls = _up(len(image.tls), 16) + 32
        #: The size of a slot: the stack below the TLS block.
        self.slot = _up(stack + self.tls + 64, _PAGE)
        #: The first address of the slots, and the first after them.
        self.start = _up(image.end, _PAGE) + _PAGE
        self._stride = self.slot + _PAGE
        self.end = self.start + self._stride * (threads + 1)
        #: The first address of the heap, and the first after it; equal if the program allocates nothing.
        self.heap = self.end + _PAGE
        self.heap_end = self.heap + (ARENA * (threads + 1) if image.allocates else 0)
        #: The blocks of the heap that were allocated before the threads began.
        self.blocks: tuple[HeapBlock, ...] = ()
        self.end_of_all = max(self.end, self.heap_end)
        if self.end_of_all > EXTERNALS - _PAGE:
            raise UsageError(f"{threads} stacks of {stack:,} bytes do not fit above the program, at {self.start:#x}")

    def low(self, number: int) -> int:
        """Return the first address of a slot."""
        return self.start + number * self._stride + _PAGE

    def is_heap(self, address: int) -> bool:
        """Whether an address is on the heap."""
        return self.heap <= address < self.heap_end

    @property
    def allocated(self) -> int:
        """The number of bytes of the first arena that are taken when the threads begin."""
        last = max((block.start + block.size for block in self.blocks), default=self.heap)
        return _up(last - self.heap, HEADER)

    def block_at(self, address: int) -> HeapBlock | None:
        """Return the block that contains an address, if it was allocated before the threads began."""
        return next((each for each in self.blocks if each.start <= address < each.start + max(each.size, 1)), None)

    def is_stack(self, address: int) -> bool:
        """Whether an address is that of a stack or a TLS block."""
        return self.start <= address < self.end and (address - self.start) % self._stride >= _PAGE

    def is_guard(self, address: int) -> bool:
        """Whether an address is in the page below a stack."""
        return self.start <= address < self.end and (address - self.start) % self._stride < _PAGE


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
