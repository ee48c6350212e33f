"""One execution as a state machine: announced operations, the scheduler's choices, and performed events.

This is the core of simaie, and it never waits. A driver owns the coroutines. It passes to the execution what a vCPU
announced (`announced`) or that a vCPU ended (`exited`), and receives the actor to resume, with ``actor.inbox`` as the
value to send. Both drivers call nothing else, so that they cannot differ.

The module `actors` has the actors, `waiting` the blocked ones, `store_buffers` the store buffers, and `record` the
events; this module combines them into steps.

The invariants are checked here, and again by the conformance tests. The offer is never empty, and a choice outside it
is rejected. Between two steps at most one actor is resumed, and every other live actor has announced an operation. The
trace never grows beyond the limit.
"""

from __future__ import annotations

from typing import Any

from simaie.decision import Choice
from simaie.dependence import STOPS, STOPS_WORLD
from simaie.engine.actor import Actor, StoreBuffer
from simaie.engine.actors import ELSEWHERE, ActorTable
from simaie.engine.beginning import Beginning
from simaie.engine.blame import bad_choice, bad_value
from simaie.engine.global_state import StateReader
from simaie.engine.lasso import LassoFinder
from simaie.engine.passing import PASSING
from simaie.engine.record import Record
from simaie.engine.spin import await_change, ends_looking, granted, looks_again
from simaie.engine.store_buffers import StoreBuffers
from simaie.engine.waiting import Waiting
from simaie.errors import GuestFault, InternalError, kind_of
from simaie.guest.cpu import Thread
from simaie.guest.program import GuestFunction, Program
from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.machine import Machine
from simaie.op import BLOCKING, Kind, Op
from simaie.protocols import ExecutionInfo, Offer, Scheduler
from simaie.trace import Ending, Event, Fault, Trace

__all__ = ["Execution"]

_PAUSE = Kind.PAUSE  # from this kind on, an operation needs more than to be performed
_BUFFER = Kind.BUFFER
_LOAD, _STORE = Kind.LOAD, Kind.STORE


