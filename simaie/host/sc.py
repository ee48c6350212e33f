"""Sequentially consistent memory: every operation takes effect at once, in the order of the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simaie.errors import SchemeError
from simaie.host.ram import Endian, Ram
from simaie.op import Cell, Kind, Op

__all__ = ["ScMemory"]

_LOAD, _STORE = Kind.LOAD, Kind.STORE  # handled without a look-up: they are most of what runs


class ScMemory:
    """RAM, cells, mutexes and the ideal LL/SC monitor, all sequentially consistent."""

    def __init__(self, endian: Endian = "little") -> None:
        self.ram = Ram(endian)
        self._read, self._write = self.ram.read, self.ram.write
        # actor -> the bytes reserved by its last load-linked: (first address, address after the last)
        self._reservations: dict[Any, tuple[int, int]] = {}
        self._handlers: list[Callable[[Any, Op], Any]] = [self._unsupported] * len(Kind)
        for kind, handler in self._table().items():
            self._handlers[kind] = handler

    def enabled(self, actor: Any, op: Op) -> bool:
        """A lock must be free, and what an AWAIT waits for must hold."""
        if op.kind is Kind.LOCK:
            assert op.cell is not None
            return op.cell.value is None
        if op.kind is Kind.AWAIT:
            assert op.function is not None
            return bool(op.function.apply(self._peek(op)))
        return True

    def perform(self, actor: Any, op: Op) -> Any:
        """Perform `op` at once."""
        kind = op.kind
        if kind is _LOAD:
            cell = op.cell
            return self._read(op.address, op.width) if cell is None else cell.value
        if kind is _STORE and op.cell is None and not self._reservations:
            return self._write(op.address, op.width, op.value)
        return self._handlers[kind](actor, op)

    def read(self, address: int, width: int) -> int:
        """What RAM holds now."""
        return self.ram.read(address, width)

    def _table(self) -> dict[Kind, Callable[[Any, Op], Any]]:
        return {
            Kind.LOAD: self._load,
            Kind.STORE: self._store,
            Kind.CAS: self._cas,
            Kind.EXCHANGE: self._exchange,
            Kind.FETCH: self._fetch,
            Kind.LOAD_LINKED: self._load_linked,
            Kind.STORE_CONDITIONAL: self._store_conditional,
            Kind.CLEAR_RESERVATION: self._clear_reservation,
            Kind.UPDATE: self._update,
            Kind.FENCE: self._nothing,
            Kind.PAUSE: self._nothing,
            Kind.LOCK: self._lock,
            Kind.UNLOCK: self._unlock,
            Kind.AWAIT: self._await,
        }

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
        if self._reservations:
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
        return self._peek(op)

    def _nothing(self, actor: Any, op: Op) -> None:
        return None

    def _unsupported(self, actor: Any, op: Op) -> Any:
        raise SchemeError(f"this host memory has no operation {op.kind.name}")

    # -- the ideal monitor --------------------------------------------------------------------

    def _load_linked(self, actor: Any, op: Op) -> int:
        self._reservations[actor] = (op.address, op.address + op.width)
        return self.ram.read(op.address, op.width)

    def _store_conditional(self, actor: Any, op: Op) -> int:
        reserved = self._reservations.pop(actor, None)
        if reserved is None or not (reserved[0] <= op.address and op.address + op.width <= reserved[1]):
            return 0
        self._store(actor, op)
        return 1

    def _clear_reservation(self, actor: Any, op: Op) -> None:
        self._reservations.pop(actor, None)

    def _break_reservations(self, actor: Any, op: Op) -> None:
        first, after = op.address, op.address + op.width
        broken = [
            other
            for other, (low, high) in self._reservations.items()
            if other is not actor and low < after and first < high
        ]
        for other in broken:
            del self._reservations[other]

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
        if self._reservations:
            self._break_reservations(actor, op)
