"""The conformance suite for schemes: the contract of `simaie.Scheme`, and what each instruction has to do.

To pass proves that the scheme does what the ideal scheme does for each instruction alone, lets go of its locks when a
vCPU faults, takes an exception or ends, and adds no outcome to some dozens of generated programs, which are explored to
their end. It proves nothing about larger programs; `simaie audit --scheme` has known hard ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from simaie.errors import NotEmulatedError, SimaieError, UnknownNameError, UsageError
from simaie.exploration.architecture import guest_machine
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
from simaie.testing.scheme_programs import Asked, alone, exits_and_starts_again, faulting, interrupted, together
from simaie.trace import Outcome

__all__ = ["check_scheme"]

#: Operations of one execution; none of the programs needs a tenth, but by a helper that goes on and on.
_STEPS = 3_000
#: How long a helper may go on without an operation.
_SPIN_SECONDS = 2.0
#: Of one program; those that have more executions are judged by these.
_EXECUTIONS = 500
#: Address bits: a small tree for schemes that keep one; in full-system mode room for a few pages.
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
    """Check that `scheme` keeps the contract of `simaie.Scheme`, and does what the guest's instructions ask for.

    The contract: its methods return what they must, await their operations, keep what vCPUs share in cells and locks,
    raise nothing, come to an end, and let go of locks at the end of an instruction, at an exception and at the end of a
    thread. The meaning: each instruction alone leaves and returns what it leaves and returns under ``native``, and
    generated programs of two vCPUs have no finding and no outcome that the guest's architecture does not allow.
    Instructions that the scheme does not emulate are left out.

    Args:
        scheme: a class, or what else `simaie.Machine` takes.
        isa: the guest's instruction set.
        host: the host memory, as for `simaie.Machine`.
        seed: of the generated programs.
        kinds: of the instructions that the generated programs mix, as for `simaie.strategies.programs`; None for all.
            Name those among which the scheme promises atomicity, if it does not among all.
        full_system: whether to check it in full-system mode too, where addresses are translated and pages fault.
        programs: how many to generate.

    Raises:
        AssertionError: the scheme breaks its contract, or an instruction does something else; the first such finding.
        UsageError: there is no such instruction set, kind or scheme.
    """
    require_count(programs=programs)
    known = kinds_of(isa)
    for kind in kinds or ():
        if kind not in known:
            raise UnknownNameError(f"kind of instruction of {isa}:", kind, known)
    check = _Check(scheme, host, isa)
    check.made()
    check.judge(alone(isa), ideal=check.ideal())
    check.judge(interrupted(isa), ideal=check.ideal())
    check.judge(exits_and_starts_again(isa), ideal=check.ideal())
    if full_system:
        check.full_system = True
        check.judge(faulting(isa), ideal=check.ideal())
        check.full_system = False
    mixed = set(known if kinds is None else kinds) - check.lacking
    check.judge(together(isa, mixed, seed, programs), ideal=guest_machine(isa, check.machine()))


class _Check:
    """One scheme under test. name: of its class; lacking: the kinds of instructions that it does not emulate."""

    def __init__(self, scheme: SchemeChoice, host: str | Callable[..., HostMemory], isa: str) -> None:
        self._scheme, self._host, self._isa = scheme, host, isa
        self.full_system = False
        self.lacking: set[str] = set()
        made = self.machine().scheme_class
        self.name = self.machine().scheme if made is None else made.__name__

    def machine(self, scheme: SchemeChoice | None = None) -> Machine:
        """The machine that is judged, or the same with another scheme."""
        return Machine(
            self._scheme if scheme is None else scheme,
            host=self._host,
            full_system=self.full_system,
            address_bits=_FULL_SYSTEM_BITS if self.full_system else _BITS,
            limits=Limits(steps=_STEPS, spin_seconds=_SPIN_SECONDS),
        )

    def ideal(self) -> Machine:
        """The same machine with the ideal scheme, of which each store-conditional does what it can."""
        return self.machine(Spec("native"))

    def made(self) -> None:
        """The constructor returns a scheme when it is given a host, a page table and the machine's facts."""
        try:
            self.machine().check_options()
        except Exception as error:
            words = str(error) if isinstance(error, SimaieError) else f"raised {type(error).__name__}: {error}"
            raise AssertionError(
                f"{self.name}.__init__: {words}; it is called with a host, a page table and the machine's facts, and "
                "hands all of them on to Scheme.__init__"
            ) from error

    def judge(self, programs: Iterable[Asked], ideal: Machine) -> None:
        """Raise AssertionError for the first program with a finding or an outcome that it has not under `ideal`."""
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
            self._judge(asked, report, _explored(asked.program, ideal))

    def _judge(self, asked: Asked, report: Report, ideal: Report) -> None:
        expected = {finding.kind for failure in ideal.kept for finding in failure.findings}
        for failure in report.kept:
            wrong = [finding for finding in failure.findings if finding.kind not in expected]
            if wrong:
                raise AssertionError(f"{self._where(asked, failure, wrong[0])}: {wrong[0]}{_again(failure)}")
        if report.statistics.truncated:
            raise AssertionError(
                f"{self._where(asked)} does not come to its end: after {_STEPS} operations it is still at it"
            )
        forbidden = set(report.outcomes) - set(ideal.outcomes)
        if forbidden and ideal.complete:
            raise AssertionError(
                f"{self._where(asked)} ends with {_shown(forbidden)}; expected is {_shown(ideal.outcomes)}"
            )

    def _where(self, asked: Asked, failure: Failure | None = None, finding: Finding | None = None) -> str:
        """The method that is to blame, as far as is known, and what the guest did."""
        method = asked.method
        if failure is not None and finding is not None and not method:
            guilty = [failure.trace.events[step].instruction for step in finding.steps]
            method = next((method_of(each) for each in guilty if each is not None), "")
        mode = ", in full-system mode" if self.full_system else ""
        return f"{self.name}{'.' * bool(method)}{method} (the guest ran {asked.words}{mode})"


def _explored(program: Program, machine: Machine) -> Report:
    """All executions of `program`, up to the order of operations that do not conflict."""
    return explore(program, machine, scheduler="dpor", executions=_EXECUTIONS, failures=None)


def _again(failure: Failure) -> str:
    return f"; along the schedule {failure.trace.schedule.text or '(none)'}, {len(failure.trace)} steps"


def _shown(outcomes: Collection[Outcome]) -> str:
    """The first few."""
    texts = sorted(map(str, outcomes))
    return " or ".join(texts[:3]) + (f" or one of {len(texts) - 3} others" if len(texts) > 3 else "")
