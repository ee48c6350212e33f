"""LL/SC as a hardware transaction from the load-linked to the store-conditional: PICO-HTM, and nSIM with HTM.

The load-linked begins a transaction, and the store-conditional commits it. A foreign store to a cache line that the
transaction has read aborts it. So does an exception, and on many hosts a barrier or a helper call in between: code with
one of these between its load-linked and store-conditional never commits.

This is the cheaper of two models; `simaie.schemes.htm` has read and write sets, and goes back to the load-linked.

Deviations: an aborted transaction does not go back to the load-linked; its store-conditional fails, and the guest's
loop tries again. The read set is the line of the load-linked, without the lines of other accesses in between. Plain
stores in between take effect at once, not when the transaction commits.

Sources: E. G. Cota, P. Bonzini, A. Bennée, L. P. Carloni, "Cross-ISA Machine Emulation for Multicores", CGO 2017;
M. Kristien et al., "Fast and Correct Load-Link/Store-Conditional Instruction Handling in DBT Systems",
IEEE TCAD 39(11), CASES 2020.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import Linked, LinkedScheme
from simaie.schemes.tables import require_granule

__all__ = ["PicoHtm"]


class PicoHtm(LinkedScheme):
    """LL: begin transaction; ld. SC: fail unless in a transaction; st; commit.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        line: Bytes of a cache line of the host, a power of two.
        barriers_abort: Whether a barrier in a transaction aborts it.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "pico-htm"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", armv8=frozenset({Hole.LIVELOCK})),  # where a transaction may abort without cause
        Variant("line=16,barriers_abort=true", frozenset({Hole.LIVELOCK})),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        line: int = 64,
        barriers_abort: bool = False,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.line = require_granule(line)
        self.barriers_abort = barriers_abort

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Begin a transaction and load: its read set is the line, as a monitor of the host keeps it."""
        at = await self.physical(address, write=False)
        value: int = await Op(Kind.LOAD_LINKED, None, at, width, expected=self._lines(at, width))
        cpu.local.linked = Linked(address, value)
        return value

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store and commit, unless the transaction was aborted or the load-linked was elsewhere."""
        if self.take_linked(cpu, address) is None:
            await Op(Kind.CLEAR_RESERVATION)
            return False
        at = await self.physical(address, write=True)
        return bool(await Op(Kind.STORE_CONDITIONAL, None, at, width, value, self._lines(at, width)))

    def _lines(self, at: int, width: int) -> tuple[int, int]:
        """Return the address and the width in bytes of the cache lines of an access."""
        first = at & -self.line
        return first, (at + width + self.line - 1 & -self.line) - first

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Abort the transaction."""
        cpu.local.linked = None
        await Op(Kind.CLEAR_RESERVATION)

    async def fence(self, cpu: VCpu, kind: str) -> None:
        """Perform the barrier, which may abort the transaction."""
        if self.barriers_abort and cpu.local.linked is not None:
            await self.clear_exclusive(cpu)
        await super().fence(cpu, kind)

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load and store in one transaction."""
        ranges = await self.ranges(address, width, write=True)
        await self.begin_section(cpu)
        old = await self.apply(ranges, function)
        await self.end_section(cpu)
        return old

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception, which aborts the transaction."""
        await super().exception(cpu, cause)
        await self.clear_exclusive(cpu)
