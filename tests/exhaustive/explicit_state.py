"""A test bench for searches that go back by undo: programs of host operations, with a state that is data.

A thread is a generator function that yields operations (`simaie.op.Op`) and is sent their values. Its behaviour is
kept as a tree (values so far -> next operation), so the state of a thread is a node. An operation with the note
``inside`` is not the first of its guest instruction. A SPAWN has a generator function as value and returns the number
of the new actor, which a JOIN has as value.

`every_trace` enumerates all interleavings and knows nothing of partial orders but `simaie.dependence.conflict`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from simaie.dependence import STOPS_WORLD, WRITES_IF_IT_SUCCEEDS, conflict
from simaie.locations import Locations
from simaie.op import BLOCKING, Kind, Op
from simaie.small_steps import Rank, Step

Thread = Callable[[], Generator[Op, Any, None]]
Canonical = tuple[object, ...]

EXIT = Op(Kind.EXIT)


class Node:
    """What a thread does after one history of values; `op` is None if it has ended."""

    __slots__ = ("following", "history", "kind", "op", "place", "steps")

    def __init__(self, op: Op | None, place: int, history: tuple[Any, ...]) -> None:
        self.op, self.place, self.history = op, place, history
        self.kind = op.kind if op is not None else None
        self.following: dict[Any, Node] = {}
        self.steps: dict[Any, Step] = {}

    @property
    def inside(self) -> bool:
        return self.op is not None and self.op.note == "inside"


class ExplicitState:
    """The state of a program; memory consists of cells of one byte, or of numbers if every access has width 1.

    Args:
        threads: The threads that exist at the start; their numbers are their positions.
        memory: Initial value by address.
        devices: Numbers of the threads that are devices, which run in a stopped world and never delay a stop.
        mixed_sizes: Whether accesses may overlap in part.
    """

    def __init__(
        self,
        threads: Sequence[Thread],
        memory: dict[int, int],
        devices: Sequence[int] = (),
        *,
        mixed_sizes: bool = False,
    ) -> None:
        self.mixed_sizes = mixed_sizes
        self.has_buffers = False
        self.locations = Locations()
        self.overlaps = self.locations.overlaps
        self.memory = dict(memory)
        self.owners: dict[int, int | None] = {}
        self.stopper: int | None = None
        self.devices = frozenset(devices)
        self._code: list[Thread] = list(threads)
        self._spawners: dict[tuple[int, Node], int] = {}
        self.names: list[tuple[int, ...]] = [(number,) for number in range(len(threads))]
        self.nodes: list[Node | None] = [self._node(thread, (), False) for thread in threads]
        self._roots: list[Node | None] = list(self.nodes)
        self.events: list[tuple[int, Op, Any, bool]] = []
        self._journal: list[tuple[int, Node, Any]] = []

    # -- the tree of a thread -------------------------------------------------------------------

    def _node(self, thread: Thread, history: tuple[Any, ...], spawned: bool) -> Node:
        running = thread()
        try:
            op = running.send(None)
            for value in history:
                op = running.send(value)
        except StopIteration:
            ended = spawned and not (history and history[-1] is EXIT)
            return Node(EXIT, self.locations.of(EXIT), history) if ended else Node(None, -1, history)
        return Node(op, self.locations.of(op), history)

    def _following(self, actor: int, node: Node, value: Any) -> Node:
        following = node.following.get(value)
        if following is None:
            if node.op is EXIT:
                following = Node(None, -1, node.history)
            else:
                spawned = self._roots[actor] is None
                following = self._node(self._code[actor], (*node.history, value), spawned)
            node.following[value] = following
        return following

    # -- what a search asks ---------------------------------------------------------------------

    def enabled(self) -> list[int]:
        return [actor for actor in range(len(self.nodes)) if self.is_enabled(actor)]

    def is_enabled(self, actor: int) -> bool:
        node = self.nodes[actor]
        if node is None or node.kind is None:
            return False
        kind = node.kind
        if kind is Kind.CHOICE:
            return True
        if self.stopper is not None and actor != self.stopper and actor not in self.devices:
            return False
        if kind not in BLOCKING:
            return True
        assert node.op is not None
        if kind is Kind.LOCK:
            return self.owners.get(node.place) is None
        if kind is Kind.AWAIT:
            return bool(node.op.function.apply(self.read(node.op, actor)))  # type: ignore[union-attr]
        if kind is Kind.JOIN:
            other = self.nodes[node.op.value]
            return other is not None and other.kind is None
        return not any(
            other.inside
            for number, other in enumerate(self.nodes)
            if other is not None and number != actor and number not in self.devices
        )

    def default(self, running: int) -> int:
        enabled = self.enabled()
        if running in enabled and not self.rank(running):
            return running
        return min(enabled, key=self.rank) if enabled else -1

    def rank(self, actor: int) -> int:
        node = self.nodes[actor]
        assert node is not None
        if node.kind in STOPS_WORLD:
            return Rank.WORLD
        if node.kind is Kind.AWAIT and len(self.overlaps[node.place]) > 1:
            return Rank.WAITS_FOR_SEVERAL
        return Rank.ORDINARY

    def uncertain_place(self, actor: int) -> int:
        node = self.nodes[actor]
        if node is None:
            return -1
        conditional = self.mixed_sizes and node.kind in WRITES_IF_IT_SUCCEEDS
        return node.place if conditional or node.kind in BLOCKING else -1

    def uncertain(self) -> list[int]:
        return [actor for actor in range(len(self.nodes)) if self.uncertain_place(actor) >= 0]

    def uncertain_writes(self, actor: int) -> bool:
        node = self.nodes[actor]
        return node is not None and node.kind in WRITES_IF_IT_SUCCEEDS

    def buffered(self, actor: int) -> tuple[int, int]:
        raise NotImplementedError

    def step(self, actor: int, choice: int = 0) -> Step:
        node = self.nodes[actor]
        assert node is not None
        op, before = node.op, None
        assert op is not None
        value, wrote = None, True
        match op.kind:
            case Kind.LOAD | Kind.AWAIT:
                value, wrote = self.read(op, actor), False
            case Kind.STORE | Kind.EXCHANGE:
                before = self.read(op, actor)
                value = before if op.kind is Kind.EXCHANGE else None
                self.write(op, op.value)
            case Kind.FETCH:
                value = before = self.read(op, actor)
                self.write(op, op.function.apply(value))  # type: ignore[union-attr]
            case Kind.CAS:
                value = before = self.read(op, actor)
                wrote = value == op.expected
                if wrote:
                    self.write(op, op.value)
            case Kind.LOCK | Kind.UNLOCK:
                self.owners[node.place] = actor if op.kind is Kind.LOCK else None
            case Kind.BEGIN_EXCLUSIVE | Kind.END_EXCLUSIVE:
                self.stopper = actor if op.kind is Kind.BEGIN_EXCLUSIVE else None
            case Kind.SPAWN:
                value = self._spawn(actor, node)
            case Kind.EXIT:
                pass
            case Kind.CHOICE:
                value, wrote = choice, False
            case _:
                wrote = False
        self._journal.append((actor, node, before if wrote else None))
        self.events.append((actor, op, value, wrote))
        following = self.nodes[actor] = self._following(actor, node, value)
        return self._report(node, value, wrote, following, actor)

    def _report(self, node: Node, value: Any, wrote: bool, following: Node, actor: int) -> Step:
        step = node.steps.get(value)
        if step is None:
            assert node.kind is not None
            assert node.op is not None
            child = value if node.kind is Kind.SPAWN else -1
            arity = node.op.value if node.kind is Kind.CHOICE else 1
            inside = following.inside and actor not in self.devices
            step = node.steps[value] = Step(
                node.kind, node.place, wrote, inside=inside, child=child, arity=arity,
                may_wait=following.kind in BLOCKING,
            )  # fmt: skip
        return step

    def _spawn(self, actor: int, node: Node) -> int:
        assert node.op is not None
        child = self._spawners.get((actor, node))
        if child is None:
            child = self._spawners[actor, node] = len(self.nodes)
            self.nodes.append(None)
            self._roots.append(None)
            self._code.append(node.op.value)
            self.names.append((*self.names[actor], len(node.history)))
        self.nodes[child] = self._node(node.op.value, (), True)
        return child

    def undo(self) -> None:
        actor, node, before = self._journal.pop()
        _, op, value, _ = self.events.pop()
        self.nodes[actor] = node
        if before is not None:
            self.write(op, before)
        elif op.kind is Kind.LOCK or op.kind is Kind.UNLOCK:
            self.owners[node.place] = actor if op.kind is Kind.UNLOCK else None
        elif op.kind in STOPS_WORLD:
            self.stopper = actor if op.kind is Kind.END_EXCLUSIVE else None
        elif op.kind is Kind.SPAWN:
            self.nodes[value] = None

    def name(self, actor: int) -> tuple[object, ...]:
        """Return what identifies an actor in every execution, in whatever order actors are made."""
        return self.names[actor]

    def owner_of(self, actor: int) -> int:
        """Return the vCPU that an actor belongs to: itself, unless it is a store buffer."""
        return actor

    # -- memory ---------------------------------------------------------------------------------

    def read(self, op: Op, actor: int) -> Any:
        """Return what `actor` reads: memory, or what it has buffered."""
        if op.kind is Kind.AWAIT and op.value is not None:
            return tuple([self.read(part, actor) for part in op.value])
        if op.width == 1:
            return self.memory[op.address]
        return sum(self.memory[op.address + i] << 8 * i for i in range(op.width))

    def write(self, op: Op, value: int) -> None:
        if op.width == 1:
            self.memory[op.address] = value
            return
        for i in range(op.width):
            self.memory[op.address + i] = value >> 8 * i & 0xFF


def canonical(state: ExplicitState) -> Canonical:
    """Every event by actor and number, with what it returned and the foreign events before it that it depends on."""
    numbers: dict[int, int] = {}
    identities: list[tuple[object, ...]] = []
    described: list[tuple[object, ...]] = []
    for actor, op, value, wrote in state.events:
        number = numbers[actor] = numbers.get(actor, -1) + 1
        before = [
            identity
            for identity, (other, other_op, _, other_wrote) in zip(identities, state.events, strict=False)
            if state.owner_of(other) != state.owner_of(actor)
            and Kind.CHOICE not in (op.kind, other_op.kind)
            and conflict(other_op, other_wrote, op, wrote)
        ]
        if op.kind is Kind.SPAWN:
            value = state.name(value)
        identities.append((*state.name(actor), number))
        described.append((state.name(actor), number, value, tuple(sorted(before))))
    return tuple(sorted(described, key=lambda item: item[:2]))  # type: ignore[arg-type]


def interleavings(state: ExplicitState) -> Iterator[None]:
    """Take the state to the end of every interleaving, with every value of every choice."""
    enabled = state.enabled()
    if not enabled:
        yield
    for actor in enabled:
        node = state.nodes[actor]
        several = node is not None and node.op is not None and node.kind is Kind.CHOICE
        for value in range(node.op.value if several else 1):  # type: ignore[union-attr]
            state.step(actor, value)
            yield from interleavings(state)
            state.undo()


def every_trace(state: ExplicitState, most: int) -> set[Canonical] | None:
    """Return the canonical forms of all executions; None if there are more than `most` interleavings."""
    found = set()
    for number, _ in enumerate(interleavings(state)):
        if number == most:
            return None
        found.add(canonical(state))
    return found
