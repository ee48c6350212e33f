"""The transactional memory of a host: read and write sets by cache line, conflicts, capacity.

A transaction has two sets of cache lines, those that it has read and those that it has written. An access of another
vCPU to a line that it has written aborts it, and so does a store of another vCPU to a line that it has read: the vCPU
that asks for a line gets it. A transaction that needs more lines than the cache has aborts itself. Its stores stay in
the cache until it commits, so no other vCPU ever sees only some of them.

Each method is one step. The caller makes it together with the access to RAM in an indivisible section, as a cache does.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 16 (TSX).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import NamedTuple

from simaie.arguments import require_count
from simaie.host.host import Host, Ranges
from simaie.host.ram import Endian
from simaie.op import Role
from simaie.protocols import VCpu
from simaie.schemes.tables import require_granule

__all__ = ["Buffer", "Transactions"]


class _Running(NamedTuple):
    """A transaction: the vCPU, and the numbers of the lines that it has read and written, sorted."""

    identity: int
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()


_All = tuple[_Running, ...]


class Transactions:
    """The running transactions of all vCPUs.

    Args:
        host: Host port.
        line: Bytes of a cache line, a power of two.
        capacity: The number of lines that a transaction may access.
    """

    def __init__(self, host: Host, line: int, capacity: int) -> None:
        require_count(capacity=capacity)
        self._line, self._capacity = require_granule(line), capacity
        self._running = host.cell(Role.TRANSACTIONS.value, (), role=Role.TRANSACTIONS)

    def begin(self, cpu: VCpu) -> Awaitable[None]:
        """Begin a transaction of `cpu`; an earlier one is dropped."""
        mine = cpu.identity
        return self._running.update(
            f"begin {mine}", lambda running: (_sorted([*_others(running, mine), _Running(mine)]), None)
        )

    def end(self, cpu: VCpu) -> Awaitable[bool]:
        """End the transaction of `cpu`; return whether it was not aborted before."""
        mine = cpu.identity
        return self._running.update(
            f"end {mine}", lambda running: (_others(running, mine), _of(running, mine) is not None)
        )

    def access(self, cpu: VCpu, ranges: Ranges, *, write: bool, inside: bool) -> Awaitable[bool]:
        """Take the lines of an access, which aborts the transactions of others that conflict with it.

        Args:
            cpu: The vCPU.
            ranges: (physical address, width in bytes) of each part.
            write: Whether it writes.
            inside: Whether the access belongs to a transaction of `cpu`, and not to no transaction.

        Returns:
            Whether the transaction still runs; True outside of a transaction.
        """
        mine, lines = cpu.identity, self._lines(ranges)

        def apply(running: _All) -> tuple[_All, bool]:
            own = _of(running, mine)
            if inside and own is None:
                return running, False
            left = [each for each in _others(running, mine) if not _conflicts(each, lines, write)]
            if own is None:
                return tuple(left), True
            own = _with(own, lines, write)
            if len({*own.reads, *own.writes}) > self._capacity:
                return tuple(left), False
            return _sorted([*left, own]), True

        return self._running.update(f"{'write' if write else 'read'} {mine}", apply)

    def _lines(self, ranges: Ranges) -> frozenset[int]:
        return frozenset(
            line for at, width in ranges for line in range(at // self._line, (at + width - 1) // self._line + 1)
        )


def _of(running: _All, identity: int) -> _Running | None:
    return next((each for each in running if each.identity == identity), None)


def _others(running: _All, identity: int) -> _All:
    return tuple(each for each in running if each.identity != identity)


def _sorted(running: Iterable[_Running]) -> _All:
    return tuple(sorted(running))


def _conflicts(other: _Running, lines: frozenset[int], write: bool) -> bool:
    return bool(lines.intersection(other.writes) or (write and lines.intersection(other.reads)))


def _with(own: _Running, lines: frozenset[int], write: bool) -> _Running:
    if write:
        return own._replace(writes=tuple(sorted({*own.writes, *lines})))
    return own._replace(reads=tuple(sorted({*own.reads, *lines})))


class Buffer:
    """The stores of a transaction, in order, which only its own vCPU sees.

    Args:
        endian: The byte order of guest RAM.
    """

    __slots__ = ("_bytes", "_endian", "stores")

    def __init__(self, endian: Endian) -> None:
        self._endian = endian
        self._bytes: dict[int, int] = {}
        self.stores: list[tuple[Ranges, int]] = []

    def add(self, ranges: Ranges, value: int) -> None:
        """Add a store.

        Args:
            ranges: (physical address, width in bytes) of each part.
            value: The value to store.
        """
        self.stores.append((ranges, value))
        places = _places(ranges)
        self._bytes.update(zip(places, value.to_bytes(len(places), self._endian), strict=True))

    def seen(self, ranges: Ranges, loaded: int) -> int:
        """Return what a load sees.

        Args:
            ranges: (physical address, width in bytes) of each part.
            loaded: What it has loaded from RAM.
        """
        places = _places(ranges)
        found = zip(places, loaded.to_bytes(len(places), self._endian), strict=True)
        return int.from_bytes(bytes(self._bytes.get(place, byte) for place, byte in found), self._endian)


def _places(ranges: Ranges) -> list[int]:
    """Return the physical address of each byte, in the order of guest addresses."""
    return [place for at, width in ranges for place in range(at, at + width)]
