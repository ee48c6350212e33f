"""Executions that a step limit cut short: whether a vCPU was kept from running, or no vCPU made progress.

A bounded execution proves nothing about forever, so the findings are *inconclusive*; they tell a reader of a report
about an execution that did not end. The checker examines the end of the trace, its last steps:

- ``starvation``: a vCPU could have run and was never chosen while others ran. This is due to the schedule, not to the
  guest; a fair scheduler would show which. Or a vCPU whose store-conditionals all failed while those of others stored,
  although all vCPUs were scheduled;
- ``livelock``: every vCPU that runs repeats a loop, and memory does not change.

`store_conditional_within` sets a user-defined bound, whose violation is a violation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from simaie.check.evidence import owner
from simaie.finding import Finding, Verdict
from simaie.op import BLOCKING, Cell, Kind
from simaie.protocols import Checker, require_positive
from simaie.trace import AccessKind, Ending, Event, Instruction, Trace

__all__ = ["STORE_CONDITIONAL_WITHIN", "starvation", "store_conditional_within"]

KIND, LIVELOCK = "starvation", "livelock"
#: Number of steps that count as the end of a trace; a shorter trace shows nothing.
WINDOW = 1_000
#: Number of store-conditionals that must have failed in a row, and of equal rounds of a loop.
ATTEMPTS, ROUNDS = 16, 3
#: The longest loop to recognise, in guest instructions.
_LONGEST = 64
_CONDITIONAL = AccessKind.STORE_CONDITIONAL


def starvation(trace: Trace) -> Iterable[Finding]:
    """Find vCPUs that starve or loop at the end of an execution that the limit on steps cut short."""
    if trace.ending is not Ending.STEP_LIMIT or len(trace.events) < WINDOW:
        return ()
    tail = _Tail(trace)
    return list(_not_chosen(tail)) or [*_never_stored(tail), *_livelock(tail)]


def store_conditional_within(attempts: int) -> Checker:
    """Return the checker of a bound: no vCPU's store-conditionals fail more than `attempts` times in a row."""
    require_positive(attempts=attempts)

    def checker(trace: Trace) -> Iterable[Finding]:
        """Find more than N failed SCs in a row (default 16)."""
        return _too_often(trace, attempts) if _CONDITIONAL in trace.accesses else ()

    checker.__name__ = checker.__qualname__ = "store_conditional_within"
    return checker


def _named() -> Checker:
    found = store_conditional_within(ATTEMPTS)
    found.with_options = store_conditional_within  # type: ignore[attr-defined]  # for "NAME:attempts=N"
    return found


#: `store_conditional_within` by its name, which takes the bound: ``store-conditional-within:attempts=N``.
STORE_CONDITIONAL_WITHIN: Checker = _named()


