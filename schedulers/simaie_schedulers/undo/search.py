"""Optimal DPOR by undo: the search itself. `simaie_schedulers.undo` explains the algorithm.

Some of its schedules may be given away, and it may explore a part only; `simaie_schedulers.undo.divided` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simaie.dependence import WRITES_IF_IT_SUCCEEDS
from simaie.errors import UsageError
from simaie.op import Kind
from simaie.small_steps import SmallSteps, Step
from simaie_schedulers.undo.parts import Given, Sizes
from simaie_schedulers.undo.path import Decision, Path, Schedule
from simaie_schedulers.undo.races import alternatives, is_canonical, reversals, schedules
from simaie_schedulers.undo.unsettled import is_settled

__all__ = ["UndoSearch"]

_CHOICE = Kind.CHOICE
_MAY_FAIL = [kind in WRITES_IF_IT_SUCCEEDS for kind in Kind]


class _SetAside:
    """A path that waits until schedules which it completed are explored.

    Args:
        at: Length of the path.
        schedules: The schedules.

    Attributes:
        at: Length of what is left of the path meanwhile.
        rest: The other steps.
        schedules: The schedules that are still to be explored.
    """

    __slots__ = ("at", "rest", "schedules")

    def __init__(self, at: int, schedules: list[Schedule]) -> None:
        self.at = at
        self.rest: list[Decision] = []
        self.schedules = schedules


class UndoSearch:
    """Visits the end of one execution of each Mazurkiewicz trace of a program.

    Args:
        state: The program at its start. The search moves it.
        keep: Most schedules to keep for later; beyond, each is explored at once, which costs time but no space.

    Attributes:
        state: The program.
        path: How it came to where it is.
        executions: Executions visited.
        reversals: Schedules found.
        redundant: Executions that were not visited because their trace belongs to another class, see
            `simaie_schedulers.undo.unsettled`.
        infeasible: Schedules whose head was disabled, or that belong to another class; no execution was spent on them.
        peak_kept: Most schedules kept at one time.
        peak_set_aside: Most paths set aside at one time.
        peak_length: Length of the longest execution.
        due: The part that was given away and comes next; None if none does.
        exhausted: Whether no execution is left.
        abandoned: Whether the scheduler has to begin anew, without this search.
    """

    def __init__(self, state: SmallSteps, *, keep: int = 10_000) -> None:
        self.state = state
        self.path = Path(state)
        self.executions = 0
        self.redundant = 0
        self.reversals = 0
        self.infeasible = 0
        self.peak_kept = 0
        self.peak_set_aside = 0
        self._keep = keep
        self._kept = 0
        self._urgent: list[Schedule] = []
        self._set_aside: list[_SetAside] = []
        self._conditional: set[int] = set()
        self._any_uncertain = state.mixed_sizes or bool(state.uncertain())
        self.due: Given | None = None
        self._siblings: list[Any] | None = None  # the schedules that wait where `due` has waited
        self._is_part = False
        self._floor = 0  # of a part: the length of its prefix
        self._below: list[Schedule] = []  # of a part: the schedules for nodes of its prefix
        self._sizes = Sizes()
        self._stands = False  # whether the path is at the end of an execution that was not visited
        self._started = False
        self.peak_length = 0
        self.exhausted = self.abandoned = False

    def abandon(self) -> None:
        """End the search: its scheduler has to begin anew, without undo."""
        self.abandoned = True

    def profile(self, actors: Sequence[str]) -> Mapping[str, Any]:
        """Return the profile of `Dpor` that begins with an execution of these actors; see `SearchByUndo`."""
        return {"prefix": [[actor, None] for actor in actors], "tree": [], "asleep": []}

    def __iter__(self) -> Iterator[SmallSteps]:
        """Yield the state at the end of every execution; undo what was done to it before going on."""
        while self.advance():
            yield self.state

    def advance(self) -> bool:
        """Go to the end of the next execution; return False if none is left, or if a part is `due`.

        Raises:
            UsageError: At the end: the sizes of accesses are mixed although the state denies it. Or a part keeps too
                many schedules.
        """
        if self._stands:
            self._stands = False
            return self._visit()
        if self._started and not self._turn():
            return self._end()
        self._started = True
        order, default = self.path.order, self.state.default
        while True:
            if self.due is not None:
                return False
            if self._urgent:
                self._set_aside.append(_SetAside(len(self.path), self._urgent))
                self._urgent = []
                self.peak_set_aside = max(self.peak_set_aside, len(self._set_aside))
                self._turn()
                continue
            length = order.length
            actor = default(order.actors[length - 1] if length else -1)
            if actor >= 0:
                self._default(actor, ())
            elif all(is_settled(self.path, step) for step in self.path.unsettled.values()):
                return self._visit()
            else:
                self.redundant += 1
                if not self._turn():
                    return self._end()

    def _visit(self) -> bool:
        self.executions += 1
        self.peak_length = max(self.peak_length, len(self.path))
        return True

    def _end(self) -> bool:
        self._check_sizes()
        self.exhausted = True
        return False

    def _check_sizes(self) -> None:
        overlaps = self.state.overlaps
        if not self.state.mixed_sizes and any(len(overlaps[place]) > 1 for place in self._conditional):
            raise UsageError(
                "a compare-and-swap or store-conditional shares some of its bytes with another access, so the search "
                "may have missed executions; run it with a state whose mixed_sizes is true"
            )

    def _default(self, actor: int, chain: tuple[int, ...]) -> None:
        """Perform the default step of `actor`."""
        path = self.path
        immediate = path.step(actor, 0, chain)
        order = path.order
        step = order.steps[order.length - 1]
        if not step.is_plain and step.kind is _CHOICE:
            self._plan(alternatives(path))
        self._reverse(immediate, step)

    def _reverse(self, immediate: int, step: Step) -> None:
        """Find the schedules that the last event, which did `step`, completes."""
        if not step.is_plain or self._any_uncertain:
            self._look_out(step)
            found = schedules(self.path, immediate, self._any_uncertain) if immediate or self._any_uncertain else None
        else:
            found = reversals(self.path, immediate) if immediate else None
        if found:
            self._plan(found)

    def _look_out(self, step: Step) -> None:
        """Note what the last event, which did `step`, means for the rest of the search."""
        if _MAY_FAIL[step.kind]:
            self._conditional.add(step.place)
        if not self._any_uncertain:
            self._any_uncertain = step.child >= 0 or self.state.mixed_sizes or step.may_wait

    def _plan(self, found: list[Schedule]) -> None:
        """Keep schedules at their nodes, or have them explored at once if too many are kept."""
        self.reversals += len(found)
        if self._kept + len(found) > self._keep:
            if self._is_part:
                raise UsageError("a part of the search keeps too many schedules")
            self._urgent += found
            return
        for schedule in found:
            if schedule.at < self._floor:
                self._below.append(schedule)
            else:
                self.path.keep(schedule)
        self._kept += len(found)
        if self._kept > self.peak_kept:
            self.peak_kept = self._kept

    def _turn(self) -> bool:
        """Go back to where a schedule waits, and take it; or return to a path that was set aside. False at the end.

        A schedule that was given away is not taken, but becomes `due`.
        """
        path = self.path
        waiting, self._siblings = self._siblings, None
        while True:
            floor = self._set_aside[-1].at if self._set_aside else self._floor
            while True:
                while waiting:
                    self._kept -= 1
                    schedule = waiting.pop()
                    if isinstance(schedule, Given):
                        self.due, self._siblings = schedule, waiting
                        return True
                    self._sizes.take(len(path), self.executions)
                    if self._take(schedule, waiting):
                        return True
                if len(path) <= floor:
                    break
                waiting = path.back(floor)
            if not self._set_aside:
                return False
            if self._resume(self._set_aside[-1]):
                return True

    def _resume(self, aside: _SetAside) -> bool:
        """Repeat a path that was set aside, then explore its next schedule, or go on from its end."""
        path = self.path
        path.repeat(aside.rest)
        if not aside.schedules:
            self._set_aside.pop()
            return True
        schedule = aside.schedules.pop()
        aside.rest = path.cut(schedule.at)
        aside.at = schedule.at
        return self._take(schedule, [])

    def _take(self, schedule: Schedule, waiting: list[Schedule]) -> bool:
        """Perform a schedule and the default step that it was put before; return False if it is not to be explored.

        Args:
            schedule: The schedule.
            waiting: The other schedules of its node.
        """
        path = self.path
        start = path.order.length
        immediate = path.perform(schedule)
        if immediate is None or not is_canonical(path, schedule):
            path.rewind(start)
            self.infeasible += 1
            return False
        path.waiting[start] = waiting
        head = path.order.length - 1
        self._reverse(immediate, path.order.steps[head])
        if schedule.actor < 0:
            return True
        chain = (*schedule.chain, head)
        if self.state.is_enabled(schedule.actor):
            self._default(schedule.actor, chain)
        else:
            path.leave_unsettled(schedule.actor, chain)
        return True
