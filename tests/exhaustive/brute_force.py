"""A brute-force interpreter: all outcomes of a small guest program, found by visiting every state it can reach.

It shares no code with simaie, and knows none of its ideas: no operations, no schedulers, no partial orders. Each guest
instruction is one indivisible step, memory is a tuple of bytes, and on `tso` each vCPU has one FIFO of stores. So it
is slow, short, and independent: what simaie's searches find is held against it.

Sources: sequential consistency as in L. Lamport (1979); x86-TSO as in P. Sewell et al. (CACM 53(7), 2010): a load reads
the newest store to each byte in its own buffer, else memory; locked instructions and fences wait until the buffer is
empty. Exclusives as in the Arm Architecture Reference Manual, B2.12: a store-exclusive stores if no other vCPU has
stored to the bytes that its load-exclusive read; to another address, or of another size, it stores or fails, whatever
others have done; without a load-exclusive since the last store-exclusive it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Step", "outcomes"]

Value = int | str


class Step(NamedTuple):
    """One guest instruction.

    kind: load, store, xchg, add (a fetch-and-add), cas, ll, sc, fence, or skip: passes over the next `count` steps if
    the register `into` holds 0. value, expected: a number, or the name of a register. into: the register for the old
    value; of a store-conditional for its status, 0 if it stored and 1 if not.
    """

    kind: str
    address: int = 0
    width: int = 0
    value: Value = 0
    expected: Value = 0
    into: str = ""
    count: int = 0


class _Vcpu(NamedTuple):
    """Where a vCPU is: the next step, its registers, and its buffered stores, the oldest first.

    linked: address and width of its load-exclusive; None if there was none since its last store-exclusive. touched:
    whether another vCPU has stored to these bytes since.
    """

    position: int = 0
    registers: tuple[tuple[str, int], ...] = ()
    buffer: tuple[tuple[int, bytes], ...] = ()
    linked: tuple[int, int] | None = None
    touched: bool = False

    def value(self, operand: Value) -> int:
        return operand if isinstance(operand, int) else dict(self.registers).get(operand, 0)

    def with_register(self, name: str, value: int) -> _Vcpu:
        return self._replace(registers=tuple(sorted({**dict(self.registers), name: value}.items())))


_State = tuple[tuple[_Vcpu, ...], bytes]
#: Final registers of each vCPU, and the final memory.
Outcome = tuple[tuple[tuple[tuple[str, int], ...], ...], bytes]


def outcomes(threads: Sequence[Sequence[Step]], memory: bytes, base: int, host: str) -> set[Outcome]:
    """Every outcome of `threads`, which start with `memory` at address `base`, on the host `host` (sc or tso)."""
    first: _State = tuple(_Vcpu() for _ in threads), memory
    seen, left, found = {first}, [first], set()
    while left:
        state = left.pop()
        following = list(_following(state, threads, base, host))
        if not following:
            vcpus, bytes_now = state
            found.add((tuple(vcpu.registers for vcpu in vcpus), bytes_now))
        for after in following:
            if after not in seen:
                seen.add(after)
                left.append(after)
    return found


def _following(state: _State, threads: Sequence[Sequence[Step]], base: int, host: str) -> Iterator[_State]:
    for number, vcpu in enumerate(state[0]):
        if vcpu.buffer:
            (address, data), *rest = vcpu.buffer
            yield _written(_replaced(state, number, vcpu._replace(buffer=tuple(rest))), number, address, data, base)
        if vcpu.position < len(threads[number]):
            step = threads[number][vcpu.position]
            if step.kind == "sc":
                yield from _store_conditional(state, number, step, base)
            elif not (vcpu.buffer and step.kind in ("xchg", "add", "cas", "fence")):
                yield _stepped(state, number, step, base, host)


def _stepped(state: _State, number: int, step: Step, base: int, host: str) -> _State:
    """The state after vCPU `number` has taken `step`."""
    vcpus, memory = state
    vcpu = vcpus[number]._replace(position=vcpus[number].position + 1)
    wrap = (1 << 8 * step.width) - 1
    if step.kind == "skip":
        skipped = 0 if vcpu.value(step.into) else step.count
        return _replaced(state, number, vcpu._replace(position=vcpu.position + skipped))
    if step.kind == "fence":
        return _replaced(state, number, vcpu)
    data = (vcpu.value(step.value) & wrap).to_bytes(step.width, "little")
    if step.kind == "store":
        if host == "tso":
            return _replaced(state, number, vcpu._replace(buffer=(*vcpu.buffer, (step.address, data))))
        return _written(_replaced(state, number, vcpu), number, step.address, data, base)
    old = _read(vcpu, memory, step, base)
    if step.kind == "ll":
        vcpu = vcpu._replace(linked=(step.address, step.width), touched=False)
    after = _replaced(state, number, vcpu.with_register(step.into, old))
    if step.kind == "add":
        data = (old + vcpu.value(step.value) & wrap).to_bytes(step.width, "little")
    if step.kind in ("load", "ll") or (step.kind == "cas" and old != vcpu.value(step.expected) & wrap):
        return after
    return _written(after, number, step.address, data, base)


def _store_conditional(state: _State, number: int, step: Step, base: int) -> Iterator[_State]:
    """The states after a store-conditional of vCPU `number`; where two are possible, its failure waits for nothing."""
    vcpu = state[0][number]._replace(position=state[0][number].position + 1, linked=None, touched=False)
    linked, touched = state[0][number].linked, state[0][number].touched
    elsewhere = linked is not None and linked != (step.address, step.width)
    if elsewhere or (not vcpu.buffer and (linked is None or touched)):
        yield _replaced(state, number, vcpu.with_register(step.into, 1))
    if not vcpu.buffer and (elsewhere or (linked is not None and not touched)):
        data = (vcpu.value(step.value) & (1 << 8 * step.width) - 1).to_bytes(step.width, "little")
        yield _written(_replaced(state, number, vcpu.with_register(step.into, 0)), number, step.address, data, base)


def _read(vcpu: _Vcpu, memory: bytes, step: Step, base: int) -> int:
    """What a vCPU finds at the place of `step`: byte by byte its own newest buffered store, else memory."""
    found = bytearray()
    for address in range(step.address, step.address + step.width):
        own = [data[address - at] for at, data in vcpu.buffer if at <= address < at + len(data)]
        found.append(own[-1] if own else memory[address - base])
    return int.from_bytes(found, "little")


def _written(state: _State, number: int, address: int, data: bytes, base: int) -> _State:
    """The state after a store of vCPU `number` took effect, which touches what others have linked there."""
    vcpus, memory = state
    after = memory[: address - base] + data + memory[address - base + len(data) :]
    told = tuple(
        vcpu._replace(touched=True) if other != number and _overlaps(vcpu.linked, address, len(data)) else vcpu
        for other, vcpu in enumerate(vcpus)
    )
    return told, after


def _overlaps(linked: tuple[int, int] | None, address: int, width: int) -> bool:
    return linked is not None and linked[0] < address + width and address < linked[0] + linked[1]


def _replaced(state: _State, number: int, vcpu: _Vcpu) -> _State:
    vcpus, memory = state
    return (*vcpus[:number], vcpu, *vcpus[number + 1 :]), memory
