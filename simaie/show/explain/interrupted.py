"""A foreign write in the middle of a read-modify-write, or between a load-linked and its store-conditional."""

from __future__ import annotations

from collections.abc import Iterator

from simaie.check.evidence import Intruder, intruder, owner, read, written
from simaie.finding import Finding
from simaie.op import Kind, Role
from simaie.show.explain.data_flow import what_it_tested
from simaie.show.explain.phrases import a_kind_of, actor_of, at, instruction_of, stored_value
from simaie.show.explain.protection import missing_protection
from simaie.show.format import format_event, format_value
from simaie.trace import AccessKind, Event, Trace

__all__ = ["llsc_atomicity", "rmw_atomicity"]

#: What these store does not come from what they loaded.
_EXCHANGES = ("xchg", "swp", "amoswap")


def rmw_atomicity(trace: Trace, finding: Finding) -> str:
    """Read, foreign write, write: the store of the third rests on a value that the second had replaced."""
    loaded, foreign, write = finding.steps[0], finding.steps[1], finding.steps[-1]
    first, guilty, last = (trace.events[step] for step in (loaded, foreign, write))
    return " ".join((
        f"{instruction_of(first)} must be one indivisible access. It loaded {_read_value(first)} {at(loaded)}"
        f"{_wrote(first, last)} {at(write)}.",
        f"In between {instruction_of(guilty)} wrote {stored_value(guilty)} {at(foreign)}.",
        _cost(trace, loaded, foreign, write),
        missing_protection(trace, loaded, foreign),
    ))


def _wrote(first: Event, last: Event) -> str:
    mnemonic = "" if last.instruction is None else last.instruction.mnemonic
    if stored_value(last) == _read_value(first) and last.op.width == first.op.width:
        return f" and wrote {stored_value(last)} back"
    if mnemonic.startswith(_EXCHANGES):
        return f" and stored {stored_value(last)}"
    return f", and from that worked out the {stored_value(last)} that it stored"


def _read_value(event: Event) -> str:
    return format_value(event.value)


def _cost(trace: Trace, loaded: int, foreign: int, write: int) -> str:
    """What became of the value that came in between."""
    guilty, last = trace.events[foreign], trace.events[write]
    if _preserves_value(trace, loaded, foreign):
        return f"{actor_of(guilty)}'s write is value-preserving: {stored_value(guilty)} was there before."
    theirs = range(guilty.op.address, guilty.op.address + guilty.op.width)
    mine = {
        byte
        for event in trace.events[: write + 1]
        if event.instruction is last.instruction and event.writes_ram
        for byte in range(event.op.address, event.op.address + event.op.width)
    }
    gone = [byte for byte in theirs if byte in mine]
    who = actor_of(guilty)
    if len(gone) == len(theirs) and (last.op.address, last.op.width) != (guilty.op.address, guilty.op.width):
        return f"What {who} wrote is lost: it lies among the bytes that {last.op.location} covers."
    if len(gone) == len(theirs):
        return f"What {who} wrote is lost: {stored_value(last)} went over it."
    if not gone:
        return f"What {who} wrote is still there: {last.op.location} are other bytes."
    return (
        f"What {who} wrote is torn: {len(gone)} of its {len(theirs)} bytes ({gone[0]:#x} to {gone[-1]:#x}) were "
        "overwritten, the others stayed."
    )


def _preserves_value(trace: Trace, loaded: int, foreign: int) -> bool:
    """Whether the write at step `foreign` left each byte as it was, as far as the read before it tells."""
    if not (trace.events[loaded].reads_ram and trace.events[foreign].writes_ram):
        return False
    held = dict(read(trace.events[loaded], "little"))
    for step in range(loaded + 1, foreign):
        if trace.events[step].writes_ram:
            held.update(written(trace.events[step], "little"))
    return all(held.get(address) == byte for address, byte in written(trace.events[foreign], "little"))


def llsc_atomicity(trace: Trace, finding: Finding) -> str:
    """A store-conditional that stored on a reservation that was none any more, or never was."""
    if len(finding.steps) < 3:
        return _without(trace, finding)
    loaded, foreign, write = finding.steps[:3]
    first, guilty, last = (trace.events[step] for step in (loaded, foreign, write))
    return " ".join((
        f"{instruction_of(last)} may only store if nobody wrote to the reserved bytes since the load-linked. "
        f"{instruction_of(first)} read {_read_value(first)} {at(loaded)}; then {instruction_of(guilty)} wrote "
        f"{stored_value(guilty)} {at(foreign)}; and yet the store-conditional stored {stored_value(last)} {at(write)}.",
        _cost(trace, loaded, foreign, write),
        _why_not_noticed(trace, loaded, foreign, write),
    ))


def _without(trace: Trace, finding: Finding) -> str:
    write = finding.steps[-1]
    event = trace.events[write]
    text = f"It stored {stored_value(event)} {at(write)}."
    tests = [step for step in _on_sets(trace, write) if trace.events[step].instruction is event.instruction]
    if not tests:
        return text
    test = tests[-1]
    cell = trace.events[test].op.cell
    joined = [s for s in _on_sets(trace, test) if trace.events[s].op.cell is cell and _joins(trace.events[s])]
    if not joined or owner(trace.events[joined[-1]]) == owner(event):
        return text
    who = trace.events[joined[-1]]
    return (
        f"{text} It found a member that stands for it, {format_event(trace.events[test])} {at(test)}: put there by "
        f"{instruction_of(who)} {at(joined[-1])}, another vCPU with the same identity, which never took it out again."
    )


def _why_not_noticed(trace: Trace, loaded: int, foreign: int, write: int) -> str:
    """How the scheme keeps the reservation, as the trace shows it, and why the foreign write did not end it."""
    last, guilty = trace.events[write], trace.events[foreign]
    if last.op.kind is Kind.CAS:
        return (
            f"The scheme keeps no reservation but the value: the store-conditional is a compare-and-swap, and at that "
            f"time the location held {format_value(last.value)}, as if nothing had happened."
        )
    touched = list(_on_sets(trace, write))
    sets = [step for step in touched if trace.events[step].instruction is last.instruction]
    if sets:
        test = trace.events[sets[-1]]
        text = f"The reservation was still in {test.op.location} when the store-conditional looked {at(sets[-1])}: "
        by = [step for step in touched if trace.events[step].instruction is guilty.instruction and step > loaded]
        if by and trace.events[by[-1]].op.cell is not test.op.cell:
            return text + (
                f"{instruction_of(guilty)} goes by another set, {trace.events[by[-1]].op.location} {at(by[-1])}, since "
                "it names the bytes by another address."
            )
        if intruder(guilty) is Intruder.DEVICE:
            return f"{text}a device writes past the emulator's helpers and takes nobody out of it."
        return f"{text}{a_kind_of(guilty)} takes nobody out of it."
    tested = what_it_tested(trace, foreign, write)
    if tested:
        return tested
    if guilty.instruction is not None and guilty.instruction.access is AccessKind.STORE_CONDITIONAL:
        return "Nothing ties a load-linked to its store-conditional here: each stores, whoever stored before."
    return missing_protection(trace, loaded, foreign)


def _on_sets(trace: Trace, before: int) -> Iterator[int]:
    """The steps before `before` that touch a set of reservations."""
    for step in range(before):
        op = trace.events[step].op
        if op.kind is Kind.UPDATE and op.cell is not None and op.cell.role is Role.RESERVATIONS:
            yield step


def _joins(event: Event) -> bool:
    return event.op.function is not None and event.op.function.name.startswith("insert")
