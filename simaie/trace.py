"""Traces of executions: one event per operation, with the guest instruction to which it belongs.

A trace holds everything that a checker, a picture or a replay needs. Its digest identifies the execution: equal digests
mean equal executions, in any process and on either driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

from simaie import plugins
from simaie.block import Block, Call
from simaie.decision import Schedule
from simaie.dependence import READS, blocks, writes
from simaie.encoding import Plain, digest_of, plain, plain_op
from simaie.execution_graph import ExecutionGraph
from simaie.op import Function, Kind, Op, show

if TYPE_CHECKING:
    from simaie.show.plots.plot import Plot
    from simaie.show.widgets.make import Still
    from simaie.show.widgets.player import Player

__all__ = [
    "PENDING",
    "STUCK",
    "AccessKind",
    "CodePlace",
    "Effect",
    "Ending",
    "Event",
    "Fault",
    "Instruction",
    "Obligation",
    "Outcome",
    "ReservationEnd",
    "Trace",
    "watched_address",
    "watched_name",
]


_LOAD, _STORE = Kind.LOAD, Kind.STORE  # looked up once, not per event
_MUTEX = frozenset({Kind.LOCK, Kind.UNLOCK, Kind.UPDATE})


#: The smallest number that outcomes print in hexadecimal, where it is easier to read.
_HEXADECIMAL_FROM = 10_000


class AccessKind(StrEnum):
    """The kind of access to memory that a guest instruction makes, as schemes and checkers see it."""

    LOAD = "load"
    STORE = "store"
    ATOMIC = "atomic"  # a locked read-modify-write: LOCK-prefixed, XCHG, SWP
    PLAIN_RMW = "plain-rmw"  # reads, then writes, and promises nothing
    LOAD_LINKED = "load-linked"
    STORE_CONDITIONAL = "store-conditional"
    OTHER = "other"  # fences, pauses, exceptions, thread exit


class _Pending:
    """The result of an instruction that has not completed; it is false."""

    name = "pending"

    def __bool__(self) -> bool:
        return False


PENDING = _Pending()


#: The change that an instruction asks of its location: the value that a store stores, a function of the old value, or
#: (expected, new) of a compare-and-exchange. None if it asks for no change, or the change is not known.
Effect: TypeAlias = int | Function | tuple[int, int] | None


class CodePlace(Protocol):
    """The place of an instruction in machine code.

    Its text is that of its source lines, from the inside out (``"lock.h:77 < worker.c:22"``), or empty.
    """

    @property
    def disassembly(self) -> str:
        """The instruction with its operands, as a disassembler shows it; empty if it is not known."""

    def location(self, address: int) -> str:
        """Return an address of the guest in terms of symbols, as in ``lock+0``; empty if no symbol contains it."""


class Instruction(msgspec.Struct, eq=False, gc=False):
    """One guest instruction that a vCPU began.

    Attributes:
        vcpu: The name of the vCPU.
        number: The 0-based index of the instruction on its vCPU.
        mnemonic: The name of the instruction.
        access: The kind of access to memory.
        address: The guest-virtual address of its location.
        width: The size of its location, in bytes.
        result: What the scheme returned: the value read, whether a store-conditional stored, or None. The vCPU class
            may return another value to the guest. It is `PENDING` until the instruction has completed.
        effect: The change that the instruction asks of its location; see `Effect`.
        place: Its place in the guest's code, if the guest is machine code; else None.
        second: The address of its second location, if it accesses two of this width indivisibly.
    """

    vcpu: str
    number: int
    mnemonic: str
    access: AccessKind
    address: int
    width: int
    result: Any = PENDING
    effect: Effect = None
    place: CodePlace | None = None
    second: int | None = None

    @property
    def completed(self) -> bool:
        """Whether the instruction completed: false if it faulted or the execution ended before."""
        return self.result is not PENDING

    def __str__(self) -> str:
        name = self.place.location(self.address) if self.place is not None else ""
        location = f" [{name or hex(self.address)}]" if self.width else ""
        return f"{self.mnemonic}{location}{self.at}"

    @property
    def at(self) -> str:
        """Its place in the guest's source, as in ``" at stack.c:12"``; empty if it is not known."""
        return f" at {self.place}" if self.place is not None and str(self.place) else ""