class _Tail:
    """The last steps of a trace, by vCPU."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.start = len(trace.events) - WINDOW
        self.steps: dict[str, list[int]] = {}
        for step in range(self.start, len(trace.events)):
            self.steps.setdefault(owner(trace.events[step]), []).append(step)
        self.live = [actor for actor in trace.waiting if "~" not in actor]  # without store buffers
        self.unlocked: dict[Cell, int] = {
            op.cell: step
            for step in range(self.start, len(trace.events))
            if (op := trace.events[step].op).kind is Kind.UNLOCK and op.cell is not None
        }

    def instructions(self, vcpu: str) -> list[Instruction]:
        """Return the guest instructions of `vcpu` during these steps."""
        found = [self.trace.events[step].instruction for step in self.steps.get(vcpu, ())]
        return list(dict.fromkeys(instruction for instruction in found if instruction is not None))


# --- starvation -------------------------------------------------------------------------------------


def _not_chosen(tail: _Tail) -> Iterator[Finding]:
    for vcpu in tail.live:
        op = tail.trace.waiting[vcpu]
        if vcpu in tail.steps or (op.kind in BLOCKING and op.cell not in tail.unlocked):
            continue
        last = max((step for step, event in enumerate(tail.trace.events) if event.actor == vcpu), default=None)
        could = f"never got {op.location}, though it was free at times," if op.kind in BLOCKING else "could go on and"
        others = ", ".join(tail.steps)
        yield Finding(
            KIND,
            f"vCPU {vcpu} {could} was not scheduled in the last {WINDOW} steps, while vCPU {others} ran: the schedule "
            "is unfair, a fair scheduler would tell whether the guest is",
            steps=() if last is None else (last,),
            vcpus=(vcpu, *tail.steps),
            verdict=Verdict.INCONCLUSIVE,
        )


def _never_stored(tail: _Tail) -> Iterator[Finding]:
    tried = {
        vcpu: [i for i in tail.instructions(vcpu) if i.access is _CONDITIONAL and i.completed] for vcpu in tail.live
    }
    stored = [vcpu for vcpu, all_ in tried.items() if any(i.result for i in all_)]
    for vcpu, mine in tried.items():
        if len(mine) < ATTEMPTS or vcpu in stored or not stored:
            continue
        yield Finding(
            KIND,
            f"vCPU {vcpu}'s {mine[-1].mnemonic} failed all {len(mine)} times in the last {WINDOW} steps, while those "
            f"of vCPU {', '.join(stored)} stored",
            steps=(tail.steps[vcpu][-1],),
            addresses=(mine[-1].address,),
            vcpus=(vcpu, *stored),
            verdict=Verdict.INCONCLUSIVE,
        )


def _too_often(trace: Trace, attempts: int) -> Iterator[Finding]:
    failed: dict[str, int] = {}
    for instruction, steps in trace.instructions:
        if instruction.access is not _CONDITIONAL or not instruction.completed:
            continue
        vcpu = instruction.vcpu
        failed[vcpu] = 0 if instruction.result else failed.get(vcpu, 0) + 1
        if failed[vcpu] == attempts + 1:
            message = f"vCPU {vcpu}'s {instruction} failed {attempts + 1} times in a row; {attempts} are allowed"
            yield Finding(KIND, message, (steps[-1],), (instruction.address,), (vcpu,))
    if any(failures > attempts for failures in failed.values()):
        return
    retries = {event.actor for event in trace.events if event.op.leaves_out_tries}
    retries |= {vcpu for vcpu, op in trace.waiting.items() if op.leaves_out_tries}
    for vcpu in sorted(retries):
        message = (
            f"vCPU {vcpu}'s store-conditionals may fail more often: further tries were left out, so whether more than "
            f"{attempts} fail in a row is not known; raise Limits(tries=...)"
        )
        yield Finding(KIND, message, vcpus=(vcpu,), verdict=Verdict.INCONCLUSIVE)


# --- livelock ---------------------------------------------------------------------------------------


def _livelock(tail: _Tail) -> Iterator[Finding]:
    running = [vcpu for vcpu in tail.live if vcpu in tail.steps]
    loops = {vcpu: _loop(tail.instructions(vcpu)[:-1]) for vcpu in running}
    if not running or not all(loops.values()) or _memory_changes(tail):
        return
    words = "; ".join(f"vCPU {vcpu} repeats {', '.join(map(str, loop))}" for vcpu, loop in loops.items())
    yield Finding(
        LIVELOCK,
        f"memory did not change in the last {WINDOW} steps, and every vCPU loops: {words}",
        steps=tuple(sorted(step for vcpu in running for step in tail.steps[vcpu][-len(loops[vcpu]) :])),
        addresses=tuple(i.address for loop in loops.values() for i in loop if i.width),
        vcpus=tuple(running),
        verdict=Verdict.INCONCLUSIVE,
    )


def _loop(instructions: Sequence[Instruction]) -> Sequence[Instruction]:
    """Return one round of the shortest loop that the last instructions repeat; empty if they repeat no loop."""
    shapes = [(i.mnemonic, i.address, i.result) for i in reversed(instructions[-_LONGEST * ROUNDS :])]
    for length in range(1, min(_LONGEST, len(shapes) // ROUNDS) + 1):
        if all(shapes[place] == shapes[place % length] for place in range(length * ROUNDS)):
            return instructions[-length:]
    return ()


class _Known(msgspec.Struct):
    """The contents of RAM as far as the steps so far have shown: value by (address, width)."""

    values: dict[tuple[int, int], int] = {}

    def changes(self, event: Event) -> bool:
        """Whether `event` wrote a value other than the old one, as far as known."""
        op, place = event.op, (event.op.address, event.op.width)
        if not event.writes_ram:
            if event.reads_ram and isinstance(event.value, int):
                self.values[place] = event.value
            return False
        old = self.values.get(place) if op.kind in (Kind.STORE, Kind.STORE_CONDITIONAL) else event.value
        new = op.value if op.function is None else op.function.apply(event.value)
        self.values[place] = new
        return bool(old != new)


def _memory_changes(tail: _Tail) -> bool:
    """Whether memory changed in the second half of the window, given the values seen in the first half."""
    known = _Known()
    events = tail.trace.events
    changed = [step for step in range(tail.start, len(events)) if known.changes(events[step])]
    return bool(changed) and changed[-1] >= tail.start + WINDOW // 2
