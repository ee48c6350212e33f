"""Accesses that carry a memory order, for hosts that keep the order of a single access."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from simaie.op import Form, Kind, Op, Order

if TYPE_CHECKING:
    from simaie.host.host import Host

__all__ = ["acquires", "joined", "ordered", "releases", "with_order"]

T = TypeVar("T")

_READS = frozenset({Kind.LOAD, Kind.AWAIT})
_ATOMICS = frozenset({Kind.CAS, Kind.EXCHANGE, Kind.FETCH})
_EXCLUSIVES = frozenset({Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL})
_ACQUIRING = (Order.ACQUIRE, Order.ACQ_REL, Order.SEQ_CST)
_RELEASING = (Order.RELEASE, Order.ACQ_REL, Order.SEQ_CST)


def acquires(order: Order) -> bool:
    """Whether what comes later in the program waits for a read of this order."""
    return order in _ACQUIRING


def releases(order: Order) -> bool:
    """Whether a write of this order waits for what comes earlier in the program."""
    return order in _RELEASING


def with_order(op: Op, order: Order, form: Form = Form.NONE) -> Op:
    """Return an access to RAM with `order` in addition to its own, and with `form`; any other operation unchanged.

    Args:
        op: An operation.
        order: The order to add.
        form: The properties to add to an atomic.
    """
    if op.cell is not None or not op.width:
        return op
    both, form = joined(op.order, order), form if op.kind in _ATOMICS else Form.NONE
    if both is op.order and op.form | form == op.form:
        return op
    return msgspec.structs.replace(op, order=both, form=op.form | form)


def ordered(host: Host, order: Order, body: Awaitable[T], form: Form = Form.NONE) -> Awaitable[T]:
    """Return the access `body` of a guest, whose operations on RAM carry the order of the guest's instruction.

    If the access is a single operation, that operation gets the order. Of several, the reads get its acquire part and
    the writes its release part; atomics and exclusives get both.

    Args:
        host: The host port that made the operations.
        order: The order of the guest's access.
        body: The access.
        form: Properties of its atomics.
    """
    if type(body) is Op:
        return host.with_order(body, order, form)
    return _awaited(host, order, body, form)


async def _awaited(host: Host, order: Order, body: Awaitable[T], form: Form) -> T:
    return await _Ordered(host, order, body, form)  # a coroutine, so that what never starts can be closed with its body


class _Ordered(Generic[T]):
    """Awaits a body, and replaces its operations on their way to the engine."""

    __slots__ = ("_body", "_form", "_host", "_order")

    def __init__(self, host: Host, order: Order, body: Awaitable[T], form: Form) -> None:
        self._host, self._order, self._body, self._form = host, order, body, form

    def __await__(self) -> Generator[Op, Any, T]:
        steps: Any = self._body.__await__()
        send, sent = steps.send, None
        while True:
            try:
                op = send(sent)
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                sent, send = (yield self._replaced(op)), steps.send
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # thrown in by a driver: the body has to see it
                sent, send = error, steps.throw

    def _replaced(self, op: Any) -> Any:
        if type(op) is not Op:
            return op
        order = self._order
        if op.kind in _READS:
            order = Order.RELAXED if order is Order.RELEASE else order if order is not Order.ACQ_REL else Order.ACQUIRE
        elif op.kind is Kind.STORE:
            order = Order.RELEASE if releases(order) and order is not Order.SEQ_CST else Order.RELAXED
        elif op.kind not in _ATOMICS and op.kind not in _EXCLUSIVES:
            return op
        return self._host.with_order(op, order, self._form)


def joined(one: Order, other: Order) -> Order:
    """Return the weakest order that is at least as strong as both."""
    if one is other or other is Order.RELAXED or one is Order.SEQ_CST:
        return one
    if one is Order.RELAXED or other is Order.SEQ_CST:
        return other
    return Order.ACQ_REL
