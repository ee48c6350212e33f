"""Executions whose vCPUs are followed along the edges of a memo."""

from __future__ import annotations

from itertools import count
from typing import Any

from simaie.check.needs import OPEN, REFUSED
from simaie.engine.actor import Actor
from simaie.engine.actors import ActorTable
from simaie.engine.execution import Execution
from simaie.engine.global_state import StateReader
from simaie.engine.memo.lazy import MemoTrace, performed, wait_at
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.monitors import refute
from simaie.engine.memo.node import Node, key_of
from simaie.engine.memo.node_states import NodeStateReader
from simaie.guest.cpu import Thread
from simaie.guest.program import GuestFunction
from simaie.op import Op
from simaie.protocols import ExecutionInfo, HostMemory, Scheduler
from simaie.trace import Ending, Event, Fault, Instruction, Trace

__all__ = ["MemoActor", "MemoExecution", "first_actors"]

_NOTHING: dict[str, Op] = {}


class _Seen:
    """What the engine sees of a vCPU at its node: the part of a `Cpu` that executions and traces ask for."""

    __slots__ = ("_performing", "actor", "identity", "name")

    def __init__(self, name: str, identity: int) -> None:
        self.name, self.identity = name, identity
        self.actor: MemoActor
        self._performing: Instruction | None = None

    def move(self) -> None:
        """The vCPU has come to another node."""
        self._performing = None

    @property
    def instruction(self) -> Instruction | None:
        return self.actor.node.instruction

    @property
    def entered(self) -> Instruction | None:
        return self._performing or self.actor.node.entered

    @entered.setter
    def entered(self, instruction: Instruction | None) -> None:
        self._performing = instruction


class MemoActor(Actor):
    """An actor that is at a node; its coroutine is the one that last made a node for it, if one did."""

    __slots__ = ("node", "start")

    def __init__(self, name: str, rank: tuple[int, ...], identity: int, start: Node) -> None:
        seen: Any = _Seen(name, identity)
        nothing: Any = None
        super().__init__(name, rank, seen, nothing)
        self.node = self.start = start
        seen.actor = self

    def restart(self) -> None:
        """Go back to the start: another execution begins."""
        self.node = self.start
        self.enabled = self.special = self.waits_for_change = False
        self.inbox = self.held = self.looks = None
        self.children = 0
        self.cpu.move()  # type: ignore[attr-defined]  # it is a _Seen


class _MemoActors(ActorTable):
    """The actors of one execution."""

    __slots__ = ("_first", "_memo", "_spawned_at")

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._spawned_at: Node | None = None
        super().__init__(memo.program, memo.scheme, memo.facts)
        self._first: list[Any] = self.everyone.copy()

    def restart(self) -> None:
        """Go back to the beginning: another execution begins."""
        first = self._first
        if len(self.everyone) != len(first):
            self.everyone = first.copy()
            self._identities, self._free_identities = count(len(first)), []
        self.live[:] = first
        self.to_advance.clear()
        self.to_advance.extend(first)
        for actor in first:
            actor.restart()
        self.changed = True

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


def first_actors(memo: Memo) -> list[MemoActor]:
    """Return the actors with which the program of `memo` begins."""
    return list(_MemoActors(memo).everyone)  # type: ignore[arg-type]  # they are MemoActors


