"""Applies a mapping to the access methods of one scheme: the one place where fences come around guest accesses.

Each method of the scheme that makes guest accesses of one kind is replaced, for this object alone, by one that puts the
fences of the mapping around it. The order of a load or store itself is passed to the operations of the access. A host
that takes no orders has fences in their place, as `simaie.schemes.native` says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from simaie.barrier import Barrier
from simaie.host.host import Host
from simaie.host.ordered import ordered
from simaie.op import Order
from simaie.protocols import MachineFacts
from simaie.schemes.mapping import Access, Atomic, Mapping

__all__ = ["AFTER", "BEFORE", "fenced", "map_accesses"]

T = TypeVar("T")
Method = Callable[..., Awaitable[Any]]

_RELEASE, _ACQUIRE = Barrier.LD_ST | Barrier.ST_ST, Barrier.LD_LD | Barrier.LD_ST
#: The fences before and after an access that keep its order, for hosts that take no orders.
BEFORE = {
    Order.RELAXED: Barrier.NONE,
    Order.ACQUIRE: Barrier.NONE,
    Order.RELEASE: _RELEASE,
    Order.ACQ_REL: _RELEASE,
    Order.SEQ_CST: Barrier.ST_LD,
}
AFTER = {
    order: _ACQUIRE if order in (Order.ACQUIRE, Order.ACQ_REL, Order.SEQ_CST) else Barrier.NONE for order in Order
}


class Mappable(Protocol):
    """The part of a scheme that a mapping needs."""

    host: Host

    @property
    def machine(self) -> MachineFacts:
        """The facts about the machine."""


def map_accesses(scheme: Mappable, mapping: Mapping, methods: dict[str, str]) -> None:
    """Put what `mapping` says around the methods of a scheme.

    Args:
        scheme: The scheme; its methods are replaced.
        mapping: The mapping.
        methods: Which row of the mapping, ``"load"``, ``"store"``, ``"atomic"`` or ``"compare"``, applies to a method.
    """
    for name, row in methods.items():
        call = getattr(scheme, name)
        if row == "compare":
            setattr(scheme, name, _compared(scheme, mapping.atomic, call))
        elif row == "atomic":
            atomic = mapping.atomic
            setattr(scheme, name, _around(scheme.host, atomic.before, atomic.after, call))
        else:
            setattr(scheme, name, _accessed(scheme, mapping.load if row == "load" else mapping.store, call))


def _accessed(scheme: Mappable, access: Access, call: Method) -> Method:
    before, order, after = access.before, access.order, access.after
    if order is Order.RELAXED:
        return _around(scheme.host, before, after, call)
    if scheme.machine.host_takes_orders:
        return _around(scheme.host, before, after, lambda *args: ordered(scheme.host, order, call(*args)))
    return _around(scheme.host, before | BEFORE[order], after | AFTER[order], call)


def _around(host: Host, before: Barrier, after: Barrier, call: Method) -> Method:
    if not before and not after:
        return call
    return lambda *args: fenced(host, before, after, call(*args))


def _compared(scheme: Mappable, atomic: Atomic, call: Method) -> Method:
    """Return a compare-and-swap; only if success and failure differ does it ask which one it was."""
    host, before, after, failed = scheme.host, atomic.before, atomic.after, atomic.failed
    if after == failed:
        return _around(host, before, after, call)

    async def compared(cpu: Any, address: int, width: int, expected: int, new: int) -> int:
        old: int = await fenced(host, before, Barrier.NONE, call(cpu, address, width, expected, new))
        behind = after if old == expected else failed
        if behind:
            await host.fence(behind.text)
        return old

    return compared


async def fenced(host: Host, before: Barrier, after: Barrier, body: Awaitable[T]) -> T:
    """Await `body` between two fences of the host, each left out if it keeps no order.

    Args:
        host: The host port.
        before: The orders of the fence before it.
        after: The orders of the fence behind it.
        body: The access.
    """
    if before:
        try:
            await host.fence(before.text)
        except BaseException:  # the execution ends here
            if isinstance(body, Coroutine):
                body.close()  # never started: Python would warn about it
            raise
    result = await body
    if after:
        await host.fence(after.text)
    return result
