"""LL/SC as a hardware transaction over all guest instructions between them, which rolls back to the load-linked.

The load-linked begins a transaction of the host, and the store-conditional commits it. All loads and stores between the
two belong to it, so that its stores become visible together. If it aborts, the guest goes back to the load-linked with
the registers of that moment, and the stores are gone. After some attempts the load-linked runs without a transaction,
so that the store-conditional fails and the guest's own loop decides.

A transaction aborts because of a foreign access that conflicts with it, because it needs more lines than the cache
holds, and at an exception. The option `barriers_abort` adds barriers, which end a transaction on some hosts. Code whose
transactions always abort never succeeds, however often its loop tries.

`simaie.schemes.pico_htm` is the cheaper model: its transaction is the line of the load-linked alone.

Deviations: starting a thread, and waiting for one, do not abort a transaction. A thread that ends in a transaction
performs its stores as if it had not been aborted. What a device writes past the scheme aborts nothing. The guest must
be a list of instructions: a Python function cannot go back. The host must not reorder accesses: a store that waits in a
buffer aborts the transactions of others when it leaves the buffer, which is no step of a scheme.

Source: E. G. Cota, P. Bonzini, A. Bennée, L. P. Carloni, "Cross-ISA Machine Emulation for Multicores", CGO 2017.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, NamedTuple

from simaie.barrier import Barrier
from simaie.errors import NotEmulatedError, NotModelledError, UsageError
from simaie.guest.running import RestartPoint, RolledBack
from simaie.host.host import Host, Ranges
from simaie.host.pages import PageTable
from simaie.op import Function
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.holes import Hole, Variant
from simaie.schemes.linked import LinkedScheme, LinkedState
from simaie.schemes.transactions import Buffer, Transactions

__all__ = ["Htm"]

_MOST_RESTARTS = 100


class _Transaction(NamedTuple):
    """A transaction of one vCPU: the address of its load-linked, where the guest goes back, and its stores."""

    address: int
    point: RestartPoint
    buffer: Buffer


class _State(LinkedState):
    """The scheme's state of one vCPU.

    Attributes:
        transaction: The transaction; None if there is none.
        aborts: How often in a row the transaction of one load-linked was aborted.
    """

    __slots__ = ("aborts", "transaction")

    def __init__(self) -> None:
        super().__init__()
        self.transaction: _Transaction | None = None
        self.aborts = 0


class Htm(LinkedScheme):
    """LL: begin transaction; ld. Between: all accesses in the transaction. SC: st; commit. Abort: back to the LL.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        line: Bytes of a cache line of the host, a power of two.
        capacity: The number of lines that a transaction may access.
        restarts: How often a load-linked begins its transaction again before it runs without one.
        barriers_abort: Whether a barrier in a transaction aborts it.
        **usual: Options of `LinkedScheme`.
    """

    name: ClassVar[str] = "htm"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant(whole_16=True),
        Variant("line=16,restarts=0,barriers_abort=true", frozenset({Hole.LIVELOCK}), whole_16=True),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        line: int = 64,
        capacity: int = 512,
        restarts: int = 1,
        barriers_abort: bool = False,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        if type(restarts) is not int or not 0 <= restarts <= _MOST_RESTARTS:
            raise UsageError(f"restarts must be an integer from 0 to {_MOST_RESTARTS}, not {restarts!r}")
        self.transactions = Transactions(host, line, capacity)
        self.restarts, self.barriers_abort = restarts, barriers_abort

    def enter(self, cpu: VCpu) -> None:
        """Start the vCPU without a transaction."""
        cpu.local = _State()

    # -- the transaction --------------------------------------------------------------------------

    async def load_linked(self, cpu: VCpu, address: int, width: int) -> int:
        """Begin a transaction and load, or only load after too many aborts."""
        await self.commit(cpu)
        point = self._restart_point(cpu)
        at = await self.ranges(address, width, write=False)  # a fault here begins no transaction
        if cpu.local.aborts > self.restarts:
            cpu.local.aborts = 0
        else:
            cpu.local.transaction = _Transaction(address, point, Buffer(self.host.endian))
        value: int = await self._access(cpu, at, lambda: self.host.load_ranges(at), write=False, first=True)
        return value

    def _restart_point(self, cpu: Any) -> RestartPoint:
        if self.machine.host_order != Barrier.FULL:
            raise NotModelledError(
                "the transactions of the scheme 'htm' are modelled on a host that reorders nothing, since a scheme "
                "does not see when a store leaves a store buffer; use the host sc, or the scheme 'pico-htm'"
            )
        point: RestartPoint | None = cpu.restart_point()
        if point is None:
            raise NotEmulatedError(
                f"the scheme 'htm' takes a guest back to its load-linked, but vCPU {cpu.name!r} runs a Python "
                "function; write the guest as a list of instructions, or use the scheme 'pico-htm'"
            )
        return point

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Store and commit; without a transaction, or if the load-linked was elsewhere, fail."""
        running: _Transaction | None = cpu.local.transaction
        is_linked = running is not None and running.address == address
        if is_linked:
            await self.store(cpu, address, width, value)
        await self.commit(cpu)
        return is_linked

    async def commit(self, cpu: VCpu) -> None:
        """Make the stores of the transaction visible, all at once; without a transaction do nothing.

        Raises:
            RolledBack: The transaction was aborted.
        """
        running: _Transaction | None = cpu.local.transaction
        if running is None:
            return
        await self.begin_section(cpu)
        is_alive = await self.transactions.end(cpu)
        if is_alive:
            await self._perform(running)
        await self.end_section(cpu)
        if not is_alive:
            self._go_back(cpu)
        cpu.local.transaction, cpu.local.aborts = None, 0

    async def _perform(self, running: _Transaction) -> None:
        for ranges, value in running.buffer.stores:
            await self.host.store_ranges(ranges, value)

    async def abort(self, cpu: VCpu) -> None:
        """Abort the transaction; without one do nothing.

        Raises:
            RolledBack: There was one.
        """
        if cpu.local.transaction is not None:
            await self.transactions.end(cpu)
            self._go_back(cpu)

    def _go_back(self, cpu: VCpu) -> None:
        point = cpu.local.transaction.point
        cpu.local.transaction = None
        cpu.local.aborts += 1
        raise RolledBack(point)

    async def _access(
        self, cpu: VCpu, ranges: Ranges, make: Callable[[], Awaitable[Any]], *, write: bool, first: bool = False
    ) -> Any:
        """Make an access to RAM together with what the cache does, and return its result.

        Args:
            cpu: The vCPU.
            ranges: (physical address, width in bytes) of each part.
            make: Makes the access.
            write: Whether it writes.
            first: Whether it is the first one of the transaction.

        Raises:
            RolledBack: The transaction was aborted.
        """
        inside = cpu.local.transaction is not None
        await self.begin_section(cpu)
        if inside and first:
            await self.transactions.begin(cpu)
        is_alive = await self.transactions.access(cpu, ranges, write=write, inside=inside)
        result = await make() if is_alive else None
        await self.end_section(cpu)
        if not is_alive:
            self._go_back(cpu)
        return result

    # -- accesses -----------------------------------------------------------------------------------

    async def load(self, cpu: VCpu, address: int, width: int) -> int:
        """Load; in a transaction the vCPU sees its own stores."""
        ranges = await self.ranges(address, width, write=False)
        running: _Transaction | None = cpu.local.transaction
        loaded: int = await self._access(cpu, ranges, lambda: self.host.load_ranges(ranges), write=False)
        return loaded if running is None else running.buffer.seen(ranges, loaded)

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Store; in a transaction only its own vCPU sees it until the commit."""
        ranges = await self.ranges(address, width, write=True)
        running: _Transaction | None = cpu.local.transaction
        if running is None:
            await self._access(cpu, ranges, lambda: self.host.store_ranges(ranges, value), write=True)
            return
        await self._access(cpu, ranges, _nothing, write=True)
        running.buffer.add(ranges, value)

    async def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Load and store in one transaction, that of the vCPU if there is one."""
        if cpu.local.transaction is not None:
            old = await self.load(cpu, address, width)
            await self.store(cpu, address, width, function.apply(old))
            return old
        ranges = await self.ranges(address, width, write=True)
        result: int = await self._access(cpu, ranges, lambda: self.apply(ranges, function), write=True)
        return result

    async def wait(self, cpu: VCpu, address: int, width: int, function: Function) -> int:
        """Wait outside of a transaction: a vCPU that sleeps has aborted it."""
        await self.abort(cpu)
        return await super().wait(cpu, address, width, function)

    # -- what ends a transaction ----------------------------------------------------------------------

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Commit the transaction: its store-conditional will fail, but its other stores count."""
        await self.commit(cpu)

    async def fence(self, cpu: VCpu, kind: str) -> None:
        """Perform the barrier, which may abort the transaction."""
        if self.barriers_abort:
            await self.abort(cpu)
        await super().fence(cpu, kind)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception, which aborts the transaction."""
        await super().exception(cpu, cause)
        await self.abort(cpu)

    async def thread_exit(self, cpu: VCpu) -> None:
        """Perform the stores of a transaction in which the thread ends."""
        running: _Transaction | None = cpu.local.transaction
        if running is not None:
            cpu.local.transaction = None
            await self.begin_section(cpu)
            await self.transactions.end(cpu)
            await self._perform(running)
            await self.end_section(cpu)


async def _nothing() -> None:
    """Access no RAM: a store in a transaction stays in the cache."""
