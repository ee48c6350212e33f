"""States as they are compared: whatever the order, and integers modulo the width of their location."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from simaie.guest.litmus import Held, LitmusTest, widths

State = tuple[tuple[str, Held], ...]


def comparable(test: LitmusTest, states: Iterable[Mapping[str, Held] | State]) -> set[State]:
    """The states as a set."""
    width_of = widths(test)

    def held(name: str, value: Held) -> Held:
        return value % (1 << width_of(name)) if isinstance(value, int) else value

    return {tuple(sorted((name, held(name, value)) for name, value in dict(state).items())) for state in states}
