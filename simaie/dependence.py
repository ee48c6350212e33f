"""The dependence of operations, and the kinds and places that decide it.

Two operations of different actors are dependent if swapping them, as neighbours, may change what they return or the
state after them. All code that reorders executions, counts them up to reordering, or judges them independently of the
order in which they ran uses this one relation. `simaie.predecessors` applies it to a whole execution.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import count
from typing import Any, Protocol

from simaie.barrier import Barrier
from simaie.op import Kind, Op, Order

__all__ = [
    "ALWAYS_WRITES",
    "MAY_WRITE",
    "READS",
    "RELEASES",
    "RESUMES",
    "STOPS",
    "STOPS_WORLD",
    "TAKES",
    "THREADS",
    "THREAD_KINDS",
    "TOUCHES_MORE",
    "WRITES_IF_IT_SUCCEEDS",
    "block_of",
    "blocks",
    "conflict",
    "family_of",
    "keeps_stores_apart",
    "locations",
    "may_write",
    "overlap",
    "places",
    "share_byte",
    "waits_for_drain",
    "writes",
]

#: Operations that stop the world, and those that let it go on: all of them conflict with every operation.
STOPS = frozenset({Kind.BEGIN_EXCLUSIVE, Kind.BEGIN_SECTION})
RESUMES = frozenset({Kind.END_EXCLUSIVE, Kind.END_SECTION})
STOPS_WORLD = STOPS | RESUMES
#: Operations that start, end and join threads: they conflict with each other, as accesses to `THREADS`.
THREAD_KINDS = frozenset({Kind.SPAWN, Kind.JOIN, Kind.EXIT})
#: The place where thread operations conflict.
THREADS = "threads"
#: Operations that take a lock or stop the world, and those that undo it.
TAKES = STOPS | {Kind.LOCK}
RELEASES = RESUMES | {Kind.UNLOCK}
#: Operations whose value is what they read.
READS = frozenset({Kind.LOAD, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED, Kind.AWAIT})
ALWAYS_WRITES = frozenset(
    {Kind.STORE, Kind.EXCHANGE, Kind.FETCH, Kind.UPDATE, Kind.LOCK, Kind.UNLOCK, Kind.SPAWN, Kind.EXIT}
)
#: Operations whose value says whether they wrote.
WRITES_IF_IT_SUCCEEDS = frozenset({Kind.CAS, Kind.STORE_CONDITIONAL})
MAY_WRITE = ALWAYS_WRITES | WRITES_IF_IT_SUCCEEDS
#: Operations that may touch more than the place that they act on.
TOUCHES_MORE = frozenset({*STOPS_WORLD, Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.AWAIT})
#: Operations that wait for their vCPU's store buffers, whatever their orders.
_SYNCHRONISES = frozenset(
    {
        *STOPS_WORLD, *WRITES_IF_IT_SUCCEEDS, Kind.STORE, Kind.EXCHANGE, Kind.FETCH,
        Kind.LOCK, Kind.UNLOCK, Kind.SPAWN, Kind.EXIT,
    }
)  # fmt: skip

#: Address and width in bytes.
_Range = tuple[int, int]


class _Ranged(Protocol):
    """An operation or access with a place in RAM."""

    @property
    def address(self) -> int: ...

    @property
    def width(self) -> int: ...


def writes(op: Op, value: Any) -> bool:
    """Whether `op`, having returned `value`, changed shared state: a failed CAS or store-conditional is a read."""
    kind = op.kind
    if kind in ALWAYS_WRITES:
        return True
    if kind is Kind.CAS:
        return bool(value == op.expected)
    return kind is Kind.STORE_CONDITIONAL and value == 1


def may_write(op: Op) -> bool:
    """Whether `op`, which is not performed yet, may change shared state."""
    return op.kind in MAY_WRITE


def conflict(a: Op, a_writes: bool, b: Op, b_writes: bool) -> bool:
    """Whether two operations of different actors are dependent: they touch a common place and one writes it.

    Swapping two adjacent operations that do not conflict changes neither what they return nor the state after them.
    Stop-the-world operations conflict with everything, thread operations with each other (identities are assigned
    and reused).
    """
    if a.kind in TOUCHES_MORE or b.kind in TOUCHES_MORE:
        if a.kind in STOPS_WORLD or b.kind in STOPS_WORLD:
            return True
        return any(
            _conflict_in_place(x, a_writes and x is a, y, b_writes and y is b) for x in a.places for y in b.places
        )
    return _conflict_in_place(a, a_writes, b, b_writes)


def family_of(op: Op) -> str:
    """Return the family of read-modify-writes with which `op` commutes; empty if it is of none.

    Two FETCHes of one place and one family may be swapped: both orders leave the same value, and each vCPU goes on as
    before, since its instruction drops the old value (see `Function.family`). They are dependent with all other
    accesses, and as accesses that overlap in part. `conflict` leaves this out, because it is no use where a checker may
    judge their order: only a search that knows its checkers may take them as independent.
    """
    return op.function.family if op.kind is Kind.FETCH and op.function is not None else ""


def _conflict_in_place(a: Op, a_writes: bool, b: Op, b_writes: bool) -> bool:
    if not (a_writes or b_writes):
        return False
    if a.cell is not None or b.cell is not None:
        return a.cell is b.cell
    if a.width and b.width:
        return overlap(a, b)
    return a.kind in THREAD_KINDS and b.kind in THREAD_KINDS


def waits_for_drain(op: Op) -> bool:
    """Whether a vCPU performs `op` only when its own store buffers are empty, since it carries a barrier on real hosts.

    That holds for locked operations, for operations that start or end a thread or stop the world, for an unbuffered
    store, for a sequentially consistent load (as the LDAR of Armv8, here also after plain stores), and for a fence that
    keeps loads after stores.
    """
    if op.kind in _SYNCHRONISES:
        return True
    if op.kind is Kind.FENCE:
        return bool(op.orders & Barrier.ST_LD)
    return op.kind is Kind.LOAD and op.order is Order.SEQ_CST


def keeps_stores_apart(op: Op) -> bool:
    """Whether stores of the vCPU after `op` drain only after those before it; `op` itself counts as after."""
    if op.kind is Kind.FENCE:
        return bool(op.orders & Barrier.ST_ST)
    return op.kind is Kind.BUFFER and op.value.order is Order.RELEASE


# -- places ---------------------------------------------------------------------------------------


def overlap(a: _Ranged, b: _Ranged) -> bool:
    """Whether two accesses to RAM have a byte in common."""
    return a.address < b.address + b.width and b.address < a.address + a.width


def share_byte(address: int, width: int, other: int, size: int) -> bool:
    """Whether `width` bytes at `address` and `size` bytes at `other` have a byte in common."""
    return address < other + size and other < address + width


def block_of(address: int) -> int:
    """Return the number of the aligned 8-byte block of RAM that contains `address`."""
    return address >> 3


def blocks(address: int, width: int) -> range:
    """Return the numbers of the aligned 8-byte blocks that contain any of the `width` bytes at `address`."""
    return range(address >> 3, (address + width - 1 >> 3) + 1)


def places(op: Op) -> Iterator[Hashable]:
    """Yield what `op` touches, by names that are the same in every execution: cells, 8-byte blocks of RAM, `THREADS`.

    Two operations that touch a common place may still access different bytes of a block.
    """
    if op.kind in THREAD_KINDS:
        yield THREADS
    for part in op.places:
        if part.cell is not None:
            yield part.cell.name
        elif part.width:
            yield from blocks(part.address, part.width)


def locations(accesses: Iterable[_Ranged]) -> dict[_Range, tuple[int, ...]]:
    """Return the map from (address, width) of each access to the locations that it touches, numbered from 0.

    A *location* is a maximal set of bytes that are always accessed together; if accesses of several sizes overlap, each
    byte is a separate location.
    """
    ranges = sorted({(access.address, access.width) for access in accesses})
    numbers = count()
    found: dict[_Range, tuple[int, ...]] = {}
    cluster: list[_Range] = []
    end = -1
    for place in [*ranges, None]:
        if cluster and (place is None or place[0] >= end):
            found |= _numbered(cluster, end, numbers)
            cluster = []
        if place is not None:
            cluster.append(place)
            end = max(end, place[0] + place[1])
    return found


def _numbered(cluster: list[_Range], end: int, numbers: Iterator[int]) -> dict[_Range, tuple[int, ...]]:
    """Return the locations of overlapping ranges: one if all ranges are equal, else one for each byte."""
    if len(cluster) == 1:
        return {cluster[0]: (next(numbers),)}
    first = cluster[0][0]
    bytes_ = [next(numbers) for _ in range(first, end)]
    return {(at, width): tuple(bytes_[at - first : at - first + width]) for at, width in cluster}
