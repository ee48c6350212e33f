"""A program as a state that goes one operation forward, and back: what a search by undo needs of a memo.

The state is the one that `simaie.engine.memo` lists: the node of each vCPU, the values of cells and RAM, reservations,
the owner of a stopped world, the threads that are done, and the free identities. A step follows an edge and notes the
old value, which `undo` puts back. `simaie.small_steps` says what a search asks for.

The host memory is sequentially consistent (`simaie.engine.memo.buffered` adds store buffers), and the program has no
devices. Where the search meets anything else that needs the reference engine (a local choice, a limit of the machine,
an error of a guest), a step raises `CannotUndo`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from simaie.dependence import WRITES_IF_IT_SUCCEEDS, family_of, writes
from simaie.engine.memo.execution import MemoActor
from simaie.engine.memo.lazy import wait_at
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.node import (
    END,
    MODIFY_CELL,
    PERFORM,
    READ,
    READ_CELL,
    SWAP,
    WRITE,
    WRITE_CELL,
    Node,
    key_of,
    yields,
)
from simaie.engine.memo.restored import CannotUndo, MixedSizes, Old, perform, performed, put_back
from simaie.engine.memo.threads import Threads
from simaie.host.sc import ScMemory
from simaie.op import BLOCKING, Kind, Op
from simaie.small_steps import Rank, Step
from simaie.trace import Event

__all__ = ["CannotUndo", "MemoSteps", "Range"]

#: A place in RAM: its address, its width in bytes, and whether an operation there writes if it succeeds.
Range: TypeAlias = tuple[int, int, bool]

_LOCK, _UNLOCK, _AWAIT, _JOIN = Kind.LOCK, Kind.UNLOCK, Kind.AWAIT, Kind.JOIN
_PAUSE, _CHOICE, _SPAWN, _EXIT = Kind.PAUSE, Kind.CHOICE, Kind.SPAWN, Kind.EXIT
_BEGIN, _RELEASE = Kind.BEGIN_EXCLUSIVE, Kind.END_EXCLUSIVE
_WORLD = frozenset({_BEGIN, _RELEASE})
#: Operations for which there is no search by undo, and why.
_NOT_UNDONE = {
    _CHOICE: "a guest makes a local choice",
    Kind.BEGIN_SECTION: "a scheme begins an indivisible section",
}
#: The old value of a step that changed nothing but the node of its actor.
_SAME = Old()
#: The same of an AWAIT that came before a look: its actor is still at the node.
_WAITED = Old()


class MemoSteps:
    """The state of the program of a memo, which a caller has to `begin`; see `simaie.small_steps.SmallSteps`.

    Args:
        memo: The memo, whose host memory is sequentially consistent.
        mixed_sizes: Whether accesses may overlap in part.
        commuting: Whether the order of read-modify-writes that commute makes no difference to the caller.
        limit: The number of steps at most; None for the machine's limit.

    Attributes:
        nodes: By actor, its node; None if it was not spawned yet.
        events: The steps up to here, as in a `simaie.engine.memo.lazy.MemoTrace`.
        switches: The steps that deviated from the default schedule.
        forced: Those of them at which the running actor was not enabled.
        waits: The steps that are waits before a look.
        threads: The actors, in structural order and in the order of arrival.
        stopper: The actor that has stopped the world; -1 while the world runs.
    """

    has_buffers = False

    def __init__(
        self, memo: Memo, *, mixed_sizes: bool = False, commuting: bool = False, limit: int | None = None
    ) -> None:
        self.mixed_sizes, self.commuting, self._given_limit = mixed_sizes, commuting, limit
        self.locations = memo.locations
        self.overlaps: Sequence[tuple[int, ...]] = self.locations.overlaps
        self._conditional: set[int] = set()  # the places of operations that write if they succeed
        self._prepare(memo)

    def _prepare(self, memo: Memo) -> None:
        assert isinstance(memo.memory, ScMemory)
        self.memo = memo
        self.memory: ScMemory = memo.memory
        self.nodes: list[Node | None] = []
        self.events: list[Node | Event] = []
        self.switches: list[int] = []
        self.forced: list[int] = []
        self.waits: list[int] = []
        self.stopper = -1
        self.threads = Threads(memo)
        self._waited: list[bool] = []  # by actor, whether the AWAIT that comes before its look is over
        self._granted: dict[int, Op] = {}  # by actor, its AWAIT if that may be enabled at once
        self._journal: list[tuple[int, Node, Any]] = []
        self._wait_steps: dict[Node, Step] = {}
        self._reserved = memo.memory.reservations
        self._limit = self._given_limit or memo.machine.limits.steps

    def begin(self) -> None:
        """Go to the start: every vCPU to its first operation."""
        self.memo.reset()
        for actor in self.threads.first():
            self.nodes.append(self._following(actor, actor.start, None))
            self._waited.append(False)

    def move_to(self, memo: Memo) -> None:
        """Go on with another memo of the same program, which is new."""
        actors, names = [actor for actor, _, _ in self._journal], self.threads.names
        memo.locations = self.locations
        self._prepare(memo)
        self.begin()
        self.threads.learn(names)
        for actor in actors:
            self.step(actor)

    def __len__(self) -> int:
        return len(self._journal)

    @property
    def ranges(self) -> tuple[Range, ...]:
        """All places in RAM so far, each with whether an operation there writes if it succeeds."""
        ranges = self.locations.ranges.items()
        return tuple([(address, width, place in self._conditional) for (address, width), place in ranges])

    def learn(self, ranges: Sequence[Range]) -> None:
        """Take places into account that another search has seen.

        Raises:
            MixedSizes: Some of them overlap in part, and the state does not allow for it.
        """
        for address, width, conditional in ranges:
            place = self.locations.number((address, width))
            if conditional:
                self._conditional.add(place)
        self._require_sizes()

    def _require_sizes(self) -> None:
        if not self.mixed_sizes and any(len(self.overlaps[other]) > 1 for other in self._conditional):
            raise MixedSizes("a compare-and-swap or store-conditional shares only some of its bytes with an access")

    def _following(self, actor: MemoActor, node: Node, value: Any) -> Node:
        key = value if value is None or type(value) is int else key_of(value)
        following = node.edges.get(key)
        if following is None:
            following = self.memo.miss(actor, node, key, value)
        if following.location < 0:
            op = following.op
            if op is not None and op.kind in _NOT_UNDONE:
                raise CannotUndo(_NOT_UNDONE[op.kind])
            following.location = self.locations.of(following.wait or op) if op is not None else 0
        return following

    def steps_back(self) -> Iterator[tuple[int, Node | None, int]]:
        """Yield the steps, the last first: the actor, where it was, and the child that it spawned or -1."""
        children = self.threads.spawned
        journal = self._journal
        for number in range(len(journal) - 1, -1, -1):
            actor, node, _ = journal[number]
            is_spawn = node.op is not None and node.op.kind is _SPAWN
            yield actor, node, children.pop() if is_spawn else -1

    # -- what a search asks -----------------------------------------------------------------------

    def enabled(self) -> list[int]:
        """Return the enabled actors in structural order."""
        nodes = self.nodes
        if self.stopper >= 0:
            return [actor for actor in self.threads.order if self.is_enabled(actor)]
        return [actor for actor in self.threads.order if nodes[actor].code > END or self.is_enabled(actor)]  # type: ignore[union-attr]  # it exists

    def is_enabled(self, actor: int) -> bool:
        """Return whether an actor, which exists, can take the next step."""
        node = self.nodes[actor]
        if node is None or node.op is None or (self.stopper >= 0 and actor != self.stopper):
            return False
        if node.code > END:
            return True
        op = self.pending(actor)
        kind = op.kind
        if kind not in BLOCKING:
            return True
        if kind is _JOIN:
            return bool(op.value.done)
        if kind is _BEGIN:
            return not any(self._is_inside(other) for other in self.threads.order if other != actor)
        try:
            return self.memory.enabled(self.threads.actors[actor], op)
        except Exception as error:
            raise CannotUndo(f"a guest raised {error!r}") from error

    def default(self, running: int) -> int:
        """Return the actor to take a default step: `running`, or the first of the lowest rank; -1 if there is none."""
        nodes = self.nodes
        if running >= 0:
            node: Any = nodes[running]
            if self.stopper < 0 and node.code > END:
                return running
            if self.is_enabled(running) and not self.rank(running):
                return running
        found, lowest = -1, 1 << 30
        for actor in self.threads.order:
            node = nodes[actor]
            if node.code == END:
                continue
            if node.code > END and self.stopper < 0:
                return actor
            if self.is_enabled(actor) and (rank := self.rank(actor)) < lowest:
                if not rank:
                    return actor
                found, lowest = actor, rank
        return found

    def yields(self, actor: int) -> bool:
        """Return whether an actor that has taken a step lets others go first."""
        node: Any = self.nodes[actor]
        return yields(node, has_waited=self._waited[actor])

    def pending(self, actor: int) -> Op:
        """Return the next operation of an actor that has not ended."""
        node: Any = self.nodes[actor]
        if node.wait is not None and (node.op.kind is _PAUSE or not self._waited[actor]):
            wait: Op = node.wait
            return wait if node.tried is None else self._granted[actor]
        op: Op = node.op
        return op

    def _is_inside(self, actor: int) -> bool:
        """Return whether an actor has begun a guest instruction that is not complete."""
        node = self.nodes[actor]
        if node is None or node.op is None or node.instruction is None or self.pending(actor).kind is _BEGIN:
            return False
        return node.entered is node.instruction

    def rank(self, actor: int) -> int:
        """Return how late the search is to choose an enabled actor."""
        node: Any = self.nodes[actor]
        if node.code > END:
            return 0
        kind = self.pending(actor).kind
        if kind in _WORLD:
            return Rank.WORLD
        return Rank.WAITS_FOR_SEVERAL if kind is _AWAIT and len(self.overlaps[self._place(actor)]) > 1 else 0

    def _place(self, actor: int) -> int:
        node: Any = self.nodes[actor]
        if node.wait is None or not self._waited[actor]:
            place: int = node.location
            return place
        return self.locations.of(node.op)

    def uncertain_place(self, actor: int) -> int:
        """Return the place of the actor's next operation if it is uncertain, else -1."""
        node = self.nodes[actor]
        if node is None or node.op is None or (node.code > END and not self.mixed_sizes):
            return -1
        kind = self.pending(actor).kind
        conditional = self.mixed_sizes and kind in WRITES_IF_IT_SUCCEEDS
        return self._place(actor) if conditional or kind in BLOCKING else -1

    def _may_be_uncertain(self, actor: int) -> bool:
        """Whether the next operation of a vCPU is uncertain, unless it waits for the vCPU's own stores."""
        return MemoSteps.uncertain_place(self, actor) >= 0

    def uncertain(self) -> list[int]:
        """Return the actors whose next operation is uncertain."""
        return [actor for actor in range(len(self.nodes)) if self.uncertain_place(actor) >= 0]

    def uncertain_writes(self, actor: int) -> bool:
        """Return whether the actor's next operation is of a kind that writes if it succeeds."""
        return self.pending(actor).kind in WRITES_IF_IT_SUCCEEDS

    def buffered(self, actor: int) -> tuple[int, int]:
        """Raise NotImplementedError: there are no store buffers."""
        raise NotImplementedError

    # -- one step forward ---------------------------------------------------------------------------

    def step(self, actor: int, choice: int = 0) -> Step:
        """Perform the next operation of an enabled actor."""
        journal = self._journal
        index = len(journal)
        if index >= self._limit:
            raise CannotUndo("an execution is as long as the limit on steps")
        nodes = self.nodes
        node: Any = nodes[actor]
        if not index or actor != (running := journal[-1][0]):
            if index and nodes[running].code > END and self.stopper < 0:  # type: ignore[union-attr]  # it exists
                self.switches.append(index)
            else:
                self._note_switch(actor, running if index else -1, index)
        code = node.code
        value = old = None
        if code == READ:
            value = node.place[node.offset]
        elif code == READ_CELL:
            value = node.place.value
        elif code == WRITE_CELL:
            old = node.place.value
            node.place.value = node.stored
        elif code == MODIFY_CELL:
            old = node.place.value
            value = self._perform(actor, node)
        elif self._reserved or code <= END or code == PERFORM:
            return self._other_step(actor, node)
        else:
            old = node.place[node.offset]
            if code == WRITE:
                node.place[node.offset] = node.stored
            elif code == SWAP:
                value = old
                if old == node.op.expected:
                    node.place[node.offset] = node.stored
            else:
                value = self._perform(actor, node)
        following = node.edges.get(value if value is None or type(value) is int else key_of(value))
        step: Step | None = None if following is None else following.step
        if step is None:
            following = self._following(self.threads.actors[actor], node, value)
            step = following.step
        journal.append((actor, node, old))
        self.events.append(following)
        nodes[actor] = following
        if following.tried is not None:
            self._granted[actor] = wait_at(following, self.events)
        return step if step is not None else self._note_step(following, node.op, value, actor)

    def _perform(self, actor: int, node: Node) -> Any:
        """Have the host memory perform the operation of `node`, and return its result."""
        op = node.op
        assert op is not None
        return perform(self.memory, self.threads.actors[actor], op)

    def _note_switch(self, actor: int, running: int, index: int) -> None:
        """Note step number `index` if it deviates from the default: the running actor goes on, or else the first."""
        if running >= 0 and self.is_enabled(running):
            self.switches.append(index)
            return
        for other in self.threads.order:
            if other == actor:
                return
            code = self.nodes[other].code  # type: ignore[union-attr]  # it exists
            if code != END and ((code > END and self.stopper < 0) or self.is_enabled(other)):
                self.switches.append(index)
                self.forced.append(index)
                return

    def _note_step(self, following: Node, op: Op, value: Any, actor: int, child: int = -1) -> Step:
        """Return what the step to a node did, which is written down there."""
        place, inside = self.locations.of(op), self._is_inside(actor)
        if op.kind in WRITES_IF_IT_SUCCEEDS:
            self._conditional.add(place)
        self._require_sizes()
        may_wait = self._may_be_uncertain(actor)
        family = family_of(op) if self.commuting else ""
        step = Step(op.kind, place, writes(op, value), inside=inside, child=child, family=family, may_wait=may_wait)
        following.step = step
        return step

    def _other_step(self, actor: int, node: Node) -> Step:
        """Perform an operation that is more than a load or a store."""
        op = self.pending(actor)
        is_wait = op is not node.op
        if is_wait and node.op is not None and node.op.kind is not _PAUSE:
            return self._wait_step(actor, node, op)
        mine, kind = self.threads.actors[actor], op.kind
        old: Any = _SAME
        child, value = -1, None
        if kind is _SPAWN:
            child, value = self.threads.spawn(actor, node)
        elif kind is _EXIT:
            old = self.threads.exit(actor)
        elif kind in _WORLD:
            self._stop_or_release(actor, kind)
        elif kind is not _JOIN:
            old, value = performed(self.memory, mine, op)
        # A PAUSE returns nothing, also if it has become a wait.
        following = self._following(mine, node, None if is_wait else value)
        if child >= 0:
            self._enter_child(child)
        self._journal.append((actor, node, old))
        self.events.append(Event(mine.name, op, value, node.instruction) if is_wait else following)
        self.nodes[actor] = following
        self._waited[actor] = False
        if following.tried is not None:
            self._granted[actor] = wait_at(following, self.events)
        step: Step | None = following.step
        return step if step is not None else self._note_step(following, op, value, actor, child)

    def _enter_child(self, child: int) -> None:
        actor = self.threads.actors[child]
        while child >= len(self.nodes):
            self.nodes.append(None)
            self._waited.append(False)
        self.nodes[child] = self._following(actor, actor.start, None)
        self._waited[child] = False

    def _wait_step(self, actor: int, node: Node, op: Op) -> Step:
        """End the wait before a look."""
        mine = self.threads.actors[actor]
        _, value = performed(self.memory, mine, op)
        instruction = node.instruction if self._is_inside(actor) else None
        self.waits.append(len(self._journal))
        self._journal.append((actor, node, _WAITED))
        self.events.append(Event(mine.name, op, value, instruction))
        self._waited[actor] = True
        step = self._wait_steps.get(node)
        if step is None:
            step = self._wait_steps[node] = Step(_AWAIT, node.location, False, inside=self._is_inside(actor))
        return step

    def _stop_or_release(self, actor: int, kind: Kind) -> None:
        if (kind is _BEGIN) != (self.stopper < 0) or (kind is _RELEASE and self.stopper != actor):
            raise CannotUndo("an exclusive section is begun or ended by a vCPU that must not do so")
        self.stopper = actor if kind is _BEGIN else -1

    # -- one step back -------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last step."""
        actor, node, old = self._journal.pop()
        self.events.pop()
        self._forget_switch(len(self._journal))
        code = node.code
        if code in (WRITE_CELL, MODIFY_CELL):
            node.place.value = old
        elif old is _WAITED:
            self.waits.pop()
            self._waited[actor] = False
            if node.tried is not None:
                self._granted[actor] = wait_at(node, self.events)
            return
        elif code <= END or type(old) is Old:
            self._undo_other(actor, node, old)
        elif code >= SWAP or code == WRITE:
            node.place[node.offset] = old
        self.nodes[actor] = node
        if node.tried is not None:
            self._granted[actor] = wait_at(node, self.events)

    def _forget_switch(self, index: int) -> None:
        if self.switches and self.switches[-1] == index:
            self.switches.pop()
            if self.forced and self.forced[-1] == index:
                self.forced.pop()

    def _undo_other(self, actor: int, node: Node, old: Any) -> None:
        op = node.op
        assert op is not None
        self._waited[actor] = node.wait is not None and op.kind is not _PAUSE
        kind = op.kind
        if kind is _SPAWN:
            self.nodes[self.threads.unspawn(actor)] = None
        elif kind is _EXIT:
            self.threads.unexit(actor, old)
        elif kind in _WORLD:
            self.stopper = -1 if kind is _BEGIN else actor
        elif old is not _SAME:
            put_back(self.memory, op, old)
