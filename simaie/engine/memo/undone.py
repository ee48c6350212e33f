"""Searches by undo over a memo: they visit executions one after the other, without running them from the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from simaie.check.needs import BLOCK
from simaie.engine.actor import Actor
from simaie.engine.execution import Execution
from simaie.engine.memo.buffered import make_steps
from simaie.engine.memo.finished import preemptions_in, trace_of
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.restored import CannotUndo, MixedSizes
from simaie.engine.memo.runner import Differs
from simaie.engine.memo.steps import MemoSteps, Range
from simaie.errors import SimaieError
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.prng import derive
from simaie.protocols import ExecutionInfo
from simaie.small_steps import DividedSearchByUndo, SearchByUndo, SmallSteps
from simaie.trace import Trace

__all__ = ["Branch", "Explored", "Left", "Undone"]

#: Returns a search over a state; None if a scheduler has none.
Searches: TypeAlias = Callable[[SmallSteps], SearchByUndo | None]


class Branch(NamedTuple):
    """A part of a search by undo, which another search on a state of the same program can explore.

    Attributes:
        part: The part, as the search has returned it.
        names: The names of the vCPUs by their numbers, which are those in the part.
        mixed_sizes: Whether the state allows for accesses that overlap in part.
        commuting: Whether read-modify-writes that commute are independent.
    """

    part: Any
    names: tuple[str, ...]
    mixed_sizes: bool
    commuting: bool

    @property
    def depth(self) -> int:
        """The length of the path to it: the longer, the sooner is its turn."""
        return len(self.part.prefix)


class Explored(NamedTuple):
    """The result of exploring a `Branch`.

    Attributes:
        found: The result of the search.
        ranges: The places in RAM that it has seen.
        left: What is left of the branch; None if nothing.
    """

    found: Any
    ranges: tuple[Range, ...]
    left: Branch | None


class Left(NamedTuple):
    """What is left of a search that was stopped, for another one to go on with.

    Attributes:
        search: What the search has left, as JSON values.
        names: The names of the vCPUs by their numbers, which are those in `search`.
        ranges: The places in RAM that the search has seen.
        mixed_sizes: Whether the state allows for accesses that overlap in part.
        commuting: Whether read-modify-writes that commute are independent.
    """

    search: Any
    names: tuple[str, ...]
    ranges: tuple[Range, ...]
    mixed_sizes: bool
    commuting: bool


class Undone:
    """The executions of one search by undo, of which one is current, and the next one is found already.

    To the code that watches executions, or compares what vCPUs do in them, it is the current execution.

    Args:
        program: The program.
        machine: The machine.
        seed: The seed of the search.
        make_memo: Returns a new memo of the program.
        searches: Returns a search over a state.
        commuting: Whether read-modify-writes that commute may be taken as independent, as long as no atomic block or
            call occurs: a checker may judge the order of these.
        up_to_commutation: Whether the search needs to know which operations are independent; if not, `commuting` is
            ignored, and accesses may overlap in any way.

    Attributes:
        program: The program; `machine` is the machine.
        index: The number of the current execution.
        identities: The identity of each of its vCPUs, by name; only if it is not known.
        is_known: Whether no code of guests ran to find it.
        visited: The number of executions visited.
        rehearsing: An execution of the reference engine that runs before the search; None if none does.
        rebuilt: How often the memo was dropped because it had too many nodes.
        why_not: Why the search cannot go on; empty if it can.
        keeps_order: Whether the executions come in the order of the scheduler.
    """

    went_elsewhere = False

    def __init__(
        self,
        program: Program,
        machine: Machine,
        seed: int,
        make_memo: Callable[[], Memo],
        searches: Searches,
        *,
        commuting: bool = False,
        up_to_commutation: bool = True,
    ) -> None:
        self._make_memo, self._searches = make_memo, searches
        self.program, self.machine = program, machine
        self._seed, self.index = seed, 0
        self._commuting = commuting and up_to_commutation
        self.keeps_order = not up_to_commutation
        self.identities: dict[str, int] = {}
        self.why_not = ""
        self.is_known = self._next_is_known = False
        self.visited = self.rebuilt = 0
        self.rehearsing: Execution | None = None
        self._state: MemoSteps | None = None
        self._search: SearchByUndo | None = None
        self._memo: Memo | None = None
        self._branch: Branch | None = None  # that this search explores, if it does not explore everything
        self._goes_on = False  # from where another search has stopped

    @property
    def info(self) -> ExecutionInfo:
        """What a scheduler would be told of the current execution."""
        return ExecutionInfo(derive(self._seed, self.index), self.index, len(self.program.threads))

    @property
    def events(self) -> list[Any]:
        """The steps up to where the search stands, which tell the watchdog whether it moves."""
        if self.rehearsing is not None:
            return self.rehearsing.events
        return self._state.events if self._state is not None else []

    @property
    def actors(self) -> Sequence[Actor]:
        """The vCPUs of all executions so far."""
        if self.rehearsing is not None:
            return self.rehearsing.actors
        return self._state.threads.everyone if self._state is not None else []

    def trace(self) -> Trace | None:
        """Make the execution that was found current, and return its trace; None if `why_not` is set."""
        if self._state is None and not self.why_not:
            self.go_on()
        if self.why_not or self._state is None:
            return None
        self.visited += 1
        self.is_known = self._next_is_known
        if not self.is_known:
            self.identities = {actor.name: actor.cpu.identity for actor in self._state.threads.current}
        return trace_of(self._state)

    @property
    def preemptions(self) -> int:
        """The number of preemptions in the current execution, while the next one has not been looked for."""
        return 0 if self._state is None else preemptions_in(self._state)

    def go_on(self) -> None:
        """Find the next execution; afterwards the search is exhausted if there is none, and `why_not` may be set.

        If a branch that was given away is next, `due` is set.
        """
        if self._memo is None:
            self._memo = self._make_memo()
        self._guarded(self._advance)

    def _guarded(self, move: Callable[[], None]) -> None:
        """Let the search move, and look after the memo; errors end the search."""
        assert self._memo is not None
        try:
            misses = self._memo.misses
            move()
            self._next_is_known = self._memo.misses == misses
            if not self._next_is_known:
                self._look_after(self._memo)
        except MixedSizes as mixed:
            self._begin_anew(str(mixed), mixed_sizes=True)
        except (CannotUndo, SimaieError, Differs) as error:
            self._give_up(str(error) or type(error).__name__)

    def _advance(self) -> None:
        assert self._memo is not None
        self._prepare(self._memo, mixed_sizes=self.keeps_order)
        if self._search is not None:
            self._search.advance()

    def _prepare(self, memo: Memo, *, mixed_sizes: bool) -> None:
        """Make the state and the search, if they do not exist."""
        if self._state is None:
            self._state = make_steps(memo, mixed_sizes=mixed_sizes, commuting=self._commuting)
            self._state.begin()
        if self._search is None:
            self._search = self._searches(self._state)
        if self._search is None:
            self.why_not = "the scheduler has no search by undo"

    # -- parts of a search --------------------------------------------------------------------------

    @property
    def _divided(self) -> DividedSearchByUndo:
        """The search, of which there are parts only if it can be divided."""
        assert self._search is not None
        return cast(DividedSearchByUndo, self._search)

    @property
    def due(self) -> int | None:
        """The number of the branch that comes next, because it was given away; None if an execution comes next."""
        due = None if self._search is None else self._divided.due
        return None if due is None else due.number

    def give_away(self, number: int, least: int, most: int) -> Branch | None:
        """Return the largest branch; None if there is none.

        Args:
            number: The number that `due` will have when its turn comes.
            least: The number of executions that it should have at least; 0 if it need not be known.
            most: The number of executions that it should have at most.
        """
        assert self._state is not None
        part = self._divided.give_away(number, least, most)
        if part is None:
            return None
        return Branch(part, self._state.threads.names, self._state.mixed_sizes, self._commuting)

    def take_in(self, explored: Sequence[Explored]) -> bool:
        """Take the executions of the branch that is due as visited, and find the next one.

        Args:
            explored: The results of searches of the branch, each of which continued the one before it.

        Returns:
            Whether it was possible; if not, this search explores the branch itself.
        """
        search = self._divided
        assert self._state is not None
        try:
            for each in explored:
                self._state.learn(each.ranges)
            found = search.together([each.found for each in explored]) if explored else None
            possible = found is not None and search.can_take_in(found)
        except MixedSizes:
            possible = False
        if possible:
            self.visited += sum(each.found.executions for each in explored)
            self._guarded(lambda: search.take_in(found))
        else:
            search.take_back()
        if not self.why_not:
            self.go_on()
        return possible

    def begin(self, branch: Branch) -> None:
        """Explore `branch` and nothing else, and find its first execution."""
        if self._memo is None:
            self._memo = self._make_memo()
        self._branch = branch
        if self._state is None:
            self._commuting = branch.commuting
        self._prepare(self._memo, mixed_sizes=branch.mixed_sizes)
        search = self._divided
        assert self._state is not None
        same = (self._state.mixed_sizes, self._commuting) == (branch.mixed_sizes, branch.commuting)
        if not same or not self._state.threads.agree_with(branch.names):
            self._give_up("the search has been somewhere else before")
            return
        self._guarded(lambda: search.begin(branch.part))
        if not self.why_not:
            self.go_on()

    def explored(self) -> Explored:
        """Return the result of the branch so far; the execution that was found last is left."""
        assert self._state is not None
        assert self._branch is not None
        found = self._divided.found()
        left = self._branch._replace(part=found.following(self._branch.part)) if found.rest else None
        return Explored(found, self._state.ranges, left)

    @property
    def has_new_names(self) -> bool:
        """Whether there are vCPUs that have no number in the branch."""
        assert self._state is not None
        assert self._branch is not None
        return self._state.threads.names != self._branch.names

    # -- going on with another search ----------------------------------------------------------------

    @property
    def can_be_left(self) -> bool:
        """Whether another search can go on where this one stands now."""
        if self.keeps_order or self._search is None or self.why_not:
            return False
        return self._divided.can_be_left

    def left(self) -> Left | None:
        """Return what is left of this search, with the execution that was found last; None if nothing is left."""
        left = self._divided.left()
        if left is None:
            return None
        state = self._state
        assert state is not None
        return Left(left, state.threads.names, state.ranges, state.mixed_sizes, self._commuting)

    def go_on_from(self, left: Left) -> None:
        """Go on with what another search has left, and find the first execution; `why_not` says if it is impossible."""
        self._memo = self._make_memo()
        self._commuting, self._goes_on = left.commuting, True
        self._prepare(self._memo, mixed_sizes=left.mixed_sizes)
        state = self._state
        assert state is not None
        if not self.why_not and not state.threads.agree_with(left.names):
            self._give_up("the vCPUs have other names than before")
        if not self.why_not:
            self._guarded(lambda: self._go_to(left))
        if not self.why_not:
            self.go_on()

    def _go_to(self, left: Left) -> None:
        assert self._state is not None
        self._state.learn(left.ranges)
        self._divided.go_on_from(left.search)

    # -- beginning anew -----------------------------------------------------------------------------

    def _begin_anew(self, reason: str, *, mixed_sizes: bool) -> None:
        """Begin again with a state that takes more operations as dependent, unless it is too late, or in a branch."""
        assert self._state is not None
        assert self._memo is not None
        late = self.visited or self._goes_on or self._branch is not None
        if late or self._state.mixed_sizes or self._search is None:
            self._give_up(reason)
            return
        self._search.abandon()
        self._search = None
        self._memo.close()
        self._memo = self._make_memo()
        self._state = make_steps(self._memo, mixed_sizes=mixed_sizes, commuting=self._commuting)
        self._state.begin()
        self.go_on()

    def _look_after(self, memo: Memo) -> None:
        """End the search if the memo cannot be trusted; drop the memo if it is too large."""
        state = self._state
        if self._commuting and state is not None and any(node and node.occurred & BLOCK for node in state.nodes):
            self._commuting = False
            self._begin_anew("an atomic block or a call occurred late", mixed_sizes=state.mixed_sizes)
            return
        memo.keep_bounds()
        if reason := memo.given_up or memo.shared.changed():
            self._give_up(reason)
        elif memo.nodes >= memo.most_nodes and state is not None:
            memo.close()
            self.rebuilt += 1
            self._memo = self._make_memo()
            state.move_to(self._memo)

    def _give_up(self, reason: str) -> None:
        self.why_not = self.why_not or reason
        if self._search is not None:
            self._search.abandon()

    def profile(self, trace: Trace) -> Mapping[str, Any]:
        """Return the profile with which the scheduler, without undo, begins with the execution of `trace`."""
        return {} if self._search is None else self._search.profile([event.actor for event in trace.events])

    def close(self) -> None:
        """Close the coroutines."""
        if self._memo is not None:
            self._memo.close()
