"""What happened: one event per operation, each knowing the guest instruction that it belongs to.

A trace is everything that a checker, a picture or a replay needs; its digest is the identity of an execution:
equal digests mean equal executions, in any process and on either driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeAlias

import msgspec

from simaie import plugins
from simaie.block import Block, Call
from simaie.decision import Schedule
from simaie.dependence import READS, blocks, writes
from simaie.encoding import Plain, digest_of, plain, plain_op
from simaie.op import Function, Kind, Op, show

__all__ = [
    "PENDING",
    "STUCK",
    "AccessKind",
    "Effect",
    "Ending",
    "Event",
    "Fault",
    "Instruction",
    "Outcome",
    "ReservationEnd",
    "Trace",
    "watched_address",
    "watched_name",
]


_LOAD, _STORE = Kind.LOAD, Kind.STORE  # looked up once, not per event
_MUTEX = frozenset({Kind.LOCK, Kind.UNLOCK, Kind.UPDATE})


#: From here on a number is easier to read in hexadecimal.
_HEXADECIMAL_FROM = 10_000


class AccessKind(StrEnum):
    """What a guest instruction does to memory, as the schemes and the checkers see it."""

    LOAD = "load"
    STORE = "store"
    ATOMIC = "atomic"  # a locked read-modify-write: LOCK-prefixed, XCHG, SWP
    PLAIN_RMW = "plain-rmw"  # reads, then writes, and promises nothing
    LOAD_LINKED = "load-linked"
    STORE_CONDITIONAL = "store-conditional"
    OTHER = "other"  # fences, pauses, exceptions, thread exit


class _Pending:
    """The result of an instruction that has not completed; false, like the absence that it is."""

    name = "pending"

    def __bool__(self) -> bool:
        return False


PENDING = _Pending()


#: What an instruction is asked to make of its location: the value that a store stores, a function of the old value, or
#: (expected, new) of a compare-and-exchange. None: nothing, or it is not known.
Effect: TypeAlias = int | Function | tuple[int, int] | None


class Instruction(msgspec.Struct, eq=False, gc=False):
    """One guest instruction. `result` is what it returned, None if nothing, and `PENDING` until it has completed.

    vcpu: name of the vCPU; number: its how-manieth instruction, from 0; address, width: in bytes, guest-virtual.
    effect: what it is asked to make of its location, see `Effect`. `result` is what the scheme returned (the value
    read, or whether a store-conditional stored); the ISA's class may make another value of it for the guest.
    """

    vcpu: str
    number: int
    mnemonic: str
    access: AccessKind
    address: int
    width: int
    result: Any = PENDING
    effect: Effect = None

    @property
    def completed(self) -> bool:
        """Whether it came to its end: not if it faulted, or was cut short with the execution."""
        return self.result is not PENDING

    def __str__(self) -> str:
        place = f" [{self.address:#x}]" if self.width else ""
        return f"{self.mnemonic}{place}"


class ReservationEnd(msgspec.Struct, frozen=True):
    """An instruction that may have ended the LL/SC reservation of its vCPU, whether or not an event belongs to it.

    number: as in `Instruction`. cause: the name of a `simaie.guest.reservation.Cause`.
    """

    vcpu: str
    number: int
    cause: str
    mnemonic: str


class Event(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One performed operation: who, what, the value it returned, and the guest instruction it belongs to, if any."""

    actor: str
    op: Op
    value: Any
    instruction: Instruction | None = None

    @property
    def wrote(self) -> bool:
        """Whether the operation changed shared state (a failed compare-and-swap did not)."""
        return writes(self.op, self.value)

    @property
    def reads_ram(self) -> bool:
        """Whether it read guest RAM."""
        return self.op.width > 0 and self.op.kind in READS

    @property
    def writes_ram(self) -> bool:
        """Whether it wrote guest RAM."""
        return self.op.width > 0 and writes(self.op, self.value)

    @property
    def form(self) -> Plain:
        """The event as plain data; see `simaie.encoding`. Equal forms mean equal events, in any process."""
        instruction = self.instruction
        number = -1 if instruction is None else instruction.number
        return number, self.actor, plain_op(self.op), plain(self.value)

    def __str__(self) -> str:
        result = "" if self.value is None else f" = {show(self.value)}"
        return f"{self.actor}: {self.op}{result}"


class Ending(StrEnum):
    """How an execution ended."""

    FINISHED = "finished"
    DEADLOCK = "deadlock"  # somebody waits and nobody can ever step again
    LIVELOCK = "livelock"  # the same, and the waiting is a guest's spin on a location
    STEP_LIMIT = "step-limit"
    THREAD_LIMIT = "thread-limit"
    PRUNED = "pruned"  # the scheduler gave the execution up


#: Nothing could take a step any more, though something waits.
STUCK = frozenset({Ending.DEADLOCK, Ending.LIVELOCK})


