"""Transactions: accesses to RAM that belong together, and that a serial execution would not interleave.

A transaction is, in this order of precedence: an atomic block of the guest (the outermost of nested ones); a
load-linked with the store-conditional that stored on its reservation; a guest instruction. An instruction between
load-linked and store-conditional belongs to the sequence only if it touches the same bytes; otherwise it is a separate
transaction, since no architecture guarantees more. With `Units.BLOCKS` only the blocks count, and all other accesses
are single.

`simaie.check.own_order` defines which transactions of one vCPU are ordered. They overlap if an unrelated instruction is
between a load-linked and its store-conditional.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from enum import StrEnum

import msgspec

from simaie.block import Block, Call
from simaie.check.accesses import Access, ram_accesses
from simaie.check.evidence import owner
from simaie.check.exclusives import attempts
from simaie.dependence import share_byte
from simaie.op import is_device
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["Transaction", "Transactions", "Units", "transactions"]


class Units(StrEnum):
    """The transactions other than the guest's own atomic blocks."""

    INSTRUCTIONS = "instructions"  # every guest instruction and every successful LL..SC sequence
    BLOCKS = "blocks"  # nothing


class Transaction(msgspec.Struct, eq=False):
    """One transaction.

    Attributes:
        vcpu: Name of its vCPU.
        name: Its name in the guest's terms.
        first: Index of its first access.
        last: Index of its last access.
        count: Number of its accesses.
    """

    vcpu: str
    name: str
    first: int
    last: int
    count: int = 0

    @property
    def interrupted(self) -> bool:
        """Whether another transaction's access happened between its first and its last."""
        return self.last - self.first >= self.count

    def __str__(self) -> str:
        return f"{'device' if is_device(self.vcpu) else 'vCPU'} {self.vcpu}'s {self.name}"


class Transactions(msgspec.Struct):
    """The transactions of a trace.

    Attributes:
        trace: The execution.
        accesses: All accesses to RAM, in order.
        of: By access, the number of its transaction in `all`.
        all: The transactions.
    """

    trace: Trace
    accesses: list[Access]
    of: list[int]
    all: list[Transaction]

    @property
    def interrupted(self) -> bool:
        """Whether any transaction is interrupted; if not, the execution is serial as it is."""
        return any(transaction.interrupted for transaction in self.all)

    def rearranged(self, places: Sequence[int]) -> Transactions:
        """Return the same transactions with the accesses in another order: that of the `places` of the steps."""
        order = sorted(range(len(self.accesses)), key=lambda index: places[self.accesses[index].step])
        numbers: dict[int, int] = {}
        of = [numbers.setdefault(self.of[index], len(numbers)) for index in order]
        found = [msgspec.structs.replace(self.all[number], first=len(order)) for number in numbers]
        for index, number in enumerate(of):
            found[number].first = min(found[number].first, index)
            found[number].last = index
        return Transactions(self.trace, [self.accesses[index] for index in order], of, found)


def transactions(trace: Trace, units: Units = Units.INSTRUCTIONS) -> Transactions:
    """Return the transactions of `trace`, sorted by their first access.

    Args:
        trace: The execution.
        units: What counts as a transaction in addition to atomic blocks.
    """
    accesses = ram_accesses(trace)
    member = _Membership(trace, accesses, units)
    numbers: dict[Hashable, int] = {}
    of: list[int] = []
    found: list[Transaction] = []
    for index, access in enumerate(accesses):
        key = member.of(access.event)
        number = numbers.setdefault(key, len(found)) if key is not None else len(found)
        if number == len(found):
            found.append(Transaction(owner(access.event), _name(key, access.event), index, index))
        transaction = found[number]
        transaction.last = index
        transaction.count += 1
        of.append(number)
    return Transactions(trace, accesses, of, found)


