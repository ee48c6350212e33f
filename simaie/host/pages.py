"""The guest's page table: virtual pages to frames of RAM, entry by entry, each entry a cell.

In full-system mode the emulator's software TLB looks the entry up, so a translation is a step of its own and
may fault. In user mode the mapping is the host operating system's: accesses follow it without any step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

import msgspec

from simaie.errors import GuestFault
from simaie.host.host import Host, Ranges, SharedCell
from simaie.op import Op, Role

__all__ = ["PAGE_SIZE", "Page", "PageTable", "crosses_page", "entry_set_by"]

PAGE_SIZE = 4096


class Page(msgspec.Struct, frozen=True):
    """One entry. frame: physical address of the page, a multiple of 4096 bytes."""

    frame: int
    writable: bool = True
    present: bool = True

    @property
    def name(self) -> str:
        """The entry as a trace shows it."""
        return f"{self.frame:#x}{'w' if self.writable else 'r'}{'' if self.present else '!'}"


class PageTable:
    """The entries of one execution; a page without an entry maps to itself. Its cell is made when first named."""

    constant_attributes = frozenset({"_entries"})  # to name an entry is no access

    def __init__(self, host: Host, pages: Mapping[int, Page]) -> None:
        self._host = host
        self._entries: dict[int, SharedCell] = {}
        for virtual, page in pages.items():
            self._entries[virtual // PAGE_SIZE] = self._fresh(virtual // PAGE_SIZE, page)

    @property
    def is_identity(self) -> bool:
        """Whether every page maps to itself."""
        return not self._entries

    def _fresh(self, number: int, page: Page) -> SharedCell:
        return self._host.cell_of(Role.PAGE, number * PAGE_SIZE, page)

    def entry(self, address: int) -> SharedCell:
        """The cell of the page that `address` is in."""
        number = address // PAGE_SIZE
        if number not in self._entries:
            self._entries[number] = self._fresh(number, Page(number * PAGE_SIZE))
        return self._entries[number]

    async def translate(self, address: int, *, write: bool) -> int:
        """The physical address of a guest-virtual one, by one look at the entry.

        Raises GuestFault if the page is absent, or read-only and `write` is asked. This is the place of one byte, and
        of what follows on the same page: for an access that may cross a page there is `translate_ranges`.
        """
        page: Page = await self.entry(address).load()
        if not page.present:
            raise GuestFault("page", address, f"no page at {address:#x}")
        if write and not page.writable:
            raise GuestFault("permission", address, f"the page at {address:#x} is read-only")
        return page.frame + address % PAGE_SIZE

    async def translate_ranges(self, address: int, width: int, *, write: bool) -> Ranges:
        """Where in RAM an access is, by one look at the entry of each page; it may fault as `translate`.

        All pages are looked up before any part of the access is made, so a fault leaves nothing half done.
        """
        ranges = [(await self.translate(at, write=write), size) for at, size in _by_page(address, width)]
        return _joined(ranges)

    def set(self, address: int, page: Page) -> Awaitable[None]:
        """Replace the entry of `address`: one step."""
        return self.entry(address).store(page)

    def resolve(self, address: int) -> int:
        """Where the host's own mapping puts `address`, with no step (user mode)."""
        cell = self._entries.get(address // PAGE_SIZE)
        if cell is None:
            return address
        page: Page = cell.value
        return page.frame + address % PAGE_SIZE

    def resolve_ranges(self, address: int, width: int) -> Ranges:
        """Where the host's own mapping puts an access, with no step (user mode)."""
        return _joined([(self.resolve(at), size) for at, size in _by_page(address, width)])


def crosses_page(address: int, width: int) -> bool:
    """Whether an access touches two pages."""
    return address % PAGE_SIZE + width > PAGE_SIZE


def _by_page(address: int, width: int) -> Ranges:
    """The guest addresses of an access, page by page."""
    if not crosses_page(address, width):
        return ((address, width),)
    first = PAGE_SIZE - address % PAGE_SIZE
    return ((address, first), *_by_page(address + first, width - first))


def _joined(ranges: list[tuple[int, int]]) -> Ranges:
    """The same places, with neighbours made one: pages whose frames follow each other are no boundary in RAM."""
    found = ranges[:1]
    for address, width in ranges[1:]:
        last, size = found[-1]
        if last + size == address:
            found[-1] = last, size + width
        else:
            found.append((address, width))
    return tuple(found)

def entry_set_by(op: Op) -> tuple[int, int] | None:
    """(page number, physical address of its frame) if `op` puts a page into a page table, else None."""
    if op.cell is None or not isinstance(op.value, Page) or op.cell.role is not Role.PAGE or op.cell.address is None:
        return None
    return op.cell.address // PAGE_SIZE, op.value.frame
