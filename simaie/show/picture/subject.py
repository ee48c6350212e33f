"""The subject of a picture: an execution and what is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simaie.errors import UsageError
from simaie.finding import Finding, Verdict
from simaie.guest.program import Program
from simaie.host.ram import Endian
from simaie.replaying.failure import Failure
from simaie.show.explain import NOTHING, Context, around, explain, guilty
from simaie.show.format import clean
from simaie.show.trace_end import MOST_FINDINGS
from simaie.trace import Trace

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """An execution to draw.

    Attributes:
        title: One line that names the program and the machine.
        trace: The execution.
        findings: Findings in it.
        program: The guest program, for the initial memory. If it is None, a byte begins with the value that the first
            access to it read.
        endian: Byte order of guest RAM.
        command: Command that runs the execution again; may be empty.
        known: Context for the explanations.
    """

    title: str
    trace: Trace
    findings: tuple[Finding, ...] = ()
    program: Program | None = None
    endian: Endian = "little"
    command: str = ""
    known: Context = NOTHING

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the findings; None without any, because a trace does not say whether it was checked."""
        if not self.findings:
            return None
        violated = any(finding.verdict is Verdict.VIOLATED for finding in self.findings)
        return Verdict.VIOLATED if violated else Verdict.INCONCLUSIVE

    @property
    def headline(self) -> str:
        """The title with the verdict before it."""
        return self.title if self.verdict is None else f"{self.verdict.upper()} {self.title}"

    @property
    def explained(self) -> list[tuple[Finding, str]]:
        """The findings to show, each with its explanation."""
        return [(finding, explain(self.trace, finding, self.known)) for finding in self.findings[:MOST_FINDINGS]]


def subject_of(given: Failure | Trace, findings: Sequence[Finding] = ()) -> Subject:
    """Return the subject of a failure, or of a trace with `findings` in it.

    Raises:
        UsageError: `given` is neither a failure nor a trace.
    """
    if isinstance(given, Failure):
        machine = given.machine
        title = f"{clean(given.program.name)} under {clean(machine.scheme)} on {clean(machine.host)}"
        findings = guilty(given.trace, given.findings)
        command, context = given.how_to_reproduce, around(given)
        return Subject(title, given.trace, findings, given.program, machine.endian, command, context)
    if isinstance(given, Trace):
        return Subject(clean(given.program), given, tuple(findings))
    raise UsageError(f"only a failure or a trace can be drawn, not {given!r}")
