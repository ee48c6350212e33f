"""Executions that verify what no trace shows: that state changes only by operations, and that operations are awaited.

Verification takes several times as long as the execution. An exploration therefore verifies only its first sixteen
executions and those whose number is a power of two (`is_verified`). With a scheme that is not simaie's own, every other
execution still compares the scheme's attributes at its end with those at its beginning.

What passing does not prove: a change is missed if only other executions make it, and undo it before their end. State
that `simaie.engine.attributes` cannot read is missed too. simaie's own schemes are verified only by its tests, and a
program that is data cannot forget an ``await``.
"""

from __future__ import annotations

from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.attributes import has_own_parts_only, is_own
from simaie.engine.blame import guest_line
from simaie.engine.execution import Execution
from simaie.engine.guard import Escaped, Guard, attributes_of, changed_attribute
from simaie.engine.unawaited import NotingHost, Unstarted, Unused
from simaie.errors import EscapedStateError, GuestFault, NeverAwaitedError, NeverAwaitedInstructionError, SchemeError
from simaie.guest.code import Code
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Op
from simaie.trace import Trace

__all__ = ["VerifiedExecution", "WatchedExecution", "execution_class", "is_trusted", "is_verified", "next_verified"]

_FIRST = 16


def is_verified(index: int) -> bool:
    """Whether an exploration verifies execution number `index`."""
    return index < _FIRST or index & (index - 1) == 0


def next_verified(index: int) -> int:
    """Return the number of the first verified execution after number `index`."""
    return max(index + 1, 1 << index.bit_length()) if index >= _FIRST else index + 1


def is_trusted(program: Program, machine: Machine) -> bool:
    """Whether an execution runs no code of the user: the scheme is simaie's own, and the program is data."""
    return _is_own(machine) and not program.devices and all(isinstance(code, Code) for code in program.vcpu_code)


def _is_own(machine: Machine) -> bool:
    classes = machine.scheme_classes
    return bool(classes) and all(is_own(cls) for cls in classes)


def execution_class(program: Program, machine: Machine, index: int) -> type[Execution]:
    """Return the class of execution number `index` of an exploration."""
    if is_trusted(program, machine):
        return Execution
    if is_verified(index):
        return VerifiedExecution
    return Execution if _is_own(machine) else WatchedExecution


