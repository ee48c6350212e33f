"""Single-copy atomicity: a load sees all or none of the bytes that it shares with a store.

The checker judges pairs of accesses that the guest's architecture guarantees (`simaie.guest.guarantee`) and that an
emulator may have split: a 64-bit access on a 32-bit host, 16 bytes as two halves. A load is torn if it read one byte
before the store wrote it and another after (Arm ARM, DDI 0406C, A3.5.3; the x86 manual says the same of a "guaranteed
atomic" operation). If the guarantee holds of the parts of an access, as of the two words of an LDRD, each part is
judged separately. The writer decides, not the value: a tear that happens to show a value that some whole store could
have left is still a tear.

If an instruction reads a byte again (a compare-and-swap that is retried), the last read counts. An instruction that
never completed may have stored half: a load of both halves has seen a tear. A byte that the vCPU's own store buffer
answers is late (`simaie.check.accesses`): it was read before the stores that follow the drain and after those that
preceded the load; it shows nothing about those in between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from simaie.check.accesses import Access, ram_accesses
from simaie.check.evidence import instruction_at
from simaie.dependence import blocks
from simaie.finding import Finding
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa import find_isa
from simaie.guest.isa.aarch64 import AArch64Cpu
from simaie.guest.isa.arm import ArmCpu
from simaie.guest.isa.x86 import X86Cpu
from simaie.host.pages import PAGE_SIZE
from simaie.protocols import Checker
from simaie.trace import Instruction, Trace

__all__ = ["single_copy", "single_copy_atomicity", "single_copy_avx", "single_copy_lpae", "single_copy_lse2"]

KIND = "single-copy-atomicity"


def single_copy(guarantee: Guarantee | None = None) -> Checker:
    """Return the checker for a guarantee; None selects that of the trace's instruction set."""

    def checker(trace: Trace) -> Iterable[Finding]:
        known = guarantee or _guarantee_of(trace.isa)
        if known is None or not _any_split(trace):
            return ()
        return _judge(trace, known)

    checker.__name__ = checker.__qualname__ = "single_copy_atomicity"
    checker.__doc__ = "Loads that see part of a store, where the architecture guarantees that neither is torn."
    return checker


single_copy_atomicity = single_copy()
single_copy_lpae = single_copy(ArmCpu.guarantees["lpae"])
single_copy_avx = single_copy(X86Cpu.guarantees["avx"])
single_copy_lse2 = single_copy(AArch64Cpu.guarantees["lse2"])


def _guarantee_of(isa: str) -> Guarantee | None:
    """Return the guarantee of the base architecture; None if nothing is guaranteed or the architecture is unknown."""
    found = find_isa(isa)
    return None if found is None else found.guarantees.get("")


def _any_split(trace: Trace) -> bool:
    """Whether any instruction was performed by operations narrower than itself."""
    return any(
        event.instruction is not None and 0 < event.op.width < event.instruction.width for event in trace.indirect
    )


class _Parts:
    """The reads and the writes of one instruction, by byte.

    Attributes:
        of: Byte offset in the instruction -> the number of the indivisible part that contains it.
        reads: Byte -> the step of the last read.
        known: Byte -> the step from which on writes come after the read: later than the read if it is late.
        writes: Byte -> the step of the last write.
    """

    def __init__(self, instruction: Instruction, accesses: list[Access], widths: Sequence[int], never: int) -> None:
        self._address = instruction.address
        self.of = [number for number, width in enumerate(widths) for _ in range(width)]
        self.reads: dict[int, int] = {}
        self.known: dict[int, int] = {}
        self.writes: dict[int, int] = {}
        for access in accesses:
            span = range(access.address, access.address + access.width)
            if access.reads:
                self.reads.update(dict.fromkeys(span, access.step))
                self.known.update({byte: max(access.step, access.stored.get(byte, -1)) for byte in span})
            if access.writes:
                self.writes.update(dict.fromkeys(span, access.step))
        if self.writes and not instruction.completed:  # what it still had to write: lowest addresses go first
            low = min(self.writes)
            self.writes = dict.fromkeys(range(low, low + instruction.width), never) | self.writes

    def part(self, byte: int) -> int:
        """Return the number of the part that contains a byte of RAM; translation preserves the offset in the page."""
        return self.of[(byte - self._address) % PAGE_SIZE % len(self.of)]


