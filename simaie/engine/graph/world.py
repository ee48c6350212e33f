"""Operations that stop the world, and those of sections: their events, and what does not fit into a section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from simaie.dependence import RESUMES, STOPS
from simaie.errors import NotModelledError, SchemeError
from simaie.host.graph.event import Event, Past
from simaie.host.graph.graph import Graph
from simaie.host.graph.worlds import ancestors, lifted, section_with
from simaie.op import BLOCKING, Kind

if TYPE_CHECKING:
    from simaie.engine.graph.label import Label

__all__ = [
    "begin", "can_stop", "check_section", "end", "in_turn", "is_indivisible", "may_wait", "opening", "raise_waits",
]  # fmt: skip


def check_section(label: Label) -> None:
    """Learn that the program has sections, and check that the operation of a label fits into that of its vCPU.

    Raises:
        BeginAnew: It was not known that the program has sections.
        NotModelledError: The operation may wait, within a section.
        SchemeError: It begins a section within one, or ends one that its vCPU does not own.
    """
    op, kind, inside = label.op, label.op.kind, label.past.section
    if kind in STOPS:
        label.layout.learn_sections()
    if kind in BLOCKING and kind not in STOPS:
        label.layout.learn_waits()
        if inside >= 0:
            raise_waits(label.name, f"waits with {op} although it has stopped the world")
    if (kind in STOPS) if inside >= 0 else (kind in RESUMES):
        doing = "begins another section" if inside >= 0 else "ends a section that it does not own"
        raise SchemeError(f"vCPU {label.name} {doing} with {op}; every section must begin once and end once")


def raise_waits(name: str, what: str) -> None:
    """Raise NotModelledError: a host of execution graphs does not stop other vCPUs for ever."""
    raise NotModelledError(
        f"vCPU {name} {what}, which a host of execution graphs does not model; use the host tso or pso"
    )


def opening(label: Label, *, waits: bool = False) -> Event:
    """Return the event with which the section of a label begins, or that of a vCPU that waits for ever before it.

    Args:
        label: The label, whose operation stops the world.
        waits: Whether the vCPU waits for ever, for another one that never leaves its guest instruction.
    """
    past = label.past
    event = Event(label.vcpu, label.layout.index(label.number), label.layout.stride, writes=False, place=None)
    event.local = past.everything
    event.order = event.local << event.base | past.born
    event.label = (label.control | past.decided) << event.base | past.born
    event.status = label.status << event.base
    event.group, event.choice = label.group, int(waits)
    event.section = -1 if waits else event.index
    event.value = label.op.kind is Kind.BEGIN_SECTION
    return event


def begin(past: Past, event: Event) -> None:
    """Take the beginning of a section into account for what comes later: it is a full barrier."""
    bit = 1 << event.index
    past.everything |= bit
    past.events[event.index] = event
    past.decided |= bit
    past.full |= past.everything
    past.section = event.index


def end(past: Past) -> None:
    """Take the end of a section into account for what comes later: it is a full barrier."""
    past.full |= past.everything
    past.section = -1


def can_stop(label: Label, others: list[Label]) -> bool:
    """Whether the operation of a label, which begins a section, need not wait for one of the other vCPUs."""
    return label.op.kind is not Kind.BEGIN_EXCLUSIVE or not any(other.inside for other in others)


def is_indivisible(label: Label) -> bool:
    """Whether the section that the operation of a label is in is indivisible, so that devices wait for its end, too."""
    return bool(label.past.events[label.past.section].value)


def may_wait(graph: Graph, stuck: list[Label]) -> bool:
    """Whether vCPUs can wait for ever at the operations of these labels, as far as stopped worlds are concerned.

    No other vCPU has stopped the world since one of them began the instruction that it never ends. And one that waits
    to stop the world waits for such an instruction.
    """
    if any(label.op.kind in STOPS for label in stuck) and not any(label.inside for label in stuck):
        return False
    unfinished = {label.vcpu: label.group for label in stuck if label.inside}
    return lifted(graph, unfinished) is not None


def in_turn(graph: Graph, parts: list[Label]) -> list[Label]:
    """Return the labels of vCPUs inside instructions, in an order in which they can finish these.

    What is ordered before a stopped world of another vCPU's instruction goes before that, and what is ordered behind a
    section that has not ended goes after it. Otherwise an instruction goes before such a section.
    """
    if len(parts) < 2:
        return parts
    before = lifted(graph)
    if before is None:
        return parts
    above = ancestors(before, graph.mask) or {}
    left, found = parts[:], []
    while left:
        free = [one for one in left if not any(_goes_before(graph, above, other, one) for other in left)] or left
        first = min(free, key=lambda label: label.past.section >= 0)
        left.remove(first)
        found.append(first)
    return found


def _goes_before(graph: Graph, above: Mapping[int, int], one: Label, other: Label) -> bool:
    """Whether the rest of one instruction has to come before that of another."""
    if one is other:
        return False
    mine, others = _group(graph, one), _group(graph, other)
    events = graph.events
    stopped = [event.id for event in others if event.section >= 0 and not events[event.base + event.section].value]
    if any(above[number] >> event.id & 1 for number in stopped for event in mine):
        return True
    if one.past.section < 0:
        return False
    section = section_with(graph, one.past.events[one.past.section])
    return any(above[event.id] & section for event in others)


def _group(graph: Graph, label: Label) -> list[Event]:
    """Return the events of the guest instruction that a vCPU is in, or of the part since it stopped the world."""
    return [event for event in graph.events.values() if event.vcpu == label.vcpu and event.group == label.group]