class VerifiedExecution(Execution):
    """An execution that verifies each step, and raises SchemeError or GuestError at the first mistake."""

    host_class = NotingHost

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._unstarted = Unstarted()
        noting: Any = self.scheme.host
        self._noting: NotingHost = noting
        self._noting.notes.actors = self.actors
        self._guard = None if has_own_parts_only(self.scheme) else Guard(self.scheme, self.actors)
        self._begun = 0  # the number of events that the guard has accepted

    def begin(self) -> Actor | None:
        """Begin to collect coroutines, and return the actor to resume first."""
        self._unstarted.begin()
        return super().begin()

    def announced(self, actor: Actor, op: Op) -> Actor | None:
        """Verify what `actor` did since it was resumed, and take the operation that it awaits."""
        self._noting.announced(op)
        self._verify(actor)
        following = super().announced(actor, op)
        self._note_performed()
        return following

    def exited(self, actor: Actor) -> Actor | None:
        """Verify what `actor` did, and that it has awaited all its operations, and end it."""
        self._verify(actor)
        self._require_awaited(actor)
        following = super().exited(actor)
        self._note_performed()
        return following

    def faulted(self, actor: Actor, fault: GuestFault | AssertionError) -> Actor | None:
        """End `actor`; operations that it has not awaited are no mistake, because it raised."""
        self._forget(actor)
        return super().faulted(actor, fault)

    def proceed(self) -> Actor | None:
        """Return the actor to resume, after the guard has accepted the performed operations."""
        following = super().proceed()
        self._note_performed()
        return following

    def withdraw(self, actor: Actor) -> None:
        """Verify what `actor` did, and discard its announcement."""
        self._verify(actor)
        self._forget(actor)
        super().withdraw(actor)

    def result(self) -> Trace:
        """Return the trace; NeverAwaitedError if an operation of a complete instruction was not awaited."""
        self._require_awaited(None)
        return super().result()

    def close(self) -> None:
        """Close every suspended coroutine, and stop to collect coroutines."""
        super().close()
        self._unstarted.end()

    # -- verifying ------------------------------------------------------------------------------

    def _forget(self, actor: Actor) -> None:
        self._unstarted.forget()
        self._noting.forget(lambda made: made.actor is actor)

    def _verify(self, actor: Actor) -> None:
        unused = self._unstarted.first()
        if unused is not None:
            raise self._never_awaited(actor, unused)
        guard = self._guard
        if guard is not None and guard.is_due():
            escaped = guard.look(actor)
            if escaped is not None:
                raise self.escape_error(actor, escaped)

    def _note_performed(self) -> None:
        if self._guard is not None and len(self.events) > self._begun:
            self._guard.performed(self.events[self._begun :])
            self._begun = len(self.events)

    def _require_awaited(self, actor: Actor | None) -> None:
        made = self._noting.dropped(actor)
        if made is not None:
            raise NeverAwaitedError(
                f"the operation {made.op} was made at {made.where} by vCPU {made.actor.name} and never awaited, so it "
                "was not performed; write await in front of it",
                vcpu=made.actor.name,
                where=made.where,
            )

    def _never_awaited(self, actor: Actor, unused: Unused) -> SchemeError | NeverAwaitedInstructionError:
        where = f"{unused.file}:{unused.line}"
        message = (
            f"{unused.what} was called at {where} by vCPU {actor.name} and never awaited, so that it did nothing; "
            "write await in front of it"
        )
        methods = [value for cls in type(self.scheme).__mro__ for value in vars(cls).values()]
        codes = [getattr(method, "__code__", None) for method in methods]
        if any(code and (code.co_filename, code.co_name) == (unused.file, unused.caller) for code in codes):
            return NeverAwaitedError(message, vcpu=actor.name, where=where)
        return NeverAwaitedInstructionError(message, vcpu=actor.name, where=where)

    def escape_error(self, actor: Actor, escaped: Escaped) -> BaseException:
        """Return the error for state that changed while `actor` ran."""
        from simaie.engine.guilty_line import guilty_line  # it runs executions itself

        where = guilty_line(self, escaped) or guest_line(actor)
        return _escape_error(type(self.scheme).__name__, escaped, actor.name, where)


class WatchedExecution(Execution):
    """An execution that compares the attributes of its scheme at its end with those at its beginning."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._attributes = {} if has_own_parts_only(self.scheme) else attributes_of(self.scheme, of_base=False)

    def result(self) -> Trace:
        """Return the trace; EscapedStateError if an attribute has changed."""
        before = self._attributes
        now = attributes_of(self.scheme, of_base=False) if before else before
        escaped = changed_attribute(self.scheme, before, now)
        if escaped is not None:
            from simaie.engine.guilty_line import verified_again  # it runs executions itself

            verified_again(self)
            raise _escape_error(type(self.scheme).__name__, escaped, "", "")
        return super().result()


def _escape_error(scheme: str, escaped: Escaped, vcpu: str, where: str) -> EscapedStateError:
    by = f" while vCPU {vcpu} ran" if vcpu else ""
    at = f", at {where}" if where else ""
    if escaped.kind == "local":
        what = f"cpu.{escaped.path} of vCPU {escaped.root.name} was changed{by}{at}; it belongs to that vCPU alone"
    elif escaped.kind == "cell":
        what = f"what a cell holds was changed in place{by}{at}: {escaped.path} ({escaped.owner})"
    else:
        what = f"the attribute {escaped.path} ({escaped.owner}) changed{by}{at}"
    return EscapedStateError(
        f"the scheme {scheme} keeps state that is no operation: {what}. No scheduler chooses when it changes, so "
        "nothing can be proved. Keep what vCPUs share in cells (self.host.cell) and await their operations, make it in "
        "the constructor, or name it in constant_attributes if what the scheme does never depends on it",
        attribute=f"cpu.{escaped.path}" if escaped.kind == "local" else escaped.path,
        owner=escaped.owner,
        vcpu=vcpu,
        where=where,
    )
