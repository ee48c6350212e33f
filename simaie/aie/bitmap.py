"""The bitmap of granules ever used atomically: one bit for each hash value of a granule, never cleared.

The hash is the low bits of the granule number, so distant granules share a bit. A false positive costs a needless lock
and possibly a needless entry. A false negative is possible only before the granule's registration.

The operations carry the bit's number (`simaie.op.Op.bit`). A checker that asks why a plain store created an entry
looks there: the same instruction has read a word of the bitmap in which that bit was set.
"""

from __future__ import annotations

from simaie.host.host import Host, SharedCell
from simaie.op import Function, Kind, Op, Order, Role

__all__ = ["Bitmap"]

_LOAD, _FETCH = Kind.LOAD, Kind.FETCH


class Bitmap:
    """A bitmap of 2**index_bits bits, in words of the host's width.

    Word n is the cell ``bitmap 0xn``, created when first named.

    Args:
        host: Host port, which creates the cells and sets the width of a word.
        index_bits: Bits of a bit's index.
    """

    constant_attributes = frozenset({"_words"})  # naming a word is no access

    def __init__(self, host: Host, index_bits: int) -> None:
        self._host = host
        self._mask = (1 << index_bits) - 1
        self._word_bits = 8 * host.word
        self._words: dict[int, SharedCell] = {}

    def bit_of(self, granule: int) -> int:
        """Return the index of the bit for granule number `granule`."""
        return granule & self._mask

    async def set(self, granule: int) -> None:
        """Set the bit of granule number `granule`, in one atomic step."""
        word, bit = divmod(self.bit_of(granule), self._word_bits)
        function = Function(f"or {1 << bit:#x}", lambda old: old | 1 << bit)
        cell = self._word(word)
        await Op(_FETCH, cell, function=function, order=Order.SEQ_CST, bit=self.bit_of(granule))

    async def test(self, granule: int) -> bool:
        """Whether the bit of granule number `granule` is set: one plain load, with no barrier."""
        word, bit = divmod(self.bit_of(granule), self._word_bits)
        value: int = await Op(_LOAD, self._word(word), bit=self.bit_of(granule))
        return bool(value >> bit & 1)

    def _word(self, number: int) -> SharedCell:
        cell = self._words.get(number)
        if cell is None:
            cell = self._words[number] = self._host.cell_of(Role.BITMAP, number, 0)
        return cell