def _name(key: Hashable, event: Event) -> str:
    if isinstance(key, Block):
        return f"atomic block {key.name!r}"
    if isinstance(key, _Sequence):
        return f"{key.linked.mnemonic}..{key.conditional.mnemonic} [{key.linked.address:#x}]"
    return str(event.op) if event.instruction is None else str(event.instruction)


class _Sequence(msgspec.Struct, eq=False):
    """A load-linked and the store-conditional that stored on its reservation, with the instructions in their sequence.

    Attributes:
        linked: The load-linked.
        conditional: The store-conditional.
        places: (address, width) of each access of the two, in RAM, since guest addresses may be aliases.
        members: The instructions of the sequence.
    """

    linked: Instruction
    conditional: Instruction
    places: list[tuple[int, int]]
    members: set[Instruction]

    def touches(self, address: int, width: int) -> bool:
        """Whether an access touches bytes that the two reserve or store to."""
        return any(share_byte(address, width, *place) for place in self.places)


class _Membership:
    """Maps an event to its transaction."""

    def __init__(self, trace: Trace, accesses: list[Access], units: Units) -> None:
        self._alone = units is Units.BLOCKS
        self._blocks: dict[str, tuple[list[int], list[Block]]] = {}
        self._sequences: dict[str, tuple[list[int], list[_Sequence]]] = {}
        for block in trace.blocks:
            if not isinstance(block, Call):
                self._add_block(block)
        if not self._alone and AccessKind.STORE_CONDITIONAL in trace.accesses:
            self._find_sequences(trace)
            self._add_members(accesses)

    def of(self, event: Event) -> Hashable:
        """Return the identity of the event's transaction; None if the event is a transaction by itself."""
        instruction = event.instruction
        if instruction is None:
            return None
        vcpu, number = instruction.vcpu, instruction.number
        if vcpu in self._blocks:
            block = self._block(vcpu, number)
            if block is not None:
                return block
        if self._alone:
            return None
        if vcpu in self._sequences:
            starts, sequences = self._sequences[vcpu]
            place = bisect_right(starts, number) - 1
            if place >= 0 and instruction in sequences[place].members:
                return sequences[place]
        return instruction

    def _add_block(self, block: Block) -> None:
        starts, blocks = self._blocks.setdefault(block.vcpu, ([], []))
        if not blocks or not blocks[-1].holds(block.first):  # otherwise it is inside the previous block
            starts.append(block.first)
            blocks.append(block)

    def _block(self, vcpu: str, number: int) -> Block | None:
        starts, blocks = self._blocks[vcpu]
        place = bisect_right(starts, number) - 1
        return blocks[place] if place >= 0 and blocks[place].holds(number) else None

    def _find_sequences(self, trace: Trace) -> None:
        for attempt in attempts(trace):
            if attempt.reservation is None or attempt.ended is not None or not attempt.writes:
                continue
            linked, conditional = attempt.reservation.instruction, attempt.instruction
            vcpu, first, last = conditional.vcpu, linked.number, conditional.number
            reserved = list(attempt.reservation.parts(trace))
            stored = [(op.address, op.width) for op in (trace.events[step].op for step in attempt.writes)]
            sequence = _Sequence(linked, conditional, reserved, {linked, conditional})
            inside = vcpu in self._blocks and (self._block(vcpu, first) or self._block(vcpu, last))
            if not inside and any(sequence.touches(*place) for place in stored):
                sequence.places += stored
                starts, sequences = self._sequences.setdefault(vcpu, ([], []))
                starts.append(first)
                sequences.append(sequence)

    def _add_members(self, accesses: list[Access]) -> None:
        """Add the instructions between the two that touch the same bytes."""
        for access in accesses:
            instruction = access.event.instruction
            if instruction is None or instruction.vcpu not in self._sequences:
                continue
            starts, sequences = self._sequences[instruction.vcpu]
            place = bisect_right(starts, instruction.number) - 1
            if place < 0 or instruction.number > sequences[place].conditional.number:
                continue
            if sequences[place].touches(access.address, access.width):
                sequences[place].members.add(instruction)
