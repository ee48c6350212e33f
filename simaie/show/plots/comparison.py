"""Three sets as a picture: each outcome in a row, with a mark for each set that it is in, forbidden ones told apart."""

from __future__ import annotations

from simaie.errors import UsageError
from simaie.exploration.compare import Comparison
from simaie.exploration.subject import State, state_text
from simaie.show.format import clean
from simaie.show.plots.plot import BAD, GOOD, OTHER, Axis, Plot, points

__all__ = ["plot_comparison"]

#: More outcomes than this are left out, of those that are in both sets first.
_MOST = 60
_SETS = ("allowed", "possible", "forbidden")
_RANK = {"forbidden": 0, "unreached": 1, "both": 2}
_MEANING = {"forbidden": BAD, "unreached": OTHER, "both": GOOD}


def plot_comparison(comparison: Comparison) -> Plot:
    """Outcomes by set: what the architecture allows, what the emulator can produce; forbidden ones first.

    UsageError if neither search came to an outcome.
    """
    allowed, possible = set(comparison.allowed.states), set(comparison.possible.states)
    # Both are sorted; their order is kept within each of the three parts.
    states = dict.fromkeys((*comparison.possible.states, *comparison.allowed.states))
    if not states:
        raise UsageError("this comparison has no outcomes to plot: no execution ran to its end")

    def part(state: State) -> str:
        return "both" if state in allowed and state in possible else "forbidden" if state in possible else "unreached"

    ranked = sorted(states, key=lambda state: _RANK[part(state)])[:_MOST]
    rows: list[dict[str, str]] = []
    for state in ranked:
        row = {"outcome": clean(state_text(state)), "part": part(state)}
        held = state in allowed, state in possible, state in possible and state not in allowed
        rows += [row | {"set": name} for name, there in zip(_SETS, held, strict=True) if there]
    machine = comparison.possible.machine
    title = clean(f"{comparison.name} under {machine.scheme} on {machine.host}")
    axes = Axis("set", "set", names=_SETS), Axis("outcome", "final state"), Axis("part", "in")
    return points(title, rows, *axes, meaning=_MEANING)
