"""Spin loops on hosts of execution graphs: a vCPU that made a round in vain makes no further one.

What a vCPU could do after another round that changes nothing, it does in another graph, too, which leaves that round
out (see `simaie.engine.spin`). If the next operation reads the very place for whose change the vCPU waits, this read is
the wait (`simaie.engine.graph.growing.Growing.lets_go_on`). If it is a fence, or if the round looks at several places,
the vCPU is held back before it (`Label.wait`).

A round that others noticed cannot be left out. The vCPU then makes another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simaie.engine.tries import Try
from simaie.host.graph.event import Event, members
from simaie.host.graph.graph import Graph
from simaie.op import Cell, Op, Role

if TYPE_CHECKING:
    from simaie.engine.graph.label import Label
    from simaie.engine.graph.memo import GraphMemo

__all__ = ["has_changed", "has_gone_on", "initial_value", "is_held", "lacks_write", "was_noticed"]


def has_changed(memo: GraphMemo, graph: Graph, wait: Op) -> bool:
    """Whether the newest stores of a graph end a wait for a change of one or several places."""
    assert wait.function is not None
    values = [_newest(memo, graph, each) for each in wait.places]
    return bool(wait.function.apply(values[0] if wait.value is None else tuple(values)))


def was_noticed(graph: Graph, label: Label, tried: Try) -> bool:
    """Whether the last round of a vCPU made a difference for others, so that it cannot be left out.

    It did if it took back what another vCPU had stored since the round read there, or may have ended a reservation.

    Args:
        graph: The graph.
        label: The label of the vCPU's next operation.
        tried: The round, which wrote only values that it had read.
    """
    if label.layout.relies_on_links():
        return True
    since = _own(graph, label, label.layout.index(label.number - tried.steps))
    return any(_took_back(graph, event) for event in since if event.writes)


def is_held(graph: Graph, label: Label) -> bool:
    """Whether an atomic operation of several pieces lacks its write until another store feeds one of its reads."""
    reads = sum(1 << read.id for read in label.reads)
    return graph.held & reads == reads


def lacks_write(graph: Graph) -> bool:
    """Whether an atomic operation still lacks its write, so that the graph is no execution."""
    for number in members(graph.held):
        if all(graph.held >> each & 1 for each in graph.events[number].siblings or ()):
            return True
    return False


def has_gone_on(graph: Graph, label: Label) -> bool:
    """Whether the graph has what a vCPU does after it has waited, so that it cannot wait for ever."""
    first = label.layout.index(label.number)
    return bool(_own(graph, label, first if label.wait is not None else first + 2 * label.layout.parts))


def _own(graph: Graph, label: Label, first: int) -> list[Event]:
    """Return the events of a vCPU from the index `first` on."""
    return [event for event in graph.events.values() if event.vcpu == label.vcpu and event.index >= first]


def _took_back(graph: Graph, event: Event) -> bool:
    """Whether `event` replaced another value, which another vCPU stored; or it may have emptied a reservation."""
    if isinstance(event.place, Cell) and event.place.role is Role.RESERVATIONS:
        return True
    stores = graph.coherence[event.place]
    place = stores.index(event.id)
    before = graph.events[stores[place - 1]] if place else None
    return before is not None and before.vcpu != event.vcpu and before.value != event.value


def _newest(memo: GraphMemo, graph: Graph, access: Op) -> Any:
    if access.cell is not None:
        return _stored(memo, graph, access.cell)
    pieces = memo.layout.pieces(access.address, access.width)
    return memo.layout.joined(pieces, [_stored(memo, graph, piece) for piece in pieces])


def _stored(memo: GraphMemo, graph: Graph, place: Any) -> Any:
    stores = graph.coherence.get(place, ())
    return graph.events[stores[-1]].value if stores else initial_value(memo, place)


def initial_value(memo: GraphMemo, place: Any) -> Any:
    """Return the value of a place before the first step."""
    if type(place) is not tuple:
        return place.initial
    return memo.beginning.read(*place) if type(place[0]) is int else None
