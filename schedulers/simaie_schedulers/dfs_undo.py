"""The path of a depth-first search that goes back by undo.

A step back takes back operations. Thus an execution costs the steps after the decision at which it leaves the one
before it. The decisions, their alternatives and the order of these are those of `simaie_schedulers.dfs`.
"""

from __future__ import annotations

from collections.abc import Iterable

from simaie.small_steps import SmallSteps
from simaie_schedulers.dfs_tree import Decision, Path

__all__ = ["UndonePath"]


class _DecisionAt(Decision):
    """A decision with its place in the execution.

    Attributes:
        actors: The alternatives.
        at: The number of steps before it.
    """

    __slots__ = ("actors", "at")

    def __init__(self, actors: list[int], free: int, taken: int, at: int) -> None:
        super().__init__(0, len(actors), free, taken)  # a state that goes back needs no checksum
        self.actors, self.at = actors, at


class UndonePath(Path):
    """The decisions of the execution at whose end a state is.

    `backtrack` and `follow` change the decisions, and `descend` moves the state.

    Args:
        state: The program at its start.
        bounded: Whether a preemption costs something.
    """

    _decisions: list[_DecisionAt]  # type: ignore[assignment]  # all of them are made here

    def __init__(self, state: SmallSteps, *, bounded: bool) -> None:
        super().__init__()
        self._state, self._bounded = state, bounded
        self._length = 0  # the number of steps that the state has taken

    def follow(self, taken: Iterable[int], expected: int | None = None) -> None:
        """Prescribe a path from the root, which leaves the current one at some decision.

        Args:
            taken: The alternative at each decision.
            expected: Ignored.
        """
        before = self._decisions.copy()
        super().follow(taken)
        for decision, alternative in zip(before, self._plan, strict=False):
            self._decisions.append(decision)
            if decision.taken != alternative:
                decision.taken = alternative
                return

    def prescribed(self) -> list[int]:
        """Return the part of the path that was prescribed."""
        return [decision.taken for decision in self._decisions[: self._prescribed]]

    def descend(self) -> None:
        """Take the state to the end of the execution that begins with the decisions; beyond, take the first ones."""
        state, decisions, running = self._state, self._decisions, -1
        length = decisions[-1].at if decisions else 0
        for _ in range(self._length - length):
            state.undo()
        if decisions:
            last = decisions[-1]
            running = last.actors[last.taken]
            state.step(running)
            length += 1
        while enabled := state.enabled():
            running = enabled[0] if len(enabled) == 1 else self._decide(list(enabled), running, length)
            state.step(running)
            length += 1
        self._length = length

    def _decide(self, enabled: list[int], running: int, at: int) -> int:
        """Pass a decision, and return the actor to step: the running one first, if it goes on and does not yield."""
        actors, free = enabled, len(enabled)
        if running in enabled:
            others = [actor for actor in enabled if actor != running]
            if self._state.yields(running):
                actors = [*others, running]
            else:
                actors = [running, *others]
                free = 1 if self._bounded else free
        position, plan = len(self._decisions), self._plan
        taken = plan[position] if position < len(plan) else 0
        self._decisions.append(_DecisionAt(actors, free, taken, at))
        return actors[taken]
