"""The guest's page table: it maps virtual pages to frames of RAM, and each entry is a cell.

In full-system mode the emulator's software TLB looks up the entry, so a translation is a separate step and may fault.
In user mode the mapping is the host operating system's: accesses follow it without a step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

import msgspec

from simaie.arguments import require_address, require_bool
from simaie.errors import GuestFault, UsageError
from simaie.host.host import Host, Ranges, SharedCell
from simaie.host.loaded import plain
from simaie.op import Op, Role

__all__ = ["PAGE_SIZE", "Page", "PageTable", "crosses_page", "entry_set_by"]

PAGE_SIZE = 4096


class Page(msgspec.Struct, frozen=True):
    """One entry of a page table.

    Attributes:
        frame: Physical address of the page, a multiple of 4096 bytes.
        writable: Whether stores to the page are allowed.
        present: Whether the page exists; any access to an absent page faults.

    Raises:
        UsageError: `frame` is no such address, or a flag is no bool.
    """

    frame: int
    writable: bool = True
    present: bool = True

    def __post_init__(self) -> None:
        require_address("the frame of a page", self.frame)
        if self.frame % PAGE_SIZE:
            raise UsageError(f"the frame of a page must be a multiple of {PAGE_SIZE} bytes, not {self.frame:#x}")
        require_bool(writable=self.writable, present=self.present)

    @property
    def name(self) -> str:
        """The entry as shown in a trace."""
        return f"{self.frame:#x}{'w' if self.writable else 'r'}{'' if self.present else '!'}"


class PageTable:
    """The page table of one execution; a page without an entry maps to itself.

    The cell of an entry is created when first named.

    Args:
        host: Host port, which creates the cells.
        pages: The entries that differ from the identity, by virtual address.
    """

    constant_attributes = frozenset({"_entries"})  # naming an entry is no access

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
        """Return the cell of the page that contains `address`."""
        number = plain(address) // PAGE_SIZE
        if number not in self._entries:
            self._entries[number] = self._fresh(number, Page(number * PAGE_SIZE))
        return self._entries[number]

    async def translate(self, address: int, *, write: bool) -> int:
        """Return the physical address of a guest-virtual address, with one look-up of the entry.

        The result holds for that byte and for the bytes after it on the same page. For an access that may cross a page,
        use `translate_ranges`.

        Args:
            address: Guest-virtual address.
            write: Whether the access writes.

        Raises:
            GuestFault: The page is absent, or it is read-only and `write` is set.
        """
        page: Page = await self.entry(address).load()
        if not page.present:
            raise GuestFault("page", address, f"no page at {address:#x}")
        if write and not page.writable:
            raise GuestFault("permission", address, f"the page at {address:#x} is read-only")
        return page.frame + address % PAGE_SIZE

    async def translate_ranges(self, address: int, width: int, *, write: bool) -> Ranges:
        """Return the ranges of an access in RAM, with one look-up of the entry of each page.

        All pages are looked up before any part of the access is made, so a fault leaves no part done.

        Args:
            address: Guest-virtual address.
            width: Width of the access in bytes.
            write: Whether the access writes.

        Raises:
            GuestFault: A page is absent, or it is read-only and `write` is set.
        """
        ranges = [(await self.translate(at, write=write), size) for at, size in _by_page(address, width)]
        return _joined(ranges)

    def set(self, address: int, page: Page) -> Awaitable[None]:
        """Replace the entry of the page that contains `address`: one step.

        Args:
            address: A guest-virtual address in the page.
            page: The new entry.
        """
        return self.entry(address).store(page)

    def resolve(self, address: int) -> int:
        """Return the physical address to which the host maps `address`, with no step (user mode)."""
        cell = self._entries.get(plain(address) // PAGE_SIZE) if self._entries else None
        if cell is None:
            return address
        page: Page = cell.value
        return page.frame + address % PAGE_SIZE

    def resolve_ranges(self, address: int, width: int) -> Ranges:
        """Return the ranges in RAM to which the host maps an access, with no step (user mode).

        Args:
            address: Guest-virtual address.
            width: Width in bytes.
        """
        return _joined([(self.resolve(at), size) for at, size in _by_page(address, width)])


def crosses_page(address: int, width: int) -> bool:
    """Whether an access touches two pages.

    Args:
        address: Guest-virtual address.
        width: Width in bytes.
    """
    at: int = plain(address)
    return at % PAGE_SIZE + width > PAGE_SIZE


def _by_page(address: int, width: int) -> Ranges:
    """Split an access by page: (guest address, width) of each part."""
    if not crosses_page(address, width):
        return ((address, width),)
    first = PAGE_SIZE - plain(address) % PAGE_SIZE
    return ((address, first), *_by_page(address + first, width - first))


def _joined(ranges: list[tuple[int, int]]) -> Ranges:
    """Join adjacent ranges: between pages with adjacent frames there is no boundary in RAM."""
    found = ranges[:1]
    for address, width in ranges[1:]:
        last, size = found[-1]
        if last + size == address:
            found[-1] = last, size + width
        else:
            found.append((address, width))
    return tuple(found)

def entry_set_by(op: Op) -> tuple[int, int] | None:
    """Return (page number, physical address of its frame) if `op` sets an entry of a page table, else None."""
    if op.cell is None or not isinstance(op.value, Page) or op.cell.role is not Role.PAGE or op.cell.address is None:
        return None
    return op.cell.address // PAGE_SIZE, op.value.frame
