"""Sequentially consistent memory: every operation takes effect at once, in the order of the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from simaie.barrier import Barrier
from simaie.errors import SchemeError
from simaie.host.ram import Endian, Ram
from simaie.op import Cell, Kind, Op

__all__ = ["ScMemory"]

_LOAD, _STORE = Kind.LOAD, Kind.STORE  # handled without a look-up: most operations are plain accesses


class _Reservation:
    """Reserved bytes, from `first` up to but excluding `after`, and the ranges that others have stored to since."""

    __slots__ = ("after", "first", "touched")

    def __init__(self, first: int, after: int) -> None:
        self.first, self.after = first, after
        self.touched: set[tuple[int, int]] = set()

    def allows(self, op: Op) -> bool:
        """Whether the bytes that a STORE_CONDITIONAL needs are reserved and untouched."""
        first, width = op.reserved
        after = first + width
        if not (self.first <= first and after <= self.after):
            return False
        if op.expected is None:
            return not self.touched
        return not any(low < after and first < high for low, high in self.touched)


class ScMemory:
    """RAM, cells, mutexes and the ideal LL/SC monitor, all sequentially consistent.

    Args:
        endian: Byte order of guest RAM.

    Attributes:
        ram: The guest's RAM.
        reservations: The last load-linked of each actor that has one. Without any, a store ends none.
    """

    #: Whether stores wait in buffers, so that the engine calls `admit`, `drains` and `drain` too.
    buffers_stores = False
    #: The orders between a vCPU's own accesses that the memory keeps without a fence.
    order = Barrier.FULL

    def __init__(self, endian: Endian = "little") -> None:
        self.ram = Ram(endian)
        self._read, self._write = self.ram.read, self.ram.write
        self.reservations: dict[Any, _Reservation] = {}  # by actor: its last load-linked

    def saved_reservations(self) -> tuple[tuple[Any, int, int, frozenset[tuple[int, int]]], ...]:
        """Return the reservations as data for `restore_reservations`."""
        return tuple([(a, r.first, r.after, frozenset(r.touched)) for a, r in self.reservations.items()])

    def restore_reservations(self, saved: tuple[tuple[Any, int, int, frozenset[tuple[int, int]]], ...]) -> None:
        """Set the reservations to what `saved_reservations` returned."""
        self.reservations.clear()
        for actor, first, after, touched in saved:
            made = self.reservations[actor] = _Reservation(first, after)
            made.touched.update(touched)

    def holds_other_bytes(self, actor: Any, op: Op) -> bool:
        """Whether a STORE_CONDITIONAL depends on reserved bytes that it does not name."""
        reservation = self.reservations.get(actor)
        if reservation is None or op.expected is not None:
            return False
        return (reservation.first, reservation.after) != (op.address, op.address + op.width)

    def enabled(self, actor: Any, op: Op) -> bool:
        """Whether `op` may run now: the mutex of a LOCK must be free, and the condition of an AWAIT must hold."""
        if op.kind is Kind.LOCK:
            assert op.cell is not None
            return op.cell.value is None
        if op.kind is Kind.AWAIT:
            assert op.function is not None
            return bool(op.function.apply(self._await(actor, op)))
        return True

    def perform(self, actor: Any, op: Op) -> Any:
        """Perform `op` of `actor` at once and return its result."""
        kind = op.kind
        if kind is _LOAD:
            cell = op.cell
            return self._read(op.address, op.width) if cell is None else cell.value
        if kind is _STORE and op.cell is None and not self.reservations:
            return self._write(op.address, op.width, op.value)
        return _HANDLERS[kind](self, actor, op)

    def admit(self, op: Op) -> Op:
        """Return `op` unchanged: this memory has no buffers."""
        return op

    def drains(self, actor: Any) -> Iterable[tuple[str, Op]]:
        """Return no stores: this memory has no buffers."""
        return ()

    def drain(self, actor: Any, key: str) -> None:
        """Raise SchemeError: this memory has no buffers."""
        raise SchemeError("this host memory has no store buffers")

    def read(self, address: int, width: int) -> int:
        """Return the `width` bytes of RAM at `address` as an unsigned integer."""
        return self.ram.read(address, width)

    # -- single operations --------------------------------------------------------------------

    def _load(self, actor: Any, op: Op) -> Any:
        cell = op.cell
        return self.ram.read(op.address, op.width) if cell is None else cell.value

    def _store(self, actor: Any, op: Op) -> None:
        cell = op.cell
        if cell is not None:
            cell.value = op.value
            return
        self.ram.write(op.address, op.width, op.value)
        if self.reservations:
            self._break_reservations(actor, op)

    def _cas(self, actor: Any, op: Op) -> Any:
        old = self._peek(op)
        if old == op.expected:
            self._store(actor, op)
        return old

    def _exchange(self, actor: Any, op: Op) -> Any:
        old = self._peek(op)
        self._store(actor, op)
        return old

    def _fetch(self, actor: Any, op: Op) -> Any:
        assert op.function is not None
        old = self._peek(op)
        self._put(actor, op, op.function.apply(old))
        return old

    def _update(self, actor: Any, op: Op) -> Any:
        assert op.cell is not None
        assert op.function is not None
        op.cell.value, result = op.function.apply(op.cell.value)
        return result

    def _await(self, actor: Any, op: Op) -> Any:
        """Return the current value: one value, or the tuple of the values of several locations."""
        return self._peek(op) if op.value is None else tuple([self._part(actor, part) for part in op.places])

    def _part(self, actor: Any, part: Op) -> Any:
        """Return what an AWAIT of several locations sees at one of them."""
        return self._would_store(actor, part) if part.kind is Kind.STORE_CONDITIONAL else self._peek(part)

    def _nothing(self, actor: Any, op: Op) -> None:
        return None

    def _unsupported(self, actor: Any, op: Op) -> Any:
        raise SchemeError(f"this host memory has no operation {op.kind.name}")

    # -- the ideal monitor --------------------------------------------------------------------

    def _load_linked(self, actor: Any, op: Op) -> int:
        first, width = op.reserved
        self.reservations[actor] = _Reservation(first, first + width)
        return self.ram.read(op.address, op.width)

    def _would_store(self, actor: Any, op: Op) -> int:
        reservation = self.reservations.get(actor)
        return int(reservation is not None and reservation.allows(op))

    def _store_conditional(self, actor: Any, op: Op) -> int:
        reservation = self.reservations.pop(actor, None)
        if reservation is None or not reservation.allows(op):
            return 0
        self._store(actor, op)
        return 1

    def _clear_reservation(self, actor: Any, op: Op) -> None:
        self.reservations.pop(actor, None)

    def _break_reservations(self, actor: Any, op: Op) -> None:
        first, after = op.address, op.address + op.width
        for other, reservation in self.reservations.items():
            if other is not actor and reservation.first < after and first < reservation.after:
                reservation.touched.add((first, after))

    # -- mutexes ------------------------------------------------------------------------------

    def _lock(self, actor: Any, op: Op) -> None:
        assert op.cell is not None
        op.cell.value = actor

    def _unlock(self, actor: Any, op: Op) -> None:
        cell = op.cell
        assert cell is not None
        if cell.value is not actor:
            raise SchemeError(f"{cell.name} is unlocked by a vCPU that does not hold it")
        cell.value = None

    # -- shared parts -------------------------------------------------------------------------

    def _peek(self, op: Op) -> Any:
        cell: Cell | None = op.cell
        return self.ram.read(op.address, op.width) if cell is None else cell.value

    def _put(self, actor: Any, op: Op, value: Any) -> None:
        if op.cell is not None:
            op.cell.value = value
            return
        self.ram.write(op.address, op.width, value)
        if self.reservations:
            self._break_reservations(actor, op)


def _handlers() -> tuple[Callable[[ScMemory, Any, Op], Any], ...]:
    """Return the handlers by kind.

    They belong to the class: bound methods kept in an object would be a reference cycle for the garbage collector.
    """
    table: dict[Kind, Callable[[ScMemory, Any, Op], Any]] = {
        Kind.LOAD: ScMemory._load,
        Kind.STORE: ScMemory._store,
        Kind.CAS: ScMemory._cas,
        Kind.EXCHANGE: ScMemory._exchange,
        Kind.FETCH: ScMemory._fetch,
        Kind.LOAD_LINKED: ScMemory._load_linked,
        Kind.STORE_CONDITIONAL: ScMemory._store_conditional,
        Kind.CLEAR_RESERVATION: ScMemory._clear_reservation,
        Kind.UPDATE: ScMemory._update,
        Kind.FENCE: ScMemory._nothing,
        Kind.PAUSE: ScMemory._nothing,
        Kind.LOCK: ScMemory._lock,
        Kind.UNLOCK: ScMemory._unlock,
        Kind.AWAIT: ScMemory._await,
    }
    return tuple(table.get(kind, ScMemory._unsupported) for kind in Kind)


_HANDLERS = _handlers()
