"""The heap of compiled programs: `malloc` and `free` as the translator runs them in place of a C library's.

Each thread has an arena of its own, from which it never takes the same place twice. So addresses depend on the thread's
own past only, and an access to a freed block is a mistake whenever it happens (`simaie.check.heap`). A block has a
header with its size, which `malloc` stores and `free` exchanges for a mark. Then `free` fills the block, so that it
conflicts with every access to the block, and that an address read from it is no address.
"""

from __future__ import annotations

from typing import Any

from simaie.errors import GuestFault
from simaie.guest.function import rmw
from simaie.trace import AccessKind

__all__ = ["ARENA", "HEADER", "allocate", "release"]

#: The size of the arena of a thread, and of the header of a block, in bytes.
ARENA = 64 << 10
HEADER = 16
_FREED = 0xFEE1_DEAD  # in the header of a freed block
_FILL = 0xDDDD_DDDD_DDDD_DDDD


async def allocate(thread: Any, size: int) -> int:
    """Return the address of a new block of zeros; 0 if the arena of the thread has no room for it."""
    need = HEADER + (max(size, 1) + HEADER - 1) // HEADER * HEADER
    if thread.allocated + need > ARENA:
        return 0
    block: int = thread.arena + thread.allocated + HEADER
    thread.allocated += need
    await _store(thread, "malloc", block - HEADER, size)
    return block


async def release(thread: Any, block: int) -> None:
    """Free a block.

    Raises:
        GuestFault: The block was freed before, or `malloc` did not return it.
    """
    if block == 0:
        return
    cpu, word = thread.cpu, thread.word
    header = block - HEADER
    if block % HEADER or not thread.is_heap(header):
        raise GuestFault("free", block, f"free of {block:#x}, which malloc did not return")
    mark = rmw("swap", _FREED, word)
    body = cpu._scheme.host.fetch(header, word, mark)
    size = await cpu._access("free", AccessKind.ATOMIC, header, word, body, 1, mark)
    if size == _FREED:
        raise GuestFault("free", block, f"the block at {block:#x} is freed a second time")
    if size > ARENA:
        raise GuestFault("free", block, f"free of {block:#x}, which malloc did not return")
    for address in range(block, block + size, word):
        await _store(thread, "free", address, _FILL & (1 << 8 * word) - 1)


async def _store(thread: Any, what: str, address: int, value: int) -> None:
    cpu, word = thread.cpu, thread.word
    body = cpu._scheme.store(cpu, address, word, value)
    await cpu._access(what, AccessKind.STORE, address, word, body, 1, value)