def _judge(trace: Trace, guarantee: Guarantee) -> Iterator[Finding]:
    found = _Found(trace, guarantee)
    parts: dict[Instruction, _Parts] = {}  # of the few instructions that another one meets while under way
    reported: set[tuple[Instruction, Instruction]] = set()
    for mine, other in found.meetings():
        for each in (mine, other):
            if each not in parts:
                parts[each] = _Parts(each, found.accesses[each], found.widths[each], found.never)
        for load, store in ((mine, other), (other, mine)):
            steps = _torn(parts[load], parts[store])
            if steps is not None and (load, store) not in reported:
                reported.add((load, store))
                yield _finding(trace, load, store, steps)


class _Found:
    """The judged instructions: their accesses, the widths of their parts; never: a step after the last."""

    def __init__(self, trace: Trace, guarantee: Guarantee) -> None:
        self.accesses: dict[Instruction, list[Access]] = {}
        self.widths: dict[Instruction, tuple[int, ...]] = {}
        self.never = len(trace.events)
        self._blocks: dict[int, tuple[list[int], list[Instruction]]] = {}  # by 8-byte block: steps and instructions
        uncovered: set[Instruction] = set()
        isa = find_isa(trace.isa)
        pairs = frozenset[str]() if isa is None else isa.pairs
        for access in ram_accesses(trace):
            instruction = access.event.instruction
            if instruction is None or instruction in uncovered:
                continue
            own = self.accesses.get(instruction)
            if own is not None:
                own.append(access)
            elif max(widths := _parts_of(instruction, guarantee, pairs), default=0) > 1:
                self.accesses[instruction] = [access]
                self.widths[instruction] = widths
            else:
                uncovered.add(instruction)
                continue
            for block in _blocks_of(access):
                there = self._blocks.get(block)
                if there is None:
                    there = self._blocks[block] = ([], [])
                there[0].append(access.step)
                there[1].append(instruction)

    def meetings(self) -> Iterator[tuple[Instruction, Instruction]]:
        """Yield each split instruction with each of another vCPU that accesses the same blocks in the meantime."""
        for mine, own in self.accesses.items():
            first, last = own[0].step, own[-1].step
            if mine.completed and last - first < len(own):
                continue  # nothing came in between
            end = last if mine.completed else self.never
            seen = {mine}
            for block in sorted({block for access in own for block in _blocks_of(access)}):
                steps, whose = self._blocks[block]
                for other in whose[bisect_right(steps, first) : bisect_left(steps, end)]:
                    if other not in seen and other.vcpu != mine.vcpu:
                        seen.add(other)
                        yield mine, other


def _parts_of(instruction: Instruction, guarantee: Guarantee, pairs: frozenset[str]) -> tuple[int, ...]:
    parts = guarantee.parts_of_pair if instruction.mnemonic in pairs else guarantee.parts
    return parts(instruction.access, instruction.address, instruction.width)


def _blocks_of(access: Access) -> range:
    return blocks(access.address, access.width)


def _torn(load: _Parts, store: _Parts) -> tuple[int, ...] | None:
    """Return the steps of a read before and one after the store's writes, with those writes; None if not torn."""
    shared: dict[tuple[int, int], list[int]] = {}
    for byte in sorted(load.reads.keys() & store.writes.keys()):
        shared.setdefault((load.part(byte), store.part(byte)), []).append(byte)
    for together in shared.values():
        before = next((byte for byte in together if load.known[byte] < store.writes[byte]), None)
        after = next((byte for byte in together if load.reads[byte] > store.writes[byte]), None)
        if before is not None and after is not None:
            return load.reads[before], store.writes[before], store.writes[after], load.reads[after]
    return None


def _finding(trace: Trace, load: Instruction, store: Instruction, steps: tuple[int, ...]) -> Finding:
    old, new = (trace.events[step].op for step in (steps[0], steps[3]))
    guilty = trace.events[steps[2]].op
    message = (
        f"{instruction_at(load, min(old.address, new.address))} was torn: it saw {new.location} after "
        f"{instruction_at(store, guilty.address)} and {old.location} before it"
    )
    ordered = tuple(sorted({step for step in steps if step < len(trace.events)}))
    addresses = tuple(trace.events[step].op.address for step in ordered)
    return Finding(KIND, message, ordered, addresses, (load.vcpu, store.vcpu))
