"""One execution as a state machine: who has announced what, who goes next, what has happened.

The heart of simaie, and it never waits. A driver owns the coroutines; it tells the execution what a vCPU announced
(`announced`) or that it ended (`exited`), and is told whom to resume, with ``actor.inbox`` to send. Both drivers call
nothing else, which is why they cannot differ.

Invariants, checked here and again by the conformance tests: a scheduler is never offered nothing and never gets its
way with what it was not offered; between two steps at most one actor is resumed, and every other live one has
announced; the trace never grows past the limit.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import count
from typing import Any

from simaie.decision import Choice, Schedule, Switch
from simaie.engine.actor import Actor
from simaie.engine.machine import Machine
from simaie.engine.spin import await_change
from simaie.engine.store_buffer import StoreBuffer
from simaie.errors import GuestFault, InternalError, SchedulerError, SchemeError
from simaie.guest.cpu import Thread
from simaie.guest.device import Device
from simaie.guest.program import FinalState, GuestFunction, Program
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.op import BLOCKING, Cell, Kind, Op
from simaie.protocols import ExecutionInfo, Offer, Scheduler
from simaie.trace import Ending, Event, Fault, Outcome, Trace

__all__ = ["Execution"]

_PAUSE = Kind.PAUSE  # kinds from here on need more than to be performed
#: What a vCPU has "announced" while it waits for something outside the simulation, and at its end.
_ELSEWHERE = Op(Kind.PAUSE, note="waits for something that is no operation")


class Execution:
    """Program x machine x scheduler, run once."""

    def __init__(self, program: Program, machine: Machine, scheduler: Scheduler, info: ExecutionInfo) -> None:
        self.program = program
        self.machine = machine
        self.scheduler = scheduler
        self._choose = scheduler.choose
        self.events: list[Event] = []
        self.ending: Ending | None = None
        self._facts = machine.facts(program.isa)
        host = Host(word=machine.host_word // 8, endian=machine.endian)
        self.memory = machine.make_memory(program)
        self._perform = self.memory.perform
        self._buffered = self.memory.buffers_stores
        self._buffers: dict[Actor, dict[str, StoreBuffer]] = {}
        self.scheme = machine.make_scheme(host, PageTable(host, program.pages), self._facts)
        self._cleans_up = self.scheme.has_thread_exit
        self._step_limit = machine.limits.steps
        self._offer = Offer(self.events)
        self._changed = True  # whether the offer's candidates must be made anew
        self._live: list[Any] = []  # in structural order; their store buffers, if there are any, among them
        self._everyone: list[Actor] = []  # the dead too
        self._to_advance: deque[Actor] = deque()  # who must announce before the next decision
        self._waiting: list[Actor] = []  # those whose announced op is of a blocking kind, but for locks
        self._contenders: dict[Cell, list[Actor]] = {}  # and those who have announced to lock a mutex
        self._exclusive: Actor | None = None  # who has stopped the world
        self._busy = True  # whether anybody must still announce, or waits, or has stopped the world
        self._identities = count()
        self._free_identities: list[int] = []  # sorted: the lowest is handed out first
        self._switches: list[int] = []  # steps; who took them stands in the events
        self._choices: list[Choice] = []
        self._faults: list[Fault] = []
        self._populate()
        scheduler.start(info)

    # -- making actors ------------------------------------------------------------------------

    def _populate(self) -> None:
        program = self.program
        for number, thread in enumerate(program.threads):
            code = thread if callable(thread) else partial(program.start, thread)
            self._live.append(self._make(str(number), (number,), program.cpu_class, code))
        for number, code in enumerate(program.devices):
            actor = self._make(f"dma{number}", (len(program.threads) + number,), Device, code)
            actor.is_device = True
            self._live.append(actor)

    def _make(self, name: str, rank: tuple[int, ...], cpu_class: type[Any], code: GuestFunction) -> Actor:
        """An actor that has still to announce; whoever calls puts it in its place among the live ones."""
        identity = self._free_identities.pop(0) if self._free_identities else next(self._identities)
        cpu = cpu_class(name, identity, self.scheme, self._facts)
        self.scheme.enter(cpu)
        actor = Actor(name, rank, cpu, code(cpu))
        self._everyone.append(actor)
        self._to_advance.append(actor)
        return actor

    # -- what the drivers call ----------------------------------------------------------------

    def begin(self) -> Actor | None:
        """Whom to resume first."""
        return self.proceed()

    def announced(self, actor: Actor, op: Op) -> Actor | None:
        """`actor` awaits `op`. Returns whom to resume, or None if the execution is over."""
        actor.op = op
        if op.kind >= _PAUSE or self._buffered:
            return self._announced_special(actor, op)
        if not self._busy:
            return self._decide()
        if not actor.enabled:
            actor.enabled = self._changed = True
        return self.proceed()

    def exited(self, actor: Actor) -> Actor | None:
        """The coroutine of `actor` has returned. Returns whom to resume, or None if the execution is over."""
        if not actor.epilogue and self._has_epilogue(actor):
            actor.epilogue = True
            actor.coroutine = self._epilogue(actor)
            actor.inbox = None
            return actor
        self._live.remove(actor)
        actor.op, actor.enabled = _ELSEWHERE, False
        self._changed = True
        return self.proceed()

    def faulted(self, actor: Actor, fault: GuestFault | AssertionError) -> Actor | None:
        """The guest did not handle `fault` (or an assertion of it failed): the vCPU ends, the others go on."""
        kind = "fault" if isinstance(fault, GuestFault) else "assertion"
        self._faults.append(Fault(actor.name, len(self.events), str(fault) or "assertion failed", kind))
        return self.exited(actor)

    def proceed(self) -> Actor | None:
        """Whom to resume when the current actor has announced or ended: one that must still announce, or the chosen."""
        if self.ending is not None:
            return None
        if self._to_advance:
            return self._to_advance.popleft()
        self._busy = self._buffered or bool(self._waiting) or self._exclusive is not None
        if self._busy:
            self._refresh()
        return self._decide()

    # -- one step -----------------------------------------------------------------------------

    def _decide(self) -> Actor | None:
        """Offer, take the decision, perform the one operation, record it."""
        offer, events = self._offer, self.events
        while True:
            if self._changed:
                offer.candidates = tuple([actor for actor in self._live if actor.enabled])
                self._changed = False
                if not offer.candidates:
                    return self._end(self._stuck())
            if len(events) >= self._step_limit:
                return self._end(Ending.STEP_LIMIT)
            chosen: Any = self._choose(offer)
            try:
                if not chosen.enabled:
                    return self._refuse(chosen)
            except AttributeError:  # it is no candidate at all
                return self._refuse(chosen)
            running = offer.running
            if chosen is not running:
                # Noted only if it is not what the default would have done.
                if (running is not None and running.enabled) or chosen is not offer.candidates[0]:
                    self._switches.append(len(events))
                if chosen.internal:
                    self._drain(chosen)
                    continue
                offer.running = chosen
            op = chosen.op
            instruction = chosen.entered = chosen.cpu.instruction
            if chosen.special:
                value = self._perform_special(chosen, op)
            else:
                chosen.inbox = value = self._perform(chosen, op)
            events.append(Event(chosen.name, op, value, instruction))
            return chosen  # type: ignore[no-any-return]  # an Actor: only they are enabled

    def _refuse(self, chosen: Any) -> Actor | None:
        if chosen is None:
            return self._end(Ending.PRUNED)
        offered = ", ".join(a.name for a in self._offer.candidates)
        who = self._scheduler_name()
        raise SchedulerError(f"{who}.choose returned {chosen!r} at step {self._offer.step}; it was offered: {offered}")

    def _scheduler_name(self) -> str:
        """The class of the scheduler, looked up through the wrappers around it."""
        scheduler: Any = self.scheduler
        while hasattr(scheduler, "inner"):
            scheduler = scheduler.inner
        return type(scheduler).__name__

    def _resolve_choice(self, actor: Actor, op: Op) -> Actor | None:
        step = len(self.events)
        if step >= self._step_limit:
            return self._end(Ending.STEP_LIMIT)
        arity = op.value
        value = 0 if arity == 1 else self.scheduler.choose_value(self._offer, arity)
        if type(value) is not int or not 0 <= value < arity:
            who = self._scheduler_name()
            raise SchedulerError(f"{who}.choose_value returned {value!r} at step {step}; asked for 0 to {arity - 1}")
        if value:
            self._choices.append(Choice(step, value))
        self.events.append(Event(actor.name, op, value, actor.cpu.instruction))
        actor.inbox = value
        return actor

    # -- operations that block, wake, or change who is there ------------------------------------

    def _announced_special(self, actor: Actor, op: Op) -> Actor | None:
        """An announcement that is more than one ordinary operation after another."""
        if self._buffered and not actor.is_device:
            op = actor.op = self.memory.admit(op)
        kind = op.kind
        if kind is Kind.CHOICE:
            return self._resolve_choice(actor, op)
        if kind is _PAUSE:
            op = actor.op = await_change(actor, op, self.events)
            kind = op.kind
            actor.waits_for_change = kind is not _PAUSE
        actor.special = kind > Kind.CHOICE
        if kind in BLOCKING:
            self._waiters(op).append(actor)
            self._set_enabled(actor, self._can_perform(actor))
        else:
            self._set_enabled(actor, not self._buffered or self._can_perform(actor))
        return self.proceed()

    def _set_enabled(self, actor: Actor | StoreBuffer, enabled: bool) -> None:
        if actor.enabled is not enabled:
            actor.enabled = enabled
            self._changed = True

    def _waiters(self, op: Op) -> list[Actor]:
        """Where those are kept who have announced such an op: by mutex, so that only its own changes concern them."""
        if op.kind is not Kind.LOCK:
            return self._waiting
        assert op.cell is not None
        return self._contenders.setdefault(op.cell, [])

    def _mutex_changed(self, op: Op) -> None:
        """`op` has locked or unlocked a mutex: its contenders can go on no more, or again."""
        assert op.cell is not None
        for contender in self._contenders.get(op.cell, ()):
            self._set_enabled(contender, op.kind is Kind.UNLOCK and self._can_perform(contender))

    def _refresh(self) -> None:
        """Ask anew who can perform; needed only while somebody waits or the world is stopped."""
        if self._exclusive is not None:
            self._ask_everybody()
            return
        for actor in self._waiting:
            self._set_enabled(actor, self._can_perform(actor))

    def _ask_everybody(self) -> None:
        for actor in self._live:
            if not actor.internal:
                self._set_enabled(actor, self._can_perform(actor))

    def _can_perform(self, actor: Actor) -> bool:
        op = actor.op
        if op is _ELSEWHERE:
            return False
        owner = self._exclusive
        if owner is not None and owner is not actor and not actor.is_device:
            return False
        if op.kind is Kind.BEGIN_EXCLUSIVE:
            others = [a for a in self._live if a is not actor and not a.internal and not a.is_device]
            return not any(a.inside_instruction for a in others) and self.memory.enabled(actor, op)
        if op.kind is Kind.JOIN:
            thread: Thread = op.value
            return thread.done
        return self.memory.enabled(actor, op)

    def _perform_special(self, actor: Actor, op: Op) -> Any:
        value = self._carry_out(actor, op)
        # A PAUSE gives nothing, also when it has become a wait; the event shows what that read.
        actor.inbox = None if actor.waits_for_change else value
        actor.waits_for_change = False
        return value

    def _carry_out(self, actor: Actor, op: Op) -> Any:
        actor.special = False
        self._busy = True
        kind = op.kind
        if kind in BLOCKING:
            self._waiters(op).remove(actor)
        if kind is Kind.LOCK or kind is Kind.UNLOCK:
            self.memory.perform(actor, op)
            return self._mutex_changed(op)
        if kind is Kind.BUFFER:
            return self._buffer(actor, op)
        if kind is Kind.SPAWN:
            return self._spawn(actor, op.value)
        if kind is Kind.EXIT:
            return self._exit(actor)
        if kind is Kind.BEGIN_EXCLUSIVE:
            self._exclusive = actor
            return None
        if kind is Kind.END_EXCLUSIVE:
            return self._end_exclusive(actor)
        return None if kind is Kind.JOIN else self.memory.perform(actor, op)

    def _end_exclusive(self, actor: Actor) -> None:
        if self._exclusive is not actor:
            raise SchemeError(f"vCPU {actor.name} ends an exclusive section that it does not own")
        self._exclusive = None
        self._ask_everybody()

    def _spawn(self, parent: Actor, code: Callable[[Any], Coroutine[Any, Any, Any]]) -> Thread:
        name, rank = f"{parent.name}.{parent.children}", (*parent.rank, parent.children)
        parent.children += 1
        thread = Thread(name)
        if len(self._everyone) >= self.machine.limits.threads:
            self._end(Ending.THREAD_LIMIT)
            return thread
        child = self._make(name, rank, self.program.cpu_class, code)
        child.thread = thread
        insort(self._live, child, key=lambda a: a.rank)
        return thread

    def _exit(self, actor: Actor) -> None:
        assert actor.thread is not None
        actor.thread.done = True
        insort(self._free_identities, actor.cpu.identity)

    def _has_epilogue(self, actor: Actor) -> bool:
        """Whether the end of its code is more than that: most schemes have nothing to do at a thread's exit."""
        return self._cleans_up or actor.thread is not None or actor.is_device or bool(actor.cpu.open_blocks)

    async def _epilogue(self, actor: Actor) -> None:
        """What every thread does at its end. Only a spawned one has an exit that others can see."""
        if not actor.is_device:
            await actor.cpu.leave()
        if actor.thread is not None:
            await Op(Kind.EXIT)

    # -- store buffers ------------------------------------------------------------------------

    def _buffer(self, actor: Actor, op: Op) -> None:
        """A store enters a buffer, which from then on drains when it is chosen."""
        self.memory.perform(actor, op)
        buffers = self._buffers.setdefault(actor, {})
        buffer = buffers.get(op.note)
        if buffer is None:
            buffer = buffers[op.note] = StoreBuffer(actor, op.note)
            insort(self._live, buffer, key=lambda a: a.rank)
        buffer.instructions.append(actor.cpu.instruction)
        self._ask_buffers(actor)

    def _drain(self, buffer: StoreBuffer) -> None:
        """The oldest store takes effect: its owner may have waited for that, and others for the value."""
        owner = buffer.owner
        self.memory.drain(owner, buffer.key)
        self.events.append(Event(buffer.name, buffer.op, None, buffer.instructions.popleft()))
        self._ask_buffers(owner)
        self._set_enabled(owner, self._can_perform(owner))
        self._refresh()

    def _ask_buffers(self, owner: Actor) -> None:
        """Ask anew which of its stores may drain next."""
        ready = dict(self.memory.drains(owner))
        for key, buffer in self._buffers[owner].items():
            self._set_enabled(buffer, key in ready)
            if key in ready:
                buffer.op = ready[key]

    # -- the ending ---------------------------------------------------------------------------

    def _stuck(self) -> Ending:
        vcpus = [actor for actor in self._live if not actor.internal]
        if not vcpus:
            return Ending.FINISHED
        if any(actor.op.kind is Kind.AWAIT for actor in vcpus):
            return Ending.LIVELOCK
        return Ending.DEADLOCK

    def _end(self, ending: Ending) -> Actor | None:
        """Note the first ending; there is nobody to resume."""
        if self.ending is None:
            self.ending = ending
        return None

    def close(self) -> None:
        """Close every coroutine that is still suspended; idempotent."""
        for actor in self._everyone:
            actor.enabled = False  # a scheduler that offers it to a later execution is refused
            for buffer in self._buffers.get(actor, {}).values():
                buffer.enabled = False
            try:
                actor.coroutine.close()
            except Exception:  # the guest awaits in a `finally`, where nobody is left to answer, or raises there
                continue

    def result(self) -> Trace:
        """The finished trace; the scheduler hears of it."""
        if self.ending is None:
            raise InternalError("an execution was asked for its result before its end")
        trace = Trace(
            program=self.program.name,
            events=self.events,
            ending=self.ending,
            outcome=self._outcome(),
            schedule=self._schedule(),
            waiting={actor.name: actor.op for actor in self._live if not actor.internal},
            faults=tuple(self._faults),
            promises=frozenset(self.scheme.promises),
            accepted=self._accepted(),
            blocks=tuple([block for actor in self._everyone for block in actor.cpu.blocks]),
            isa=self.program.isa,
        )
        self.scheduler.finish(trace)
        return trace

    def _schedule(self) -> Schedule:
        events = self.events
        return Schedule(tuple([Switch(step, events[step].actor) for step in self._switches]), tuple(self._choices))

    def _registers(self) -> dict[str, int]:
        return {f"{a.name}:{r}": v for a in self._everyone for r, v in a.cpu.observations.items()}

    def _outcome(self) -> Outcome:
        items, read = self._registers(), self.memory.read
        for address, width in self.program.watch.items():
            items[f"[{address:#x}]"] = read(address, width)
        return Outcome(tuple(sorted(items.items())))

    def _accepted(self) -> bool | None:
        """What the program's final check says; None if it has none or the execution did not run to its end."""
        if self.program.final is None or self.ending is not Ending.FINISHED:
            return None
        try:
            return bool(self.program.final(FinalState(self.memory.read, self._registers())))
        except AssertionError:
            return False

    # -- for guests that also await what is no operation: the trio driver alone uses these ----------

    @property
    def actors(self) -> list[Actor]:
        """Everybody who was ever there, in the order of arrival."""
        return self._everyone

    def hold(self, token: Actor) -> None:
        """Take no decision until `token` has come out of `announced`, `exited`, `faulted` or `proceed`."""
        self._to_advance.append(token)
        self._busy = True

    def withdraw(self, actor: Actor) -> None:
        """`actor` waits for something else: what it announced is void; no candidate until it announces anew."""
        if actor.special and actor.op.kind in BLOCKING:
            self._waiters(actor.op).remove(actor)
        actor.special = False
        actor.op = _ELSEWHERE
        actor.paused = None
        actor.waits_for_change = False
        actor.entered = None
        actor.enabled = False
        self._changed = self._busy = True

    @property
    def stuck(self) -> bool:
        """Whether nobody can take a step, nor has yet to announce one."""
        if self.ending is not None or self._to_advance:
            return False
        self._refresh()
        return not any(actor.enabled for actor in self._live)

    def revive(self) -> None:
        """Nobody could take a step, but a timeout will change that: the execution is not over after all."""
        self.ending = None
        self._changed = True

    def give_up(self) -> None:
        """End it as too long: its guests wait and wait, and take no step."""
        self._end(Ending.STEP_LIMIT)
