"""Random explorations in several processes: each piece of work is a range of indices.

Some schedulers learn: PCT the length of the longest execution, SURW the counts of the first one. All that they have
learned is in their profile, and it seldom changes. So a piece is handed out with the profile that is known then. If
the executions before it turn out to have changed the profile, the piece is handed out once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from simaie.errors import NondeterminismError
from simaie.exploration.adopted import adopt, repeat_last
from simaie.exploration.part import MOST_EXECUTIONS, Explored, Range, Trouble, Worker, lost
from simaie.exploration.tally import Last
from simaie.exploration.task import Task
from simaie.exploration.team import Attended
from simaie.exploration.workers import Pool

if TYPE_CHECKING:
    from simaie.exploration.consistency import Consistency
    from simaie.exploration.in_progress import Exploration
    from simaie.exploration.running import Work

__all__ = ["Ranges"]

#: The executions that run before there are workers: a small exploration needs none, and the profile settles.
_FIRST = 64
#: The time that a piece should take, in seconds. Sending it costs less than a thousandth of that.
_PIECE_SECONDS = 0.1
#: The time after which to look at the clock, while pieces are awaited, in seconds.
_LOOK_SECONDS = 0.05


class _Ordered(NamedTuple):
    """A piece that was handed out, and its number."""

    number: int
    piece: Range


class Ranges:
    """The worker processes of a random exploration; see `simaie.exploration.team.Team`."""

    note = ""

    def __init__(self, exploration: Exploration, task: Task) -> None:
        self._exploration = exploration
        self.processes = exploration.jobs
        self._pool: Pool[Range, Explored | Trouble] = Pool(Worker(task), exploration.jobs, lost)
        self._out: deque[_Ordered] = deque()  # in the order of their indices
        self._next = 0  # number of executions before the next piece to hand out
        self._here = _FIRST  # executions that run here, without asking workers
        self._trouble = Trouble()  # of a piece whose executions run here now
        self._size = _FIRST
        self._last: tuple[int, Last] | None = None

    def attend(self) -> Attended:
        """Take the next piece; return False if the next execution runs here."""
        if self._here:
            self._here -= 1
            return False
        self._settle()
        self._hand_out()
        piece, explored = self._awaited()
        if explored is None:
            return True  # the time is over
        exploration = self._exploration
        if isinstance(explored, Trouble) or self._goes_too_far(explored):
            self._trouble = explored if isinstance(explored, Trouble) else Trouble()
            self._here = piece.executions - 1
            return False
        self._adapt(explored)
        if explored.tally.last is not None:
            self._last = exploration.index, explored.tally.last
        exploration.scheduler.restore(explored.profile)
        yield from adopt(exploration, explored.tally)
        return True

    def last_execution(self, consistency: Consistency) -> Generator[Work, None, None]:
        """Let `consistency` know the last execution, if a worker ran it."""
        return repeat_last(self._exploration, self._last, consistency)

    def end(self) -> None:
        """End the workers."""
        self._pool.end()

    def _settle(self) -> None:
        """Raise NondeterminismError if a worker met an error in executions that have run here without it."""
        kind, message = self._trouble
        self._trouble = Trouble()
        if kind:
            raise NondeterminismError(
                f"program {self._exploration.program.name!r} ran differently in a worker process, where it ended with "
                f"{kind}: {message}"
            )

    def _hand_out(self) -> None:
        """Hand out pieces, so that no worker waits for one."""
        exploration = self._exploration
        self._next = max(self._next, exploration.statistics.executions)
        while len(self._out) < 2 * self.processes and self._next < exploration.execution_limit:
            count = min(self._size, exploration.execution_limit - self._next)
            first = exploration.index + self._next - exploration.statistics.executions
            self._send(Range(first, count, exploration.failures_wanted, exploration.scheduler.profile()))
            self._next += count

    def _send(self, piece: Range) -> None:
        self._out.append(_Ordered(self._pool.hand_in(piece), piece))

    def _awaited(self) -> tuple[Range, Explored | Trouble | None]:
        """Return the next piece with its result; without one if the time is over."""
        profile = self._exploration.scheduler.profile()
        if self._out[0].piece.profile != profile:
            self._begin_anew(profile)
        number, piece = self._out[0]
        while number not in self._pool.results:
            self._pool.hear(_LOOK_SECONDS)
            self._exploration.show_progress()
            if self._exploration.is_out_of_time():
                return piece, None
        self._out.popleft()
        return piece, self._pool.take(number)

    def _begin_anew(self, profile: Mapping[str, Any]) -> None:
        """Hand out all pieces again, now that the profile has changed."""
        out, self._out = self._out, deque()
        for number, piece in out:
            self._pool.drop(number)
            self._send(piece._replace(profile=profile))

    def _goes_too_far(self, explored: Explored) -> bool:
        """Whether the exploration ends before the piece does: executions after the last failure must not count."""
        wanted = self._exploration.failures_wanted
        return wanted is not None and explored.goes_beyond(wanted)

    def _adapt(self, explored: Explored) -> None:
        """Set the size of the next pieces by the time that this one took."""
        executions = max(1, explored.tally.executions)
        fitting = int(_PIECE_SECONDS * executions / max(explored.seconds, 1e-6))
        self._size = max(1, min(fitting, 2 * self._size, MOST_EXECUTIONS))
