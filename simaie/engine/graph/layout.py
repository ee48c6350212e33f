"""The numbering of events, and the places of RAM: they are learnt as the search goes on, which then begins anew."""

from __future__ import annotations

from itertools import pairwise

from simaie.host.ram import Endian

__all__ = ["MOST_EVENTS", "BeginAnew", "Layout", "Piece"]

#: A range of RAM that is always accessed as a whole: address and width in bytes.
Piece = tuple[int, int]

#: The number of events of one execution at most, whatever the machine's limit on steps: what is kept of the past of
#: each takes time in proportion to their number.
MOST_EVENTS = 2_000
_FIRST_OPERATIONS = 128


class BeginAnew(Exception):
    """The layout has changed: what was built on it is of no use any more."""


class Layout:
    """How accesses become events.

    Where accesses of several sizes overlap, they are cut at all boundaries, and an access is several events.

    Args:
        endian: The byte order of guest RAM.

    Attributes:
        parts: The number of pairs of events that an operation has room for.
        stride: The number of events that a vCPU has room for.
        reached: Whether a cell is a part of an object, by the identity of the object and the cell.
        pairs_others: Whether there are store-conditionals to other bytes than those of their load-linked.
        has_sections: Whether vCPUs stop the world, or have indivisible sections; `has_waits` if some operations wait.
        has_links: Whether there are load-linkeds.
        has_unsure: Whether there are orders of which the search knows only at the end (`Event.unsure`).
    """

    def __init__(self, endian: Endian) -> None:
        self.endian: Endian = endian
        self.parts = 1
        self.reached: dict[tuple[int, int], bool] = {}
        self.has_sections = self.has_waits = self.pairs_others = self.has_links = self._relied = False
        self.has_unsure = False
        self._operations = _FIRST_OPERATIONS
        self._cuts: set[int] = set()
        self._owners: dict[int, Piece] = {}  # by address of a byte
        self._pieces: dict[Piece, tuple[Piece, ...]] = {}

    @property
    def stride(self) -> int:
        """The number of indices of a vCPU."""
        return 2 * self.parts * self._operations

    @property
    def has_pieces(self) -> bool:
        """Whether some accesses are several events, or exclusives of one pair access different bytes."""
        return bool(self._cuts) or self.pairs_others

    def index(self, operation: int, part: int = 0) -> int:
        """Return the index of an event: the number of its operation, and which pair of events of it.

        Raises:
            BeginAnew: There was no room for it.
        """
        if operation >= self._operations or part >= self.parts:
            while operation >= self._operations:
                self._operations *= 2
            while part >= self.parts:
                self.parts *= 2
            raise BeginAnew
        return 2 * (operation * self.parts + part)

    def learn_others(self) -> None:
        """Note that exclusives of one pair access different bytes; BeginAnew if that was not known."""
        if not self.pairs_others:
            self.pairs_others = True
            raise BeginAnew

    def learn_sections(self) -> None:
        """Note that there are sections; BeginAnew if that was not known."""
        if not self.has_sections:
            self.has_sections = True
            raise BeginAnew

    def learn_waits(self) -> None:
        """Note that some operations wait; BeginAnew if there are sections, and that was not known."""
        if not self.has_waits:
            self.has_waits = True
            if self.has_sections:
                raise BeginAnew

    def learn_links(self) -> None:
        """Note that there are load-linkeds; BeginAnew if the search relied on it that there are none."""
        if not self.has_links:
            self.has_links = True
            if self._relied:
                raise BeginAnew

    def relies_on_links(self) -> bool:
        """Return `has_links`, on which what the search does next depends."""
        self._relied = True
        return self.has_links

    def pieces(self, address: int, width: int) -> tuple[Piece, ...]:
        """Return the pieces of an access, lowest address first.

        Raises:
            BeginAnew: It overlaps another piece in part; the next time both are cut.
        """
        known = self._pieces.get((address, width))
        if known is None:
            edges = [address, *sorted(cut for cut in self._cuts if address < cut < address + width), address + width]
            known = tuple([(low, high - low) for low, high in pairwise(edges)])
            for piece in known:
                self._own(piece)
            self._pieces[address, width] = known
        return known

    def _own(self, piece: Piece) -> None:
        address, width = piece
        for byte in range(address, address + width):
            other = self._owners.setdefault(byte, piece)
            if other != piece:
                self._cuts |= {address, address + width, other[0], sum(other)}
                self._owners.clear()
                self._pieces.clear()
                raise BeginAnew

    def value_of(self, piece: Piece, address: int, width: int, value: int) -> int:
        """Return the value of a piece of an access to `width` bytes at `address` that has this value."""
        if piece == (address, width):
            return value & (1 << 8 * width) - 1
        data = (value & (1 << 8 * width) - 1).to_bytes(width, self.endian)
        first = piece[0] - address
        return int.from_bytes(data[first : first + piece[1]], self.endian)

    def joined(self, pieces: tuple[Piece, ...], values: list[int]) -> int:
        """Return the value of an access from those of its pieces."""
        if len(pieces) == 1:
            return values[0]
        data = b"".join(value.to_bytes(piece[1], self.endian) for piece, value in zip(pieces, values, strict=True))
        return int.from_bytes(data, self.endian)