class Fault(msgspec.Struct, frozen=True):
    """What ended a vCPU early, before event number `step`: a guest fault that nobody handled, or a failed assertion."""

    vcpu: str
    step: int
    message: str
    kind: str = "fault"  # or "assertion"


def watched_name(address: int) -> str:
    """The name that a watched place in memory has in an outcome, as in ``[0x1000]``."""
    return f"[{address:#x}]"


def watched_address(name: str) -> int | None:
    """The address of a watched place in memory by its name in an outcome; None if it names a register."""
    return int(name[1:-1], 16) if name.startswith("[0x") else None


class Outcome(msgspec.Struct, frozen=True):
    """The final state that a program lets the world see: observed registers and watched memory, sorted by name."""

    items: tuple[tuple[str, int], ...] = ()

    def __getitem__(self, name: str) -> int:
        return dict(self.items)[name]

    def as_dict(self) -> dict[str, int]:
        """The outcome as name -> value."""
        return dict(self.items)

    def __str__(self) -> str:
        items = [f"{name}={value if abs(value) < _HEXADECIMAL_FROM else hex(value)}" for name, value in self.items]
        return " ".join(items) or "(nothing observed)"


class Trace:
    """One execution, from its first operation to its ending.

    events: in the order performed. waiting: for a deadlock, the announced operation of each stuck vCPU.
    promises: what the scheme says of itself (see `simaie.protocols.Promise`); checkers judge by it. accepted: what the
    program's final check said, None where it was not asked. refusal: why it refused, as far as it says. blocks: what
    the guest said of its own code, vCPU by vCPU. isa: of the guest. reservation_ends: what may have ended LL/SC
    reservations, vCPU by vCPU. endian: the byte order of guest RAM. frames: where the guest's page table puts pages in
    the beginning, page number -> physical address; other pages map to themselves. silent: candidates for `silent`.
    """

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

    def player(self) -> Any:
        """A widget to step through it in a notebook, by slider and keys; a picture where the extra is missing."""
        return plugins.resolve(plugins.RENDERERS, "player")(self)

    def plot_conflicts(self, *, granule: int = 16) -> Any:
        """Conflicting accesses by vCPU and granule (in bytes), as a `simaie.show.plots.Plot`."""
        return plugins.resolve(plugins.RENDERERS, "conflicts-plot")(self, granule=granule)

    @property
    def truncated(self) -> bool:
        """Whether a limit cut the execution short."""
        return self.ending in (Ending.STEP_LIMIT, Ending.THREAD_LIMIT)

    @cached_property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of operation that occur: by it a checker knows in no time that it has nothing to judge."""
        return frozenset({event.op.kind for event in self.events})

    @cached_property
    def accesses(self) -> frozenset[AccessKind]:
        """The kinds of guest instruction that occur."""
        return frozenset({ins.access for event in self.events if (ins := event.instruction) is not None})

    @property
    def calls(self) -> list[Call]:
        """The calls of objects among the blocks."""
        return [block for block in self.blocks if isinstance(block, Call)]

    @cached_property
    def mutex_steps(self) -> list[int]:
        """The indices of the events that lock, unlock, or access a structure that a mutex guards."""
        return [index for index, event in enumerate(self.events) if event.op.kind in _MUTEX]

    @cached_property
    def ram_writes(self) -> dict[int, list[int]]:
        """The indices of the events that wrote RAM, in order, by the aligned 8-byte block (address >> 3) touched."""
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
        """The events of guest instructions, without the operations that plainly are what the instruction asks for.

        Such an operation reads or writes the instruction's whole location and hands on the very value. Most events are
        of this kind: a checker that has to look at each of them looks at the others only.
        """
        events = self.events
        if not self.frames:
            with suppress(AttributeError):  # a thread's exit belongs to no instruction
                return _indirect(events)
        events = [event for event in events if event.instruction is not None]
        return events if self.frames else _indirect(events)

    @property
    def silent(self) -> list[Instruction]:
        """The completed accesses of guests that no event belongs to: their schemes performed no operation for them."""
        if not self._silent:
            return []
        seen = {event.instruction for event in self.events}
        return [instruction for instruction in self._silent if instruction not in seen]

    @cached_property
    def digest(self) -> str:
        """128 bits over every event, block, the ending and the outcome, in hexadecimal; see `simaie.encoding`."""
        blocks = [
            (block.vcpu, block.name, block.first, _call_form(block) if isinstance(block, Call) else None)
            for block in self.blocks
        ]
        # Without their messages: pytest words the assertions of a guest anew.
        faults = [(fault.vcpu, fault.step, fault.kind) for fault in self.faults]
        outcome = [(name, plain(value)) for name, value in self.outcome.items]
        events = [event.form for event in self.events]
        return digest_of((events, blocks, self.ending.value, outcome, faults), 16)


def _call_form(call: Call) -> Plain:
    return plain(call.args), call.completed, plain(call.result) if call.completed else None


def _indirect(events: Sequence[Event]) -> list[Event]:
    """See `Trace.indirect`; AttributeError if an event belongs to no instruction. Identities are quick to compare."""
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
