"""Kinds of operations on hosts of execution graphs, and what they order by themselves."""

from __future__ import annotations

from simaie.host.graph.event import Event
from simaie.host.graph.model import Model
from simaie.host.ordered import acquires, releases
from simaie.op import Form, Kind, Op, Order

__all__ = ["ATOMICS", "READS", "THREADS", "WRITES", "is_instruction", "set_order"]

#: Operations that read and write in one: those of the host, and the taking of a mutex.
ATOMICS = frozenset({Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOCK})
#: Operations that read, first of all.
READS = frozenset({*ATOMICS, Kind.LOAD, Kind.LOAD_LINKED, Kind.AWAIT, Kind.UPDATE, Kind.JOIN})
#: Operations that write without reading first.
WRITES = frozenset({Kind.STORE, Kind.UNLOCK, Kind.SPAWN, Kind.EXIT, Kind.STORE_CONDITIONAL})
#: Operations of threads: every earlier operation of the vCPU comes before them, and every later one after them.
THREADS = frozenset({Kind.SPAWN, Kind.JOIN, Kind.EXIT})
_ORDERED = frozenset({Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL})


def is_instruction(op: Op, model: Model) -> bool:
    """Whether an operation is an atomic that the host performs as a single instruction."""
    if op.kind not in ATOMICS or model.exclusive_atomics:
        return False
    return op.form is Form.NONE or not op.form & Form.EXCLUSIVE


def set_order(event: Event, op: Op, model: Model) -> None:
    """Set what an event of an operation orders by itself: acquire, release and the like."""
    kind, order, write = op.kind, op.order, event.writes
    event.atomic = is_instruction(op, model)
    event.drops = not write and op.form is not Form.NONE and bool(op.form & Form.NO_RESULT)
    if kind is Kind.FETCH or kind is Kind.EXCHANGE:
        order = _without_acquire(order) if event.drops else order
    as_one = model.one_operation
    if not write or as_one:
        weak = kind is Kind.LOAD and order is not Order.SEQ_CST
        event.acquire_pc = weak and acquires(order)
        event.acquire = acquires(order) and not weak
    if write or (as_one and (kind is not Kind.LOAD or order is not Order.SEQ_CST)):
        event.release = releases(order)
    event.total = kind is Kind.LOAD and order is Order.SEQ_CST
    event.consistent = as_one and order is not Order.RELAXED and (kind in _ORDERED or order is Order.SEQ_CST)


def _without_acquire(order: Order) -> Order:
    return Order.RELEASE if releases(order) else Order.RELAXED
