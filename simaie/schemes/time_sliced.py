"""Several guest threads on one vCPU, which an operating system switches: a scheme whose vCPUs have time slices.

Each thread of the program is a guest thread here. Guest threads of one vCPU share what the scheme knows about it: its
identity and ``cpu.local``, so also its reservation. One of them at a time has the vCPU, for a time slice of a fixed
number of guest instructions. Which one comes next is a decision of the scheduler, as is everything else; it may be the
same one again. So a search tries every sequence of slices, and an execution names the guest thread of each step.

A *switch* is a slice of another guest thread than the last one. It is an exception of the vCPU, so the scheme's
`exception` runs: the emulator drops the reservation, or forgets to. Then, with `clears`, the operating system drops the
reservation itself (CLREX, a store-conditional to a word of its own), as most of them do.

A guest thread leaves the vCPU before it sleeps, waits or pauses, and when it ends. Its slice is then over.

The vCPU is a mutex and a cell. The cell holds which guest thread had the vCPU last, and what the scheme kept for it.
Both are used by operations, so that searches need not know about guest threads.

Deviations: a switch never comes inside a guest instruction (add `interrupted` for exceptions there). A spawned thread
gets a vCPU of its own. On a host with store buffers a guest thread leaves the vCPU only after its stores have left
the buffer, as behind the fence of a context switch. Spin loops of guest threads that share a vCPU are not cut: each
switch is news.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, ClassVar

import msgspec

from simaie.aie.entry import Entry
from simaie.arguments import require_at_most, require_bool, require_positive, shown
from simaie.errors import NotModelledError, UsageError
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import Cell, Kind, Op, Role
from simaie.protocols import MachineFacts
from simaie.schemes.native import Native
from simaie.schemes.parts import Wrapper, given_part, make_part, require_one_named
from simaie.schemes.scheme import Scheme

__all__ = ["SharedVCpu", "TimeSliced"]

_BETWEEN_VCPUS = ";"
_MOST = 1_000
#: The exception by which another guest thread gets the vCPU.
_SWITCH = "context switch"
#: The operations that a guest thread performs without the vCPU: it waits, or the scheme has no part in them.
_WAITS, _OF_GUEST = (Kind.PAUSE, Kind.AWAIT, Kind.JOIN), (Kind.CHOICE, Kind.SPAWN)
_PLAIN = (int, str, bytes, bool, type(None))


class TimeSliced(Wrapper):
    """Another scheme, in which several guest threads share a vCPU.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        scheme: The other scheme: a text with ``&`` between options, or what `simaie.Machine` accepts.
        threads: Which threads of the program share a vCPU: their names as a pattern such as ``*`` or ``[01]``, and
            ``;`` between the patterns of several vCPUs. A thread takes the first that matches; the others have a vCPU
            each.
        quantum: The length of a time slice in guest instructions.
        clears: Whether the operating system drops the vCPU's reservation at a switch, after the exception.
        **usual: Options of `Scheme`; they do not concern the other scheme.
    """

    name: ClassVar[str] = "time-sliced"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        scheme: Any = "cas",
        threads: str = "*",
        quantum: int = 1,
        clears: bool = True,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        require_positive(quantum=quantum)
        require_at_most(_MOST, quantum=quantum)
        require_bool(clears=clears)
        if machine.host_takes_orders:
            raise NotModelledError(
                "guest threads that share a vCPU are not modelled on a host of execution graphs such as armv8; use the "
                "host sc, tso or pso"
            )
        self.inner = make_part(given_part(scheme), host, pages, machine)
        self.promises = self.inner.promises
        if not clears and any(isinstance(part, Native) for part in self.inner.parts):
            raise UsageError(
                "clears=false is about the reservation that an emulator keeps, and the scheme native is no emulator; "
                "use another scheme, such as scheme=cas:on_exception=leave"
            )
        patterns = [pattern for pattern in str(threads).split(_BETWEEN_VCPUS) if pattern]
        if not patterns:
            raise UsageError("threads must name the threads that share a vCPU, as in threads=[01];[23]")
        #: The vCPUs that are shared, by the pattern of their threads.
        self.vcpus = {pattern: SharedVCpu(host, pattern, quantum, clears=clears) for pattern in patterns}

    def of(self, name: str) -> Scheme:
        """Return the other scheme; what is shared hangs on the vCPU."""
        return self.inner.of(name)

    def share(self, cpu: Any) -> None:
        """Let a guest thread share its vCPU, if a pattern matches it."""
        super().share(cpu)
        if cpu.name.isdecimal():
            shared = next((shared for shared in self.vcpus.values() if shared.has(cpu.name)), None)
            if shared is not None:
                shared.enter(cpu)

    def require_named(self, names: Sequence[str]) -> None:
        """Raise UsageError if the program lacks a thread that this scheme or the other one names."""
        for pattern in self.vcpus:
            require_one_named("the option threads of the scheme time-sliced", pattern, names)
        self.inner.require_named(names)

    @property
    def has_thread_exit(self) -> bool:
        """True: at its end a guest thread leaves the vCPU."""
        return True


class SharedVCpu:
    """A vCPU that several guest threads share.

    What a guest thread has of it is in ``cpu.turn``: None, or how many instructions are left of its slice and what the
    cell held at the beginning.

    Args:
        host: Host port.
        pattern: The names of its threads.
        quantum: The length of a time slice in guest instructions.
        clears: Whether a switch also drops the reservation, after the exception.
    """

    constant_attributes = frozenset({"_classes"})  # it grows with the kinds of records that the scheme keeps

    def __init__(self, host: Host, pattern: str, quantum: int, *, clears: bool) -> None:
        self._pattern, self._quantum, self._clears = pattern, quantum, clears
        name = f"{Role.VCPU.value} {pattern}"
        self._mutex = host.mutex(name)
        self._mutex.role = Role.VCPU
        self._last = host.cell(f"{name} had", ("", None), role=Role.VCPU)
        self._classes: dict[str, Any] = {}  # of the records in the cell, by name

    def has(self, thread: str) -> bool:
        """Whether the thread with this name is one of those that share it."""
        return fnmatchcase(thread, self._pattern)

    def enter(self, cpu: Any) -> None:
        """Let a guest thread share it: all have the identity of the first one.

        Raises:
            NotModelledError: Signals may arrive at the guest thread.
        """
        if cpu.signals:
            raise NotModelledError(
                f"a signal may arrive at thread {cpu.name}, which shares a vCPU, and this is not modelled: use "
                "signals=0, or leave the thread out of `threads`"
            )
        cpu.shared = self
        cpu.identity = next(number for number in count() if self.has(str(number)))

    async def begin(self, cpu: Any, body: Awaitable[Any], *, sleeps: bool) -> None:
        """Take the vCPU for a guest instruction if the guest thread does not have it, or give it up.

        Args:
            cpu: The vCPU as its guest thread sees it.
            body: Performs the instruction.
            sleeps: Whether the instruction waits for others, or ends the thread.
        """
        kind = body.kind if isinstance(body, Op) else None
        if sleeps or kind in _WAITS:
            await self._give_up(cpu)
        elif kind not in _OF_GUEST:
            if cpu.turn is None:
                await self._take(cpu)
            left, before = cpu.turn
            cpu.turn = left - 1, before

    async def end(self, cpu: Any) -> None:
        """End the time slice if it is over, after a guest instruction."""
        left, _ = cpu.turn
        if left <= 0:
            await self._give_up(cpu)

    async def _take(self, cpu: Any) -> None:
        """Wait for the vCPU, and switch to this guest thread if another one had it."""
        await self._mutex.lock()
        before = thread, kept = await self._last.load()
        cpu.turn = self._quantum, before
        if thread and thread != cpu.name:
            self._restore(cpu, kept)
            cpu.note_switch(_SWITCH)
            await cpu._scheme.exception(cpu, _SWITCH)
            if self._clears:
                await cpu._scheme.clear_exclusive(cpu)

    async def _give_up(self, cpu: Any) -> None:
        """End the slice of a guest thread, if it has the vCPU."""
        if cpu.turn is None:
            return
        _, before = cpu.turn
        cpu.turn = None
        now = cpu.name, self._kept(cpu)
        if now != before:
            await self._last.store(now)
        await self._mutex.unlock()

    # -- what the scheme keeps for the vCPU --------------------------------------------------------

    def _kept(self, cpu: Any) -> Any:
        """Return ``cpu.local`` as plain data; an object as the tuple of its attributes."""
        local = cpu.local
        names = _attributes(local)
        return self._plain(cpu, local) if names is None else tuple([self._plain(cpu, getattr(local, n)) for n in names])

    def _restore(self, cpu: Any, kept: Any) -> None:
        """Set ``cpu.local`` to what `_kept` returned."""
        names = _attributes(cpu.local)
        if names is None:
            cpu.local = self._record(kept)
            return
        for name, value in zip(names, kept, strict=True):
            setattr(cpu.local, name, self._record(value))

    def _plain(self, cpu: Any, value: Any) -> Any:
        """Return a value as plain data: a record as a tuple that begins with the name of its class."""
        if isinstance(value, (*_PLAIN, Cell, Entry)):
            return value
        fields = value if isinstance(value, tuple) else _fields(value)
        if fields is None:
            raise NotModelledError(
                f"the scheme {cpu._scheme.name!r} keeps {type(value).__name__} {shown(value)} in cpu.local, which "
                "guest threads of one vCPU cannot hand over; it must keep numbers, texts, cells, and tuples of these"
            )
        name = type(value).__name__
        self._classes[name] = type(value)
        return (name, *[self._plain(cpu, part) for part in fields])

    def _record(self, plain: Any) -> Any:
        """Return the value that `_plain` made plain."""
        if type(plain) is not tuple:
            return plain
        made, parts = self._classes[plain[0]], [self._record(part) for part in plain[1:]]
        return made(parts) if made is tuple else made(*parts)


def _fields(value: Any) -> list[Any] | None:
    """Return the fields of a frozen Struct; None for everything else."""
    if not isinstance(value, msgspec.Struct) or not value.__struct_config__.frozen:
        return None
    return [getattr(value, name) for name in value.__struct_fields__]


def _attributes(local: Any) -> list[str] | None:
    """Return the names of the attributes of a scheme's own object; None for plain data."""
    if isinstance(local, (*_PLAIN, tuple)):
        return None
    slots = [name for kind in reversed(type(local).__mro__) for name in getattr(kind, "__slots__", ())]
    return sorted({*slots, *getattr(local, "__dict__", ())}) or None
