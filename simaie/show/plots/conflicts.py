"""Where vCPUs contend: how often an access to a granule comes after another vCPU's, and one of the two writes.

Such an access is what moves a cache line between cores, or what a lock on the granule makes somebody wait for. It is
*true* sharing if the two accesses have a byte in common; *false* sharing if only the granule is common.
"""

from __future__ import annotations

from collections import Counter

from simaie.dependence import overlap
from simaie.errors import UsageError
from simaie.op import owner_of
from simaie.show.format import clean
from simaie.show.plots.plot import Axis, Plot, heat_map
from simaie.show.trace_table import structural_order
from simaie.trace import Event, Trace

__all__ = ["conflicts_of", "plot_conflicts"]


def conflicts_of(trace: Trace, granule: int = 16) -> dict[tuple[int, str], tuple[int, int]]:
    """(granule's address, vCPU) -> (conflicting accesses to it in all, those of them that share no byte).

    granule: in bytes, a power of two. An access that lies in two granules counts in both.
    """
    if granule < 1 or granule & granule - 1:
        raise UsageError(f"a granule is a power of two of bytes, not {granule}")
    last: dict[int, Event] = {}
    found: Counter[tuple[int, str]] = Counter()
    false: Counter[tuple[int, str]] = Counter()
    for event in trace.events:
        if not (event.reads_ram or event.writes_ram):
            continue
        op, vcpu = event.op, owner_of(event.actor)
        for number in range(op.address // granule, (op.address + op.width - 1) // granule + 1):
            place = number * granule
            before = last.get(place)
            last[place] = event
            found[place, vcpu] += 0
            if before is not None and owner_of(before.actor) != vcpu and (before.writes_ram or event.writes_ram):
                found[place, vcpu] += 1
                false[place, vcpu] += not overlap(before.op, event.op)
    ranked = sorted(found, key=lambda key: (key[0], structural_order(key[1])))
    return {key: (found[key], false[key]) for key in ranked}


def plot_conflicts(trace: Trace, *, granule: int = 16) -> Plot:
    """Conflicting accesses by granule and vCPU; UsageError if no vCPU touches guest memory."""
    found = conflicts_of(trace, granule)
    if not found:
        raise UsageError("this trace has no access to guest memory: there is no conflict to plot")
    vcpus = sorted({vcpu for _, vcpu in found}, key=structural_order)
    rows: list[dict[str, str | int]] = [
        {"granule": f"{place:#x}", "vcpu": clean(vcpu), "conflicts": count, "false": false}
        for (place, vcpu), (count, false) in found.items()
    ]
    return heat_map(
        f"{clean(trace.program)}: conflicts per granule of {granule} bytes",
        rows,
        Axis("vcpu", "vCPU", names=tuple(clean(vcpu) for vcpu in vcpus)),
        Axis("granule", "granule"),
        Axis("conflicts", "conflicting accesses", numeric=True),
    )