class Execution:
    """One run of a program on a machine under a scheduler."""

    host_class = Host
    #: Whether a vCPU has ever awaited something that is no operation.
    went_elsewhere = False
    #: Whether each vCPU did what it is known to do after the same results, so that the execution shows nothing new.
    is_known = False

    def __init__(self, program: Program, machine: Machine, scheduler: Scheduler, info: ExecutionInfo) -> None:
        machine = machine.for_program(program)
        machine.require_fits(program)
        if not __debug__:
            program.require_asserts()
        beginning = Beginning(program, machine)
        # This comes first: if it raises, there is nothing to close.
        scheduler.start(ExecutionInfo(info.seed, info.index, info.threads, beginning))
        self.program = program
        self.machine = machine
        self.scheduler = scheduler
        self.ending: Ending | None = None
        facts = machine.facts_of(program)
        host = self.host_class(word=machine.host_word // 8, endian=machine.endian)
        self.memory = machine.make_memory(program)
        self.scheme = machine.make_scheme(host, PageTable(host, program.pages), facts)
        self._assemble(ActorTable(program, self.scheme, facts))

    def _assemble(self, cast: ActorTable) -> None:
        """Put the parts together, as they are before the first step."""
        scheduler, machine = self.scheduler, self.machine
        self._record = Record()
        self.events, self._switches = self._record.events, self._record.switches
        self._cast = cast
        self._waiting = Waiting(self._cast, self.memory)
        self._store_buffers = StoreBuffers(self._cast, self.memory)
        self._offer = Offer(self.events)
        # Bound once, and not at each step.
        self._to_advance = self._cast.to_advance
        self._choose, self._perform = scheduler.choose, self.memory.perform
        self._buffered = self.memory.buffers_stores
        self._special_from = 0 if self._buffered else _PAUSE
        self._step_limit, self._tries = machine.limits.steps, machine.limits.tries
        if self._tries is None:
            self._look_for_lassos()
        self._busy = True  # whether an actor must still announce, waits, or has stopped the world

    def _look_for_lassos(self) -> None:
        """End the execution where a fair cycle of global states closes."""
        weak = self.machine.limits.fairness == "weak"
        self._choose = LassoFinder(self._record, self._state_reader().read, self.scheduler.choose, weak=weak).choose

    def _state_reader(self) -> StateReader:
        """Return the reader of global states; it must be there from the first step on."""
        return StateReader(self.events, self._cast, self._waiting, self.memory)

    # -- what the drivers call ----------------------------------------------------------------

    def begin(self) -> Actor | None:
        """Return the actor to resume first."""
        return self.proceed()

    def announced(self, actor: Actor, op: Op) -> Actor | None:
        """Take the operation that `actor` awaits; return the actor to resume, or None if the execution is over."""
        actor.op = op
        kind = op.kind
        if kind >= self._special_from:
            return self._announced_to_buffer(actor, op) if self._buffered else self._announced_special(actor, op)
        if kind is _STORE and (actor.looks is None or ends_looking(op, self.events[-1])):
            actor.looks = None
        elif kind is _LOAD and actor.looks is None:
            actor.looks = op
        elif self._looks_again(actor, op):
            return self._announced_special(actor, actor.op)
        if not self._busy:
            return self._decide()
        if not actor.enabled:
            actor.enabled = self._cast.changed = True
        return self.proceed()

    def exited(self, actor: Actor) -> Actor | None:
        """End `actor`, whose coroutine returned; return the actor to resume, or None if the execution is over."""
        epilogue = self._cast.epilogue(actor)
        if epilogue is not None:
            actor.coroutine = epilogue
            actor.inbox = None
            return actor
        self._cast.remove(actor)
        return self.proceed()

    def faulted(self, actor: Actor, fault: GuestFault | AssertionError) -> Actor | None:
        """End `actor`, whose guest did not handle a fault or failed an assertion; return the actor to resume."""
        kind = kind_of(fault)
        self._record.faults.append(Fault(actor.name, len(self.events), str(fault) or "assertion failed", kind))
        return self.exited(actor)

    def proceed(self) -> Actor | None:
        """Return the actor to resume after the current one: one that must still announce, or the scheduler's choice."""
        if self.ending is not None:
            return None
        if self._to_advance:
            return self._to_advance.popleft()
        self._busy = self._waiting.busy
        if self._busy:
            self._waiting.refresh()
        return self._decide()

    # -- one step -----------------------------------------------------------------------------

    def _decide(self) -> Actor | None:
        """Let the scheduler choose from the offer, perform and record the operation, and return its actor."""
        offer, events, cast = self._offer, self.events, self._cast
        while True:
            if cast.changed and not self._offer_enabled():
                return self._end(self._stuck())
            if len(events) >= self._step_limit:
                return self._end(Ending.STEP_LIMIT)
            chosen: Any = self._choose(offer)
            try:
                if not chosen.enabled:
                    return self._refuse(chosen)
            except AttributeError:  # the scheduler returned something that is no candidate
                return self._refuse(chosen)
            running: Any = offer.running  # an Actor or None
            if chosen is not running:
                # A schedule names only the steps that deviate from the default.
                if (running is not None and running.enabled) or chosen is not offer.candidates[0]:
                    self._switches.append(len(events))
                if chosen.internal:
                    self._drain(chosen)
                    continue
                offer.running = chosen
            op = chosen.op
            cpu = chosen.cpu
            if chosen.special:
                if chosen.held is not None:
                    self._end_wait(chosen)
                    continue
                instruction = cpu.entered = cpu.instruction
                value = self._perform_special(chosen, op)
            else:
                instruction = cpu.entered = cpu.instruction
                chosen.inbox = value = self._perform(chosen, op)
            events.append(Event(chosen.name, op, value, instruction))
            return chosen  # type: ignore[no-any-return]  # an Actor, because only actors are enabled

    def _offer_enabled(self) -> bool:
        """Offer the actors that are enabled now; return whether there is one."""
        self._offer.candidates = tuple([actor for actor in self._cast.live if actor.enabled])
        self._cast.changed = False
        return bool(self._offer.candidates)

    def _refuse(self, chosen: Any) -> Actor | None:
        if chosen is None:
            return self._end(Ending.PRUNED if self._record.cycle is None else Ending.LASSO)
        raise bad_choice(self.scheduler, chosen, self._offer)

    def _resolve_choice(self, actor: Actor, op: Op) -> Actor | None:
        step = len(self.events)
        if step >= self._step_limit:
            return self._end(Ending.STEP_LIMIT)
        arity = op.value
        self._offer.chooser = actor.name
        value = 0 if arity == 1 else self.scheduler.choose_value(self._offer, arity)
        if type(value) is not int or not 0 <= value < arity:
            raise bad_value(self.scheduler, value, arity, self._offer)
        if value:
            self._record.choices.append(Choice(step, value))
        self.events.append(Event(actor.name, op, value, actor.cpu.instruction))
        actor.inbox = value
        return actor

    # -- operations that block, wake, start or end actors ---------------------------------------

    def _announced_to_buffer(self, actor: Actor, op: Op) -> Actor | None:
        """Take an announced operation on a host with store buffers, where a store may enter one or wait for one."""
        if not actor.is_device:
            op = actor.op = self.memory.admit(op)
        kind = op.kind
        buffers = kind is _BUFFER
        if buffers:
            actor.looks = None
        elif kind < _PAUSE and self._looks_again(actor, op):
            return self._announced_special(actor, actor.op)
        if (kind >= _PAUSE and not buffers) or self._waiting.stopper is not None:
            return self._announced_special(actor, op)
        actor.special = buffers
        enabled = buffers or self.memory.enabled(actor, op)
        if actor.enabled is not enabled:
            actor.enabled = enabled
            self._cast.changed = True
        return self.proceed() if self._busy else self._decide()

    def _announced_special(self, actor: Actor, op: Op) -> Actor | None:
        """Take an announced operation that may block, change which actors are enabled, or be a local choice."""
        kind = op.kind
        if kind is Kind.LOCK or kind is Kind.UNLOCK:
            self._looks_again(actor, op)
        elif actor.held is None and kind >= _PAUSE:  # a plain operation comes here while the world is stopped
            actor.looks = None
        if kind is Kind.CHOICE:
            return self._resolve_choice(actor, op)
        if kind is _PAUSE:
            op = actor.op = self._await_change(actor) or op
            kind = op.kind
            actor.waits_for_change = kind is not _PAUSE
        actor.special = kind > Kind.CHOICE
        if kind in BLOCKING:
            self._waiting.enter(actor)
            self._busy = True
        else:
            self._cast.set_enabled(actor, not self._buffered or self._waiting.can_perform(actor))
        return self.proceed() if self._busy else self._decide()

    def _looks_again(self, actor: Actor, op: Op) -> bool:
        """Whether `actor`, which announces `op`, first has to wait for a change; see `simaie.engine.spin`."""
        wait = None if self._tries is None else looks_again(actor, op, self.events, self._tries)
        if wait is not None:
            actor.held, actor.op = op, granted(wait, actor.name, self.events)
        return wait is not None

    def _await_change(self, actor: Actor) -> Op | None:
        """Return what the PAUSE that `actor` announces becomes; None if it stays a PAUSE; see `simaie.engine.spin`."""
        wait = None if self._tries is None else await_change(actor, self.events, self._tries)
        return None if wait is None else granted(wait, actor.name, self.events)

    def _perform_special(self, actor: Actor, op: Op) -> Any:
        if op.kind is _BUFFER:
            actor.special, actor.inbox = False, None
            return self._store_buffers.take(actor, op)
        value = self._carry_out(actor, op)
        # A PAUSE returns nothing, also if it has become a wait; the event shows the values that the wait read.
        actor.inbox = None if actor.waits_for_change else value
        actor.waits_for_change = False
        return value

    def _carry_out(self, actor: Actor, op: Op) -> Any:
        actor.special = False
        kind = op.kind
        self._busy = True
        if kind in BLOCKING:
            self._waiting.leave(actor)
        if kind is Kind.LOCK or kind is Kind.UNLOCK:
            self.memory.perform(actor, op)
            return self._waiting.mutex_changed(op)
        if kind is Kind.SPAWN:
            return self._spawn(actor, op.value)
        if kind is Kind.EXIT:
            self._waiting.thread_ended(self._cast.exit(actor))
            return None
        if kind in STOPS_WORLD:
            return self._stop_or_resume_world(actor, kind)
        return None if kind is Kind.JOIN else self.memory.perform(actor, op)

    def _stop_or_resume_world(self, actor: Actor, kind: Kind) -> None:
        section = kind is Kind.BEGIN_SECTION or kind is Kind.END_SECTION
        if kind in STOPS:
            self._waiting.stop_world(actor, section=section)
        else:
            self._waiting.release_world(actor, section=section)
        if section and self._buffered:
            self._store_buffers.let_only(actor if kind in STOPS else None)

    def _end_wait(self, actor: Actor) -> None:
        """End a wait for a change of what `actor` looks at; its next step is the look that was held back."""
        op, held = actor.op, actor.held
        assert held is not None
        self._waiting.leave(actor)
        instruction = actor.cpu.instruction if actor.inside_instruction else None
        self.events.append(Event(actor.name, op, self.memory.perform(actor, op), instruction))
        actor.op, actor.held, actor.special = held, None, False
        self._cast.set_enabled(actor, not self._buffered or self._waiting.can_perform(actor))

    def _spawn(self, parent: Actor, code: GuestFunction) -> Thread:
        thread = self._handle(parent, f"{parent.name}.{parent.children}")
        parent.children += 1
        if self._cast.threads >= self.machine.limits.threads:
            self._end(Ending.THREAD_LIMIT)
        else:
            self._cast.spawn(parent, thread, code)
        return thread

    def _handle(self, parent: Actor, name: str) -> Thread:
        """Return the handle of a new thread of `parent`."""
        return Thread(name)

    def _drain(self, buffer: StoreBuffer) -> None:
        self.events.append(self._store_buffers.drain(buffer))
        if not buffer.owner.enabled:  # a drain never disables its owner
            self._waiting.ask(buffer.owner)
        if self._busy:
            self._waiting.refresh()

    # -- the ending ---------------------------------------------------------------------------

    def _stuck(self) -> Ending:
        vcpus = self._cast.vcpus
        if not vcpus:
            return Ending.FINISHED
        if any(actor.op.leaves_out_tries for actor in vcpus):
            return Ending.PRUNED
        if any(actor.op.kind is Kind.AWAIT and not actor.op.sleeps for actor in vcpus):
            return Ending.LIVELOCK
        return Ending.DEADLOCK

    def _end(self, ending: Ending) -> Actor | None:
        """Record the first ending, and return None, because no actor is to be resumed."""
        if self.ending is None:
            self.ending = ending
        return None

    def close(self) -> None:
        """Close every suspended coroutine; further calls have no effect."""
        if self._buffered:
            self._store_buffers.close()
        for actor in self._cast.everyone:
            actor.enabled = False  # a scheduler that returns it in a later execution is rejected
            try:
                actor.coroutine.close()
            except PASSING:
                raise
            except BaseException:  # the guest awaits in a `finally`, where no answer comes, or raises there
                continue

    def result(self) -> Trace:
        """Return the finished trace, after the scheduler has received it."""
        if self.ending is None:
            raise InternalError("an execution was asked for its result before its end")
        endian, promises = self.machine.endian, self.scheme.promises
        trace = self._record.trace(self.program, endian, self.memory, self._cast, promises, self.ending)
        self.scheduler.finish(trace)
        return trace

    # -- for guests that also await trio: only the trio driver uses these ----------------------------

    @property
    def actors(self) -> list[Actor]:
        """All threads and devices in the order of arrival, with those that have ended."""
        return self._cast.everyone

    def hold(self, token: Actor) -> None:
        """Make no decision until `announced`, `exited`, `faulted` or `proceed` has returned `token`."""
        self._to_advance.append(token)
        self._busy = True

    def withdraw(self, actor: Actor) -> None:
        """Discard the announcement of `actor`, which awaits something else; it is no candidate until it announces."""
        self.went_elsewhere = True
        if actor.special and actor.op.kind in BLOCKING:
            self._waiting.leave(actor)
        actor.special = False
        actor.op = ELSEWHERE
        actor.paused.clear()
        actor.looks = actor.held = None
        actor.waits_for_change = False
        actor.cpu.entered = None
        actor.enabled = False
        self._cast.changed = self._busy = True

    @property
    def stuck(self) -> bool:
        """Whether no actor can take a step and all have announced."""
        if self.ending is not None or self._to_advance:
            return False
        self._waiting.refresh()
        return not any(actor.enabled for actor in self._cast.live)

    def revive(self) -> None:
        """Continue an execution in which no actor could step, because a timeout will change that."""
        self.ending = None
        self._cast.changed = True

    def give_up(self) -> None:
        """End the execution at the step limit, because its guests wait for too long without a step."""
        self._end(Ending.STEP_LIMIT)
