"""A machine driven rule by rule, for those who think in state machines.

A rule is one guest instruction on one vCPU, carried out to its end or for a few host operations. A vCPU that was left
in the middle goes on when its next instruction comes, or by a rule of its own, as a store buffer drains by one. After
the last rule everybody goes on to the end, and the checkers judge the execution:

    TestStack = guest_machine(Machine("my-scheme"), isa="arm").TestCase

A subclass may add rules and invariants of its own, which see `trace`, the execution so far:

    class Watched(guest_machine(Machine("my-scheme"), isa="arm")):
        @invariant()
        def short(self):
            assert len(self.trace) < 1000

There is no second engine behind it: the rules write a program as data and the decisions of a schedule. So what fails is
a `simaie.Failure`, and is printed as the Python that runs into it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec.structs import replace

from simaie import plugins
from simaie.barrier import Barrier
from simaie.check import DEFAULT, CheckerChoice, judge
from simaie.decision import Schedule
from simaie.exploration.guided import Decision, PrefixThen, decisions_of
from simaie.finding import Verdict
from simaie.guest.code import Ins
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_positive
from simaie.replaying.checkers import judges
from simaie.replaying.failure import Failure
from simaie.replaying.run import run
from simaie.strategies.examples import GeneratedFailure, GeneratedProgram
from simaie.strategies.instructions import table_of
from simaie.strategies.strategies import ADDRESSES, shape_of
from simaie.trace import Trace

__all__ = ["GuestMachine", "guest_machine"]

_TO_ITS_END = 0


class _Only(Scheduler):
    """Lets the vCPU called `name`, or one of its store buffers if it ends in ``~``, go on; nobody else."""

    def __init__(self, name: str) -> None:
        self._name = name

    def start(self, info: ExecutionInfo) -> None:
        """Nothing to begin with."""

    def choose(self, offer: Offer) -> Candidate:
        """None, which gives the execution up, where it cannot go on."""
        found: Any = next((c for c in offer.candidates if self._is(c.name)), None)
        return found  # type: ignore[no-any-return]  # a candidate or None

    def _is(self, name: str) -> bool:
        return name.startswith(self._name) if self._name.endswith("~") else name == self._name


class GuestMachine(RuleBasedStateMachine):
    """The state: what each vCPU was given to do, and the decisions so far. See `guest_machine`."""

    machine: ClassVar[Machine]
    isa: ClassVar[str]
    vcpus: ClassVar[int]
    addresses: ClassVar[tuple[int, ...]]
    checkers: ClassVar[tuple[CheckerChoice, ...]] = DEFAULT

    def __init__(self) -> None:
        super().__init__()
        self._code: list[list[Ins]] = [[] for _ in range(self.vcpus)]
        self._decisions: list[Decision] = []

    # -- what rules do -------------------------------------------------------------------------

    def execute(self, vcpu: int, instruction: Ins, steps: int = _TO_ITS_END) -> None:
        """Give vCPU number `vcpu` one instruction more, and let it go on: so many operations, or 0 for all it can."""
        code = self._code[vcpu]
        code.append(instruction if instruction.into is None else replace(instruction, into=f"r{len(code)}"))
        self.resume(vcpu, steps)

    def resume(self, vcpu: int, steps: int = _TO_ITS_END) -> None:
        """Let a vCPU that was left in the middle go on, as `execute` does, with what it was given before."""
        code = self._code[vcpu]
        before, trace = len(self._decisions), self._go_on(str(vcpu), steps)
        # Its exit is none of what it was given, and waits for the end.
        given = (event.instruction is not None and event.instruction.number < len(code)
                 for event in trace.events[before:])  # fmt: skip
        self._decisions = decisions_of(trace)[: before + sum(takewhile(bool, given))]

    def drain(self, vcpu: int, stores: int = 1) -> None:
        """Let so many stores leave the store buffers of a vCPU, if there are any."""
        self._decisions = decisions_of(self._go_on(f"{vcpu}~", stores))

    def _go_on(self, name: str, steps: int) -> Trace:
        return self._run(_Only(name), len(self._decisions) + steps if steps else None)

    def _run(self, then: Scheduler | None, limit: int | None = None) -> Trace:
        return run(self.program, self.machine, PrefixThen(self._decisions, then, limit))

    # -- what there is -------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """What the vCPUs were given so far."""
        init = {address: 0 for address in self.addresses if not address % 4}
        return GeneratedProgram("rules", isa=self.isa, threads=self._code, init=init)

    @property
    def trace(self) -> Trace:
        """The execution so far."""
        return self._run(None)

    def ended(self) -> Failure:
        """The execution after everybody has gone on to the end; its findings may be none."""
        rest = plugins.resolve(plugins.SCHEDULERS, "scripted")(Schedule(), strict=False)
        trace = self._run(rest)
        script = Spec("scripted", {"schedule": trace.schedule.text})
        findings = judge(trace, judges(self.checkers))
        return GeneratedFailure(self.program, self.machine, script, 0, 0, trace, findings, checkers=self.checkers)

    def teardown(self) -> None:
        """Judge the execution; AssertionError with the findings and the Python that runs into them again."""
        failure = self.ended()
        if failure.verdict is Verdict.VIOLATED:
            raise AssertionError(f"{failure}\n{failure!r}")


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
    """A state machine whose rules drive `machine`; derive from it, or take its ``TestCase``.

    vcpus: exactly so many. addresses, widths, kinds: of the instructions, as for `programs`. steps: the most host
    operations after which a vCPU is left in the middle of an instruction. checkers: as for `simaie.explore`.

    Raises UsageError for what cannot be.
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
