"""What the search needs of a program: a state that goes one operation forward, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

from simaie.op import Kind

__all__ = ["DividedSearchByUndo", "Rank", "SearchByUndo", "SearchOfGraphs", "SmallSteps", "Step"]

_PLAIN = (Kind.LOAD, Kind.STORE)


class Step:
    """What one operation did. A state may return the same object whenever it does the same again.

    Args:
        kind: Kind of the operation.
        place: Number of its place, as in `simaie.locations`.
        wrote: Whether it wrote.
        inside: Whether its actor is inside a guest instruction afterwards, so that the world cannot be stopped.
        child: Number of the actor that it spawned; -1 if none.
        arity: Number of alternatives of a CHOICE; else 1.
        buffer: Number of the actor that drains the store buffer which the operation entered; -1 if none.
        family: The family of operations of this place with which it commutes (`simaie.dependence.family_of`); or empty.
        may_wait: Whether the actor's next operation may be uncertain, see `SmallSteps.uncertain`.

    Attributes:
        is_plain: Whether it is a load or a store, and the actor's next operation is not uncertain.
    """

    __slots__ = ("arity", "buffer", "child", "family", "inside", "is_plain", "kind", "may_wait", "place", "wrote")

    def __init__(
        self,
        kind: Kind,
        place: int,
        wrote: bool,
        *,
        inside: bool = False,
        child: int = -1,
        arity: int = 1,
        buffer: int = -1,
        family: str = "",
        may_wait: bool = True,
    ) -> None:
        self.kind, self.place, self.wrote = kind, place, wrote
        self.inside, self.child, self.arity, self.buffer = inside, child, arity, buffer
        self.family, self.may_wait = family, may_wait
        self.is_plain = kind in _PLAIN and not may_wait


class Rank(IntEnum):
    """When the search chooses an operation as a default step: the lowest rank first.

    An operation that stops the world, or lets it go on, conflicts with everything. If it is chosen only where nothing
    else is enabled, then nothing but another stop can come before it. A wait for several places may be disabled by one
    of several independent writes; it is postponed because `simaie_schedulers.undo.unsettled` has less to do then.
    """

    ORDINARY = 0
    WAITS_FOR_SEVERAL = 1
    WORLD = 2


class SmallSteps(Protocol):
    """A program in some state. Actors are numbers; a number means the same actor in every execution.

    A CHOICE is a step of its own here, always enabled, also in a stopped world: it conflicts with nothing.

    Attributes:
        overlaps: By place, every known place that shares a byte with it, including itself. It may grow.
        has_buffers: Whether a vCPU has store buffers, which are actors of their own.
        mixed_sizes: Whether accesses may share some of their bytes but not all. The search is slower then. Also true if
            `has_buffers` and there are operations of the kinds `WRITES_IF_IT_SUCCEEDS`, since an access of a vCPU
            commutes with the drain of its own store to the same place.
    """

    overlaps: Sequence[tuple[int, ...]]
    mixed_sizes: bool
    has_buffers: bool

    def enabled(self) -> Sequence[int]:
        """Return the enabled actors, in an order that depends on the state alone."""
        ...

    def is_enabled(self, actor: int) -> bool:
        """Return whether an actor that exists is enabled."""
        ...

    def default(self, running: int) -> int:
        """Return the actor to take a default step: `running` if its rank is 0, or the first of the lowest rank.

        Args:
            running: The actor of the last step; -1 at the start.

        Returns:
            An enabled actor; -1 if there is none.
        """
        ...

    def rank(self, actor: int) -> int:
        """Return how late the search is to choose an enabled actor: 0, or a `Rank` for its next operation."""
        ...

    def yields(self, actor: int) -> bool:
        """Return whether an actor that has taken a step lets others go first, as `Candidate.yielding` says."""
        ...

    def uncertain_place(self, actor: int) -> int:
        """Return the place of the actor's next operation if it is uncertain, else -1; see `uncertain`."""
        ...

    def uncertain(self) -> Sequence[int]:
        """Return the actors whose next operation is uncertain, in a fixed order.

        These are the operations of `BLOCKING` kind, enabled or not, but not those that still wait for the store buffers
        of their own vCPU; and, if `mixed_sizes`, those of the kinds
        `WRITES_IF_IT_SUCCEEDS`: others may decide whether they are performed, or whether they write.
        """
        ...

    def uncertain_writes(self, actor: int) -> bool:
        """Return whether the actor's next operation, which is uncertain, is of a kind that writes if it succeeds."""
        ...

    def buffered(self, actor: int) -> tuple[int, int]:
        """Return how the actor's next operation relates to earlier steps of its vCPU's other actors, as two masks.

        Bit i stands for the i-th step of the path. Only asked if `has_buffers`.

        Returns:
            The steps that precede it in every execution, and all steps of the vCPU's other actors: none of these
            conflicts with it.
        """
        ...

    def step(self, actor: int, choice: int = 0) -> Step:
        """Perform the next operation of an enabled actor.

        Args:
            actor: The actor.
            choice: The value that a CHOICE returns.
        """
        ...

    def undo(self) -> None:
        """Take back the last step."""
        ...


