"""The test bench `exhaustive.explicit_state` on a host whose vCPUs have store buffers, of accesses of width 1.

A BUFFER enters the buffer that its operation names: one for all places on a host like tso, one for each on a host like
pso. A buffer is an actor that performs its oldest store. A load finds the newest store of its own vCPU.
"""

from __future__ import annotations

from typing import Any

from exhaustive.explicit_state import ExplicitState
from simaie.dependence import waits_for_drain
from simaie.op import Kind, Op
from simaie.small_steps import Step


class BufferedState(ExplicitState):
    """The state of a program with store buffers; arguments as for `ExplicitState`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.has_buffers = True
        self._numbers: dict[tuple[int, str], int] = {}
        self._owners: dict[int, int] = {}
        self._queues: dict[int, list[tuple[Op, int]]] = {}
        self._drained: list[tuple[Op, int, int]] = []

    def name(self, actor: int) -> tuple[object, ...]:
        owner = self._owners.get(actor)
        if owner is None:
            return super().name(actor)
        key = next(key for (_, key), number in self._numbers.items() if number == actor)
        return (*super().name(owner), -1, *key.encode())

    def owner_of(self, actor: int) -> int:
        return self._owners.get(actor, actor)

    def is_enabled(self, actor: int) -> bool:
        if actor in self._owners:
            return bool(self._queues[actor])
        node = self.nodes[actor]
        if node is not None and node.kind is Kind.BEGIN_EXCLUSIVE and any(self._queues.values()):
            return False
        return self._is_ready(actor) and super().is_enabled(actor)

    def rank(self, actor: int) -> int:
        return 0 if actor in self._owners else super().rank(actor)

    def uncertain_place(self, actor: int) -> int:
        return super().uncertain_place(actor) if self._is_ready(actor) else -1

    def _is_ready(self, actor: int) -> bool:
        """Whether the next operation of a vCPU need not wait for the vCPU's own store buffers."""
        node = self.nodes[actor]
        if node is None or node.op is None or not waits_for_drain(node.op):
            return True
        return not any(queue for buffer, queue in self._queues.items() if self._owners[buffer] == actor)

    def read(self, op: Op, actor: int) -> Any:
        if op.value is None or op.kind is not Kind.AWAIT:
            for buffer, queue in self._queues.items():
                for store, _ in reversed(queue if self._owners[buffer] == actor else ()):
                    if store.address == op.address:
                        return store.value
        return super().read(op, actor)

    def buffered(self, actor: int) -> tuple[int, int]:
        owner = self.owner_of(actor)
        siblings = 0
        for index, (other, *_) in enumerate(self.events):
            if other != actor and self.owner_of(other) == owner:
                siblings |= 1 << index
        if actor != owner:
            return 1 << self._queues[actor][0][1], siblings
        node = self.nodes[actor]
        waits = node is not None and node.op is not None and waits_for_drain(node.op)
        return (siblings if waits else 0), siblings

    def step(self, actor: int, choice: int = 0) -> Step:
        if actor in self._owners:
            store, entered = self._queues[actor].pop(0)
            self._drained.append((store, entered, self.memory[store.address]))
            self.events.append((actor, store, None, True))
            self.memory[store.address] = store.value
            return Step(Kind.STORE, self.locations.of(store), True)
        node = self.nodes[actor]
        step = super().step(actor, choice)
        if node is not None and node.op is not None and node.kind is Kind.BUFFER:
            step.buffer = self._buffer(actor, node.op.buffer)
            self._queues[step.buffer].append((node.op.value, len(self.events) - 1))
        return step

    def undo(self) -> None:
        actor, op, _, _ = self.events[-1]
        if actor in self._owners:
            self.events.pop()
            store, entered, before = self._drained.pop()
            self.memory[store.address] = before
            self._queues[actor].insert(0, (store, entered))
            return
        super().undo()
        if op.kind is Kind.BUFFER:
            self._queues[self._buffer(actor, op.buffer)].pop()

    def _buffer(self, vcpu: int, key: str) -> int:
        number = self._numbers.get((vcpu, key))
        if number is None:
            number = self._numbers[vcpu, key] = len(self.nodes)
            self.nodes.append(None)
            self._roots.append(None)
            self._code.append(self._code[vcpu])
            self.names.append(())
            self._owners[number] = vcpu
            self._queues[number] = []
        return number
