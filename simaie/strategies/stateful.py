"""A machine driven rule by rule, for stateful testing with Hypothesis.

A rule is one guest instruction on one vCPU, performed to its end or for a few host operations. A vCPU that was left in
the middle continues with its next instruction, or by a separate rule; a store buffer drains by another rule. After the
last rule all vCPUs run to the end, and the checkers judge the execution:

    TestStack = guest_machine(Machine("my-scheme"), isa="arm").TestCase

A subclass may add rules and invariants, which read `trace`, the execution so far:

    class Watched(guest_machine(Machine("my-scheme"), isa="arm")):
        @invariant()
        def short(self):
            assert len(self.trace) < 1000

There is no second engine: the rules write a program as data and the decisions of a schedule. So a failure is a
`simaie.Failure`, and is printed as the Python that reproduces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec.structs import replace

from simaie import plugins
from simaie.barrier import Barrier
from simaie.check import DEFAULT, CheckerChoice, judge
from simaie.decision import Schedule
from simaie.finding import Verdict
from simaie.guest.code import Ins
from simaie.guest.forms import table_of
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind
from simaie.plugins import Spec
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_positive
from simaie.replaying.checkers import judges
from simaie.replaying.failure import Failure
from simaie.replaying.run import run
from simaie.strategies.examples import GeneratedFailure, GeneratedProgram
from simaie.strategies.strategies import ADDRESSES, shape_of
from simaie.trace import Event, Trace

__all__ = ["GuestMachine", "guest_machine"]

_TO_ITS_END = 0


class _Actors(Scheduler):
    """One execution: the actors in `names` take its first steps, then `then` decides, up to `limit` steps in all.

    Local choices do not count as steps here, and are all 0: an instruction that is appended to a vCPU's code may begin
    with a choice, which then precedes steps that were taken already.
    """

    trace: Trace

    def __init__(self, names: Sequence[str], then: Scheduler | str | None, limit: int | None) -> None:
        """Create the scheduler.

        Args:
            names: Names of the actors of the first steps.
            then: A scheduler, or the name of the only actor that may continue; None to stop.
            limit: Maximum number of steps; None for no limit.
        """
        self._names, self._then, self._limit = names, then, limit
        self._taken = 0

    def start(self, info: ExecutionInfo) -> None:
        """Start an execution, and start `then` if it is a scheduler."""
        self._taken = 0
        if isinstance(self._then, Scheduler):
            self._then.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the next actor of the list, then the choice of `then`; None if not possible, which ends the run."""
        step = self._taken
        self._taken += 1
        found: Candidate | None = None
        if step < len(self._names):
            found = _named(offer, self._names[step])
        elif self._limit is None or step < self._limit:
            then = self._then
            found = then.choose(offer) if isinstance(then, Scheduler) else _named(offer, then)
        return found

    def finish(self, trace: Trace) -> None:
        """Keep the trace."""
        self.trace = trace


def _named(offer: Offer, name: str | None) -> Candidate | None:
    """Return the candidate called `name`, or for ``"vCPU~"`` one of this vCPU's store buffers; None if not offered."""
    if name is None:
        return None
    return next((c for c in offer.candidates if c.name == name or (name[-1] == "~" and c.name.startswith(name))), None)


def _steps(trace: Trace) -> list[Event]:
    """Return the events for which an actor was chosen."""
    return [event for event in trace.events if event.op.kind is not Kind.CHOICE]


