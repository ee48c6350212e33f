"""The operations that wait for a vCPU's own buffered stores, as the conformance suite expects it.

The table is separate from `simaie.dependence.waits_for_drain`, which the memories under test use. A suite that took its
expectations from the code under test would agree with any mistake in it.
"""

from __future__ import annotations

from collections.abc import Callable

from simaie.barrier import Barrier
from simaie.errors import SchemeError
from simaie.host.host import Host, Mutex
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import HostMemory

__all__ = ["check_update", "check_waiting", "check_watching", "waits_for_own_stores"]

_X, _Y = 0x100, 0x200
_ME, _OTHER = "first", "second"
_SAME = Function("the same", lambda value: value)
_LOST = Function("a lost reservation", lambda seen: not seen[0])
_PUT = Function("put 1", lambda value: (1, None))
_CARRY_A_BARRIER = frozenset(
    {
        Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.STORE_CONDITIONAL, Kind.LOCK, Kind.UNLOCK, Kind.BEGIN_EXCLUSIVE,
        Kind.END_EXCLUSIVE, Kind.BEGIN_SECTION, Kind.END_SECTION, Kind.SPAWN, Kind.EXIT,
    }
)  # fmt: skip


def waits_for_own_stores(op: Op) -> bool:
    """Return whether an operation, as the memory admits it, waits for the vCPU's own buffered stores."""
    if op.kind is Kind.FENCE:
        return bool(op.orders & Barrier.ST_LD)
    if op.kind is Kind.LOAD:
        return op.order is Order.SEQ_CST
    return op.kind is Kind.STORE or op.kind in _CARRY_A_BARRIER  # a store that is buffered is no STORE but a BUFFER


def check_waiting(make_memory: Callable[[], HostMemory]) -> None:
    """Assert that exactly the right kinds of operation wait for a buffered store."""
    mutex, cell = Mutex("mutex"), Host().cell("cell", 0)
    for op in _one_of_each(mutex, cell):
        memory = make_memory()
        memory.perform(_ME, memory.admit(Op(Kind.STORE, None, _X, 4, 1)))
        if not list(memory.drains(_ME)):
            return  # nothing is ever buffered
        admitted = memory.admit(op)
        mutex.value = _ME if op.kind is Kind.UNLOCK else None
        enabled, expected = memory.enabled(_ME, admitted), not waits_for_own_stores(admitted)
        assert enabled == expected, f"{op} {'waits' if expected else 'does not wait'} for the vCPU's buffered stores"


def _one_of_each(mutex: Mutex, cell: object) -> list[Op]:
    loads = [Op(Kind.LOAD, None, at, 4, order=order) for at in (_X, _Y) for order in Order]
    stores = [Op(Kind.STORE, None, _Y, 4, 1, order=order) for order in Order]
    fences = [Op(Kind.FENCE, orders=Barrier(orders)) for orders in range(1, 16)]
    return [
        *loads,
        *stores,
        *fences,
        Op(Kind.CAS, None, _Y, 4, 1, 0, order=Order.SEQ_CST),
        Op(Kind.EXCHANGE, None, _Y, 4, 1, order=Order.SEQ_CST),
        Op(Kind.FETCH, None, _Y, 4, function=_SAME, order=Order.SEQ_CST),
        Op(Kind.LOAD_LINKED, None, _Y, 4),
        Op(Kind.STORE_CONDITIONAL, None, _Y, 4, 1),
        Op(Kind.CLEAR_RESERVATION),
        Op(Kind.UPDATE, cell, function=_PUT),  # type: ignore[arg-type]  # a cell
        Op(Kind.PAUSE),
        Op(Kind.LOCK, mutex),
        Op(Kind.UNLOCK, mutex),
        Op(Kind.BEGIN_EXCLUSIVE),
        Op(Kind.END_EXCLUSIVE),
        Op(Kind.BEGIN_SECTION),
        Op(Kind.END_SECTION),
        Op(Kind.SPAWN),
        Op(Kind.EXIT),
    ]


def check_update(memory: HostMemory) -> None:
    """Assert that an UPDATE of a cell is refused while a plain store of the vCPU to that very cell is buffered."""
    cell, other = Host().cell("cell", 0), Host().cell("other", 0)
    memory.perform(_ME, memory.admit(Op(Kind.STORE, cell, value=5)))
    memory.perform(_ME, Op(Kind.UPDATE, other, function=_PUT))
    assert other.value == 1, "an UPDATE takes effect at once, whatever is buffered for other places"
    if not list(memory.drains(_ME)):
        return
    update = Op(Kind.UPDATE, cell, function=_PUT)
    try:
        if memory.enabled(_ME, update):
            memory.perform(_ME, update)
    except SchemeError:
        return
    assert not memory.enabled(_ME, update), "an UPDATE overtakes the vCPU's own buffered store to its cell"


def check_watching(memory: HostMemory) -> None:
    """Assert that a vCPU can sleep until it loses its reservation: by an AWAIT of a STORE_CONDITIONAL.

    This asks whether the store-conditional would store. It stores nothing, and leaves the reservation as it is.
    """
    link, store = Op(Kind.LOAD_LINKED, None, _X, 4), Op(Kind.STORE_CONDITIONAL, None, _X, 4, 7)
    sleep = Op(Kind.AWAIT, value=(store,), function=_LOST)
    assert memory.enabled(_ME, sleep), f"{sleep} of a vCPU without a reservation does not end"
    memory.perform(_ME, link)
    for _ in range(2):
        assert not memory.enabled(_ME, sleep), f"{sleep} ends although the reservation is not lost"
    assert memory.read(_X, 4) == 0, f"{sleep} stores"
    assert memory.perform(_ME, store) == 1, f"{sleep} loses the reservation, so that {store} fails"
    memory.perform(_ME, link)
    memory.perform(_OTHER, memory.admit(Op(Kind.STORE, None, _X, 4, 5)))
    while left := list(memory.drains(_OTHER)):
        memory.drain(_OTHER, left[0][0])
    assert memory.enabled(_ME, sleep), f"{sleep} does not end although another vCPU stored to the reserved bytes"
    seen = memory.perform(_ME, sleep)
    assert seen == (0,), f"{sleep} returns {seen!r}, and not the tuple of what it saw"
    assert memory.read(_X, 4) == 5, f"{sleep} stores"
