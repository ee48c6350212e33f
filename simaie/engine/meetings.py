"""What executions covered of a scheme: the steps of its helpers with their outcomes, and which instructions met.

A *step* is a kind of operation of a guest instruction. Many have two outcomes, on which a helper branches: a
compare-and-swap swaps or fails, a slot of the tree is empty or not, a vCPU is in a set or not. If only one outcome was
ever seen, then a branch of the helper never ran.

Two guest instructions *meet* if they access the same byte of RAM from different vCPUs, at least one of them writes, and
no write comes in between. A store-conditional counts as a write, also if it fails. Which pairs could meet is known from
the bytes that they accessed. A pair that did not meet in one of the two orders was not tried.

The wait that holds back a loop is no access of the guest, and calls that no scheme emulates are no steps.

Both are the same for executions that differ only in the order of independent steps. They have names and no addresses,
so that a loop adds nothing in later rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec

from simaie.op import Kind, Op, Role, owner_of
from simaie.trace import Event

__all__ = ["MOST_ACCESSES", "Meetings", "Met", "SchemeStep"]

#: Roles of cells whose loads a helper branches on, with what an empty and another value means.
_FOUND = {
    Role.SLOT: ("empty", "found"), Role.SWITCH: ("off", "on"), Role.ANNOUNCED: ("unset", "set"),
    Role.RESERVATIONS: ("empty", "found"),
}  # fmt: skip
_SWAP, _STORES, _IS = ("not swapped", "swapped"), ("not stored", "stored"), ("no", "yes")
_OTHER = {a: b for one, two in (_SWAP, _STORES, _IS, *_FOUND.values()) for a, b in ((one, two), (two, one))}
#: Calls of a vCPU that no scheme emulates.
_OF_NO_SCHEME = frozenset({
    "choose", "futex-leave", "futex-sleep", "futex-wait", "futex-wake", "park", "send-interrupt", "unpark",
})  # fmt: skip
#: The number of different accesses from which it is known which instructions could meet. One more is kept, which says
#: that there were more: which ones come first depends on how the executions are split among processes.
MOST_ACCESSES = 20_000


class SchemeStep(NamedTuple):
    """A step of a helper.

    Attributes:
        instruction: The mnemonic of the guest instruction.
        operation: The kind of operation, and the role of the cell unless it accesses RAM.
        outcome: The outcome; empty if the operation has only one.
    """

    instruction: str
    operation: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.instruction}: {self.operation}{' ' * bool(self.outcome)}{self.outcome}"


class _Access(NamedTuple):
    """An access to RAM, by which instructions could meet."""

    address: int
    width: int
    actor: str
    instruction: str
    writes: bool


class Met(msgspec.Struct, frozen=True):
    """What some executions covered, in a form that can be sent to another process."""

    steps: frozenset[SchemeStep] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()
    accesses: frozenset[_Access] = frozenset()


class Meetings:
    """Collects what executions cover of a scheme."""

    def __init__(self) -> None:
        self._steps: set[SchemeStep] = set()
        self._pairs: set[tuple[str, str]] = set()
        self._accesses: set[_Access] = set()

    def look_at(self, events: Iterable[Event]) -> None:
        """Add an execution."""
        latest: dict[int, list[_Access]] = {}  # by byte, the last write and the reads since
        for event in events:
            instruction, op = event.instruction, event.op
            if instruction is None or op.spins:
                continue
            name = instruction.mnemonic
            if name not in _OF_NO_SCHEME:
                self._steps.add(SchemeStep(name, _operation(op), _outcome(op, event.value)))
            attempts = op.kind is Kind.STORE_CONDITIONAL
            if not (event.reads_ram or event.writes_ram or attempts):
                continue
            access = _Access(op.address, op.width, owner_of(event.actor), name, event.writes_ram or attempts)
            if len(self._accesses) <= MOST_ACCESSES:
                self._accesses.add(access)
            for byte in range(op.address, op.address + op.width):
                before = latest.setdefault(byte, [])
                for other in before:
                    if other.actor != access.actor and (other.writes or access.writes):
                        self._pairs.add((other.instruction, name))
                if access.writes:
                    before.clear()
                before.append(access)

    def merge(self, other: Met) -> None:
        """Add what other executions covered."""
        self._steps |= other.steps
        self._pairs |= other.pairs
        self._accesses |= other.accesses

    def take(self) -> Met:
        """Return what the executions covered."""
        return Met(frozenset(self._steps), frozenset(self._pairs), frozenset(self._accesses))

    @property
    def steps(self) -> tuple[SchemeStep, ...]:
        """The steps that ran, sorted."""
        return tuple(sorted(self._steps))

    @property
    def never_ran(self) -> tuple[SchemeStep, ...]:
        """The steps that ran with the other outcome only, sorted."""
        others = {SchemeStep(s.instruction, s.operation, _OTHER[s.outcome]) for s in self._steps if s.outcome}
        return tuple(sorted(others - self._steps))

    @property
    def met(self) -> tuple[tuple[str, str], ...]:
        """The pairs of instructions that met, the earlier one first, sorted."""
        return tuple(sorted(self._pairs))

    @property
    def never_met(self) -> tuple[tuple[str, str], ...] | None:
        """The pairs that could have met in this order, sorted; None after too many different accesses."""
        if len(self._accesses) > MOST_ACCESSES:
            return None
        at: dict[int, set[tuple[str, str, bool]]] = {}
        for each in self._accesses:
            for byte in range(each.address, each.address + each.width):
                at.setdefault(byte, set()).add((each.actor, each.instruction, each.writes))
        could = {
            (one, two)
            for accesses in set(map(frozenset, at.values()))
            for (actor, one, writes), (other, two, also) in product(accesses, repeat=2)
            if actor != other and (writes or also)
        }
        return tuple(sorted(could - self._pairs))


def _operation(op: Op) -> str:
    kind = op.kind.name.lower().replace("_", "-")
    if op.cell is None:
        return kind
    verb = op.function.name.partition(" ")[0] if op.kind is Kind.UPDATE and op.function is not None else kind
    return f"{verb} {op.cell.role.value}"


def _alternatives(op: Op, value: Any) -> Sequence[str]:
    """Return what the operation is called if a helper finds nothing, and otherwise; empty if it has one outcome."""
    if op.kind is Kind.CAS:
        return _SWAP
    if op.kind is Kind.STORE_CONDITIONAL:
        return _STORES
    if op.kind is Kind.UPDATE and isinstance(value, bool):
        return _IS
    return _FOUND.get(op.cell.role, ()) if op.kind is Kind.LOAD and op.cell is not None else ()


def _outcome(op: Op, value: Any) -> str:
    names = _alternatives(op, value)
    if not names:
        return ""
    return names[bool(value == op.expected) if op.kind is Kind.CAS else bool(value)]
