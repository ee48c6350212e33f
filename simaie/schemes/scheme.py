"""The base class of every scheme: plain accesses go straight to RAM, and atomic accesses are not implemented.

A scheme is one class with async methods. Derive from `Scheme` and override what your emulator does differently. The
constructor runs once per execution, with the host port, the page table and the facts about the machine, so `self` may
hold fresh cells and locks. Keep the state of one vCPU in ``cpu.local``.

State that vCPUs share must be in cells and locks, which change only by operations. An attribute that changes after the
constructor (a dictionary, for example) changes at moments that no scheduler chooses; explorations reject such a scheme
with `EscapedStateError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from simaie.barrier import Barrier, parse_barrier
from simaie.errors import NotEmulatedError, UsageError
from simaie.host.host import Host, Ranges, join_parts, join_words, split_words
from simaie.host.loaded import select
from simaie.host.ordered import ordered
from simaie.host.pages import PageTable, crosses_page
from simaie.op import Form, Function, Kind, Op, Order
from simaie.protocols import MachineFacts, Promise, VCpu, require_one_of
from simaie.schemes.holes import Variant
from simaie.schemes.mapped import fenced, map_accesses
from simaie.schemes.mapping import Access, mapping_of
from simaie.schemes.mapping import Mapping as AccessMapping

__all__ = ["BARRIERS", "Scheme"]

#: Which barriers an emulator emits: ``none``; those of the ``guest``; or ``full``, all that the guest's architecture
#: needs. A set of orders (``st-ld+st-st``, see `simaie.barrier`) is `full` for those orders only.
BARRIERS = ("none", "guest", "full")
_BEFORE_LOAD = Barrier.LD_LD | Barrier.ST_LD
_RELEASING = (Order.RELEASE, Order.ACQ_REL)
_ACQUIRING = (Order.ACQUIRE, Order.ACQ_REL, Order.SEQ_CST)
_BEFORE_STORE = Barrier.LD_ST | Barrier.ST_ST

#: The rows of a mapping for methods that by default make their access by another method, so that only a class that
#: overrides them needs a mapping of theirs.
_MAPPED_IF_OVERRIDDEN = {"load_pair": "load", "store_pair": "store", "cmpxchg": "compare"}

#: Bytes that an unlocked x86 instruction reads or writes at once.
_HALF = 8

T = TypeVar("T")


class Scheme:
    """Base of all schemes: loads and stores are plain host accesses, atomic accesses are missing.

    Args:
        host: Host port, which makes the operations.
        pages: Page table of the guest.
        machine: Facts about the machine: instruction set, mode, host word, memory orders.
        barriers: Which barriers the emulator emits, see `BARRIERS`; ``"usual"`` for the default of this scheme.
        mapping: What the emulator makes of loads, stores and atomics, in place of `barriers`: a name in
            `simaie.schemes.mapping.MAPPINGS`, or the path of a TOML file with a table of your own; ``"usual"`` for what
            `barriers` says.
        wide_accesses: Whether an access wider than a host word is to be ``"split"`` into several, which may tear, or
            ``"refuse"``d with a guest fault.
        events: What WFE, WFI, UMWAIT and WRS.NTO of the guest are: a ``"hint"`` that other vCPUs go first, or a
            ``"sleep"`` until something wakes the vCPU up (see `simaie.guest.events`).
    """

    #: What the scheme promises beyond atomicity itself; checkers hold it to exactly this.
    promises: frozenset[Promise] = frozenset()
    #: The name under which the scheme is registered; shown in messages.
    name: ClassVar[str] = "scheme"
    #: Names of attributes that may change outside operations, because no behaviour depends on when they change: a cache
    #: of cells by name, a counter for statistics. Also names of global, enclosing and default variables of the methods.
    constant_attributes: ClassVar[frozenset[str]] = frozenset()
    #: Whether `atomic_rmw` does nothing with the old value but return it, so that a guest instruction that drops the
    #: value does not depend on it. Subclasses do not inherit it: each class has to say so itself.
    only_returns_old: ClassVar[bool] = False
    #: Whether the scheme itself is to fault for a misaligned access of an instruction that needs an aligned address,
    #: before or after other faults, or not at all. Else such an access faults before it reaches the scheme.
    checks_alignment: ClassVar[bool] = False
    #: The meaning of the option ``barriers="usual"``, the default.
    usual_barriers: ClassVar[str] = "guest"
    #: The variants of a published scheme, each with the violations that are expected of it.
    variants: ClassVar[tuple[Variant, ...]] = ()
    #: The row of a mapping that applies to a method, see `simaie.schemes.mapped.map_accesses`. A method that makes its
    #: access by another of these methods is left out; `load_pair`, `store_pair` and `cmpxchg` are added if a class
    #: overrides them.
    mapped_methods: ClassVar[Mapping[str, str]] = {
        "load": "load", "store": "store", "wait": "load", "atomic_rmw": "atomic"
    }  # fmt: skip

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "only_returns_old" not in vars(cls):
            cls.only_returns_old = False

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        barriers: str | None = "usual",
        mapping: str | None = "usual",
        wide_accesses: str = "split",
        events: str = "hint",
    ) -> None:
        require_one_of("wide_accesses", wide_accesses, ("split", "refuse"))
        require_one_of("events", events, ("hint", "sleep"))
        self.events = events
        host.refuses_wide = wide_accesses == "refuse"
        self.host = host
        self.pages = pages
        self.machine = machine
        self._full_system = machine.full_system
        #: Whether guest addresses are RAM addresses, so that no page table entry is looked up.
        self.flat = not machine.full_system and pages.is_identity
        #: What the emulator makes of accesses; None if `barriers` says it.
        self.mapping = _mapping(mapping, barriers)
        # On a command line, "none" is read as None.
        self.barriers = self.usual_barriers if barriers == "usual" else barriers or "none"
        #: The orders for which the scheme emits barriers.
        self.emitted = _emitted(self.barriers) if self.mapping is None else self.mapping.fences
        #: The order and the form of the host's atomics on guest RAM.
        self.atomic_order, self.atomic_form = Order.SEQ_CST, Form.NONE
        if self.mapping is not None:
            self.barriers = "guest"
            self.atomic_order, self.atomic_form = self.mapping.atomic.order, self.mapping.atomic.form

    @classmethod
    def search_options(cls, machine: MachineFacts, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return options with which an exhaustive search reaches the same outcomes and kinds of finding sooner.

        A search that runs every execution sets each of them unless `options` has it. The search asks the class of the
        scheme itself only: a class that is derived from it may behave differently, so it must override the method too.

        Args:
            machine: Facts about the machine.
            options: The options as given.
        """
        return {}

    def of(self, name: str) -> Scheme:
        """Return the scheme under which the vCPU or device called `name` runs: this one, unless schemes are mixed."""
        return self

    @classmethod
    def part_classes(cls, options: Mapping[str, Any]) -> list[Callable[..., Scheme]]:
        """Return the classes of the schemes of which it consists with these options, apart from itself."""
        return []

    @property
    def parts(self) -> tuple[Scheme, ...]:
        """This scheme, and those that it mixes."""
        return (self,)

    def require_named(self, names: Sequence[str]) -> None:
        """Raise UsageError if an option names a vCPU that the program does not have.

        Args:
            names: The names of the vCPUs and devices that the program begins with.
        """

    def enter(self, cpu: VCpu) -> None:
        """Set up the scheme's local state of a new vCPU."""

    def share(self, cpu: VCpu) -> None:
        """Let a new vCPU share its state with others, after `enter`; by default it shares none.

        The engine calls this on the scheme of the machine, also if that mixes others.
        """

    # -- addresses ----------------------------------------------------------------------------

    async def physical(self, address: int, *, write: bool) -> int:
        """Return the physical address of a guest-virtual address: one step in full-system mode, no step in user mode.

        The result holds for that byte and for the bytes after it on the same page. For an access that may cross a page,
        use `ranges`.

        Args:
            address: Guest-virtual address.
            write: Whether the access writes, so that a read-only page faults.
        """
        if self._full_system:
            return await self.pages.translate(address, write=write)
        return self.pages.resolve(address)

    async def ranges(self, address: int, width: int, *, write: bool) -> Ranges:
        """Return the ranges of an access in RAM: one, or two if it crosses into a page whose frame is not adjacent.

        In full-system mode each page is one step. An absent page, or a read-only page if `write` is set, faults here,
        before any part of the access is made.

        Args:
            address: Guest-virtual address.
            width: Width of the access in bytes.
            write: Whether the access writes.

        Returns:
            (physical address, width in bytes) of each part, in the order of the guest's addresses.
        """
        if self._full_system:
            return await self.pages.translate_ranges(address, width, write=write)
        return self.pages.resolve_ranges(address, width)

    def crosses(self, address: int, width: int) -> bool:
        """Whether an access touches two pages, so that it may be two ranges of RAM.

        Args:
            address: Guest-virtual address.
            width: Width in bytes.
        """
        return not self.flat and crosses_page(address, width)

    async def check_pages(self, address: int, width: int, *, write: bool) -> None:
        """Fault before the first part of a compound access if any of its parts would fault.

        Only an access that crosses a page needs this check: otherwise its first part faults.

        Args:
            address: Guest-virtual address.
            width: Width of the whole access in bytes.
            write: Whether the access writes.
        """
        if self._full_system and crosses_page(address, width):
            await self.pages.translate_ranges(address, width, write=write)

    def on_ram(self, address: int, write: bool, access: Callable[[int], Awaitable[T]]) -> Awaitable[T]:
        """Translate `address` as the mode requires and return ``access(physical address)``.

        Args:
            address: Guest-virtual address of an access within one page.
            write: Whether the access writes, so that a read-only page faults.
            access: Makes the access at a physical address.
        """
        if self._full_system:
            return self._translated(address, write, access)
        return access(self.pages.resolve(address))

    async def _translated(self, address: int, write: bool, access: Callable[[int], Awaitable[T]]) -> T:
        return await access(await self.pages.translate(address, write=write))

    # -- the access classes: an override may just as well be an `async def` ----------------------

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load `width` bytes at the guest-virtual `address`.

        Args:
            cpu: The vCPU that loads.
            address: Guest-virtual address.
            width: Width in bytes.
        """
        if self.flat:
            return self.host.load(address, width)
        return self._load_mapped(address, width)

    async def _load_mapped(self, address: int, width: int) -> int:
        return await self.host.load_ranges(await self.ranges(address, width, write=False))

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store `width` bytes of `value` at the guest-virtual `address`.

        Args:
            cpu: The vCPU that stores.
            address: Guest-virtual address.
            width: Width in bytes.
            value: The unsigned integer to store.
        """
        if self.flat:
            return self.host.store(address, width, value)
        return self._store_mapped(address, width, value)

    async def _store_mapped(self, address: int, width: int, value: int) -> None:
        await self.host.store_ranges(await self.ranges(address, width, write=True), value)

    def load_pair(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load two registers with one instruction; by default, one load of both.

        Args:
            cpu: The vCPU that loads.
            address: Guest-virtual address.
            width: Width of both registers in bytes.
        """
        return self.load(cpu, address, width)

    def store_pair(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store two registers with one instruction; by default, one store of both.

        Args:
            cpu: The vCPU that stores.
            address: Guest-virtual address.
            width: Width of both registers in bytes.
            value: The unsigned integer to store.
        """
        return self.store(cpu, address, width, value)

    def wait(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Wait until `function` holds of a location, and return the value that it then has.

        Args:
            cpu: The vCPU that waits.
            address: Guest-virtual address of the location.
            width: Width in bytes.
            function: Predicate of the location's value.
        """
        if self.crosses(address, width):
            return self._wait_across(address, width, function)
        return self.on_ram(address, False, lambda at: Op(Kind.AWAIT, None, at, width, function=function))

    async def _wait_across(self, address: int, width: int, function: Function) -> int:
        """Wait for a location that spans two pages with one operation."""
        ranges = await self.ranges(address, width, write=False)
        widths, endian = [size for _, size in ranges], self.host.endian
        if len(ranges) == 1:
            return int(await Op(Kind.AWAIT, None, *ranges[0], function=function))
        both = Function(function.name, lambda parts: function.apply(join_parts(parts, widths, endian)))
        loads = tuple(Op(Kind.LOAD, None, *each) for each in ranges)
        return join_parts(await Op(Kind.AWAIT, value=loads, function=both), widths, endian)

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load and reserve: LDREX and its equivalents.

        Args:
            cpu: The vCPU that loads.
            address: Guest-virtual address.
            width: Width in bytes.
        """
        raise self._missing("load-linked / store-conditional")

    def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[bool]:
        """Store if the vCPU's reservation holds: STREX and its equivalents.

        Args:
            cpu: The vCPU that stores.
            address: Guest-virtual address.
            width: Width in bytes.
            value: The unsigned integer to store.

        Returns:
            Whether it stored.
        """
        raise self._missing("load-linked / store-conditional")

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Drop the vCPU's reservation: CLREX."""

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Perform a locked read-modify-write and return the old value.

        Args:
            cpu: The vCPU that performs it.
            address: Guest-virtual address.
            width: Width in bytes.
            function: Computes the new value from the old one.
        """
        raise self._missing("locked read-modify-writes")

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform a locked compare-and-exchange and return the old value.

        The default is a read-modify-write that may write the old value back.

        Args:
            cpu: The vCPU that performs it.
            address: Guest-virtual address.
            width: Width in bytes.
            expected: The value to compare with.
            new: The value to store if memory holds `expected`.
        """
        function = Function(f"cmpxchg {expected} -> {new}", lambda old: new if old == expected else old)
        return self.atomic_rmw(cpu, address, width, function)

    def cmpxchg_unlocked(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform CMPXCHG8B or CMPXCHG16B of x86 without LOCK: 8-byte loads, then 8-byte stores; it always writes.

        Args:
            cpu: The vCPU that performs it.
            address: Guest-virtual address.
            width: Width in bytes, 8 or 16.
            expected: The value to compare with.
            new: The value to store if memory holds `expected`; otherwise the old value is stored.
        """
        return self._compare_and_write(cpu, address, width, expected, new)

    async def _compare_and_write(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> int:
        offsets, endian = range(0, width, _HALF), self.host.endian
        old = join_words([await self.load(cpu, address + i, _HALF) for i in offsets], _HALF, endian)
        parts = split_words(select(old == expected, new, old), width, _HALF, endian)
        for i, part in zip(offsets, parts, strict=True):
            await self.store(cpu, address + i, _HALF, part)
        return old

    def cmpxchg_two(
        self, cpu: VCpu, addresses: tuple[int, int], width: int, expected: tuple[int, int], new: tuple[int, int]
    ) -> Awaitable[int]:
        """Store to two locations if both hold what is expected, indivisibly: CAS2 of m68k.

        Args:
            cpu: The vCPU that performs it.
            addresses: Guest-virtual addresses of the locations.
            width: Width of each location in bytes.
            expected: The values to compare with.
            new: The values to store.

        Returns:
            Both old values as one number, whose low half is that of the first location.
        """
        raise self._missing("a compare-and-swap of two locations")

    async def fence(self, cpu: VCpu, kind: str) -> None:
        """Perform a guest barrier as the same host barrier, or as nothing with ``barriers="none"``.

        What is left of it by a set of `barriers` is a barrier that the emulator chooses: on Armv8, a DMB.

        Args:
            cpu: The vCPU that performs it.
            kind: The orders that the barrier keeps, see `simaie.barrier`.
        """
        order = parse_barrier(kind) & self.emitted
        if order:
            own = self.passes_orders and order != Barrier.FULL
            await self.host.fence(order.text, Form.COMPLETES if own else Form.NONE)

    def in_order(self, order: Order, body: Awaitable[T]) -> Awaitable[T]:
        """Return the guest access `body` with acquire or release order; SEQ_CST is the order of AArch64's LDAR.

        On a host that keeps the order of single accesses, its operations ask for it. Elsewhere, as in QEMU, a full
        barrier follows an acquire and precedes a release. There is thus no barrier between a release and a later
        acquire, which the guest may rely on (STLR, LDAR); ``barriers="full"`` adds it.

        Args:
            order: The order of the access.
            body: The access.
        """
        if self.passes_orders:
            return ordered(self.host, order, body)
        before = Barrier.FULL if order in _RELEASING else Barrier.NONE
        if order is Order.SEQ_CST and self.barriers not in ("none", "guest"):
            before = Barrier.ST_LD
        return self.between(before, Barrier.FULL if order in _ACQUIRING else Barrier.NONE, body)

    @property
    def passes_orders(self) -> bool:
        """Whether accesses with an order ask the host for it; if not, fences stand around them.

        That is so on a host that takes orders, unless the option ``barriers`` leaves out some of the guest's.
        """
        return self.machine.host_takes_orders and self.emitted == Barrier.FULL

    def without_result(self, body: Awaitable[T]) -> Awaitable[T]:
        """Return the guest's atomic `body`, whose old value goes nowhere; only a host that takes orders is told that.

        Args:
            body: The access.
        """
        return ordered(self.host, Order.RELAXED, body, Form.NO_RESULT) if self.machine.host_takes_orders else body

    async def context_barrier(self, cpu: VCpu) -> None:
        """Perform a barrier of the guest that orders loads behind what was branched on before it: ISB.

        Only a host that takes orders can reorder them.

        Args:
            cpu: The vCPU that performs it.
        """
        if self.passes_orders:
            await self.host.context_barrier()

    def between(self, before: Barrier, after: Barrier, body: Awaitable[T]) -> Awaitable[T]:
        """Return `body` with a host barrier before and after, restricted to the orders that the scheme emits.

        Args:
            before: Orders of the barrier before the access.
            after: Orders of the barrier after it.
            body: The access.
        """
        before, after = before & self.emitted, after & self.emitted
        return fenced(self.host, before, after, body) if before or after else body

    def map_accesses(self) -> None:
        """Put fences and orders around the guest's accesses, as the option ``mapping`` or ``barriers`` says.

        A set of `barriers` puts a fence before each plain load and store, for the orders that the guest needs and the
        host lacks; atomics get none. This is QEMU's rule (tcg_req_mo). With ``none`` or ``guest`` nothing changes.
        """
        own = {name: row for name, row in _MAPPED_IF_OVERRIDDEN.items() if self._overrides(name)}
        if self.mapping is not None:
            map_accesses(self, self.mapping, {**self.mapped_methods, **own})
        elif self.barriers not in ("none", "guest"):
            missing = self.machine.guest_order & ~self.machine.host_order & self.emitted
            barriers = AccessMapping("barriers", Access(missing & _BEFORE_LOAD), Access(missing & _BEFORE_STORE))
            methods = {"load": "load", "store": "store", **own}
            map_accesses(self, barriers, {name: row for name, row in methods.items() if row != "compare"})

    def _overrides(self, name: str) -> bool:
        return getattr(getattr(self, name), "__func__", None) is not getattr(Scheme, name)

    def watched_reservation(self, cpu: VCpu) -> Op | None:
        """Return the STORE_CONDITIONAL by which a sleep asks whether the vCPU still has its reservation.

        None if the vCPU has no reservation, or if the loss of one wakes up no vCPU, as by default.

        Args:
            cpu: The vCPU that is to sleep.
        """
        return None

    async def watch(self, cpu: VCpu, address: int) -> None:
        """Load the byte at `address` and watch the bytes around it for UMWAIT; by default UMWAIT does not wait.

        Args:
            cpu: The vCPU that watches.
            address: Guest-virtual address.
        """
        await self.load(cpu, address, 1)

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """Take an exception: release what a half-done instruction holds.

        Args:
            cpu: The vCPU that takes the exception.
            cause: Why it takes it.
        """

    async def thread_exit(self, cpu: VCpu) -> None:
        """Clean up before the guest thread of `cpu` ends."""

    @property
    def has_thread_exit(self) -> bool:
        """Whether `thread_exit` is overridden; if not, the engine need not call it."""
        return getattr(self.thread_exit, "__func__", None) is not Scheme.thread_exit

    def _missing(self, what: str) -> Exception:
        return NotEmulatedError(f"the scheme {self.name!r} does not emulate {what}; choose one that does")


def _mapping(mapping: str | None, barriers: str | None) -> AccessMapping | None:
    if mapping == "usual":
        return None
    if barriers != "usual":
        raise UsageError(
            f"give either mapping or barriers, not both: mapping={mapping or 'none'} says already which barriers are "
            "emitted, and where"
        )
    return mapping_of(mapping)


def _emitted(barriers: object) -> Barrier:
    if barriers in ("guest", "full"):
        return Barrier.FULL
    if isinstance(barriers, str):
        with suppress(UsageError):
            return parse_barrier(barriers)
    raise UsageError(f"barriers must be none, guest, full or a set of orders such as st-ld+st-st, not {barriers!r}")
