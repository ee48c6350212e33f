"""Guest RAM: bytes, in pages that are created when first written. Only a memory model accesses it."""

from __future__ import annotations

import sys
from struct import Struct
from typing import Any, Literal

__all__ = ["Endian", "Ram"]

Endian = Literal["little", "big"]

_PAGE_BITS = 8  # small, since a program may begin with many numbers far from each other
_PAGE = 1 << _PAGE_BITS
_OFFSET = _PAGE - 1
_FORMATS: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _codecs(prefix: str) -> tuple[dict[int, Any], dict[int, tuple[Any, int]]]:
    """Return (readers, writers) by width: one C call per width of a struct format; a mask cuts stores to the width."""
    codecs = {width: Struct(prefix + code) for width, code in _FORMATS.items()}
    readers = {width: codec.unpack_from for width, codec in codecs.items()}
    return readers, {width: (codec.pack_into, (1 << 8 * width) - 1) for width, codec in codecs.items()}


_CODECS = {"little": _codecs("<"), "big": _codecs(">")}


class Ram:
    """A sparse byte-addressed memory; bytes never written read as 0.

    Args:
        endian: Byte order of `read` and `write`.
    """

    def __init__(self, endian: Endian = "little") -> None:
        self.endian: Endian = endian
        self._pages: dict[int, bytearray] = {}
        self._views: dict[tuple[int, int], memoryview] = {}  # by number of the page and width
        self._readers, self._writers = _CODECS[endian]

    def view(self, address: int, width: int) -> tuple[memoryview, int] | None:
        """Return (view, index): the element of `view` at `index` is the value of the range as long as the RAM lives.

        None if the range is not aligned, has an unusual width, or is not in the byte order of this computer.
        """
        offset = address & _OFFSET
        if width not in _FORMATS or offset % width or self.endian != sys.byteorder:
            return None
        key = address >> _PAGE_BITS, width
        known = self._views.get(key)
        if known is None:
            known = self._views[key] = memoryview(self.page(address)).cast(_FORMATS[width])
        return known, offset // width

    def page(self, address: int) -> bytearray:
        """Return the page with the byte at `address`, which is made if it is new."""
        return self._pages.setdefault(address >> _PAGE_BITS, bytearray(_PAGE))

    def pages_of(self, address: int, width: int) -> list[bytearray]:
        """Return the pages with the `width` bytes at `address`, which are made if they are new."""
        last = address + max(width, 1) - 1
        return [self.page(number << _PAGE_BITS) for number in range(address >> _PAGE_BITS, (last >> _PAGE_BITS) + 1)]

    def read(self, address: int, width: int) -> int:
        """Return the `width` bytes at `address` as an unsigned integer.

        Args:
            address: Physical address.
            width: Width in bytes.
        """
        offset = address & _OFFSET
        reader = self._readers.get(width)
        if reader is None or offset + width > _PAGE:  # part of an access may be of any width
            return int.from_bytes(self.read_bytes(address, width), self.endian)
        page = self._pages.get(address >> _PAGE_BITS)
        return reader(page, offset)[0] if page is not None else 0

    def write(self, address: int, width: int, value: int) -> None:
        """Write `value`, modulo the width, to the `width` bytes at `address`.

        Args:
            address: Physical address.
            width: Width in bytes.
            value: The integer to write.
        """
        offset = address & _OFFSET
        writer = self._writers.get(width)
        if writer is None or offset + width > _PAGE:
            wrapped = value & ((1 << 8 * width) - 1)
            self.write_bytes(address, wrapped.to_bytes(width, self.endian))
            return
        number = address >> _PAGE_BITS
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = bytearray(_PAGE)
        pack, mask = writer
        pack(page, offset, value & mask)

    def read_bytes(self, address: int, length: int) -> bytes:
        """Return the `length` bytes at `address`, across pages if needed."""
        data = bytearray()
        while len(data) < length:
            place = address + len(data)
            offset = place & _OFFSET
            count = min(length - len(data), _PAGE - offset)
            page = self._pages.get(place >> _PAGE_BITS)
            data += bytes(count) if page is None else page[offset : offset + count]
        return bytes(data)

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write `data` at `address`, across pages if needed."""
        done = 0
        while done < len(data):
            place = address + done
            offset = place & _OFFSET
            part = data[done : done + _PAGE - offset]
            number = place >> _PAGE_BITS
            page = self._pages.get(number)
            if page is None:
                page = self._pages[number] = bytearray(_PAGE)
            page[offset : offset + len(part)] = part
            done += len(part)