class SearchOfGraphs(Protocol):
    """A search that visits each execution graph of a program once.

    Attributes:
        exhausted: Whether no graph is left.
    """

    exhausted: bool


class SearchByUndo(Protocol):
    """A search over a state that goes back by undo."""

    @property
    def exhausted(self) -> bool:
        """Whether no execution is left."""
        ...

    def advance(self) -> bool:
        """Take the state to the end of the next execution; return False if none is left, or a part is due."""
        ...

    def abandon(self) -> None:
        """End the search: its scheduler has to begin anew, without undo."""
        ...

    def profile(self, actors: Sequence[str]) -> Mapping[str, Any]:
        """Return the profile with which the scheduler, without undo, begins with one execution.

        Args:
            actors: The names of the actors of its steps; none is a local choice. It is the execution that `advance` has
                found before the last one, or the last one if no other follows.
        """
        ...


class DividedSearchByUndo(SearchByUndo, Protocol):
    """A search by undo of which other searches, on states of their own, may explore parts meanwhile.

    Parts and their results are plain values, which can be sent to another process.

    Attributes:
        due: The part that was given away and comes next, with its `number`; None if none does.
    """

    due: Any

    def give_away(self, number: int, least: int, most: int) -> Any:
        """Return the largest part; None if there is none.

        The length of its `prefix` says where it begins: the longer, the sooner is its turn.

        Args:
            number: The number that `due` has when the turn of the part comes.
            least: The number of executions that it should have at least; 0 if it need not be known.
            most: The number of executions that it should have at most.
        """
        ...

    def can_take_in(self, found: Any) -> bool:
        """Whether the result of the part that is due can be taken in."""
        ...

    def take_in(self, found: Any) -> None:
        """Take the result of the part that is due as if this search had explored it."""
        ...

    def take_back(self) -> None:
        """Let this search explore the part that is due itself."""
        ...

    def begin(self, part: Any) -> None:
        """Explore `part`, and nothing else."""
        ...

    def found(self) -> Any:
        """Return the result of the part: without the execution to which `advance` has gone last."""
        ...

    def together(self, found: Sequence[Any]) -> Any:
        """Return the result of several searches of one part, each of which continued the one before it."""
        ...

    @property
    def can_be_left(self) -> bool:
        """Whether `left` can say what is left of this search."""
        ...

    def left(self) -> Any:
        """Return what is left of a search that explores everything, as JSON values; None if nothing is left.

        The execution to which `advance` has gone last is left.
        """
        ...

    def go_on_from(self, left: Any) -> None:
        """Go on with what another search has left; this one has not begun.

        Raises:
            UsageError: The values are not of that form.
        """
        ...
