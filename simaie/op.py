"""What a vCPU asks of the host: operations, and the cells they touch.

An `Op` is one indivisible access to shared host state, and *the* scheduling point: awaiting one
announces it and parks the vCPU until the scheduler picks it. Everything shared is either a byte range of guest
RAM or a named `Cell` of the emulator (a radix slot, a tiny set, a lock), so that conflicts can be seen from the
operations alone. An op is data: it can be printed, compared in a replay and judged by a checker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from simaie.barrier import Barrier

__all__ = [
    "BLOCKING",
    "FIRST_SPECIAL",
    "UNTIL",
    "Cell",
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
    """What an operation does. Kinds from `LOCK` on may be disabled, or may change what is enabled."""

    LOAD = 0
    STORE = 1
    CAS = 2  # compare-and-swap; its value is what was there before
    EXCHANGE = 3
    FETCH = 4  # atomic read-modify-write by a named function; its value is what was there before
    LOAD_LINKED = 5  # of the ideal monitor that only the `native` scheme uses
    STORE_CONDITIONAL = 6  # its value is 1 if it stored
    CLEAR_RESERVATION = 7  # of the ideal monitor: the actor's own, nobody else's business
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


class Role(StrEnum):
    """What a cell is for. The value is the word that begins the name of a cell made by its role, see `cell_name`."""

    OTHER = "cell"  # something of the scheme's own
    LOCK = "lock"  # a mutex
    ENTRY = "entry"  # no cell, but what a slot leads to: an object with this role and the address of its granule
    SLOT = "radix"  # a slot of the tree that leads to the entries
    RESERVATIONS = "set"  # the vCPUs that hold a reservation on a granule
    BITMAP = "bitmap"  # a word of the bitmap of granules that were used atomically
    ANNOUNCED = "bm_set"  # whether a granule's bit of the bitmap is known to be set
    SWITCH = "swp-switch"  # whether plain stores have to look for entries
    PAGE = "pte"  # an entry of the guest's page table


def cell_name(role: Role, address: int) -> str:
    """The name of the cell that has this role for `address`, as in ``lock 0x1000``."""
    return f"{role.value} {address:#x}"


class Cell:
    """A named piece of the emulator's own shared state; `name` is structural, the same in every execution.

    Only a host memory reads or writes `value`; `initial` is the value that it was made with. `guard` names the mutex
    that must be held for an `UPDATE`. role: what it is for. address: the first byte of the granule or page that it
    belongs to; of a `Role.SLOT` the bits of a granule's number that lead to it, of a `Role.BITMAP` the number of the
    word; None where it belongs to none.
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


#: What the name of a device begins with.
_DEVICE = "dma"
#: The name of a predicate that has none: what a guest waits for, in its own code.
UNTIL = "until"


class Function(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A named function of one value: what a FETCH, an UPDATE or an AWAIT computes. The name is what gets shown."""

    name: str
    apply: Callable[[Any], Any]


class Op(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One host operation. RAM operations have no `cell` and a `width` in bytes; cell operations have width 0.

    value: what is stored, or the number of alternatives of a CHOICE, or what a SPAWN starts, or the STORE that a BUFFER
    keeps for later, or the several loads that an AWAIT stands for (it then has no place of its own, and its predicate
    gets the tuple of their values). expected: what a CAS compares with; of a LOAD_LINKED and a STORE_CONDITIONAL see
    `reserved`. function: what a FETCH, UPDATE or AWAIT applies. note: for people. orders: what a FENCE keeps.
    buffer: which of its vCPU's store buffers a BUFFER enters. bit: the number of the bit that an access to a bitmap is
    about, counted from the bitmap's first word; -1 for other accesses.
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

    def __await__(self) -> Generator[Op, Any, Any]:
        """Announce this operation to the engine; the value it sends back is the operation's result."""
        return (yield self)

    @property
    def places(self) -> tuple[Op, ...]:
        """The single accesses whose places it touches: of an AWAIT of several, its loads; else just itself.

        A LOAD_LINKED or STORE_CONDITIONAL whose reservation is about other bytes than its own also reads these.
        """
        if self.kind is Kind.AWAIT and self.value is not None:
            loads: tuple[Op, ...] = self.value
            return loads
        if self.watches_more:
            return (self, Op(Kind.LOAD, None, *self.reserved))
        return (self,)

    @property
    def watches_more(self) -> bool:
        """Whether its reservation is about other bytes than those that it accesses itself, as far as it says so."""
        return self.kind in _EXCLUSIVE and self.reserved != (self.address, self.width)

    @property
    def reserved(self) -> tuple[int, int]:
        """Address and width of the bytes that a LOAD_LINKED reserves, or that a STORE_CONDITIONAL must find reserved
        and untouched by others: `expected`, else those that it accesses.

        A STORE_CONDITIONAL without `expected` must find all that was reserved untouched, which may be more.
        """
        return self.expected if type(self.expected) is tuple else (self.address, self.width)

    @property
    def location(self) -> str:
        """Where the operation acts, as text: ``[0x1000]/4`` for RAM, a cell's name, or nothing."""
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
        """What else there is to say of it, in words: the orders of a FENCE, the bit of a bitmap, else its note."""
        if self.orders:
            return self.orders.text
        return f"bit {self.bit}" if self.bit >= 0 else self.note


def show(value: Any) -> str:
    """A value as text that is the same in every process: integers, names, sorted sets."""
    if value is None:
        return "none"
    if isinstance(value, bool | int | str):
        return str(int(value)) if not isinstance(value, str) else value
    if isinstance(value, tuple):
        return "{" + ", ".join(show(part) for part in value) + "}"
    return str(getattr(value, "name", type(value).__name__))


@functools.lru_cache(maxsize=4096)  # of few names, asked for again and again
def buffer_name(vcpu: str, key: str) -> str:
    """The actor that drains one of a vCPU's store buffers: ``"0~"`` where there is one, ``"0~0x1000"`` by place."""
    return f"{vcpu}~{key}"


@functools.lru_cache(maxsize=4096)  # as above
def owner_of(actor: str) -> str:
    """The vCPU that an actor belongs to: itself, or the one whose store buffer it drains."""
    return actor.partition("~")[0]


def device_name(number: int) -> str:
    """The name of a program's device number `number`."""
    return f"{_DEVICE}{number}"


def is_device(actor: str) -> bool:
    """Whether an actor is a device of the program, not a vCPU."""
    return actor.startswith(_DEVICE)
