"""The checkers of one exploration, and whether their judgements can support a proof.

They cannot if a checker could not decide an execution. They cannot either if a checker judges the order of operations
that do not conflict, while the scheduler runs only one of the executions that differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.check import DEFAULT, CheckerChoice, judge, name_of
from simaie.check.needs import can_find, ignores_order
from simaie.check.prerequisites import Prerequisites
from simaie.exploration.tally import Judgements
from simaie.finding import Finding, Verdict, verdict_of
from simaie.guest.program import Program
from simaie.protocols import Checker, Scheduler
from simaie.replaying.checkers import judges, with_its_own
from simaie.trace import Trace

__all__ = ["CheckerRunner"]


class CheckerRunner:
    """The checkers of one exploration, with counts of their judgements.

    Attributes:
        choices: The checkers as the caller and the program name them.
        failing: The number of executions with a violation.
        undecided: The number of executions for which a checker could not decide.
        undecided_because: The reason for the first of these.
    """

    def __init__(self, checkers: Sequence[CheckerChoice], program: Program, scheduler: Scheduler) -> None:
        self.choices = with_its_own(checkers, program)
        self.failing = self.undecided = 0
        self.undecided_because = ""
        self._program = program
        self._checkers = judges(self.choices)
        self._asked: dict[int, tuple[Checker, ...]] = {}  # by what occurred
        self._prerequisites = Prerequisites(() if checkers is DEFAULT else self._checkers)
        self._order_sensitive = [c for c in self._checkers if getattr(c, "order_sensitive", False)]
        if not scheduler.up_to_commutation:
            self._order_sensitive = []  # the scheduler runs all orders
        self._order_judged_by = ""

    def judge(self, trace: Trace) -> tuple[Finding, ...]:
        """Judge and count one execution, and return its findings if it fails."""
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
        occurred = trace.occurred
        asked = self._asked.get(occurred)
        if asked is None:
            asked = self._asked[occurred] = tuple([c for c in self._checkers if can_find(c, occurred)])
        return judge(trace, asked) if asked else ()

    @property
    def judges_each(self) -> bool:
        """Whether each execution has to be judged, whatever occurred in it."""
        return bool(self._prerequisites) or bool(self._order_sensitive)

    def is_clean(self, occurred: int) -> bool:
        """Whether no checker can find anything in an execution in which this occurred."""
        return not any(can_find(checker, occurred) for checker in self._checkers)

    def _note_unseen_orders(self, trace: Trace) -> None:
        """Record a checker that judged the order of operations that do not conflict, if there is one."""
        for checker in self._order_sensitive:
            judged = checker.order_sensitive  # type: ignore[attr-defined]  # all of these have it
            if judged is True or judged(trace):
                self._order_judged_by = name_of(checker)
                return

    @property
    def ignores_order(self) -> bool:
        """Whether no checker judges the order of read-modify-writes that commute, but for those of blocks and calls."""
        return all(map(ignores_order, self._checkers))

    @property
    def judgements(self) -> Judgements:
        """The counts so far."""
        return Judgements(
            self.failing, self.undecided, self.undecided_because, self._order_judged_by, self._prerequisites.lacking
        )

    def merge(self, later: Judgements) -> None:
        """Add the counts of executions that come after those so far."""
        self.failing += later.failing
        self.undecided += later.undecided
        self.undecided_because = self.undecided_because or later.undecided_because
        self._order_judged_by = self._order_judged_by or later.order_judged_by
        self._prerequisites.restore(self._prerequisites.lacking & later.answers)

    def forget(self) -> None:
        """Begin to count anew."""
        self.failing = self.undecided = 0
        self.undecided_because = self._order_judged_by = ""
        self._prerequisites.restore_all()

    def require_answers(self) -> None:
        """Raise UsageError if a checker that the caller named had nothing to judge."""
        self._prerequisites.require(self._program.name)

    @property
    def why_not_proof(self) -> str:
        """Why the judgements support no proof, whatever the number of executions; empty if they do."""
        if self.undecided:
            return f"{self.undecided} could not be judged: {self.undecided_because}"
        if self._order_judged_by:
            return (
                f"{self._order_judged_by} judges the order of operations that do not conflict as well, of which the "
                "scheduler runs one only: use dfs, or ordered calls"
            )
        return ""
