"""A vCPU as guest code sees it: the instructions that every instruction set has.

An instruction opens a record in the trace, lets the scheme's helper perform its host operations, and closes the record.
The class of the instruction set defines the *meaning* of an instruction, the scheme its *emulation*; neither knows the
other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from types import CoroutineType, MappingProxyType
from typing import Any, ClassVar

from simaie.arguments import require_address, require_instance, require_text
from simaie.barrier import Barrier
from simaie.block import Block, Call
from simaie.callbacks import makes_coroutine, require_plain
from simaie.errors import GuestFault, UsageError
from simaie.guest.blocks import AtomicBlock, CallBlock, EventualBlock, check_closed
from simaie.guest.contract import no_awaitable, wrong_result
from simaie.guest.form import Form
from simaie.guest.function import rmw
from simaie.guest.goals import noted
from simaie.guest.guarantee import Guarantee
from simaie.guest.operand_errors import wrong_place
from simaie.guest.operands import MAX_ARITY, WIDTHS
from simaie.guest.reservation import Cause, ReservationRule
from simaie.guest.running import RestartPoint, Runner
from simaie.guest.signals import Signalled, take_signals
from simaie.guest.sleeping import SLEEPING, Sleeping
from simaie.host.loaded import LOADED, plain
from simaie.host.pages import Page
from simaie.host.ram import Endian
from simaie.op import UNTIL, Function, Kind, Op, Order
from simaie.protocols import MachineFacts
from simaie.trace import PENDING, AccessKind, CodePlace, Effect, Instruction, Obligation, ReservationEnd

__all__ = ["Cpu", "Thread"]

_LOAD, _STORE = AccessKind.LOAD, AccessKind.STORE  # looked up once, not per access
_CONDITIONAL, _OTHER = AccessKind.STORE_CONDITIONAL, AccessKind.OTHER

_WIDTHS = frozenset(WIDTHS)
#: The methods that are no instructions of a list.
_NO_INSTRUCTIONS = frozenset({
    "instruction_names", "leave", "atomic", "call", "end_of_call", "note_exception", "note_switch", "restart_point",
    "abandon_instruction", "sometimes", "reachable", "eventually", *SLEEPING,
})  # fmt: skip


class Thread:
    """A handle to a spawned guest thread.

    Attributes:
        name: The name of its vCPU.
        done: Whether the thread has ended.
    """

    __slots__ = ("done", "name")

    def __init__(self, name: str) -> None:
        self.name, self.done = name, False


class Cpu(Sleeping, Signalled):
    """One vCPU. `address` and `width` are in bytes.

    Results are unsigned. Of a value that an instruction takes, the low `width` bytes count, as in a register: the byte
    256 is 0, and -1 is all ones. This holds for stores and for read-modify-writes alike.

    Attributes:
        name: Structural name, e.g. ``"0"``.
        identity: The token by which a scheme knows the vCPU; a later thread may get the same token.
        local: The scheme's own state of this vCPU.
        instruction: The instruction in execution; None between two instructions.
        entered: The instruction of the last operation performed for this vCPU, from which the engine knows whether the
            vCPU is inside an instruction.
        silent: The accesses that ended before any operation was seen to be performed for them.
        counted: Whether the guest has read the number of instructions begun.
        observations: Values observed so far, by name.
        obligations: The open blocks that are to end in every fair execution.
        goals: The goals reached so far, and whether each has happened (see `simaie.guest.goals`).
        drops: Whether the guest drops the result of the next instruction, as far as that is known: a list of
            instructions says it.
    """

    isa: ClassVar[str] = "generic"
    #: Width of a guest address, in bits: in user mode, and in full-system mode.
    address_bits: ClassVar[tuple[int, int]] = (64, 64)
    #: Byte order of guest RAM, unless the machine sets another one.
    byte_order: ClassVar[Endian] = "little"
    #: Width of a general register in bytes, to which a signed load extends.
    register_width: ClassVar[int] = 8
    #: The memory order of atomic instructions that do not say one themselves.
    atomic_order: ClassVar[Order] = Order.RELAXED
    #: The mnemonics of the plain loads and stores of two registers, whose halves are one access each.
    pairs: ClassVar[frozenset[str]] = frozenset()
    #: The instructions of generated programs.
    forms: ClassVar[tuple[Form, ...]] = ()
    #: The orders of plain accesses that the architecture guarantees without fences.
    memory_order: ClassVar[Barrier] = Barrier.NONE
    #: The host memory that models the memory of the architecture; None if there is no model of it.
    memory_model: ClassVar[str | None] = None
    #: The single-copy atomic accesses: of the base architecture under ``""``, and by the name of an extension.
    guarantees: ClassVar[Mapping[str, Guarantee]] = {}
    #: The architecture's rule for load-linked and store-conditional; None if it has no such instructions.
    reservation: ClassVar[ReservationRule | None] = None
    #: The events that may have ended this vCPU's reservations, in order; created with the first one.
    reservation_ends: list[ReservationEnd] | tuple[()] = ()
    #: All blocks of this vCPU in the order of their beginnings, and the open ones; created with the first one.
    blocks: Sequence[Block] = ()
    open_blocks: Sequence[Block] = ()
    silent: Sequence[Instruction] = ()
    obligations: tuple[Obligation, ...] = ()
    goals: Mapping[str, bool] = MappingProxyType({})
    #: What runs the guest's code, if it is no Python function.
    runner: Runner | None = None
    #: The place of the instruction in execution, if the guest is machine code; else None.
    place: CodePlace | None = None
    #: What guest threads that share this vCPU have in common, and what this one has of it; see
    #: `simaie.schemes.time_sliced`.
    shared: Any = None
    turn: Any = None

    def __init__(self, name: str, identity: int, scheme: Any, machine: MachineFacts) -> None:
        self.name = name
        self.identity = identity
        self.local: Any = None
        self.instruction: Instruction | None = None
        self.entered: Instruction | None = None
        self._begun = 0
        self.counted = self.drops = False
        self.signals = 0  # looked up for each instruction
        self.observations: dict[str, int] = {}
        self._scheme = scheme
        self._machine = machine
        self._end = 1 << machine.address_bits

    @property
    def instructions_begun(self) -> int:
        """The number of instructions begun. For a guest that reads it, each instruction changes its state."""
        self.counted = True
        return self._begun

    # -- plain accesses -----------------------------------------------------------------------

    def load(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Load `width` bytes at `address`.

        Args:
            address: Guest-virtual address.
            width: Width in bytes.
        """
        return self._access("load", _LOAD, address, width, self._scheme.load(self, address, width))

    def store(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Store `width` bytes of `value` at `address`.

        Args:
            address: Guest-virtual address.
            value: The unsigned integer to store.
            width: Width in bytes.
        """
        body = self._scheme.store(self, address, width, value)
        return self._access("store", _STORE, address, width, body, 1, value)

    # -- threads, choices, results ------------------------------------------------------------

    def spawn(self, code: Callable[[Any], Coroutine[Any, Any, Any]]) -> Coroutine[Any, Any, Thread]:
        """Start a guest thread that runs ``code(cpu)`` on a separate vCPU; return a handle to join."""
        if not callable(code):
            raise UsageError(f"spawn starts an `async def` function of one argument, the vCPU, not {code!r}")
        return self._access("spawn", AccessKind.OTHER, 0, 0, Op(Kind.SPAWN, value=code))

    def join(self, thread: Thread) -> Coroutine[Any, Any, None]:
        """Wait until a spawned thread has ended."""
        require_instance("what join waits for", thread, Thread, "the thread that spawn returned")
        return self._access("join", AccessKind.OTHER, 0, 0, Op(Kind.JOIN, value=thread))

    def wait_until(
        self, address: int, predicate: Callable[[int], bool], *, width: int = 4
    ) -> Coroutine[Any, Any, int]:
        """Wait until ``predicate(value)`` holds of the location, without spinning; return the value.

        Args:
            address: Guest-virtual address.
            predicate: A plain function of the unsigned value.
            width: Width in bytes.
        """
        if makes_coroutine(predicate) or not callable(predicate):
            require_plain("what wait_until waits for", predicate)
        body = self._scheme.wait(self, address, width, Function(UNTIL, predicate))
        return self._access("wait", AccessKind.LOAD, address, width, body, sleeps=True)

    def choose(self, arity: int, what: str = "") -> Coroutine[Any, Any, int]:
        """Return a non-deterministic integer in [0, arity); the scheduler explores all of them. No memory access.

        Args:
            arity: Number of alternatives.
            what: The question that the choice answers, as a trace shows it.
        """
        if type(arity) is not int or not 1 <= arity <= MAX_ARITY:
            raise UsageError(f"choose takes from 1 to {MAX_ARITY:,} alternatives, not {arity!r}")
        require_text("what is chosen", what)
        return self._access("choose", AccessKind.OTHER, 0, 0, Op(Kind.CHOICE, value=arity, note=what))

    def observe(self, name: str, value: int) -> None:
        """Add ``<vCPU>:<name> = value`` to the outcome of the execution.

        Args:
            name: Name of the observation; a later observation of the same name replaces it.
            value: The observed integer.
        """
        if type(value) is not int or type(name) is not str:
            value = _observable(name, value)
        self.observations[name] = value

    # -- what the guest states about its own code -----------------------------------------------

    def eventually(self, name: str) -> EventualBlock:
        """Return a block that states that the code inside ends: ``async with cpu.eventually("gets the lock"):``.

        It is to end in every fair execution, however long. A deadlock, a livelock or a cycle that a fair schedule can
        repeat for ever violates that if the block stays open. The block is a record only: no step, no help.

        Args:
            name: Name of the block in findings.
        """
        require_text("the name of a block that is to end", name)
        return EventualBlock(self, name)

    def sometimes(self, name: str, condition: bool = True) -> None:
        """State that `condition` is to be true here in some execution; reports name the goals that never happened.

        Like `atomic`, it is a record only: no step, and no branch. See `simaie.guest.goals`.

        Args:
            name: Name of the goal; several places may share it.
            condition: Whether the goal happens now.
        """
        self.goals = noted(self.goals, name, condition)

    def reachable(self, name: str) -> None:
        """State that this place is to be reached in some execution: a goal as that of `sometimes`, always true."""
        self.goals = noted(self.goals, name, True)

    def atomic(self, name: str) -> AtomicBlock:
        """Return a block that states that the code inside is meant to be atomic: ``async with cpu.atomic("push"):``.

        Checkers may judge whether it is. A block inside another atomic block is a part of that block. The block is a
        record only: no step, no lock; it makes nothing atomic.
        """
        return AtomicBlock(self, Block(self.name, name, 0))

    def call(self, name: str, *args: Any, ordered: bool = False) -> CallBlock:
        """Return a block that records a call of an object, for checkers to judge.

        Use it as ``async with cpu.call("pop") as call: ... call.returns(value)``. Like `atomic`, the block is a record
        only, unless it is `ordered`. The two ends of an ordered call are steps, so that ``dpor`` also distinguishes
        which calls ended before others began, and can prove that an object is linearizable. These steps are no accesses
        of the guest, and order nothing on the host.

        Args:
            name: Name of the method.
            *args: Arguments of the call, which should be plain values.
            ordered: Whether the two ends are steps.
        """
        return CallBlock(self, Call(self.name, name, 0, args=args, ordered=ordered))

    def _update(self, name: str, operand: int, width: int, *, drops: bool = False) -> Function:
        """Return the function of a read-modify-write.

        Args:
            name: As for `simaie.guest.function.rmw`; `operand` and `width` likewise.
            operand: The operand.
            width: The width in bytes.
            drops: Whether the instruction has no result at all.
        """
        return rmw(name, operand, width, drops=(drops or self.drops) and self._scheme.only_returns_old)

    def end_of_call(self, mnemonic: str, *, write: bool) -> Coroutine[Any, Any, None]:
        """Perform one end of an ordered call; two beginnings do not conflict, all other pairs of ends do."""
        calls = self._scheme.host.calls
        body = calls.update("count", _count) if write else calls.load()
        return self._access(mnemonic, AccessKind.OTHER, 0, 0, body)

    # -- the system side ----------------------------------------------------------------------

    def exception(self, cause: str = "exception") -> Coroutine[Any, Any, None]:
        """Take an exception, interrupt or context switch between two instructions, and return from it."""
        require_text("the cause of an exception", cause)
        body = self._scheme.exception(self, cause)
        return self._access(cause, AccessKind.OTHER, 0, 0, body, ends=Cause.EXCEPTION)

    def map_page(self, address: int, page: Page) -> Coroutine[Any, Any, None]:
        """Replace the page-table entry of `address`, as an operating system does.

        Args:
            address: A guest-virtual address in the page.
            page: The new entry.
        """
        require_address("the address of a page", address)
        require_instance("what map_page puts there", page, Page, "a simaie.Page")
        if not self._machine.full_system:
            raise UsageError(
                f"vCPU {self.name!r} maps a page at {address:#x} in user mode, where the mapping stays as it is; "
                "run it on Machine(full_system=True), or give the program its `pages`"
            )
        return self._access("map-page", AccessKind.OTHER, 0, 0, self._scheme.pages.set(address, page))

    def leave(self) -> Coroutine[Any, Any, None]:
        """End the thread; the engine calls this, guest code need not. Raise UsageError if it ends inside a block."""
        check_closed(self)
        body = _nothing() if self.shared is not None else self._scheme.thread_exit(self)
        return self._access("thread-exit", AccessKind.OTHER, 0, 0, body, sleeps=True)

    # -- how an instruction is performed --------------------------------------------------------

    async def _access(
        self,
        mnemonic: str,
        access: AccessKind,
        address: int,
        width: int,
        body: Awaitable[Any],
        alignment: int = 1,
        effect: Effect = None,
        *,
        ends: Cause | None = None,
        sleeps: bool = False,
    ) -> Any:
        """Perform one guest instruction: record it, check the address, run `body`, check the scheme's result.

        A fault in the middle is passed to the scheme, which must release what it holds, and then to the guest.

        Args:
            mnemonic: Name of the instruction.
            access: Kind of the access.
            address: Guest-virtual address.
            width: Width in bytes.
            body: Performs the access.
            alignment: Bytes to which the address must be aligned.
            effect: The value or function that the instruction applies to its location.
            ends: How the instruction may end the vCPU's reservation; implied for a store-conditional.
            sleeps: Whether the instruction waits for others, or ends the thread.

        Raises:
            SchemeError: The scheme returned a result of the wrong type.
            GuestFault: The address is misaligned or out of range, or the access faults.
        """
        if self.signals:
            await self._take_signals(mnemonic, body)
        number = self._begun
        self._begun = number + 1
        if type(address) is LOADED:
            address = plain(address)  # `body` has it with its dependencies
        if effect is not None and type(effect) is not int:
            effect = _plain_effect(effect)
        record = Instruction(self.name, number, mnemonic, access, address, width, PENDING, effect, self.place)
        if self.shared is not None:
            await self._begin_turn(body, sleeps=sleeps)
        self.instruction = record
        try:
            if (
                address < 2  # a bool?
                or width is True
                or width not in _WIDTHS
                or address + width > self._end
                or (alignment > 1 and address % alignment)
            ):
                self._require_place(record, alignment)
            result = await body
        except GuestFault as fault:
            _close(body)
            self._scheme.host.let_go(self)
            await self._scheme.exception(self, fault.cause)
            self.instruction = None
            self._note_end_of_reservation(Cause.EXCEPTION, record)
            raise
        except UsageError:
            _close(body)
            raise
        except TypeError:
            if isinstance(body, Awaitable):
                _close(body)
                raise
            raise no_awaitable(self._scheme, record, body) from None
        seen = plain(result) if type(result) is LOADED else result
        if access is not _OTHER:
            if access is _STORE:
                fits = seen is None
            elif access is _CONDITIONAL:
                fits = seen is True or seen is False
            else:
                fits = type(seen) is int and not seen >> 8 * width
            if not fits:
                raise wrong_result(self._scheme, record, result)
            if self.entered is not record:
                self.silent = [*self.silent, record]
        record.result = seen
        self.instruction = None
        if access is _CONDITIONAL:
            self._note_end_of_reservation(Cause.STORE_CONDITIONAL, record)
        elif ends is not None:
            self._note_end_of_reservation(ends, record)
        if self.turn is not None:
            await self.shared.end(self)
        return result

    async def _take_signals(self, mnemonic: str, body: Awaitable[Any]) -> None:
        try:
            await take_signals(self, mnemonic)
        except BaseException:
            _close(body)  # it will never begin
            raise

    async def _begin_turn(self, body: Awaitable[Any], *, sleeps: bool) -> None:
        """Take or give up the vCPU that guest threads share; if the execution ends before that, close `body`."""
        has_begun = False
        try:
            await self.shared.begin(self, body, sleeps=sleeps)
            has_begun = True
        finally:
            if not has_begun:
                _close(body)

    def restart_point(self) -> RestartPoint | None:
        """Return the state of the guest before the instruction in execution; None if it cannot be taken back there."""
        return None if self.runner is None else self.runner.restart_point()

    def abandon_instruction(self, observations: Iterable[tuple[str, int]]) -> None:
        """End the instruction in execution without a result, since the guest goes on from an earlier one.

        Args:
            observations: What the vCPU had observed before that earlier instruction.
        """
        if self.instruction is not None:
            self._note_end_of_reservation(Cause.EXCEPTION, self.instruction)
            self.instruction = None
        self.observations = dict(observations)

    def note_exception(self) -> None:
        """Record that an exception has arrived before the effect of the current instruction, which starts again."""
        if self.instruction is not None:
            self._note_end_of_reservation(Cause.EXCEPTION, self.instruction)

    def note_switch(self, what: str) -> None:
        """Record that another guest thread had the vCPU before the instruction that comes next.

        Args:
            what: The name of the exception by which the vCPU came back.
        """
        self._add_end_of_reservation(Cause.EXCEPTION, self._begun - 1, what)

    def _note_end_of_reservation(self, cause: Cause, by: Instruction) -> None:
        """Record how an instruction affected the reservation: its scheme may perform no operation for that."""
        self._add_end_of_reservation(cause, by.number, by.mnemonic)

    def _add_end_of_reservation(self, cause: Cause, number: int, what: str) -> None:
        if self.reservation is not None:
            ends = self.reservation_ends = self.reservation_ends or []
            ends.append(ReservationEnd(self.name, number, cause.name, what))

    def _require_place(self, record: Instruction, alignment: int) -> None:
        """Raise GuestFault for an access to a place that it must not access, UsageError for what is no place."""
        address, width = record.address, record.width
        if problem := wrong_place(record.access, address, width):
            raise UsageError(f"{record.mnemonic}: {problem}")
        if alignment > 1 and address % alignment and not self._scheme.checks_alignment:
            raise GuestFault("alignment", address, f"{width}-byte access at {address:#x} is not aligned")
        if address < 0 or address + width > self._end:
            raise GuestFault("address", address, f"{address:#x} is outside {self._machine.address_bits} address bits")

    def _note_second(self, second: int) -> None:
        """Record that the instruction in execution accesses a second location; raise as `_require_place` does."""
        record = self.instruction
        assert record is not None
        record.second = second
        if problem := wrong_place(record.access, second, record.width):
            raise UsageError(f"{record.mnemonic}: the second {problem}")
        if second < 0 or second + record.width > self._end:
            raise GuestFault("address", second, f"{second:#x} is outside {self._machine.address_bits} address bits")

    @classmethod
    def instruction_names(cls) -> list[str]:
        """Return the names of the methods that guest code may call, sorted."""
        names = (n for n in dir(cls) if not n.startswith("_") and callable(getattr(cls, n)))
        return sorted(set(names) - _NO_INSTRUCTIONS)


def _count(ended: int) -> tuple[int, None]:
    return ended + 1, None


def _plain_effect(effect: Any) -> Effect:
    """Return the effect of an instruction without the dependencies of its numbers."""
    return tuple(map(plain, effect)) if type(effect) is tuple else plain(effect)


def _observable(name: Any, value: Any) -> int:
    """`value`, to be observed as `name`; UsageError if they are no integer and no text."""
    value = plain(value)
    require_text("the name of what is observed", name)
    if not isinstance(value, int):
        raise UsageError(f"what is observed as {name!r} must be an integer, not {value!r}")
    return int(value)


async def _nothing() -> None:
    pass


def _close(body: object) -> None:
    """Close a coroutine that never started, and those that it was created with: Python would warn about them."""
    if isinstance(body, CoroutineType) and body.cr_frame is not None:
        handed = list(body.cr_frame.f_locals.values())
        body.close()
        for each in handed:
            _close(each)


def check_width(width: int, allowed: tuple[int, ...] = WIDTHS) -> None:
    """Raise UsageError unless `width` is in `allowed`, in bytes."""
    if width is True or width not in allowed:
        raise UsageError(f"width must be one of {', '.join(map(str, allowed))} bytes, not {width!r}")
