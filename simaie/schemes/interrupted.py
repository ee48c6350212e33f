"""Interrupts and kills as decisions: a scheme whose helpers an exception may interrupt, or the end of their vCPU.

Before a helper begins, and before each of its steps but the first, a local choice determines whether an exception
arrives there. If it does, the helper stops, the scheme's `exception` runs, and the instruction starts again. So an
exception arrives between two instructions, or in the middle of one: with a lock held, with the world stopped, between
load-linked and store-conditional. After an instruction has written guest RAM it is not interrupted any more, because it
could not start again: real emulators leave a helper only at an access that faults. Nor does an exception arrive at a
step that releases a lock or the world.

A signal is an exception after which guest code runs: the handler of the program. It arrives between two instructions
only, see `simaie.guest.signals`.

A vCPU may also be killed before any step, as a process is. Then nothing runs for it any more: what it holds stays held.
Neither happens in an indivisible section.

Each vCPU is interrupted, signalled and killed a limited number of times, so that a search ends.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar, TypeVar

from simaie.dependence import MAY_WRITE, RELEASES
from simaie.errors import GuestFault, UsageError
from simaie.guest.signals import expect_signals
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op, Order, is_device
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.parts import Wrapper, given_part, make_part, require_one_named
from simaie.schemes.scheme import Scheme

__all__ = ["KILLED", "Interruptible"]

T = TypeVar("T")

#: The cause of the fault that ends a killed vCPU.
KILLED = "kill"
_INTERRUPTED = object()
#: What the scheme of an exposed vCPU has from the other scheme.
_SHARED = (
    "host", "pages", "machine", "promises", "checks_alignment", "events", "emitted", "flat", "_full_system",
)  # fmt: skip
_MOST = 100


class Interruptible(Wrapper):
    """Another scheme, with exceptions and kills at any step of its helpers.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        scheme: The scheme that is interrupted: a text with ``&`` between options, or what `simaie.Machine` accepts.
        times: How often an exception may arrive at each vCPU.
        signals: How many signals may arrive at each vCPU, for which the program must have a handler.
        before: The name of the instruction before which signals may arrive, or a pattern such as ``st*``. A loop in
            which none may arrive can be proved to end, or not.
        kills: 1 if each vCPU may be killed, else 0.
        vcpus: Which vCPUs this concerns: the name of one that the program has, or a pattern such as ``*``.
        **usual: Options of `Scheme`; they do not concern the other scheme.
    """

    name: ClassVar[str] = "interrupted"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        scheme: Any = "cas",
        times: int = 1,
        signals: int = 0,
        before: str = "*",
        kills: int = 0,
        vcpus: str = "*",
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_one_of("kills", kills, (0, 1))
        for option, number in (("times", times), ("signals", signals)):
            if type(number) is not int or not 0 <= number <= _MOST:
                raise UsageError(f"{option} must be an integer from 0 to {_MOST}, not {number!r}")
        self.inner = make_part(given_part(scheme), host, pages, machine)
        self.promises = self.inner.promises
        self.times, self.signals, self.before = times, signals, str(before)
        self.kills, self.vcpus = kills, str(vcpus)

    def of(self, name: str) -> Scheme:
        """Return the other scheme with what may happen to this vCPU."""
        scheme = self.inner.of(name)
        if not fnmatchcase(name, self.vcpus):
            return scheme
        return _Exposed(scheme, self.times, self.kills, 0 if is_device(name) else self.signals, self.before)

    def require_named(self, names: Sequence[str]) -> None:
        """Raise UsageError if the program lacks a vCPU that this scheme or the other one names."""
        require_one_named("the option vcpus of the scheme interrupted", self.vcpus, names)
        self.inner.require_named(names)

    @property
    def has_thread_exit(self) -> bool:
        """Whether the other scheme cleans up at the end of a thread."""
        return self.inner.has_thread_exit


class _Before:
    """The steps of a helper so far, as far as they decide whether it may be interrupted."""

    def __init__(self) -> None:
        self._is_first, self._in_section, self._has_written = True, False, False

    def is_exposed(self, op: Op) -> bool:
        """Whether something may happen before `op`, the next step."""
        return not self._is_first and not self._in_section and op.kind is not Kind.CHOICE

    def may_not_restart(self, op: Op) -> bool:
        """Whether an exception must not arrive before `op`, the next step."""
        return self._has_written or op.kind in RELEASES

    def add(self, op: Op) -> None:
        """Note `op`, which is performed next."""
        if op.kind is not Kind.CHOICE:
            self._is_first = False
        if op.kind is Kind.BEGIN_SECTION or op.kind is Kind.END_SECTION:
            self._in_section = op.kind is Kind.BEGIN_SECTION
        self._has_written = self._has_written or (op.cell is None and op.width > 0 and op.kind in MAY_WRITE)


class _Exposed(Scheme):
    """The scheme of one vCPU, whose helpers may be interrupted.

    Args:
        inner: The scheme.
        times: How many exceptions may still arrive.
        kills: Whether the vCPU may still be killed.
        signals: How many signals may arrive.
        before: Before which instructions they may arrive.
    """

    def __init__(self, inner: Scheme, times: int, kills: int, signals: int, before: str) -> None:
        self.__dict__.update({name: getattr(inner, name) for name in _SHARED})
        self._inner, self._times, self._kills = inner, times, kills
        self._signals, self._before = signals, before
        self._is_killed = False

    def enter(self, cpu: VCpu) -> None:
        """Set up the other scheme's state of the vCPU, and let signals arrive."""
        self._inner.enter(cpu)
        if self._signals:
            expect_signals(cpu, self._signals, self._before)

    # -- what may happen ------------------------------------------------------------------------

    async def _exposed(self, cpu: VCpu, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a helper, again after each exception that interrupts it."""
        while True:
            if not self._times and not self._kills:  # so that a loop in which nothing can arrive is seen to be one
                return await make()
            result = await self._attempt(cpu, make)
            if result is not _INTERRUPTED:
                return result
            self.host.let_go(cpu)
            await self._inner.exception(cpu, "interrupt")

    @types.coroutine
    def _attempt(self, cpu: VCpu, make: Callable[[], Awaitable[Any]]) -> Generator[Op, Any, Any]:
        """Run a helper step by step, with a choice before it begins and before each step but the first."""
        if (yield from self._arrives(cpu, only_kills=False)):
            return _INTERRUPTED
        steps = make().__await__()
        before = _Before()
        sent = None
        try:
            while True:
                try:
                    op = steps.send(sent)
                except StopIteration as done:
                    return done.value
                if before.is_exposed(op) and (yield from self._arrives(cpu, before.may_not_restart(op))):
                    return _INTERRUPTED
                before.add(op)
                sent = yield op
        finally:
            steps.close()

    def _arrives(self, cpu: Any, only_kills: bool) -> Generator[Op, Any, bool]:
        """Decide what happens before the next step; return whether it is an exception."""
        happenings = [KILLED] * bool(self._kills) + ["interrupt"] * bool(self._times and not only_kills)
        if not happenings:
            return False
        what = f"a step is preceded by: {', '.join(happenings)}"
        chosen: int = yield Op(Kind.CHOICE, value=1 + len(happenings), note=what)
        if not chosen:
            return False
        if happenings[chosen - 1] == KILLED:
            self._times = self._kills = cpu.signals = 0
            self._is_killed = True
            raise GuestFault(KILLED, 0, "the vCPU is killed")
        self._times -= 1
        cpu.note_exception()
        return True

    # -- the access classes -----------------------------------------------------------------------

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load, exposed."""
        return self._exposed(cpu, lambda: self._inner.load(cpu, address, width))

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store, exposed."""
        return self._exposed(cpu, lambda: self._inner.store(cpu, address, width, value))

    def load_pair(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load two registers, exposed."""
        return self._exposed(cpu, lambda: self._inner.load_pair(cpu, address, width))

    def store_pair(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store two registers, exposed."""
        return self._exposed(cpu, lambda: self._inner.store_pair(cpu, address, width, value))

    def wait(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Wait, exposed."""
        return self._exposed(cpu, lambda: self._inner.wait(cpu, address, width, function))

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load and reserve, exposed."""
        return self._exposed(cpu, lambda: self._inner.load_linked(cpu, address, width))

    def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[bool]:
        """Store if the reservation holds, exposed."""
        return self._exposed(cpu, lambda: self._inner.store_conditional(cpu, address, width, value))

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Drop the reservation, exposed."""
        await self._exposed(cpu, lambda: self._inner.clear_exclusive(cpu))

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Perform a locked read-modify-write, exposed."""
        return self._exposed(cpu, lambda: self._inner.atomic_rmw(cpu, address, width, function))

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform a locked compare-and-exchange, exposed."""
        return self._exposed(cpu, lambda: self._inner.cmpxchg(cpu, address, width, expected, new))

    def cmpxchg_unlocked(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform an unlocked compare-and-exchange, exposed."""
        return self._exposed(cpu, lambda: self._inner.cmpxchg_unlocked(cpu, address, width, expected, new))

    def cmpxchg_two(
        self, cpu: VCpu, addresses: tuple[int, int], width: int, expected: tuple[int, int], new: tuple[int, int]
    ) -> Awaitable[int]:
        """Perform a compare-and-swap of two locations, exposed."""
        return self._exposed(cpu, lambda: self._inner.cmpxchg_two(cpu, addresses, width, expected, new))

    async def fence(self, cpu: VCpu, kind: str) -> None:
        """Perform a guest barrier, exposed."""
        await self._exposed(cpu, lambda: self._inner.fence(cpu, kind))

    def in_order(self, order: Order, body: Awaitable[T]) -> Awaitable[T]:
        """Return the guest access `body`, which is exposed, with the barriers of its order, which are not."""
        return self._inner.in_order(order, body)

    async def context_barrier(self, cpu: VCpu) -> None:
        """Perform a barrier behind branches, exposed."""
        await self._exposed(cpu, lambda: self._inner.context_barrier(cpu))

    def watched_reservation(self, cpu: VCpu) -> Op | None:
        """Return what the other scheme watches for a sleep, in which no exception arrives."""
        return self._inner.watched_reservation(cpu)

    async def watch(self, cpu: VCpu, address: int) -> None:
        """Watch the bytes around an address, exposed."""
        await self._exposed(cpu, lambda: self._inner.watch(cpu, address))

    async def check_pages(self, address: int, width: int, *, write: bool) -> None:
        """Fault before the first part of a compound access; this is not exposed, but its parts are."""
        await self._inner.check_pages(address, width, write=write)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception that the guest itself causes; for a killed vCPU nothing runs."""
        if not self._is_killed:
            await self._inner.exception(cpu, cause)

    async def thread_exit(self, cpu: VCpu) -> None:
        """Clean up before the guest thread ends, unless it was killed."""
        if not self._is_killed:
            await self._inner.thread_exit(cpu)
