"""The vCPUs of a state that goes forward and back: which exist, in which order, with which identity."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Any

from simaie.engine.memo.execution import MemoActor, first_actors
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.node import Node
from simaie.engine.memo.restored import CannotUndo
from simaie.guest.cpu import Thread
from simaie.op import buffer_name

__all__ = ["Threads"]

_Identities = tuple[tuple[int, ...], int]


class Threads:
    """The vCPUs of a program, those that are spawned too; a number means the same vCPU in every execution.

    Args:
        memo: The memo.

    Attributes:
        actors: By number, the actor, as it is in the current execution.
        order: The numbers of those that exist, in structural order.
        arrived: The same in the order of arrival.
        buffers: The number of the store buffer of each vCPU that has one, which is in `order` too.
    """

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._first = first_actors(memo)
        self.actors: list[MemoActor] = []
        self.order: list[int] = []
        self.arrived: list[int] = []
        self.buffers: dict[int, int] = {}
        self._numbers: dict[str, int] = {}
        self._known: dict[tuple[int, int, Node], MemoActor] = {}
        self._children: list[int] = []  # by number, how many it has spawned
        self._handles: dict[int, Thread] = {}  # by number of a spawned vCPU
        self._identities: _Identities = (), len(self._first)  # the free ones, and the first that was never used
        self._before: list[_Identities] = []  # before each SPAWN

    def first(self) -> list[MemoActor]:
        """Add the vCPUs with which the program begins, and return them."""
        for number, actor in enumerate(self._first):
            self._numbers[actor.name] = number
            self.actors.append(actor)
            self._children.append(0)
            self.order.append(number)
            self.arrived.append(number)
        return self._first

    def spawn(self, parent: int, node: Node) -> tuple[int, Thread]:
        """Add a child of `parent`, which is at the SPAWN `node`; return its number and handle.

        Raises:
            CannotUndo: There would be more vCPUs than the limit of the machine.
        """
        memo, spawner = self._memo, self.actors[parent]
        if len(self.arrived) >= memo.machine.limits.threads:
            raise CannotUndo("an execution has as many threads as the limit allows")
        name = f"{spawner.name}.{self._children[parent]}"
        number = self._numbers.setdefault(name, len(self.actors))
        handle = memo.thread(node, name)
        handle.done = False
        self._before.append(self._identities)
        free, fresh = self._identities
        identity = free[0] if free else fresh
        self._identities = (free[1:], fresh) if free else (free, fresh + 1)
        child = self._child(number, identity, node, name)
        if number == len(self.actors):
            self.actors.append(child)
            self._children.append(0)
        self.actors[number] = child
        self._children[number] = 0
        self._children[parent] += 1
        self._handles[number] = handle
        child.thread = handle
        insort(self.order, number, key=lambda other: self.actors[other].rank)
        self.arrived.append(number)
        return number, handle

    def _child(self, number: int, identity: int, node: Node, name: str) -> MemoActor:
        known = self._known.get((number, identity, node))
        if known is None:
            memo, op, rank = self._memo, node.op, tuple([int(part) for part in name.split(".")])
            assert op is not None
            kind: Any = memo.program.cpu_class
            root = memo.root(name, identity, kind, op.value, spawned_at=node, is_device=False)
            known = self._known[number, identity, node] = MemoActor(name, rank, identity, root.start)
        return known

    def add_buffer(self, owner: int) -> int:
        """Add the store buffer of a vCPU, behind it and before the vCPUs that it has spawned; return its number."""
        actor = self.actors[owner]
        number = self._numbers.setdefault(buffer_name(actor.name, ""), len(self.actors))
        if number == len(self.actors):
            self.actors.append(actor)
            self._children.append(0)
        self.actors[number] = actor  # whose rank says where the buffer stands
        self.buffers[owner] = number
        self.order.insert(self.order.index(owner) + 1, number)
        return number

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all vCPUs so far, by number."""
        return tuple(self._numbers)

    def learn(self, names: Sequence[str]) -> None:
        """Let the vCPUs have the numbers that they have in `names`, which begins with all that are known."""
        for name in names[len(self._numbers) :]:
            self._numbers[name] = len(self.actors)
            self.actors.append(self._first[0])  # until it is spawned
            self._children.append(0)

    def agree_with(self, names: Sequence[str]) -> bool:
        """Learn `names`; return False if some vCPUs have other numbers already."""
        known = self.names
        if tuple(names[: len(known)]) != known:
            return False
        self.learn(names)
        return True

    @property
    def state(self) -> Any:
        """What tells the threads of two states apart: which exist, how many each has spawned, and the identities."""
        done = tuple([number for number, handle in self._handles.items() if handle.done])
        return tuple(self.order), tuple(self._children), done, self._identities

    @property
    def spawned(self) -> list[int]:
        """The numbers of those that were spawned, in the order of arrival."""
        return self.arrived[len(self._first) :]

    @property
    def everyone(self) -> list[MemoActor]:
        """The actors of all executions so far."""
        return [*self._first, *self._known.values()]

    @property
    def current(self) -> list[MemoActor]:
        """The actors of the current execution."""
        return [self.actors[number] for number in self.arrived]

    def unspawn(self, parent: int) -> int:
        """Remove the child that was added last, and return its number."""
        number = self.arrived.pop()
        self.order.remove(number)
        if number in self.buffers:
            self.order.remove(self.buffers.pop(number))
        self._children[parent] -= 1
        self._identities = self._before.pop()
        del self._handles[number]
        return number

    def exit(self, number: int) -> _Identities:
        """Mark a spawned vCPU as done; return what `unexit` needs."""
        before = self._identities
        free, fresh = before
        self._handles[number].done = True
        self._identities = tuple(sorted((*free, self.actors[number].cpu.identity))), fresh
        return before

    def unexit(self, number: int, before: _Identities) -> None:
        """Mark it as not done."""
        self._handles[number].done = False
        self._identities = before
