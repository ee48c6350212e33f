"""Store-conditionals that succeed although they must not: three levels of strictness, each a separate kind of finding.

- *strict* (``llsc-atomicity-strict``): another vCPU or a device wrote to the reserved bytes after the load-linked read
  them;
- *architectural* (``llsc-atomicity``): the rules of the guest's instruction set forbid the success
  (`simaie.guest.reservation`). Any foreign store to the reserved bytes ends the reservation: a plain store, a
  store-conditional, a swap or a device's store. So do CLREX, any store-conditional and, on some, an exception. Without
  a load-linked there is no reservation. Whether a store-conditional to bytes other than the reserved ones may succeed
  depends on the instruction set;
- *value* (``llsc-atomicity-value``): a foreign write changed a byte at some point, even if a later one changed it back,
  and the architecture defines the result of the store-conditional.

The checkers judge every store-conditional that wrote RAM, whatever it returned, and every one that returned success.
The reservation is that of the vCPU's latest completed load-linked. A scheme that lets plain stores pass by design does
not make them legal: it is a finding, and `intruder` of the finding's second step is the kind of the access.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from simaie.check.evidence import describe, instruction_at, intruder, owner
from simaie.check.exclusives import ConditionalStore, attempts, rule_of
from simaie.check.intrusions import Intrusion, intrusion
from simaie.dependence import share_byte
from simaie.errors import UsageError
from simaie.finding import LLSC_LEVELS, Finding
from simaie.guest.reservation import Elsewhere, ReservationRule
from simaie.host.ram import Endian
from simaie.protocols import Checker
from simaie.trace import AccessKind, Trace

__all__ = ["LLSC_ARCHITECTURAL", "LLSC_STRICT", "LLSC_VALUE", "Level", "llsc_atomicity"]

_CONDITIONAL = AccessKind.STORE_CONDITIONAL


class Level(StrEnum):
    """The strictness with which a successful store-conditional is judged; see the module's docstring."""

    STRICT = "strict"
    VALUE = "value"
    ARCHITECTURAL = "architectural"


KINDS = dict(zip((Level.STRICT, Level.ARCHITECTURAL, Level.VALUE), LLSC_LEVELS, strict=True))


def llsc_atomicity(level: Level | str = Level.ARCHITECTURAL, *, endian: Endian = "little") -> Checker:
    """Return the checker of a level: one finding per wrong success, with a foreign write as evidence if there is one.

    Args:
        level: The level.
        endian: Byte order of guest RAM; it matters only if accesses of different widths meet at a byte.

    Raises:
        UsageError: There is no such level.
    """
    try:
        chosen = Level(level)
    except ValueError:
        raise UsageError(f"level must be one of {', '.join(Level)}, not {level!r}") from None

    def checker(trace: Trace) -> Iterable[Finding]:
        return _judge(trace, chosen, endian) if _CONDITIONAL in trace.accesses else ()

    checker.__name__ = checker.__qualname__ = f"llsc_atomicity_{chosen}"
    checker.__doc__ = f"Store-conditionals that succeeded although they must not, at level {chosen}."
    return checker


def _judge(trace: Trace, level: Level, endian: Endian) -> Iterator[Finding]:
    rule = rule_of(trace)
    for attempt in attempts(trace):
        if level is Level.ARCHITECTURAL:
            finding = _by_the_rule(trace, attempt, rule, endian)
            if finding is not None:
                yield finding
            continue
        found = intrusion(trace, attempt, endian=endian)
        if found is None:
            continue
        if level is Level.STRICT or (found.change is not None and not _is_unpredictable(trace, attempt, rule)):
            yield _intruded(trace, attempt, found, KINDS[level])


def _is_unpredictable(trace: Trace, attempt: ConditionalStore, rule: ReservationRule) -> bool:
    return attempt.elsewhere(trace, rule) is Elsewhere.UNPREDICTABLE


def _by_the_rule(trace: Trace, attempt: ConditionalStore, rule: ReservationRule, endian: Endian) -> Finding | None:
    reservation = attempt.reservation
    if reservation is None:
        return _without(trace, attempt, "its vCPU had no load-linked before it", [])
    if attempt.ended is not None:
        why = f"an earlier {attempt.ended.mnemonic} had ended the reservation and no load-linked came since"
        return _without(trace, attempt, why, _last_step(trace, attempt.ended.vcpu, attempt.ended.number))
    elsewhere = attempt.elsewhere(trace, rule)
    if elsewhere is Elsewhere.UNPREDICTABLE:
        return None
    if elsewhere is Elsewhere.FAILS:
        why = f"it is outside of what its {reservation.instruction} reserved"
        return _without(trace, attempt, why, reservation.steps[:1])
    inside = elsewhere is Elsewhere.INSIDE
    granule = rule.granule_of((reservation.place(trace), attempt.place(trace))) if inside else None
    in_question = None if granule is None else (granule.physical, granule.width)
    found = intrusion(trace, attempt, in_question, endian)
    return None if found is None else _intruded(trace, attempt, found, KINDS[Level.ARCHITECTURAL])


def _last_step(trace: Trace, vcpu: str, number: int) -> list[int]:
    """Return the last step of an instruction that its vCPU itself took, as a list; empty if it took no step."""
    steps = [
        step
        for step, event in enumerate(trace.events)
        if event.actor == vcpu and event.instruction is not None and event.instruction.number == number
    ]
    return steps[-1:]


def _intruded(trace: Trace, attempt: ConditionalStore, found: Intrusion, kind: str) -> Finding:
    reservation = attempt.reservation
    assert reservation is not None
    guilty, write = trace.events[found.worst], attempt.evidence(trace)
    parts = reservation.parts(trace).items()
    read = (step for part, step in parts if share_byte(*part, guilty.op.address, guilty.op.width))
    at_read = min(read, default=reservation.steps[0])
    what = intruder(guilty)
    kind_of_write = what.with_article if found.change is not None else f"a value-preserving {what}"
    message = (
        f"{_succeeded(trace, attempt)} although {describe(guilty)}, {kind_of_write}, wrote to the reserved bytes "
        f"after its {reservation.instruction.mnemonic}"
    )
    steps = (at_read, found.worst, write)
    return Finding(
        kind,
        message,
        steps=steps,
        addresses=tuple(trace.events[step].op.address for step in steps),
        vcpus=(attempt.instruction.vcpu, owner(guilty)),
    )


def _without(trace: Trace, attempt: ConditionalStore, why: str, before: list[int]) -> Finding:
    write = attempt.evidence(trace)
    return Finding(
        KINDS[Level.ARCHITECTURAL],
        f"{_succeeded(trace, attempt)} although {why}",
        steps=(*(step for step in before if step != write), write),  # a switch is at the beginning of its instruction
        addresses=(trace.events[write].op.address,),
        vcpus=(attempt.instruction.vcpu,),
    )


def _succeeded(trace: Trace, attempt: ConditionalStore) -> str:
    """Describe which store-conditional it is, and what it did."""
    instruction = attempt.instruction
    address = trace.events[attempt.evidence(trace)].op.address if attempt.writes else instruction.address
    refused = instruction.completed and instruction.result is not None and not instruction.result
    return f"{instruction_at(instruction, address)} {'stored' if refused else 'succeeded'}"


LLSC_STRICT = llsc_atomicity(Level.STRICT)
LLSC_VALUE = llsc_atomicity(Level.VALUE)
LLSC_ARCHITECTURAL = llsc_atomicity(Level.ARCHITECTURAL)
