"""What the executions of one exploration are judged to be, and whether that can add up to a proof.

It cannot if a checker was unable to tell of some execution, nor if a checker judges more than the scheduler varies:
one that looks at the order of operations which do not conflict, while of executions that differ in nothing else only
one is run.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.check import DEFAULT, CheckerChoice, judge, name_of
from simaie.check.prerequisites import Prerequisites
from simaie.finding import Finding, Verdict, verdict_of
from simaie.guest.program import Program
from simaie.protocols import Scheduler
from simaie.replaying.checkers import judges, with_its_own
from simaie.trace import Trace

__all__ = ["CheckerRunner"]


class CheckerRunner:
    """The checkers of one exploration. failing: so many executions violate something; undecided: of so many is unclear
    whether they do."""

    def __init__(self, checkers: Sequence[CheckerChoice], program: Program, scheduler: Scheduler) -> None:
        self.choices = with_its_own(checkers, program)
        self.failing = self.undecided = 0
        self.undecided_because = ""
        self._program = program
        self._checkers = judges(self.choices)
        self._prerequisites = Prerequisites(() if checkers is DEFAULT else self._checkers)
        self._order_sensitive = [c for c in self._checkers if getattr(c, "order_sensitive", False)]
        if not scheduler.up_to_commutation:
            self._order_sensitive = []  # it varies all that they look at
        self._order_judged_by = ""

    def judge(self, trace: Trace) -> tuple[Finding, ...]:
        """Judge and count one execution; the findings if it fails, else nothing."""
        if self._prerequisites:
            self._prerequisites.observe(trace)
        if self._order_sensitive and not self._order_judged_by:
            self._note_unseen_orders(trace)
        findings = self.findings_in(trace)
        if not findings:
            return ()
        verdict = verdict_of(findings)
        if verdict is Verdict.INCONCLUSIVE:
            self.undecided += 1
            self.undecided_because = self.undecided_because or findings[0].message
            return ()
        self.failing += verdict is Verdict.VIOLATED
        return findings

    def findings_in(self, trace: Trace) -> tuple[Finding, ...]:
        """Return what the checkers find in `trace`, which is not counted."""
        return judge(trace, self._checkers)

    def _note_unseen_orders(self, trace: Trace) -> None:
        """Note which checker judged what the scheduler takes for the same, if one did."""
        for checker in self._order_sensitive:
            judged = checker.order_sensitive  # type: ignore[attr-defined]  # or it would not be one of them
            if judged is True or judged(trace):
                self._order_judged_by = name_of(checker)
                return

    def require_answers(self) -> None:
        """Raise UsageError for a checker that was asked for and had nothing to judge."""
        self._prerequisites.require(self._program.name)

    @property
    def why_not_proof(self) -> str:
        """Why its judgements prove nothing, however many executions there were; empty if they do."""
        if self.undecided:
            return f"{self.undecided} could not be judged: {self.undecided_because}"
        if self._order_judged_by:
            return (
                f"{self._order_judged_by} judges the order of operations that do not conflict as well, of which the "
                "scheduler runs one only: use dfs, or ordered calls"
            )
        return ""
