"""States as they are compared: whatever the order, and integers modulo the width of their location."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from simaie.exploration.litmus import explore_litmus
from simaie.litmus import Held, LitmusTest, parse, widths

State = tuple[tuple[str, Held], ...]


def comparable(test: LitmusTest, states: Iterable[Mapping[str, Held] | State]) -> set[State]:
    """The states as a set."""
    width_of = widths(test)

    def held(name: str, value: Held) -> Held:
        return value % (1 << width_of(name)) if isinstance(value, int) else value

    return {tuple(sorted((name, held(name, value)) for name, value in dict(state).items())) for state in states}


def final(rows: str, wanted: str, init: str = "", arch: str = "X86_64") -> dict[str, Held]:
    """The one final state of a single thread."""
    result = explore_litmus(parse(f"{arch} t\n{{{init}}}\n P0;\n{rows}\nlocations [{wanted}]\n"))
    assert result.complete
    (state,) = result.states
    return dict(state)
