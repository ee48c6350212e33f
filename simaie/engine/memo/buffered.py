"""The state of a program on a host with total store order: `simaie.engine.memo.steps` with a store buffer per vCPU.

A store enters the buffer of its vCPU by one step, and drains by a step of the buffer, which is an actor with a number
of its own. The buffered stores are in the host memory; here is what else a step back needs of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simaie.dependence import waits_for_drain
from simaie.engine.memo.lazy import wait_at
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.node import Node
from simaie.engine.memo.restored import CannotUndo, MixedSizes, Old, perform, put_back
from simaie.engine.memo.steps import MemoSteps
from simaie.host.tso import TsoMemory
from simaie.locations import LOCAL
from simaie.op import BLOCKING, Kind, Op
from simaie.small_steps import Step
from simaie.trace import Event

__all__ = ["BufferedSteps", "make_steps"]

_BUFFER, _LOAD, _BEGIN = Kind.BUFFER, Kind.LOAD, Kind.BEGIN_EXCLUSIVE
#: The old value of a step by which a store entered its buffer, and of a plain load.
_ENTERED, _LOADED = Old(), Old()


def make_steps(memo: Memo, *, mixed_sizes: bool, commuting: bool) -> MemoSteps:
    """Return the state of the program of `memo`, by its host memory; the arguments are those of `MemoSteps`."""
    kind = BufferedSteps if type(memo.memory) is TsoMemory else MemoSteps
    return kind(memo, mixed_sizes=mixed_sizes, commuting=commuting)


class _Announced:
    """What a vCPU announces at a node, on a host with store buffers.

    Attributes:
        op: The operation as the host memory performs it: a store that is buffered is a BUFFER.
        is_buffered: Whether it is one.
        waits: Whether it waits for the store buffer of its vCPU.
        blocks: Whether it waits for something else.
        entry: The event by which the store enters the buffer; `drain` is the one by which it drains.
        drained: What that drain does; made when first needed.
    """

    __slots__ = ("blocks", "drain", "drained", "entry", "is_buffered", "op", "waits")

    def __init__(self, node: Node, memory: TsoMemory) -> None:
        op = node.op
        assert op is not None
        self.op = op = memory.admit(op)
        self.is_buffered = op.kind is _BUFFER
        self.waits = not self.is_buffered and waits_for_drain(op)
        self.blocks = op.kind in BLOCKING
        self.entry = Event(node.root.name, op, None, node.instruction)
        self.drain: Event | None = None
        self.drained: Step | None = None


class _Store(NamedTuple):
    """A buffered store.

    Attributes:
        node: Where its vCPU announced it.
        entered: The number of the step by which it entered the buffer.
    """

    node: Node
    entered: int


class BufferedSteps(MemoSteps):
    """The state of the program of a memo whose host memory is a `TsoMemory`; arguments as for `MemoSteps`.

    Accesses that overlap in part, and compare-and-swaps and store-conditionals of any size, need `mixed_sizes`: see
    `simaie.small_steps.SmallSteps`.
    """

    has_buffers = True

    def _prepare(self, memo: Memo) -> None:
        super()._prepare(memo)
        assert isinstance(memo.memory, TsoMemory)
        self._tso = memo.memory
        self._owners: dict[int, int] = {}  # by buffer, its vCPU
        self._stores: dict[int, list[_Store]] = {}  # by vCPU or buffer: the oldest first
        self._masks: dict[int, int] = {}  # by actor, its steps
        self._running: list[int] = [-1]  # by length of the path, the vCPU that took the last step of all vCPUs
        self._announced: dict[Node, _Announced] = {}

    def _require_sizes(self) -> None:
        if self._conditional and not self.mixed_sizes:
            raise MixedSizes("a vCPU with a store buffer performs a compare-and-swap or store-conditional")

    def _at(self, node: Node) -> _Announced:
        """Return what a vCPU announces at `node`, which is not its end."""
        known = self._announced.get(node)
        if known is None:
            known = self._announced[node] = _Announced(node, self._tso)
        return known

    # -- what a search asks -----------------------------------------------------------------------

    def enabled(self) -> list[int]:
        """Return the enabled actors in structural order."""
        return [actor for actor in self.threads.order if self.is_enabled(actor)]

    def is_enabled(self, actor: int) -> bool:
        """Return whether an actor, which exists, can take the next step."""
        if actor in self._owners:
            return bool(self._stores[actor])
        node = self.nodes[actor]
        if node is None or node.op is None or (self.stopper >= 0 and actor != self.stopper):
            return False
        announced = self._announced.get(node) or self._at(node)
        if announced.is_buffered:
            return True
        if node.wait is None and not announced.blocks:
            return not announced.waits or not self._stores.get(actor)
        if not self._is_ready(actor):
            return False
        if self.pending(actor).kind is _BEGIN and any(self._stores.values()):
            return False
        return super().is_enabled(actor)

    def _is_ready(self, actor: int) -> bool:
        """Whether the next operation of a vCPU need not wait for its store buffer."""
        return not (self._stores.get(actor) and self._waits(actor))

    def _waits(self, actor: int) -> bool:
        """Whether the next operation of a vCPU is one that waits for its store buffer."""
        node = self.nodes[actor]
        if node is None or node.op is None:
            return False
        return self._at(node).waits if node.wait is None else waits_for_drain(self.pending(actor))

    def default(self, running: int) -> int:
        """Return the actor to take a default step: the last vCPU, or the first actor of the lowest rank; -1 if none."""
        if running >= 0:
            running = self._running[-1]
            if running >= 0 and self.is_enabled(running) and not self.rank(running):
                return running
        found, lowest = -1, 1 << 30
        for actor in self.threads.order:
            if self.is_enabled(actor) and (rank := self.rank(actor)) < lowest:
                if not rank:
                    return actor
                found, lowest = actor, rank
        return found

    def rank(self, actor: int) -> int:
        """Return how late the search is to choose an enabled actor."""
        return 0 if actor in self._owners else super().rank(actor)

    def pending(self, actor: int) -> Op:
        """Return the next operation of a vCPU that has not ended."""
        node = self.nodes[actor]
        assert node is not None
        announced = self._at(node)
        return announced.op if announced.is_buffered else super().pending(actor)

    def uncertain_place(self, actor: int) -> int:
        """Return the place of the actor's next operation if it is uncertain, else -1."""
        return super().uncertain_place(actor) if self._is_ready(actor) else -1

    def buffered(self, actor: int) -> tuple[int, int]:
        """Return the masks of the steps of the vCPU's other actor that precede the actor's next operation, and of all.

        Args:
            actor: The actor.
        """
        owner = self._owners.get(actor)
        if owner is not None:
            stores = self._stores[actor]
            return 1 << stores[0].entered if stores else 0, self._masks.get(owner, 0)
        siblings = self._masks.get(self.threads.buffers.get(actor, -1), 0)
        return (siblings if siblings and self._waits(actor) else 0), siblings

    # -- one step forward ---------------------------------------------------------------------------

    def step(self, actor: int, choice: int = 0) -> Step:
        """Perform the next operation of an enabled actor."""
        index = len(self._journal)
        if index >= self._limit:
            raise CannotUndo("an execution is as long as the limit on steps")
        self._note_deviation(actor, index)
        self._masks[actor] = self._masks.get(actor, 0) | 1 << index
        if actor in self._owners:
            return self._drain(actor)
        self._running.append(actor)
        node = self.nodes[actor]
        assert node is not None
        announced = self._at(node)
        if announced.is_buffered:
            return self._enter(actor, node, announced)
        if node.wait is None and announced.op.kind is _LOAD:
            return self._load(actor, node, announced.op)
        return self._other_step(actor, node)

    def _note_deviation(self, actor: int, index: int) -> None:
        """Note step number `index` if it deviates from the default: the last vCPU goes on, or else the first actor."""
        running = self._running[-1]
        if actor == running:
            return
        if running >= 0 and self.is_enabled(running):
            self.switches.append(index)
        elif actor != next(other for other in self.threads.order if self.is_enabled(other)):
            self.switches.append(index)
            self.forced.append(index)

    def _load(self, actor: int, node: Node, op: Op) -> Step:
        value = perform(self.memory, self.threads.actors[actor], op)
        following = self._arrive(actor, node, value, _LOADED)
        return following.step or self._note_step(following, op, value, actor)

    def _enter(self, actor: int, node: Node, announced: _Announced) -> Step:
        """Let a store enter the buffer of its vCPU."""
        mine = self.threads.actors[actor]
        buffer = self.threads.buffers.get(actor)
        if buffer is None:
            buffer = self._add_buffer(actor)
        self._tso.perform(mine, announced.op)
        self._stores[buffer].append(_Store(node, len(self._journal)))
        following = self._arrive(actor, node, None, _ENTERED)
        self.events[-1] = announced.entry
        if following.step is None:
            may_wait, inside = self._may_be_uncertain(actor), self._is_inside(actor)
            following.step = Step(_BUFFER, LOCAL, False, inside=inside, buffer=buffer, may_wait=may_wait)
        return following.step

    def _add_buffer(self, actor: int) -> int:
        buffer = self.threads.add_buffer(actor)
        while buffer >= len(self.nodes):
            self.nodes.append(None)
            self._waited.append(False)
        self._owners[buffer] = actor
        self._stores[buffer] = self._stores[actor] = []
        return buffer

    def _arrive(self, actor: int, node: Node, value: object, old: Old) -> Node:
        """Move a vCPU on from `node` with the result of its operation, and return where it is then."""
        following = self._following(self.threads.actors[actor], node, value)
        self._journal.append((actor, node, old))
        self.events.append(following)
        self.nodes[actor] = following
        self._waited[actor] = False
        if following.tried is not None:
            self._granted[actor] = wait_at(following, self.events)
        return following

    def _drain(self, buffer: int) -> Step:
        """Let the oldest store of a buffer take effect."""
        memory = self._tso
        store = self._stores[buffer].pop(0)
        node, mine = store.node, self.threads.actors[self._owners[buffer]]
        announced = self._announced[node]
        op: Op = announced.op.value
        reservations = memory.saved_reservations() if memory.reservations else None
        before = op.cell.value if op.cell is not None else memory.ram.read(op.address, op.width)
        entry = memory.oldest(mine)
        memory.drain(mine, "")
        self._running.append(self._running[-1])
        self._journal.append((buffer, node, (store, entry, Old(before, reservations))))
        if announced.drain is None:
            announced.drain = Event(self.threads.names[buffer], op, None, node.instruction)
        self.events.append(announced.drain)
        if announced.drained is None:
            announced.drained = Step(Kind.STORE, self.locations.of(op), True, may_wait=False)
        return announced.drained

    # -- one step back -------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last step."""
        actor, node, old = self._journal[-1]
        index = len(self._journal) - 1
        self._masks[actor] ^= 1 << index
        self._running.pop()
        if actor not in self._owners and old is not _ENTERED and old is not _LOADED:
            super().undo()
            return
        self._journal.pop()
        self.events.pop()
        self._forget_switch(index)
        if actor in self._owners:
            store, entry, before = old
            put_back(self.memory, self._announced[node].op.value, before)
            self._tso.put_back(self.threads.actors[self._owners[actor]], entry)
            self._stores[actor].insert(0, store)
            return
        if old is _ENTERED:
            self._tso.take_back(self.threads.actors[actor])
            self._stores[actor].pop()
        self.nodes[actor] = node
        if node.tried is not None:
            self._granted[actor] = wait_at(node, self.events)

    def steps_back(self) -> Iterator[tuple[int, Node | None, int]]:
        """Yield the steps, the last first, as `MemoSteps` does; a buffer is at no node."""
        for actor, node, child in MemoSteps.steps_back(self):
            yield actor, (None if actor in self._owners else node), child
