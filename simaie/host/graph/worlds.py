"""The order that stopped worlds and indivisible sections add to a graph.

The events of an indivisible section take effect together: what is ordered before one of them is before all.

A vCPU that stops the world waits until no other one is inside a guest instruction. The others leave their code, and
come back when the world is resumed, which are full barriers. So each of their instructions is wholly before the section
or wholly after it, and no instruction is after the section if a later one of its vCPU is before it.

Where nothing orders a section and an instruction, both ways are possible, and neither is chosen: they are one graph.
`turns` chooses, for traces. That always succeeds. Of the sections that remain, take one that is ordered behind no
other, an indivisible one first. All that is before a stopped world consists of whole instructions, from the first that
remains of each vCPU on. Instructions that have begun can end before it: were it before their rest, then it would be
before all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from simaie.host.graph.event import Event, members
from simaie.host.graph.graph import Graph
from simaie.host.graph.order import all_predecessors

__all__ = ["ancestors", "lifted", "section_with", "sections_apart", "turns"]

_NONE: Mapping[int, int] = {}


def section_with(graph: Graph, event: Event) -> int:
    """Return the events of the graph that are in the same section as `event`, as a mask; 0 if it is in none."""
    found = 0
    if event.section >= 0:
        own = graph.mask >> event.base + event.section & (1 << event.stride - event.section) - 1
        for index in members(own):
            number = event.base + event.section + index
            if graph.events[number].section != event.section:
                break
            found |= 1 << number
    return found


def lifted(graph: Graph, unfinished: Mapping[int, int] = _NONE) -> dict[int, int] | None:
    """Return the events that are ordered before each event, as masks; None if the order has a cycle.

    Args:
        graph: The graph.
        unfinished: By vCPU, the group of the instruction inside which it waits for ever.
    """
    before = all_predecessors(graph)
    sections, instructions = _sections(graph), _by_vcpu(graph)
    for begin, section in sections.items():
        if graph.events[begin].value:
            _join(before, section)
    if unfinished:
        _keep_out(graph, before, sections, unfinished)
    while True:
        above = ancestors(before, graph.mask)
        if above is None:
            return None
        changed = False
        for begin, section in sections.items():
            if not graph.events[begin].value and _separate(graph, instructions, before, above, begin, section):
                changed = True
        if not changed:
            return before


def ancestors(before: Mapping[int, int], events: int) -> dict[int, int] | None:
    """Return what is ordered before each event, directly or not; None if there is a cycle."""
    found: dict[int, int] = {}
    left = events
    while left:
        path, on_path = [left.bit_length() - 1], 0
        while path:
            number = path[-1]
            on_path |= 1 << number
            missing = before[number] & left
            if missing & on_path:
                return None
            if missing:
                path.append(missing.bit_length() - 1)
                continue
            found[number] = _with_ancestors(found, before[number] & events)
            left &= ~(1 << number)
            on_path &= ~(1 << number)
            path.pop()
    return found


def _with_ancestors(found: Mapping[int, int], events: int) -> int:
    """Return these events and all that are ordered before them, which `found` has, as a mask."""
    left = result = events
    while left:
        number = left.bit_length() - 1  # the last one of a vCPU tells most
        result |= found[number]
        left &= ~(found[number] | 1 << number)
    return result


def sections_apart(graph: Graph) -> dict[int, int]:
    """Return what must come before events because of sections, as masks.

    For the beginning of a section it is all that is ordered before the section; for an event of another vCPU, the
    beginnings of the sections that it is ordered behind.

    Args:
        graph: A consistent graph.
    """
    before = lifted(graph)
    assert before is not None
    above = ancestors(before, graph.mask) or {}
    found: dict[int, int] = {}
    for begin, section in _sections(graph).items():
        found[begin] = found.get(begin, 0) | _join_of(above, section) & ~section
        for number in graph.events:
            if above[number] & section and not section >> number & 1:
                found[number] = found.get(number, 0) | 1 << begin
    return found


def turns(graph: Graph, before: Mapping[int, int]) -> list[int]:
    """Return the events in parts, each of which takes effect as a whole before the next one begins.

    Args:
        graph: A consistent graph.
        before: What `lifted` returned for it.
    """
    above = ancestors(before, graph.mask)
    assert above is not None
    if graph.pieces:
        above = {number: _with_siblings(graph, earlier) for number, earlier in above.items()}
    sections, left, found = _sections(graph), graph.mask, []
    while sections:
        begins = sum(1 << begin for begin in sections)
        free = [begin for begin, section in sections.items() if not _join_of(above, section) & begins & ~section]
        begin = next((begin for begin in free if graph.events[begin].value), free[0])
        section = sections.pop(begin)
        if not graph.events[begin].value:
            found.append(_begun(graph, above, left))
            left &= ~found[-1]
        part = (_join_of(above, section) | section) & left
        first = sum(1 << number for number in members(part) if not above[number] & section) & ~section
        found += [first, part & ~first]
        left &= ~part
    return [*found, left]


def _with_siblings(graph: Graph, events: int) -> int:
    """Return the events with the other pieces of their accesses, which take effect with them, as a mask."""
    found = events
    for number in members(events):
        for sibling in graph.events[number].siblings or ():
            found |= 1 << sibling
    return found & graph.mask


def _begun(graph: Graph, above: Mapping[int, int], left: int) -> int:
    """Return the rest of the instructions that have begun, and what is ordered before it; `left` is what remains."""
    gone, found = graph.mask & ~left, 0
    while True:
        begun = {(event.vcpu, event.group) for number, event in graph.events.items() if (gone | found) >> number & 1}
        rest = [number for number in members(left) if _group_of(graph, number) in begun]
        more = (sum(1 << number for number in rest) | _join_of(above, sum(1 << number for number in rest))) & left
        if not more & ~found:
            return found
        found |= more


def _group_of(graph: Graph, number: int) -> tuple[int, int] | None:
    event = graph.events[number]
    return (event.vcpu, event.group) if event.group >= 0 else None


def _sections(graph: Graph) -> dict[int, int]:
    """Return the events of each section, as a mask, by the id of the event with which it begins."""
    found: dict[int, int] = {}
    for number in sorted(graph.events):
        event = graph.events[number]
        if event.section >= 0:
            begin = event.base + event.section
            found[begin] = found.get(begin, 0) | 1 << number
    return found


def _join(before: dict[int, int], section: int) -> None:
    """Let all events of a section wait for what one of them waits for."""
    others = 0
    for number in members(section):
        others |= before[number] & ~section
    for number in members(section):
        before[number] |= others


def _keep_out(graph: Graph, before: dict[int, int], sections: dict[int, int], unfinished: Mapping[int, int]) -> None:
    """Let the instructions that never end wait for all sections in which the world of their vCPU is stopped."""
    for begin, section in sections.items():
        if graph.events[begin].value:
            continue
        for number, event in graph.events.items():
            if event.vcpu != graph.events[begin].vcpu and 0 <= unfinished.get(event.vcpu, -1) <= event.group:
                before[number] |= section


def _separate(
    graph: Graph,
    instructions: Mapping[int, list[int]],
    before: dict[int, int],
    above: dict[int, int],
    begin: int,
    section: int,
) -> bool:
    """Order whole instructions of the other vCPUs before or after a section; return whether that was new."""
    ordered, changed = _join_of(above, section), False
    for vcpu, own in instructions.items():
        if vcpu == graph.events[begin].vcpu or graph.events[own[0]].group < 0:
            continue
        last = max((graph.events[number].group for number in own if ordered >> number & 1), default=-1)
        earlier = sum(1 << number for number in own if graph.events[number].group <= last)
        if earlier & ~before[begin]:
            before[begin] |= earlier
            changed = True
        first = next((graph.events[number].group for number in own if above[number] & section), None)
        for number in own:
            if first is not None and graph.events[number].group >= first and section & ~before[number]:
                before[number] |= section
                changed = True
    return changed


def _by_vcpu(graph: Graph) -> dict[int, list[int]]:
    """Return the ids of the events of each vCPU, in the order of the program."""
    found: dict[int, list[int]] = {}
    for number in sorted(graph.events):
        found.setdefault(graph.events[number].vcpu, []).append(number)
    return found


def _join_of(above: Mapping[int, int], events: int) -> int:
    """Return what is ordered before some of the `events`."""
    found = 0
    for number in members(events):
        found |= above[number]
    return found
