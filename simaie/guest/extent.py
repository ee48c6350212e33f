"""How far the addresses of a program reach, where its code is data and names each of them.

An emulator's tree of locks has a level for every 8 bits of an address, so a narrow address space keeps searches small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from simaie.guest.code import Code, Ins, instructions_of
from simaie.guest.operands import Row
from simaie.host.pages import PAGE_SIZE

if TYPE_CHECKING:
    from simaie.guest.program import Program

__all__ = ["LEAST_BITS", "bits_for", "extent_of"]

#: The narrowest address space: one page.
LEAST_BITS = 12
#: Bytes of the widest access.
_WIDEST = 16


def bits_for(extent: int) -> int:
    """Return the width in bits of the smallest address space that has `extent` bytes, at least `LEAST_BITS`."""
    return max(LEAST_BITS, (extent - 1).bit_length())


def extent_of(program: Program) -> int | None:
    """Return the first address after everything that `program` names: memory, pages and operands.

    Args:
        program: The program.

    Returns:
        The address; None if it is not known, because some code is a Python function or accesses an address that is in
        a register.
    """
    if program.devices:
        return None
    ends = [0, *_given(program)]
    rows = instructions_of(program.cpu_class)
    for code in program.vcpu_code:
        if not isinstance(code, Code):
            return None
        for item in code:
            row = rows[item.name]
            end = 0 if row is None else _end(item, row)  # a register instruction has no row
            if end is None:
                return None
            ends.append(end)
    return max(ends)


def _given(program: Program) -> Iterator[int]:
    """Yield the end of each place in memory and of each page."""
    for address, width, _ in program.image:
        yield address + width
    for address, width in program.watch.items():
        yield address + width
    for virtual, page in program.pages.items():
        yield virtual + PAGE_SIZE
        yield page.frame + PAGE_SIZE


def _end(item: Ins, row: Row) -> int | None:
    """Return the end of the access of an instruction, 0 if it has none; None if its address is not known."""
    operands = dict(_named(item, row))
    address = operands.get("address", 0)
    if not isinstance(address, int):
        return None
    width = operands.get("width", max(_widths(row), default=_WIDEST))
    return address + (width if isinstance(width, int) else _WIDEST) if "address" in operands else 0


def _named(item: Ins, row: Row) -> Iterator[tuple[str, Any]]:
    """Yield the operands of an instruction with the names of their parameters."""
    places = (parameter.name for parameter in row.parameters if not parameter.keyword)
    yield from zip(places, item.args, strict=False)
    yield from item.options


def _widths(row: Row) -> Iterable[int]:
    """Return the widths in bytes that an instruction can have, if it has the choice."""
    return next((parameter.constants for parameter in row.parameters if parameter.name == "width"), ())
