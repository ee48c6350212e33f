"""Searches by undo in several processes: each piece of work is a part of a branch of the search.

This process explores, too, and in the order of one process. Meanwhile it hands out the largest branches, but none
that would probably go beyond the limit on executions. A worker explores a branch for a short time and returns what is
left, which is handed out again. So when the turn of a branch comes, its executions up to some point are there, and this
process goes on from that point: it never waits for more than one piece. Small branches would keep it waiting often.

                     start
                   /       \\
       this process         a branch of a worker: explored up to here | what is left
       explores here        (its turn comes later)

The executions of a branch are counted when its turn comes. If not all of its pieces fit, because a limit is reached or
a worker met an error, this process explores the rest of the branch itself.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simaie.engine.memo.undone import Undone
from simaie.exploration.adopted import adopt, repeat_last
from simaie.exploration.part import MOST_EXECUTIONS, Explored, Stretch, Trouble, Worker, lost
from simaie.exploration.tally import Last
from simaie.exploration.task import Task
from simaie.exploration.team import Attended
from simaie.exploration.workers import Pool

if TYPE_CHECKING:
    from simaie.exploration.consistency import Consistency
    from simaie.exploration.in_progress import Exploration
    from simaie.exploration.running import Work

__all__ = ["Subtrees"]

#: The executions that run before there are workers: a small search needs none.
_FIRST = 64
#: After as many executions of this process it looks after the workers.
_STRIDE = 8
#: The time that the first piece of a branch should take, in seconds; later ones take longer, as this process waits for
#: the last one only.
_PIECE_SECONDS = 0.02
_GROWTH = 16
#: The executions that a branch should have to be given away.
_LEAST = 64
#: The number of pieces that are kept at most, until their turn comes: some tens of kilobytes each.
_MOST_PIECES = 4096
#: The time after which to look at the clock, while a piece is awaited, in seconds.
_LOOK_SECONDS = 0.05


@dataclass
class _Branch:
    """A branch that was given away.

    Args:
        depth: The length of the path to it.

    Attributes:
        pieces: The pieces that are done, each of which continues the one before it.
        running: The number of the piece that a worker is at; None if no worker is.
        ended: Whether it cannot be continued.
    """

    depth: int
    pieces: list[Explored] = field(default_factory=list)
    running: int | None = None
    ended: bool = False

    def take(self, explored: Explored | Trouble, failures: int | None) -> None:
        """Add the piece that was running."""
        self.running = None
        if isinstance(explored, Trouble):
            self.ended = True
            return
        self.pieces.append(explored)
        assert explored.branch is not None
        enough = failures is not None and explored.tally.judgements.failing >= failures
        self.ended = explored.branch.left is None or enough


class Subtrees:
    """The worker processes of a search by undo; see `simaie.exploration.team.Team`."""

    note = ""

    def __init__(self, exploration: Exploration, task: Task) -> None:
        self._exploration = exploration
        self.processes = exploration.jobs
        # This process is one of them.
        self._pool: Pool[Stretch, Explored | Trouble] = Pool(Worker(task), exploration.jobs - 1, lost)
        self._branches: dict[int, _Branch] = {}  # by number
        self._numbers: dict[int, int] = {}  # of the branch, by the number of the piece that is running
        self._given = self._kept = self._calls = 0
        self._rate = 1000.0  # executions of a worker in a second
        self._last: tuple[int, Last] | None = None

    def attend(self) -> Attended:
        """Take the branch that is due; return False if the next execution runs here."""
        undone = self._exploration.undoing
        if undone is None:
            if self._exploration.why_not_undone and self.processes > 1:
                self._give_up()
            return False
        if undone.due is not None:
            yield from self._take_in(undone, self._branches[undone.due])
            return True
        self._calls += 1
        if self._calls > _FIRST and self._calls % _STRIDE == 0 and not undone.why_not:
            self._look_after(undone)
        return False

    def last_execution(self, consistency: Consistency) -> Generator[Work, None, None]:
        """Let `consistency` know the last execution, if a worker ran it."""
        return repeat_last(self._exploration, self._last, consistency)

    def end(self) -> None:
        """End the workers."""
        self._pool.end()

    def _give_up(self) -> None:
        self.processes = 1
        self.note = f"in one process, because the search does not go back by undo: {self._exploration.why_not_undone}"
        self._last = None
        self.end()

    # -- workers ------------------------------------------------------------------------------------

    def _look_after(self, undone: Undone) -> None:
        """Take the results that have arrived, and hand out work to workers that have none."""
        self._hear(0)
        while self._pool.free and self._kept < _MOST_PIECES:
            if not (self._continue() or self._give_away(undone)):
                return
            self._pool.hear(0)

    def _hear(self, seconds: float) -> None:
        self._pool.hear(seconds)
        for number in sorted(self._pool.results):
            branch = self._branches[self._numbers.pop(number)]
            explored = self._pool.take(number)
            branch.take(explored, self._exploration.failures_wanted)
            if isinstance(explored, Explored):
                self._kept += 1
                self._rate = max(1.0, explored.tally.executions / max(explored.seconds, 1e-6))

    def _continue(self) -> bool:
        """Hand out what is left of the branch whose turn comes first; return False if no branch has anything left."""
        for number, branch in sorted(self._branches.items(), key=lambda each: (-each[1].depth, each[0])):
            if branch.running is None and not branch.ended:
                last = branch.pieces[-1].branch
                assert last is not None
                assert last.left is not None
                self._send(number, branch, Stretch(last.left, self._size(branch), self._exploration.failures_wanted))
                return True
        return False

    def _give_away(self, undone: Undone) -> bool:
        """Hand out another branch; return False if there is none."""
        left = self._exploration.execution_limit - self._exploration.statistics.executions
        given = undone.give_away(self._given, _LEAST, left // 2)  # others come before it
        if given is None:
            return False
        branch = self._branches[self._given] = _Branch(given.depth)
        self._send(self._given, branch, Stretch(given, self._size(branch), self._exploration.failures_wanted))
        self._given += 1
        return True

    def _send(self, number: int, branch: _Branch, piece: Stretch) -> None:
        branch.running = self._pool.hand_in(piece)
        self._numbers[branch.running] = number

    def _size(self, branch: _Branch) -> int:
        seconds = _PIECE_SECONDS * (1 + len(branch.pieces) / _GROWTH)
        return max(1, min(int(self._rate * seconds), MOST_EXECUTIONS))

    # -- the branch that is due -----------------------------------------------------------------------

    def _take_in(self, undone: Undone, branch: _Branch) -> Generator[Work, None, None]:
        exploration = self._exploration
        while branch.running is not None:
            self._hear(_LOOK_SECONDS)
            exploration.show_progress()
            if exploration.is_out_of_time():
                return
        del self._branches[undone.due or 0]
        self._kept -= len(branch.pieces)
        fitting = self._fitting(branch)
        if not undone.take_in([each.branch for each in fitting if each.branch is not None]):
            return
        for each in fitting:
            if each.tally.last is not None:
                self._last = exploration.index, each.tally.last
            yield from adopt(exploration, each.tally)

    def _fitting(self, branch: _Branch) -> list[Explored]:
        """Return the first pieces of a branch that do not go beyond a limit."""
        exploration = self._exploration
        executions = exploration.execution_limit - exploration.statistics.executions
        failures = exploration.failures_wanted
        fitting = []
        for piece in branch.pieces:
            executions -= piece.tally.executions
            if executions < 0 or (failures is not None and piece.goes_beyond(failures)):
                break
            failures = None if failures is None else failures - piece.tally.judgements.failing
            fitting.append(piece)
        return fitting
