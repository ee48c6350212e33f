"""The conformance suite for schemes: the contract of `simaie.Scheme`, and the effect of each instruction.

Passing proves three things. For each instruction alone, the scheme has the same effect as the ideal scheme. It releases
its locks when a vCPU faults, takes an exception or ends. And it adds no outcome to some dozens of generated programs,
which are explored completely. Passing proves nothing about larger programs; `simaie audit --scheme` has known hard
ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from simaie.errors import NotEmulatedError, SimaieError, UnknownNameError, UsageError
from simaie.exploration.architecture import on_architecture
from simaie.exploration.explorer import explore
from simaie.exploration.report import Report
from simaie.finding import Finding
from simaie.guest.contract import method_of
from simaie.guest.forms import kinds_of
from simaie.guest.program import Program
from simaie.machine import Limits, Machine, SchemeChoice
from simaie.plugins import Spec
from simaie.protocols import HostMemory, require_count
from simaie.replaying.failure import Failure
from simaie.testing.scheme_programs import (
    Asked,
    alone,
    exits_and_starts_again,
    faulting,
    given_up,
    interrupted,
    together,
)
from simaie.trace import Outcome

__all__ = ["check_scheme"]

#: The limit of operations of one execution; no program needs a tenth of it, unless a helper never ends.
_STEPS = 3_000
#: The time that a helper may run without an operation, in seconds.
_SPIN_SECONDS = 2.0
#: The number of executions of one program at most; a program with more is judged by these.
_EXECUTIONS = 500
#: The width of addresses in bits, which keeps the trees of schemes small; full-system mode needs room for a few pages.
_BITS, _FULL_SYSTEM_BITS = 12, 14


def check_scheme(
    scheme: SchemeChoice,
    *,
    isa: str,
    host: str | Callable[..., HostMemory] = "sc",
    seed: int = 0,
    kinds: Collection[str] | None = None,
    full_system: bool = True,
    programs: int = 40,
) -> None:
    """Check that `scheme` keeps the contract of `simaie.Scheme`, and that instructions have the right effects.

    The contract: the methods of a scheme return values of the right types, await their operations, keep shared state in
    cells and locks, never raise, end, and release locks at the end of an instruction, at an exception and at the end of
    a thread. The effects: each instruction alone has the same results as under ``native``, and generated programs of
    two vCPUs have no finding and no outcome that the guest's architecture forbids. Instructions that the scheme does
    not emulate are left out.

    Args:
        scheme: A class of schemes, or another value that `simaie.Machine` accepts.
        isa: The guest's instruction set.
        host: The host memory, as for `simaie.Machine`.
        seed: The seed of the generated programs.
        kinds: The kinds of instruction that the generated programs mix, as for `simaie.strategies.programs`; None for
            all. If the scheme promises atomicity only among some kinds, name these.
        full_system: Whether to check the scheme in full-system mode too, where addresses are translated and pages
            fault.
        programs: The number of programs to generate.

    Raises:
        AssertionError: The scheme breaks its contract, or an instruction has a wrong effect; the message has the first
            such case.
        UsageError: There is no such instruction set, kind or scheme.
    """
    require_count(programs=programs)
    known = kinds_of(isa)
    for kind in kinds or ():
        if kind not in known:
            raise UnknownNameError(f"kind of instruction of {isa}:", kind, known)
    check = _Check(scheme, host, isa)
    check.made()
    check.judge(alone(isa), ideal=check.ideal())
    check.judge(given_up(isa), ideal=check.ideal())
    check.judge(interrupted(isa), ideal=check.ideal())
    check.judge(exits_and_starts_again(isa), ideal=check.ideal())
    if full_system:
        check.full_system = True
        check.judge(faulting(isa), ideal=check.ideal())
        check.full_system = False
    mixed = set(known if kinds is None else kinds) - check.lacking
    check.judge(together(isa, mixed, seed, programs))


class _Check:
    """The check of one scheme.

    Attributes:
        name: The name of its class.
        lacking: The kinds of instruction that it does not emulate.
        full_system: Whether machines are in full-system mode.
    """

    def __init__(self, scheme: SchemeChoice, host: str | Callable[..., HostMemory], isa: str) -> None:
        self._scheme, self._host, self._isa = scheme, host, isa
        self.full_system = False
        self.lacking: set[str] = set()
        made = self.machine().scheme_class
        self.name = self.machine().scheme if made is None else made.__name__

    def machine(self, scheme: SchemeChoice | None = None) -> Machine:
        """Return the machine under test, or the same machine with another scheme."""
        return Machine(
            self._scheme if scheme is None else scheme,
            host=self._host,
            full_system=self.full_system,
            address_bits=_FULL_SYSTEM_BITS if self.full_system else _BITS,
            limits=Limits(steps=_STEPS, spin_seconds=_SPIN_SECONDS),
        )

    def ideal(self) -> Machine:
        """Return the machine with the ideal scheme, whose store-conditionals never fail spuriously."""
        return self.machine(Spec("native"))

    def made(self) -> None:
        """Raise AssertionError unless the constructor accepts a host, a page table and the machine's facts."""
        try:
            self.machine().check_options()
        except Exception as error:
            words = str(error) if isinstance(error, SimaieError) else f"raised {type(error).__name__}: {error}"
            raise AssertionError(
                f"{self.name}.__init__: {words}; it is called with a host, a page table and the machine's facts, and "
                "must pass all of them to Scheme.__init__"
            ) from error

    def judge(self, programs: Iterable[Asked], ideal: Machine | None = None) -> None:
        """Raise AssertionError for the first program with a finding or an outcome that `ideal` does not show.

        Args:
            programs: The programs.
            ideal: The machine to compare with; None for that of the guest's architecture.
        """
        machine = self.machine()
        for asked in programs:
            if asked.kind in self.lacking:
                continue
            try:
                report = _explored(asked.program, machine)
            except NotEmulatedError:
                self.lacking |= {asked.kind} - {""}
                continue
            except UsageError:
                raise
            except SimaieError as error:
                raise AssertionError(f"{self._where(asked)} breaks the contract: {error}") from error
            explored = partial(_explored, asked.program)
            self._judge(
                asked, report, on_architecture(self._isa, machine, explored) if ideal is None else explored(ideal)
            )

    def _judge(self, asked: Asked, report: Report, ideal: Report) -> None:
        expected = {finding.kind for failure in ideal.kept for finding in failure.findings}
        for failure in report.kept:
            wrong = [finding for finding in failure.findings if finding.kind not in expected]
            if wrong:
                raise AssertionError(f"{self._where(asked, failure, wrong[0])}: {wrong[0]}{_again(failure)}")
        if report.statistics.truncated:
            raise AssertionError(
                f"{self._where(asked)} does not end within {_STEPS} operations"
            )
        forbidden = set(report.outcomes) - set(ideal.outcomes)
        if forbidden and ideal.complete:
            raise AssertionError(
                f"{self._where(asked)} ends with {_shown(forbidden)}; expected: {_shown(ideal.outcomes)}"
            )

    def _where(self, asked: Asked, failure: Failure | None = None, finding: Finding | None = None) -> str:
        """Return the guilty method, if it is known, and what the guest ran, in words."""
        method = asked.method
        if failure is not None and finding is not None and not method:
            guilty = [failure.trace.events[step].instruction for step in finding.steps]
            method = next((method_of(each) for each in guilty if each is not None), "")
        mode = ", in full-system mode" if self.full_system else ""
        return f"{self.name}{'.' * bool(method)}{method} (the guest ran {asked.words}{mode})"


def _explored(program: Program, machine: Machine) -> Report:
    """Explore all executions of `program`, up to the order of operations that do not conflict."""
    return explore(program, machine, scheduler="dpor", executions=_EXECUTIONS, failures=None)


def _again(failure: Failure) -> str:
    return f"; along the schedule {failure.trace.schedule.text or '(none)'}, {len(failure.trace)} steps"


def _shown(outcomes: Collection[Outcome]) -> str:
    """Return the first few outcomes in words."""
    texts = sorted(map(str, outcomes))
    return " or ".join(texts[:3]) + (f" or one of {len(texts) - 3} others" if len(texts) > 3 else "")