class GuestMachine(RuleBasedStateMachine):
    """The state machine: the code of each vCPU, and the actors of the steps so far. See `guest_machine`.

    Attributes:
        machine: The machine under test.
        isa: Name of the instruction set.
        vcpus: Number of vCPUs.
        addresses: Guest addresses of the instructions.
        checkers: The checkers that judge the execution at its end.
    """

    machine: ClassVar[Machine]
    isa: ClassVar[str]
    vcpus: ClassVar[int]
    addresses: ClassVar[tuple[int, ...]]
    checkers: ClassVar[tuple[CheckerChoice, ...]] = DEFAULT

    def __init__(self) -> None:
        super().__init__()
        self._code: list[list[Ins]] = [[] for _ in range(self.vcpus)]
        self._actors: list[str] = []

    # -- operations of the rules ---------------------------------------------------------------

    def execute(self, vcpu: int, instruction: Ins, steps: int = _TO_ITS_END) -> None:
        """Append one instruction to a vCPU, and let the vCPU run.

        Args:
            vcpu: Index of the vCPU.
            instruction: The instruction.
            steps: Number of operations to run; 0 for all that are possible.
        """
        code = self._code[vcpu]
        code.append(instruction if instruction.into is None else replace(instruction, into=f"r{len(code)}"))
        self.resume(vcpu, steps)

    def resume(self, vcpu: int, steps: int = _TO_ITS_END) -> None:
        """Let a vCPU that was left in the middle run on with its present code; see `execute`."""
        code = self._code[vcpu]
        before, steps_taken = len(self._actors), _steps(self._go_on(str(vcpu), steps))
        # The exit of the vCPU is not part of its code, and waits for the end.
        given = takewhile(lambda event: event.instruction is not None and event.instruction.number < len(code),
                          steps_taken[before:])  # fmt: skip
        self._actors += [event.actor for event in given]

    def drain(self, vcpu: int, stores: int = 1) -> None:
        """Let up to `stores` stores leave the store buffers of a vCPU."""
        self._actors = [event.actor for event in _steps(self._go_on(f"{vcpu}~", stores))]

    def _go_on(self, name: str, steps: int) -> Trace:
        return self._run(name, len(self._actors) + steps if steps else None)

    def _run(self, then: Scheduler | str | None, limit: int | None = None) -> Trace:
        return run(self.program, self.machine, _Actors(self._actors, then, limit))

    # -- state ---------------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """The program of the vCPUs so far."""
        init = {address: 0 for address in self.addresses if not address % 4}
        return GeneratedProgram("rules", isa=self.isa, threads=self._code, init=init)

    @property
    def trace(self) -> Trace:
        """The execution so far."""
        return self._run(None)

    def ended(self) -> Failure:
        """Return the execution after all vCPUs have run to the end, as a failure, possibly without findings."""
        rest = plugins.resolve(plugins.SCHEDULERS, "scripted")(Schedule(), strict=False)
        trace = self._run(rest)
        script = Spec("scripted", {"schedule": trace.schedule.text})
        findings = judge(trace, judges(self.checkers))
        return GeneratedFailure(self.program, self.machine, script, 0, 0, trace, findings, checkers=self.checkers)

    def teardown(self) -> None:
        """Judge the execution; raise AssertionError with the findings and the Python that reproduces them."""
        failure = self.ended()
        if failure.verdict is Verdict.VIOLATED:
            raise AssertionError(f"{failure.summary}\n{failure!r}")


def guest_machine(
    machine: Machine,
    *,
    isa: str = "arm",
    vcpus: int = 2,
    addresses: Sequence[int] = ADDRESSES,
    widths: Sequence[int] | None = None,
    kinds: Sequence[str] | None = None,
    steps: int = 12,
    checkers: Sequence[CheckerChoice] = DEFAULT,
) -> type[GuestMachine]:
    """Return a state machine whose rules drive `machine`; derive from it, or use its ``TestCase``.

    Args:
        machine: The machine under test.
        isa: Name of the instruction set.
        vcpus: Number of vCPUs.
        addresses: As for `programs`.
        widths: As for `programs`.
        kinds: As for `programs`.
        steps: Maximum number of host operations after which a vCPU is left in the middle of an instruction.
        checkers: As for `simaie.explore`.

    Raises:
        UsageError: An argument is out of range, or no instruction fits the arguments.
    """
    require_positive(steps=steps)
    judges(checkers)
    shape = shape_of(isa, vcpus, 1, addresses, widths, kinds)
    table = [row[0] for row in table_of(isa, shape.kinds, shape.addresses, shape.widths) if len(row) == 1]
    numbers = st.integers(0, vcpus - 1)

    class Made(GuestMachine):
        @rule(vcpu=numbers, instruction=st.sampled_from(table), steps=st.integers(_TO_ITS_END, steps))
        def execute(self, vcpu: int, instruction: Ins, steps: int = _TO_ITS_END) -> None:
            super().execute(vcpu, instruction, steps)

        @rule(vcpu=numbers, steps=st.integers(_TO_ITS_END, steps))
        def resume(self, vcpu: int, steps: int = _TO_ITS_END) -> None:
            super().resume(vcpu, steps)

        if machine.facts(isa).host_order is not Barrier.FULL:

            @rule(vcpu=numbers, stores=st.integers(1, 4))
            def drain(self, vcpu: int, stores: int = 1) -> None:
                super().drain(vcpu, stores)

    Made.__name__ = Made.__qualname__ = "GuestMachine"
    Made.machine, Made.isa, Made.vcpus = machine, isa, vcpus
    Made.addresses, Made.checkers = shape.addresses, tuple(checkers)
    return Made
