"""Optimal DPOR by undo, of which other searches explore parts, or which another search goes on with later.

`simaie_schedulers.undo.parts` explains the parts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from simaie_schedulers.undo.parts import Found, Part, kept_in, together, waiting_part
from simaie_schedulers.undo.saving import decisions_of, values_of
from simaie_schedulers.undo.search import UndoSearch

__all__ = ["DividedSearch"]


class DividedSearch(UndoSearch):
    """A search that can give away parts of it, take in their results, and explore a part of another search.

    Another search can also go on where this one has stopped.
    """

    def give_away(self, number: int, least: int = 0, most: int = sys.maxsize) -> Part | None:
        """Return the largest part; None if there is none.

        Args:
            number: The number that `due` will have when the turn of the part comes.
            least: The number of executions that it should have at least; 0 if it need not be known.
            most: The number of executions that it should have at most.
        """
        if self._set_aside:
            return None
        part = waiting_part(self.path, number, lambda depth: least <= self._sizes.of(depth) <= most)
        return None if part is None else part._replace(uncertain=self._any_uncertain)

    def can_take_in(self, found: Found) -> bool:
        """Whether the part that is due can be taken in; if not, it has to be taken back."""
        return not self._set_aside and self._kept + found.peak_kept <= self._keep

    def take_in(self, found: Found) -> None:
        """Take the result of the part that is due as if this search had explored it."""
        path, at = self.path, len(self.path)
        for schedule in found.below:
            path.keep(schedule)
        self.peak_kept = max(self.peak_kept, self._kept + found.peak_kept)
        self._kept += len(found.below) + kept_in(found.rest)
        self.peak_length = max(self.peak_length, found.peak_length)
        self._sizes.take(at, self.executions)
        self.executions += found.executions
        self.redundant += found.redundant
        self.reversals += found.reversals
        self.infeasible += found.infeasible
        self._any_uncertain |= found.uncertain
        self.due = None
        if found.rest:
            path.repeat(found.rest)
            path.waiting[at], self._siblings = self._siblings, None
            self._stands = True

    def take_back(self) -> None:
        """Let this search explore the part that is due itself."""
        assert self.due is not None
        assert self._siblings is not None
        self._siblings.append(self.due.schedule)
        self._kept += 1
        self.due = None

    def begin(self, part: Part) -> None:
        """Explore `part`, and nothing else."""
        path = self.path
        path.rewind(0)
        self._below, self._siblings, self._urgent, self._set_aside = [], None, [], []
        self._is_part, self._floor, self.due, self.exhausted = True, 0, None, False
        self.executions = self.redundant = self.reversals = self.infeasible = self.peak_length = 0
        path.repeat([decision._replace(waiting=[]) for decision in part.prefix])
        self._floor, self._any_uncertain = len(path), part.uncertain
        self._kept = self.peak_kept = part.below + kept_in(part.rest)
        self._stands = bool(part.rest)
        if part.rest:
            path.repeat(part.rest)
            self._started = True
        else:
            self._started = not self._take(part.schedule, [])

    def found(self) -> Found:
        """Return the result of the part so far: `advance` has just returned True, for the next execution, or False."""
        rest = [] if self.exhausted else [self.path.decision(at) for at in range(self._floor, len(self.path))]
        return Found(
            tuple(self._below), tuple(rest), self.peak_kept, self.peak_length,
            self.executions - bool(rest), self.redundant, self.reversals, self.infeasible,
            self._any_uncertain,
        )  # fmt: skip

    def together(self, found: Sequence[Found]) -> Found:
        """Return the result of several searches of one part, each of which continued the one before it."""
        return together(found)

    @property
    def can_be_left(self) -> bool:
        """Whether another search can go on from here: no path is set aside, and this is no part."""
        return not (self._set_aside or self._urgent or self._is_part)

    def left(self) -> Any:
        """Return what is left, after `advance` has just returned True; None if nothing is."""
        return None if self.exhausted else values_of([self.path.decision(at) for at in range(len(self.path))])

    def go_on_from(self, left: Any) -> None:
        """Go to where another search has stopped, instead of the start; `advance` then finds the same execution."""
        decisions = decisions_of(left)
        self.path.repeat(decisions)
        self._kept = self.peak_kept = kept_in(decisions)
        self._started = self._stands = self._any_uncertain = True
