"""Host operations, and the cells that they access.

An `Op` is one indivisible access to shared host state, and it is the only scheduling point: awaiting an operation
announces it and parks the vCPU until the scheduler chooses it. All shared state is either a byte range of guest RAM or
a named `Cell` of the emulator (a radix slot, a tiny set, a lock), so that the operations alone show all conflicts. An
operation is data: it can be printed, compared in a replay and judged by a checker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from enum import IntEnum, IntFlag, StrEnum
from typing import Any

import msgspec

from simaie.barrier import Barrier

__all__ = [
    "BLOCKING",
    "FIRST_SPECIAL",
    "SPIN",
    "UNTIL",
    "Cell",
    "Form",
    "Function",
    "Kind",
    "Op",
    "Order",
    "Role",
    "buffer_name",
    "cell_name",
    "device_name",
    "is_device",
    "owner_of",
]


class Kind(IntEnum):
    """The kind of an operation. Kinds from `LOCK` on may be disabled, or may change which operations are enabled."""

    LOAD = 0
    STORE = 1
    CAS = 2  # compare-and-swap; it returns the old value
    EXCHANGE = 3
    FETCH = 4  # atomic read-modify-write by a named function; it returns the old value
    LOAD_LINKED = 5  # of the ideal monitor that only the `native` scheme uses
    STORE_CONDITIONAL = 6  # it returns 1 if it stored
    CLEAR_RESERVATION = 7  # of the ideal monitor: ends the actor's own reservation, and touches no shared state
    UPDATE = 8  # a compound, non-atomic access to a structure; legal only under the cell's guard
    FENCE = 9
    PAUSE = 10
    CHOICE = 11  # local non-determinism: resolved when announced, no scheduling point
    LOCK = 12
    UNLOCK = 13
    AWAIT = 14  # a load that is disabled until a predicate holds of the value
    BEGIN_EXCLUSIVE = 15  # stop the world: waits until no other vCPU is inside a guest instruction
    END_EXCLUSIVE = 16
    SPAWN = 17
    JOIN = 18
    EXIT = 19
    BUFFER = 20  # a store enters the vCPU's own store buffer; `value` is the STORE that the buffer performs later
    BEGIN_SECTION = 21  # from here to END_SECTION no other actor steps; unlike BEGIN_EXCLUSIVE it waits for no vCPU
    END_SECTION = 22


FIRST_SPECIAL = Kind.LOCK
BLOCKING = frozenset({Kind.LOCK, Kind.AWAIT, Kind.BEGIN_EXCLUSIVE, Kind.JOIN})
_EXCLUSIVE = (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL)


class Order(IntEnum):
    """The memory order that an operation asks of the host, as in C11."""

    RELAXED = 0
    ACQUIRE = 1
    RELEASE = 2
    ACQ_REL = 3
    SEQ_CST = 4


class Form(IntFlag):
    """Properties of a host instruction, beyond kind and order, on which a host that reorders loads depends.

    Other hosts ignore them.
    """

    NONE = 0
    NO_RESULT = 1  # an atomic whose old value goes nowhere, as STADD or LDADD with a zero register
    EXCLUSIVE = 2  # an atomic made of a load-linked and a store-conditional, and not a single instruction
    CONTEXT = 4  # a FENCE that orders what was branched on before what is loaded after it, as ISB
    COMPLETES = 8  # a FENCE behind which everything waits, as DSB, and not only accesses of some kind, as DMB


class Role(StrEnum):
    """The purpose of a cell. Its value is the first word of the name of such a cell; see `cell_name`."""

    OTHER = "cell"  # any other state of a scheme
    LOCK = "lock"  # a mutex
    ENTRY = "entry"  # no cell: an object in a slot of the tree, with this role and the address of its granule
    SLOT = "radix"  # a slot of the tree that leads to the entries
    RESERVATIONS = "set"  # the vCPUs that hold a reservation on a granule
    BITMAP = "bitmap"  # a word of the bitmap of granules that were used atomically
    ANNOUNCED = "bm_set"  # whether a granule's bit of the bitmap is known to be set
    SWITCH = "swp-switch"  # whether plain stores have to look for entries
    PAGE = "pte"  # an entry of the guest's page table
    SLEEP = "sleep"  # what ends sleeps: whether a futex woke a vCPU an odd number of times, or flags of wake-ups
    VCPU = "vcpu"  # a vCPU that guest threads share: which one has it, and what the scheme keeps for it
    TRANSACTIONS = "transactions"  # the host's transactions that run; in one, stores are deferred until it commits


def cell_name(role: Role, address: int) -> str:
    """Return the name of the cell that has this role for `address`, as in ``lock 0x1000``."""
    return f"{role.value} {address:#x}"


class Cell:
    """A named word of the emulator's own shared memory.

    Attributes:
        name: Structural, so that it is the same in every execution.
        value: The current value; only a host memory reads or writes it.
        initial: The value before the first step.
        guard: The mutex that an `UPDATE` of the cell requires.
        role: The purpose of the cell.
        address: The first byte of the granule or page to which it belongs; None if it belongs to no address. For a
            `Role.SLOT`, the bits of a granule's number that lead to it. For a `Role.BITMAP`, the number of the word.
    """

    __slots__ = ("address", "guard", "initial", "name", "role", "value")

    def __init__(
        self,
        name: str,
        value: Any = None,
        guard: Cell | None = None,
        role: Role = Role.OTHER,
        address: int | None = None,
    ) -> None:
        self.name, self.guard, self.role, self.address = name, guard, role, address
        self.value = self.initial = value

    def __repr__(self) -> str:
        return f"<{self.name}>"


#: The beginning of a device's name.
_DEVICE = "dma"
#: The name of a predicate without a name: a condition in the code of a guest that waits.
UNTIL = "until"

#: How the note of an operation begins that holds back a loop.
SPIN = "spin"


class Function(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A named function of one value, which a FETCH, an UPDATE or an AWAIT applies; traces show its name.

    Attributes:
        name: The name.
        apply: The function.
        family: The family of functions that commute with it, see `simaie.dependence.family_of`; empty if it is of none,
            or if the value that a FETCH of it returns is used.
    """

    name: str
    apply: Callable[[Any], Any]
    family: str = ""