class MemoExecution(Execution):
    """One execution along the trees of `memo`."""

    def __init__(self, memo: Memo, scheduler: Scheduler, info: ExecutionInfo) -> None:
        program, machine = memo.program, memo.machine
        self.program, self.machine, self.scheduler = program, machine, scheduler
        self.info = info
        self.memo = memo
        memo.compares_states = memo.guest_states is not None
        self.scheme = memo.scheme
        self._start()
        self.memory = self._memory()
        self._assemble(_MemoActors(memo))

    def _start(self) -> None:
        """Begin an execution: tell the scheduler, and set back what an earlier one has changed."""
        info, memo = self.info, self.memo
        if info.beginning is None:
            info = ExecutionInfo(info.seed, info.index, info.threads, memo.beginning)
        self.scheduler.start(info)
        self.ending: Ending | None = None
        self._waits: frozenset[int] = frozenset()  # the steps that are waits before a look
        self.asking: Node | None = None  # the node behind which an edge is being made
        memo.reset()
        self._misses_before = memo.misses

    def _memory(self) -> HostMemory:
        """Return the host memory, with its initial values."""
        return self.machine.make_memory(self.program)

    def _state_reader(self) -> StateReader:
        return NodeStateReader(self.events, self._cast, self._waiting, self.memory)

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
        return self.arrived(actor, following)

    def arrived(self, actor: MemoActor, node: Node) -> Actor | None:
        """Take what `actor` announces at `node`, where it is now; return the actor to resume next, or None."""
        actor.cpu.move()  # type: ignore[attr-defined]  # it is a _Seen
        if node.faults:
            self._note_faults(actor, node)
        op = node.op
        if op is None:
            self._cast.remove(actor)
            return self.proceed()
        actor.looks = op if node.wait is not None else None  # so that `announced` asks for the wait
        return self.announced(actor, op)

    def _note_faults(self, actor: Actor, node: Node) -> None:
        for kind, message in node.faults:
            self._record.faults.append(Fault(actor.name, len(self.events), message, kind))

    # -- what depends on the coroutine, and is known ---------------------------------------------------

    def _looks_again(self, actor: Any, op: Op) -> bool:
        node = actor.node
        if node.wait is not None:
            actor.held, actor.op = op, wait_at(node, self.events)
        return node.wait is not None

    def _await_change(self, actor: Any) -> Op | None:
        node = actor.node
        return None if node.wait is None else wait_at(node, self.events)

    def _end_wait(self, actor: Actor) -> None:
        self._waits |= {len(self.events)}
        super()._end_wait(actor)

    def _handle(self, parent: Actor, name: str) -> Thread:
        """Return the handle that belongs to the node of `parent`, for a thread that has just begun."""
        assert isinstance(parent, MemoActor)
        thread = self.memo.thread(parent.node, name)
        thread.done = False
        return thread

    # -- the ending --------------------------------------------------------------------------------------

    @property
    def is_known(self) -> bool:  # type: ignore[override]  # it is decided at the end
        """Whether no code of guests or of the scheme ran."""
        return self.memo.misses == self._misses_before

    def close(self) -> None:
        """No actor is a candidate any more. The coroutines are the memo's."""
        if self._buffered:
            self._store_buffers.close()
        for actor in self._cast.everyone:
            actor.enabled = False
        self.memo.ended(self.events)

    @property
    def performed(self) -> list[Event]:
        """The events so far, for errors and comparisons; an instruction may be pending although it has completed."""
        return performed(self.events)

    def trace(self) -> MemoTrace:
        """The finished trace; the scheduler does not hear of it yet."""
        ending, memo, record, cast = self.ending, self.memo, self._record, self._cast
        assert ending is not None
        last = tuple([actor.node for actor in cast.everyone])  # type: ignore[attr-defined]  # they are MemoActors
        outcome = memo.outcome(self.memory, last)
        occurred = memo.promised | memo.ending_bits[ending]
        for node in last:
            occurred |= node.occurred
        if occurred & OPEN:
            occurred = refute(occurred, self.events, last, is_known=memo.is_quick and self.is_known)
        refused = None
        asked = self.program.final is not None and ending is Ending.FINISHED
        if asked:
            refused = memo.refusal(self.memory, last, outcome)
            if refused is not None:
                occurred |= REFUSED
        waiting = {actor.name: actor.op for actor in cast.live if not actor.internal} if cast.live else _NOTHING
        return MemoTrace(
            memo.origin, self.events.copy(), self._waits, last, record.switches.copy(), record.choices.copy(), waiting,
            ending, outcome, tuple(record.faults), refused is None if asked else None, refused or "", occurred,
            record.cycle,
        )  # fmt: skip

    def result(self) -> Trace:
        """The finished trace; the scheduler hears of it."""
        trace = self.trace()
        self.scheduler.finish(trace)
        return trace
