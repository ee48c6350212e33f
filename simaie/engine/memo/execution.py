"""Executions whose vCPUs are followed along the edges of a memo."""

from __future__ import annotations

from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.actors import ActorTable
from simaie.engine.beginning import Beginning
from simaie.engine.execution import Execution
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.node import Node, key_of
from simaie.engine.memo.story import story_of
from simaie.guest.cpu import Thread
from simaie.guest.program import GuestFunction
from simaie.op import Op, owner_of
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Ending, Event, Fault, Trace

__all__ = ["MemoActor", "MemoExecution"]


class _Seen:
    """What the engine sees of a vCPU where it stands: the part of a `Cpu` that executions and traces ask for."""

    __slots__ = ("entered", "identity", "instruction", "name", "node")

    def __init__(self, name: str, identity: int, node: Node) -> None:
        self.name, self.identity = name, identity
        self.instruction = self.entered = None
        self.node = node

    def move(self, node: Node) -> None:
        """The vCPU stands at `node` now."""
        self.node = node
        self.instruction, self.entered = node.instruction, node.entered  # type: ignore[assignment]  # slots

    @property
    def observations(self) -> Any:
        return self.node.observations

    @property
    def blocks(self) -> Any:
        return self.node.blocks

    @property
    def reservation_ends(self) -> Any:
        return self.node.reservation_ends

    @property
    def silent(self) -> Any:
        return self.node.silent


class MemoActor(Actor):
    """An actor that stands at a node; its coroutine is the one that last made a node for it, if one did."""

    __slots__ = ("node",)

    def __init__(self, name: str, rank: tuple[int, ...], identity: int, start: Node) -> None:
        seen: Any = _Seen(name, identity, start)
        nothing: Any = None
        super().__init__(name, rank, seen, nothing)
        self.node = start


class _MemoActors(ActorTable):
    """The actors of one execution."""

    __slots__ = ("_memo", "_spawned_at")

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._spawned_at: Node | None = None
        super().__init__(memo.program, memo.scheme, memo.facts)

    def _make(self, name: str, rank: tuple[int, ...], cpu_class: type[Any], code: GuestFunction) -> Actor:
        identity = self._next_identity()
        is_device = self._spawned_at is None and cpu_class is not self._cpu_class
        root = self._memo.root(name, identity, cpu_class, code, spawned_at=self._spawned_at, is_device=is_device)
        return self._enter(MemoActor(name, rank, identity, root.start))

    def spawn(self, parent: Actor, thread: Thread, code: GuestFunction) -> None:
        """A child of `parent` joins in, and has still to announce."""
        assert isinstance(parent, MemoActor)
        self._spawned_at = parent.node
        try:
            super().spawn(parent, thread, code)
        finally:
            self._spawned_at = None


class MemoExecution(Execution):
    """One execution along the trees of `memo`."""

    def __init__(self, memo: Memo, scheduler: Scheduler, info: ExecutionInfo) -> None:
        program, machine = memo.program, memo.machine
        scheduler.start(ExecutionInfo(info.seed, info.index, info.threads, Beginning(program, machine)))
        self.program, self.machine, self.scheduler = program, machine, scheduler
        self.info = info
        self.memo = memo
        self.ending: Ending | None = None
        self.memory = machine.make_memory(program)
        self.scheme = memo.scheme
        self._waits: set[int] = set()  # the steps that are waits before a look
        self.asking: Node | None = None  # the node behind which an edge is being made
        memo.reset()
        self._misses_before = memo.misses
        self._assemble(_MemoActors(memo))

    def resume(self, actor: MemoActor) -> Actor | None:
        """Move `actor` on with the result in its inbox; return the actor to resume next, or None if it is over."""
        node, value = actor.node, actor.inbox
        key = value if value is None or type(value) is int else key_of(value)
        following = node.edges.get(key)
        if following is None:
            self.asking = node
            following = self.memo.miss(actor, node, key, value)
            self.asking = None
        actor.node = following
        actor.cpu.move(following)  # type: ignore[attr-defined]  # it is a _Seen
        if following.faults:
            self._note_faults(actor, following)
        op = following.op
        if op is None:
            self._cast.remove(actor)
            return self.proceed()
        return self.announced(actor, op)

    def _note_faults(self, actor: Actor, node: Node) -> None:
        for kind, message in node.faults:
            self._record.faults.append(Fault(actor.name, len(self.events), message, kind))

    # -- what depends on the coroutine, and is known ---------------------------------------------------

    def _looks_again(self, actor: Any, op: Op, events: list[Event]) -> bool:
        wait = actor.node.wait
        if wait is not None:
            actor.held, actor.op = op, wait
        return wait is not None

    def _await_change(self, actor: Any, pause: Op, events: list[Event]) -> Op:
        return actor.node.wait or pause

    def _end_wait(self, actor: Actor) -> None:
        self._waits.add(len(self.events))
        super()._end_wait(actor)

    def _spawn(self, parent: Actor, code: GuestFunction) -> Thread:
        assert isinstance(parent, MemoActor)
        thread = self.memo.thread(parent.node, f"{parent.name}.{parent.children}")
        thread.done = False
        parent.children += 1
        if self._cast.threads >= self.machine.limits.threads:
            self._end(Ending.THREAD_LIMIT)
        else:
            self._cast.spawn(parent, thread, code)
        return thread

    # -- the ending --------------------------------------------------------------------------------------

    @property
    def missed(self) -> bool:
        """Whether code of guests or of the scheme ran."""
        return self.memo.misses > self._misses_before

    def close(self) -> None:
        """No actor is a candidate any more. The coroutines are the memo's."""
        if self._buffered:
            self._store_buffers.close()
        for actor in self._cast.everyone:
            actor.enabled = False
        self.memo.count(len(self.events))
        self.memo.trim()

    def trace(self) -> Trace:
        """The finished trace; the scheduler does not hear of it yet."""
        assert self.ending is not None
        self._record.events = self._finished_events()
        endian, promises = self.machine.endian, self.scheme.promises
        return self._record.trace(self.program, endian, self.memory, self._cast, promises, self.ending)

    def result(self) -> Trace:
        """The finished trace; the scheduler hears of it."""
        trace = self.trace()
        self.scheduler.finish(trace)
        return trace

    def _finished_events(self) -> list[Event]:
        """The events, with the instructions' results."""
        stories = {actor.name: story_of(actor.node) for actor in self._cast.everyone if isinstance(actor, MemoActor)}
        steps = {name: iter(story.events) for name, story in stories.items()}
        found: list[Event] = []
        for step, event in enumerate(self.events):
            name = event.actor
            of_vcpu = steps.get(name)
            if of_vcpu is None:  # a store that drains
                final = stories[owner_of(name)].final(event.instruction)
                found.append(Event(name, event.op, event.value, final))
            elif step in self._waits:
                found.append(Event(name, event.op, event.value, stories[name].final(event.instruction)))
            else:
                known = next(of_vcpu)
                if known.op is not event.op:  # a buffered store, or the AWAIT that a PAUSE has become
                    known = Event(name, event.op, event.value, known.instruction)
                found.append(known)
        return found
