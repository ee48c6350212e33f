"""The heap of compiled programs: `malloc` and `free` as the translator runs them in place of a C library's.

Each thread has an arena of its own, from which it never takes the same place twice. So addresses depend on the thread's
own past only, and an access to a freed block is a mistake whenever it happens. A block has a header
(`simaie.guest.heap`), which `malloc` stores and `free` changes. Then `free` fills the block, so that it conflicts with
every access to the block, and that an address read from it is no address. A wrong `free` changes nothing. Both are
judged by what a trace shows of them (`simaie.check.heap`).
"""

from __future__ import annotations

from typing import Any

from simaie.errors import GuestFault
from simaie.guest.heap import FREE, HEADER, MALLOC, HeapBlock, freeing, header, is_freed, size_in
from simaie.host.loaded import plain
from simaie.op import Kind, Op
from simaie.trace import AccessKind

__all__ = ["ARENA", "allocate", "release"]

#: The size of the arena of a thread, in bytes.
ARENA = 64 << 10
_FILL = 0xDDDD_DDDD_DDDD_DDDD


async def allocate(thread: Any, size: int, alignment: int = HEADER) -> int:
    """Return the address of a new block of zeros; 0 if the arena of the thread has no room for it.

    Args:
        thread: The thread.
        size: The size of the block in bytes.
        alignment: The power of two of which the address is a multiple.
    """
    alignment = max(alignment, HEADER)
    block: int = thread.arena + thread.allocated + HEADER
    block += -block % alignment
    end = block + (max(size, 1) + HEADER - 1) // HEADER * HEADER
    if end > thread.arena + ARENA or alignment & alignment - 1:
        return 0
    thread.allocated = end - thread.arena
    if thread.alone is not None:
        thread.alone.blocks.append(HeapBlock(block, size, thread.cpu.place))
    await _store(thread, MALLOC, block - HEADER, header(block, size, thread.word))
    return block


async def release(thread: Any, block: int) -> None:
    """Free a block.

    Raises:
        GuestFault: It is not to be freed, and the function that does so runs alone, so that no checker sees it.
    """
    if block == 0:
        return
    start, word = plain(block), thread.word
    thread.note_block(start)
    if start % HEADER or not thread.is_heap(start - HEADER):
        await _note(thread, start)
        found = 0
    else:
        function = freeing(start, word)
        body = thread.cpu._scheme.host.fetch(block - HEADER, word, function)
        place = start - HEADER
        found = plain(await thread.cpu._access(FREE, AccessKind.ATOMIC, place, word, body, 1, function))
    size = size_in(found, start, word)
    if size is None:
        if thread.alone is not None:
            wrong = "is freed a second time" if is_freed(found, start, word) else "is freed, and is no block of malloc"
            raise GuestFault(FREE, start, f"{start:#x} {wrong}")
        return
    for address in range(start, start + size, word):
        await _store(thread, FREE, address, _FILL & (1 << 8 * word) - 1)


async def _note(thread: Any, start: int) -> None:
    """Record a `free` of an address outside the heap, as a step that accesses nothing."""
    body = Op(Kind.CHOICE, value=1, note=f"no block at {start:#x}")
    await thread.cpu._access(FREE, AccessKind.OTHER, 0, 0, body, 1, start)


async def _store(thread: Any, what: str, address: int, value: int) -> None:
    cpu, word = thread.cpu, thread.word
    body = cpu._scheme.store(cpu, address, word, value)
    await cpu._access(what, AccessKind.STORE, address, word, body, 1, value)
