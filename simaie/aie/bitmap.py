"""Was this granule ever used atomically? One bit for each hash value of a granule, never cleared.

The hash is the low bits of the granule number, so granules far apart share a bit: a false positive costs a needless
lock and perhaps an entry. A false negative exists only before the granule's registration.

The operations carry the bit's number (`simaie.op.Op.bit`). A checker that asks why a plain store made an entry
finds the answer there: the same instruction has read a word of the bitmap in which that bit was set.
"""

from __future__ import annotations

from simaie.host.host import Host, SharedCell
from simaie.op import Function, Kind, Op, Order, Role

__all__ = ["Bitmap"]

_LOAD, _FETCH = Kind.LOAD, Kind.FETCH


class Bitmap:
    """2**index_bits bits, in words of the host's width; word n is the cell ``bitmap 0xn``, made when first named."""

    constant_attributes = frozenset({"_words"})  # to name a word is no access

    def __init__(self, host: Host, index_bits: int) -> None:
        self._host = host
        self._mask = (1 << index_bits) - 1
        self._word_bits = 8 * host.word
        self._words: dict[int, SharedCell] = {}

    def bit_of(self, granule: int) -> int:
        """The number of the bit that stands for granule number `granule`."""
        return granule & self._mask

    async def set(self, granule: int) -> None:
        """Set the granule's bit: one atomic step."""
        word, bit = divmod(self.bit_of(granule), self._word_bits)
        function = Function(f"or {1 << bit:#x}", lambda old: old | 1 << bit)
        cell = self._word(word)
        await Op(_FETCH, cell, function=function, order=Order.SEQ_CST, bit=self.bit_of(granule))

    async def test(self, granule: int) -> bool:
        """Whether the granule's bit is set: one plain load, with no barrier."""
        word, bit = divmod(self.bit_of(granule), self._word_bits)
        value: int = await Op(_LOAD, self._word(word), bit=self.bit_of(granule))
        return bool(value >> bit & 1)

    def _word(self, number: int) -> SharedCell:
        cell = self._words.get(number)
        if cell is None:
            cell = self._words[number] = self._host.cell_of(Role.BITMAP, number, 0)
        return cell