class ReservationEnd(msgspec.Struct, frozen=True):
    """An instruction that may have ended the LL/SC reservation of its vCPU, whether or not it performed an operation.

    Attributes:
        vcpu: The name of the vCPU.
        number: The 0-based index of the instruction on its vCPU.
        cause: The name of a `simaie.guest.reservation.Cause`.
        mnemonic: The name of the instruction.
    """

    vcpu: str
    number: int
    cause: str
    mnemonic: str


class Obligation(msgspec.Struct, frozen=True):
    """A block of guest code that is to end in every fair execution, and has begun (see `simaie.Cpu.eventually`).

    Attributes:
        vcpu: The name of the vCPU.
        name: The name of the block.
        first: The number of guest instructions that the vCPU had begun before the block.
    """

    vcpu: str
    name: str
    first: int


class Event(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One performed operation.

    Attributes:
        actor: The name of the actor that performed it.
        op: The operation.
        value: What the operation returned.
        instruction: The guest instruction to which it belongs, if it belongs to one.
    """

    actor: str
    op: Op
    value: Any
    instruction: Instruction | None = None

    @property
    def wrote(self) -> bool:
        """Whether the operation changed shared state; a failed compare-and-swap did not."""
        return writes(self.op, self.value)

    @property
    def reads_ram(self) -> bool:
        """Whether the operation read guest RAM."""
        return self.op.width > 0 and self.op.kind in READS

    @property
    def writes_ram(self) -> bool:
        """Whether the operation wrote guest RAM."""
        return self.op.width > 0 and writes(self.op, self.value)

    @property
    def form(self) -> Plain:
        """The event as plain data (see `simaie.encoding`); equal events have equal forms in any process."""
        instruction = self.instruction
        number = -1 if instruction is None else instruction.number
        return number, self.actor, plain_op(self.op), plain(self.value)

    def __str__(self) -> str:
        result = "" if self.value is None else f" = {show(self.value)}"
        return f"{self.actor}: {self.op}{result}"


class Ending(StrEnum):
    """The way in which an execution ended."""

    FINISHED = "finished"
    DEADLOCK = "deadlock"  # an actor waits and no actor can ever step again
    LIVELOCK = "livelock"  # the same, where the actor that waits is a guest that spins on a location
    STEP_LIMIT = "step-limit"
    THREAD_LIMIT = "thread-limit"
    PRUNED = "pruned"  # the scheduler gave up the execution, or it repeats tries (see `simaie.engine.spin`)
    LASSO = "lasso"  # its last steps can be repeated for ever (see `Trace.cycle`)


#: The endings in which an actor still waits and no actor can take a step.
STUCK = frozenset({Ending.DEADLOCK, Ending.LIVELOCK})


class Fault(msgspec.Struct, frozen=True):
    """A guest fault that the guest did not handle, or a failed assertion: it ended a vCPU early.

    Attributes:
        vcpu: The name of the vCPU.
        step: The number of events before it.
        message: The fault or assertion in words.
        kind: ``"fault"`` or ``"assertion"``; ``"kill"`` for a vCPU that was killed, which is no fault of the guest.
    """

    vcpu: str
    step: int
    message: str
    kind: str = "fault"


def watched_name(address: int) -> str:
    """Return the name that a watched place in memory has in an outcome, as in ``[0x1000]``."""
    return f"[{address:#x}]"


def watched_address(name: str) -> int | None:
    """Return the address of a watched place in memory from its name in an outcome; None for a register's name."""
    return int(name[1:-1], 16) if name.startswith("[0x") else None


class Outcome(msgspec.Struct, frozen=True, cache_hash=True):
    """The observable final state of an execution: observed registers and watched memory, sorted by name."""

    items: tuple[tuple[str, int], ...] = ()

    def __getitem__(self, name: str) -> int:
        return dict(self.items)[name]

    def as_dict(self) -> dict[str, int]:
        """Return the outcome as a dict from name to value."""
        return dict(self.items)

    def __str__(self) -> str:
        items = [f"{name}={value if abs(value) < _HEXADECIMAL_FROM else hex(value)}" for name, value in self.items]
        return " ".join(items) or "(nothing observed)"


class Trace:
    """One execution, from its first operation to its ending.

    Attributes:
        program: The name of the program.
        events: The events in the order in which their operations were performed.
        ending: How the execution ended.
        outcome: The observed registers and watched memory at the end.
        schedule: The decisions of the scheduler.
        waiting: Of a deadlock, the announced operation of each stuck vCPU.
        faults: The guest faults and failed assertions that ended vCPUs.
        promises: What the scheme promises (see `simaie.protocols.Promise`); checkers judge by it.
        accepted: The answer of the program's final check; None if it was not asked.
        refusal: Why the final check refused, if it says why.
        blocks: The blocks and calls that the guest recorded, vCPU by vCPU.
        isa: The guest's instruction set.
        reservation_ends: The instructions that may have ended LL/SC reservations, vCPU by vCPU.
        endian: The byte order of guest RAM.
        frames: The initial page table, from page number to physical address; other pages map to themselves.
        cycle: Of a lasso, the number of steps before the cycle: the steps from there on can be repeated for ever.
        goals: The goals that the guest reached, and whether each has happened (see `simaie.guest.goals`).
        obligations: The blocks that are to end in every fair execution, and have begun and not ended, vCPU by vCPU.
        graph: The graph of the execution, on a host of execution graphs. The steps of the schedule then count decisions
            and not events. None on other hosts.
    """

    #: What occurred in the execution, as bits (see `simaie.check.needs`). By default anything may have.
    occurred: int = -1
    goals: Mapping[str, bool] = {}

    def __init__(
        self,
        *,
        program: str,
        events: list[Event],
        ending: Ending,
        outcome: Outcome,
        schedule: Schedule,
        waiting: Mapping[str, Op],
        faults: tuple[Fault, ...] = (),
        promises: frozenset[str] = frozenset(),
        accepted: bool | None = None,
        refusal: str = "",
        blocks: tuple[Block, ...] = (),
        isa: str = "",
        reservation_ends: tuple[ReservationEnd, ...] = (),
        endian: Literal["little", "big"] = "little",
        frames: Mapping[int, int] | None = None,
        silent: Sequence[Instruction] = (),
        cycle: int | None = None,
        goals: Mapping[str, bool] | None = None,
        obligations: tuple[Obligation, ...] = (),
        graph: ExecutionGraph | None = None,
    ) -> None:
        self.program = program
        self.events = events
        self.ending = ending
        self.outcome = outcome
        self.schedule = schedule
        self.waiting = dict(waiting)
        self.faults = faults
        self.promises = promises
        self.accepted = accepted
        self.refusal = refusal
        self.blocks = blocks
        self.isa = isa
        self.reservation_ends = reservation_ends
        self.endian: Literal["little", "big"] = endian
        self.frames = dict(frames or {})
        self._silent = silent
        self.cycle = cycle
        self.obligations = obligations
        if goals:
            self.goals = goals
        self.graph = graph

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        return f"<Trace of {self.program!r}: {len(self)} steps, {self.ending.value}>"

    def __str__(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "text")(self)
        return drawn

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "notebook")(self)
        return drawn

    def player(self) -> Player | Still:
        """Return a widget that steps through the trace in a notebook, by slider and keys.

        Without the extra ``jupyter`` it is a picture.
        """
        made: Player | Still = plugins.resolve(plugins.RENDERERS, "player")(self)
        return made

    def plot_conflicts(self, *, granule: int = 16) -> Plot:
        """Return a plot of the conflicting accesses by vCPU and granule.

        Args:
            granule: The size of a granule, in bytes.

        Returns:
            A `simaie.show.plots.Plot`.
        """
        made: Plot = plugins.resolve(plugins.RENDERERS, "conflicts-plot")(self, granule=granule)
        return made

    @cached_property
    def deviations(self) -> int:
        """The number of steps that deviated from the default schedule."""
        return len(self.schedule.switches)

    @property
    def truncated(self) -> bool:
        """Whether a limit cut the execution short."""
        return self.ending in (Ending.STEP_LIMIT, Ending.THREAD_LIMIT)

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of operation that occur, by which a checker finds out quickly that it has nothing to judge."""
        return frozenset({event.op.kind for event in self.events})

    @cached_property
    def accesses(self) -> frozenset[AccessKind]:
        """The kinds of access of the guest instructions that occur."""
        return frozenset({ins.access for event in self.events if (ins := event.instruction) is not None})

    @property
    def calls(self) -> list[Call]:
        """The calls of objects that the guest recorded."""
        return [block for block in self.blocks if isinstance(block, Call)]

    @cached_property
    def mutex_steps(self) -> list[int]:
        """The indices of the events that lock, unlock, or access a structure that a mutex guards."""
        return [index for index, event in enumerate(self.events) if event.op.kind in _MUTEX]

    @cached_property
    def ram_writes(self) -> dict[int, list[int]]:
        """The indices of the events that wrote RAM, in order, for each aligned 8-byte block (address >> 3)."""
        found: dict[int, list[int]] = {}
        for index, event in enumerate(self.events):
            op = event.op
            if op.width and op.kind is not _LOAD and (op.kind is _STORE or writes(op, event.value)):
                for block in blocks(op.address, op.width):
                    found.setdefault(block, []).append(index)
        return found

    @cached_property
    def instructions(self) -> list[tuple[Instruction, list[int]]]:
        """The guest instructions in the order of their first event, each with the indices of its events."""
        groups: dict[int, tuple[Instruction, list[int]]] = {}
        for index, event in enumerate(self.events):
            instruction = event.instruction
            if instruction is not None:
                groups.setdefault(id(instruction), (instruction, []))[1].append(index)
        return list(groups.values())

    @cached_property
    def indirect(self) -> list[Event]:
        """The events of guest instructions whose operation is not exactly what the instruction asks for.

        Most operations read or write the whole location of their instruction, with the very value that it asks for. A
        checker that looks for anything else can skip them.
        """
        events = self.events
        if not self.frames:
            with suppress(AttributeError):  # a thread's exit belongs to no instruction
                return _indirect(events)
        events = [event for event in events if event.instruction is not None]
        return events if self.frames else _indirect(events)

    @property
    def silent(self) -> list[Instruction]:
        """The completed guest accesses for which the scheme performed no operation."""
        if not self._silent:
            return []
        seen = {event.instruction for event in self.events}
        return [instruction for instruction in self._silent if instruction not in seen]

    @cached_property
    def digest(self) -> str:
        """A hash of every event and block, the ending and the outcome: 128 bits in hexadecimal (`simaie.encoding`)."""
        blocks = [
            (block.vcpu, block.name, block.first, _call_form(block) if isinstance(block, Call) else None)
            for block in self.blocks
        ]
        # Without their messages, because pytest rewrites those of a guest's assertions.
        faults = [(fault.vcpu, fault.step, fault.kind) for fault in self.faults]
        outcome = [(name, plain(value)) for name, value in self.outcome.items]
        events = [event.form for event in self.events]
        return digest_of((events, blocks, self.ending.value, outcome, faults), 16)


def _call_form(call: Call) -> Plain:
    return plain(call.args), call.completed, plain(call.result) if call.completed else None


def _indirect(events: Sequence[Event]) -> list[Event]:
    """Return `Trace.indirect`, by quick comparisons of identities; AttributeError if an event has no instruction."""
    found: list[Any] = [
        event
        for event in events
        if (op := event.op).width != (asked := event.instruction).width  # type: ignore[union-attr]  # that error
        or event.value is not asked.result  # type: ignore[union-attr]  # that error
        or op.value is not asked.effect  # type: ignore[union-attr]  # that error
        or op.address is not asked.address  # type: ignore[union-attr]  # that error
        or op.function is not None
    ]
    return found