class Op(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One indivisible host operation, on a byte range of guest RAM or on a cell.

    Attributes:
        kind: The kind of operation.
        cell: The cell that it accesses; None for RAM.
        address: The guest-physical address of the first byte in RAM.
        width: The size of the range in RAM, in bytes; 0 if it accesses no RAM.
        value: What is stored. For a CHOICE, the number of alternatives. For a SPAWN, what it starts. For a BUFFER, the
            STORE that drains later. For an AWAIT of several locations, the loads of these; it then has no location of
            its own, and its predicate receives the tuple of their values. A STORE_CONDITIONAL among them asks whether
            it would store, and stores nothing.
        expected: The value with which a CAS compares. For a LOAD_LINKED and a STORE_CONDITIONAL, see `reserved`.
            For an AWAIT, True if the vCPU could go on, but would only repeat what it has tried.
        function: The function that a FETCH, an UPDATE or an AWAIT applies.
        order: The memory order that it asks for. Of an atomic, the acquire part is about its read and the release part
            about its write. A load with ACQUIRE may overtake an earlier store-release of its vCPU (LDAPR of Armv8);
            with SEQ_CST it may not (LDAR).
        note: A remark for readers of a trace, without effect.
        orders: The orders that a FENCE keeps.
        buffer: The name of the store buffer of its vCPU that a BUFFER enters.
        bit: For an access to a bitmap, the number of the bit, counted from the bitmap's first word; otherwise -1.
        form: Properties that only a host with `simaie.protocols.takes_orders` uses.
    """

    kind: Kind
    cell: Cell | None = None
    address: int = 0
    width: int = 0
    value: Any = None
    expected: Any = None
    function: Function | None = None
    order: Order = Order.RELAXED
    note: str = ""
    orders: Barrier = Barrier.NONE
    buffer: str = ""
    bit: int = -1
    form: Form = Form.NONE

    def __await__(self) -> Generator[Op, Any, Any]:
        """Announce this operation to the engine, and return the result that the engine sends back."""
        return (yield self)

    @property
    def places(self) -> tuple[Op, ...]:
        """The single accesses of which it consists: the loads of an AWAIT of several locations, or just itself.

        A LOAD_LINKED or STORE_CONDITIONAL whose reservation covers other bytes than its own reads these bytes too.
        """
        if self.kind is Kind.AWAIT and self.value is not None:
            loads: tuple[Op, ...] = self.value
            return loads
        if self.watches_more:
            return (self, Op(Kind.LOAD, None, *self.reserved))
        return (self,)

    @property
    def accesses_memory(self) -> bool:
        """Whether it accesses RAM or a cell."""
        return any(part.cell is not None or part.width > 0 for part in self.places)

    @property
    def watches_more(self) -> bool:
        """Whether it names a reservation that covers other bytes than those that it accesses itself."""
        return self.kind in _EXCLUSIVE and self.reserved != (self.address, self.width)

    @property
    def reserved(self) -> tuple[int, int]:
        """The address and width of the bytes that a LOAD_LINKED reserves or a STORE_CONDITIONAL needs reserved.

        These are `expected`, or without it the bytes that the operation accesses. A STORE_CONDITIONAL fails if another
        actor has written any of them. Without `expected` it fails if another actor has written any byte that was
        reserved, which may be more bytes.
        """
        return self.expected if type(self.expected) is tuple else (self.address, self.width)

    @property
    def leaves_out_tries(self) -> bool:
        """Whether it is a wait of a vCPU that could go on, but would only repeat what it has tried."""
        return self.kind is Kind.AWAIT and self.expected is True

    @property
    def spins(self) -> bool:
        """Whether it holds back a loop until what the loop reads changes, and is no access of the guest."""
        return self.kind is Kind.AWAIT and self.note.startswith(SPIN)

    @property
    def sleeps(self) -> bool:
        """Whether it waits for a wake-up: its vCPU takes no time, unlike one that looks again and again."""
        return self.kind is Kind.AWAIT and any(_wakes(part) for part in self.places)

    @property
    def location(self) -> str:
        """The place of the operation as text: ``[0x1000]/4`` for RAM, a cell's name, or empty."""
        if self.kind is Kind.AWAIT and self.value is not None:
            return " or ".join(part.location for part in self.value)
        if self.kind is Kind.BUFFER:
            return str(self.value.location)
        if self.cell is not None:
            return self.cell.name
        return f"[{self.address:#x}]/{self.width}" if self.width else ""

    def __str__(self) -> str:
        parts = [self.kind.name.lower().replace("_", "-")]
        if self.location:
            parts.append(self.location)
        if self.kind is Kind.BUFFER:
            return f"buffer {self.value.location} {show(self.value.value)}"
        if self.kind is Kind.CAS:
            parts.append(f"{show(self.expected)} -> {show(self.value)}")
        elif self.kind is Kind.STORE_CONDITIONAL and self.watches_more:
            address, width = self.reserved
            parts.append(f"{show(self.value)} if [{address:#x}]/{width} is untouched")
        elif self.function is not None:
            parts.append(self.function.name)
        elif self.value is not None:
            parts.append(show(self.value))
        if self.remark:
            parts.append(f"({self.remark})")
        return " ".join(parts)

    @property
    def remark(self) -> str:
        """A remark for readers of a trace: the orders of a FENCE, the bit of a bitmap, or the note."""
        if self.orders:
            return self.orders.text
        if self.form:
            return "+".join(form.name.lower().replace("_", "-") for form in Form if form & self.form and form.name)
        return f"bit {self.bit}" if self.bit >= 0 else self.note


def _wakes(place: Op) -> bool:
    """Whether a change of this place ends a sleep."""
    return place.kind is Kind.STORE_CONDITIONAL or (place.cell is not None and place.cell.role is Role.SLEEP)


def show(value: Any) -> str:
    """Return a value as text that is the same in every process: integers, names, sorted sets."""
    if value is None:
        return "none"
    if isinstance(value, bool | int | str):
        return str(int(value)) if not isinstance(value, str) else value
    if isinstance(value, tuple):
        return "{" + ", ".join(show(part) for part in value) + "}"
    return str(getattr(value, "name", type(value).__name__))


@functools.lru_cache(maxsize=4096)  # there are few names, and they are asked for often
def buffer_name(vcpu: str, key: str) -> str:
    """Return the name of a store buffer of a vCPU: ``"0~"`` for its only one, ``"0~0x1000"`` for one by address."""
    return f"{vcpu}~{key}"


@functools.lru_cache(maxsize=4096)  # as above
def owner_of(actor: str) -> str:
    """Return the vCPU to which an actor belongs: itself, or the one whose store buffer it is."""
    return actor.partition("~")[0]


def device_name(number: int) -> str:
    """Return the name of the device with this number in its program."""
    return f"{_DEVICE}{number}"


def is_device(actor: str) -> bool:
    """Whether an actor is a device of the program, and not a vCPU."""
    return actor.startswith(_DEVICE)
