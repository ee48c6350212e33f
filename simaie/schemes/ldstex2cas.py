"""LL/SC as compare-and-swap in binary instrumentation: DynamoRIO's option -ldstex2cas.

A tool that adds code between a load-linked and its store-conditional would end every reservation. So the load-linked
becomes a plain load that records address, size and value, and the store-conditional becomes a compare-and-swap from
the recorded value, if address and size match. The record outlives exceptions, because it is no state of the processor.
As with every compare-and-swap, an A-B-A is not seen.

Source: DynamoRIO, core/arch/aarchxx/mangle.c (mangle_exclusive_monitor_op).
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.holes import BY_COMPARE, Hole, Variant
from simaie.schemes.linked import LinkedState

__all__ = ["LdstexToCas"]

#: What a compare-and-swap does not see if the sizes match.
_BROKEN = BY_COMPARE - {Hole.WIDTH}


class _SizedState(LinkedState):
    """The state of one vCPU; `size` is the width of the last load-linked in bytes."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        super().__init__()
        self.size = 0


class LdstexToCas(CompareAndSwap):
    """`CompareAndSwap` that also compares the size, and whose record outlives exceptions.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        on_exception: Whether an exception is to ``"clear"`` the record or ``"leave"`` it.
        **usual: Options of `CompareAndSwap`.
    """

    name: ClassVar[str] = "ldstex2cas"
    usual_barriers: ClassVar[str] = "guest"  # the guest's own instructions run, with their own barriers
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", _BROKEN | {Hole.EXCEPTION}),
        Variant("on_exception=clear", _BROKEN),
    )

    def __init__(
        self, host: Host, pages: PageTable, machine: MachineFacts, *, on_exception: str = "leave", **usual: Any
    ) -> None:
        super().__init__(host, pages, machine, on_exception=on_exception, **usual)

    def enter(self, cpu: VCpu) -> None:
        """Start the vCPU without a record."""
        cpu.local = _SizedState()

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Load plainly; record address, size and value."""
        value = await super().load_linked(cpu, address, width)
        cpu.local.size = width
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Compare and swap from the recorded value, if address and size match."""
        if cpu.local.size != width:
            cpu.local.linked = None
        return await super().store_conditional(cpu, address, width, value)
