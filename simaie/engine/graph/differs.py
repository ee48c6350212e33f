"""The error of an event of a graph that comes again different, although all that it depends on is the same."""

from __future__ import annotations

from typing import Any

from simaie.engine.graph.label import Label
from simaie.errors import NondeterminismError
from simaie.host.graph.event import Event
from simaie.op import show

__all__ = ["differs", "equal"]


def equal(one: Any, other: Any) -> bool:
    """Whether two stored values are the same, and of one type."""
    return one is other or (type(one) is type(other) and bool(one == other))


def differs(label: Label, known: Event, event: Event) -> NondeterminismError:
    """Return the error that names the vCPU, its operation, and what differs.

    Args:
        label: The label of the operation.
        known: The event of the graph.
        event: The event that came in its place.
    """

    def words(each: Event) -> str:
        place = _shown(each.place)
        return f"a store of {show(each.value)} to {place}" if each.writes else f"a load of {place}"

    return NondeterminismError(
        f"vCPU {label.name} comes to operation {label.number} again, with equal results of all that it depends on, and "
        f"makes {words(event)} where it made {words(known)}: its code, or that of the scheme, keeps Python state that "
        "other vCPUs change, or hides from simaie what a value was computed from",
        vcpu=label.name,
        step=label.number,
        expected=words(known),
        got=words(event),
    )


def _shown(place: Any) -> str:
    return f"[{place[0]:#x}]/{place[1]}" if type(place) is tuple and type(place[0]) is int else str(place)
