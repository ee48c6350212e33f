"""Foreign writes in the middle of a read-modify-write, or between a load-linked and its store-conditional."""

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

#: Instructions whose stored value does not depend on the loaded one.
_EXCHANGES = ("xchg", "swp", "amoswap")


def rmw_atomicity(trace: Trace, finding: Finding) -> str:
    """Explain read, foreign write, write: the last write does not take the foreign value into account."""
    loaded, foreign, write = finding.steps[0], finding.steps[1], finding.steps[-1]
    first, guilty, last = (trace.events[step] for step in (loaded, foreign, write))
    return " ".join((
        f"{instruction_of(first)} must be one indivisible access. It loaded {_read_value(first)} {at(loaded)}"
        f"{_wrote(first, last)} {at(write)}.",
        f"In between, {instruction_of(guilty)} wrote {stored_value(guilty)} {at(foreign)}.",
        _cost(trace, loaded, foreign, write),
        missing_protection(trace, loaded, foreign),
    ))


def _wrote(first: Event, last: Event) -> str:
    mnemonic = "" if last.instruction is None else last.instruction.mnemonic
    if stored_value(last) == _read_value(first) and last.op.width == first.op.width:
        return f" and wrote {stored_value(last)} back"
    if mnemonic.startswith(_EXCHANGES):
        return f" and stored {stored_value(last)}"
    return f", computed {stored_value(last)} from it and stored that"


def _read_value(event: Event) -> str:
    return format_value(event.value)


def _cost(trace: Trace, loaded: int, foreign: int, write: int) -> str:
    """Return what happened to the value that the foreign write stored."""
    guilty, last = trace.events[foreign], trace.events[write]
    if _preserves_value(trace, loaded, foreign):
        return f"{actor_of(guilty)}'s write is value-preserving: memory held {stored_value(guilty)} already."
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
        return f"What {who} wrote is lost: {last.op.location} covers those bytes."
    if len(gone) == len(theirs):
        return f"What {who} wrote is lost: {stored_value(last)} replaced it."
    if not gone:
        return f"What {who} wrote is still there: {last.op.location} are other bytes."
    return (
        f"What {who} wrote is torn: {len(gone)} of its {len(theirs)} bytes ({gone[0]:#x} to {gone[-1]:#x}) were "
        "overwritten, the others stayed."
    )


def _preserves_value(trace: Trace, loaded: int, foreign: int) -> bool:
    """Whether the write at step `foreign` left each byte as the read at step `loaded` had found it."""
    if not (trace.events[loaded].reads_ram and trace.events[foreign].writes_ram):
        return False
    held = dict(read(trace.events[loaded], "little"))
    for step in range(loaded + 1, foreign):
        if trace.events[step].writes_ram:
            held.update(written(trace.events[step], "little"))
    return all(held.get(address) == byte for address, byte in written(trace.events[foreign], "little"))


def llsc_atomicity(trace: Trace, finding: Finding) -> str:
    """Explain a store-conditional that stored although its reservation had ended or never existed."""
    if len(finding.steps) < 3:
        return _without(trace, finding)
    loaded, foreign, write = finding.steps[:3]
    first, guilty, last = (trace.events[step] for step in (loaded, foreign, write))
    return " ".join((
        f"{instruction_of(last)} may only store if no other vCPU wrote to the reserved bytes since the load-linked. "
        f"{instruction_of(first)} read {_read_value(first)} {at(loaded)}; then {instruction_of(guilty)} wrote "
        f"{stored_value(guilty)} {at(foreign)}; yet the store-conditional stored {stored_value(last)} {at(write)}.",
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
        f"{text} It found its identity in the set, {format_event(trace.events[test])} {at(test)}. But "
        f"{instruction_of(who)} had put it there {at(joined[-1])}: another vCPU with the same identity, which never "
        "removed it."
    )


def _why_not_noticed(trace: Trace, loaded: int, foreign: int, write: int) -> str:
    """Return how the scheme keeps the reservation, as the trace shows, and why the foreign write did not end it."""
    last, guilty = trace.events[write], trace.events[foreign]
    if last.op.kind is Kind.CAS:
        return (
            "The scheme's only reservation is the value: the store-conditional is a compare-and-swap, and at that time "
            f"the location held {format_value(last.value)}, as if nothing had happened."
        )
    touched = list(_on_sets(trace, write))
    sets = [step for step in touched if trace.events[step].instruction is last.instruction]
    if sets:
        test = trace.events[sets[-1]]
        text = f"The reservation was still in {test.op.location} when the store-conditional tested it {at(sets[-1])}: "
        by = [step for step in touched if trace.events[step].instruction is guilty.instruction and step > loaded]
        if by and trace.events[by[-1]].op.cell is not test.op.cell:
            other = f"{trace.events[by[-1]].op.location} {at(by[-1])}"
            return f"{text}{instruction_of(guilty)} names the bytes by another address and uses another set, {other}."
        if intruder(guilty) is Intruder.DEVICE:
            return f"{text}a device bypasses the emulator's helpers and removes no vCPU from it."
        return f"{text}{a_kind_of(guilty)} removes no vCPU from it."
    tested = what_it_tested(trace, foreign, write)
    if tested:
        return tested
    if guilty.instruction is not None and guilty.instruction.access is AccessKind.STORE_CONDITIONAL:
        return "Nothing ties a load-linked to its store-conditional here: each stores, whatever was stored before."
    return missing_protection(trace, loaded, foreign)


def _on_sets(trace: Trace, before: int) -> Iterator[int]:
    """Yield the steps before `before` that touch a set of reservations."""
    for step in range(before):
        op = trace.events[step].op
        if op.kind is Kind.UPDATE and op.cell is not None and op.cell.role is Role.RESERVATIONS:
            yield step


def _joins(event: Event) -> bool:
    return event.op.function is not None and event.op.function.name.startswith("insert")
