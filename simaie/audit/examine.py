"""The examination of one case under one scheme: explored, sampled or searched, and compared with its expectation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from simaie.audit.plan import Item
from simaie.audit.report import AuditRow, RowResult
from simaie.check import DEFAULT, judge
from simaie.corpus import Expect
from simaie.errors import SchemeError
from simaie.exploration.explorer import explore
from simaie.exploration.report import Report
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.protocols import Checker
from simaie.replaying.failure import Failure
from simaie.trace import Trace

__all__ = ["EXHAUSTIVE", "SAMPLING", "examine"]

#: The scheduler of small scopes: all interleavings, up to the order of operations that do not conflict.
EXHAUSTIVE = "dpor"
#: The scheduler that samples the larger scopes and searches for the holes.
SAMPLING = "random-walk"
#: Far more executions than any small scope needs, so that a broken scheme or scheduler still ends.
EXHAUSTIVE_LIMIT = 100_000
#: Far more executions than any hole needs: the rarest takes some dozens.
SEARCH_LIMIT = 20_000

_OBSERVED = "observed"


def examine(item: Item, seed: int) -> AuditRow:
    """Return the audit's row for `item`; a scheme that breaks its contract (a wrong unlock) counts as violated."""
    began = time.perf_counter()
    by_expectation = {Expect.MUST_NOT: _must_not, Expect.FINDABLE: _findable, Expect.MODEL: _model}
    try:
        fields = by_expectation[item.expected](item, seed)
    except SchemeError as error:
        executions = 0 if error.report is None else error.report.executions
        fields = {"found": RowResult.VIOLATED, "explanation": str(error), "executions": executions}
    case = item.case
    scheduler = SAMPLING if item.expected is Expect.FINDABLE else EXHAUSTIVE
    defaults: dict[str, Any] = {"complete": False, "scheduler": scheduler}
    return AuditRow(
        row=case.row,
        title=case.title,
        program=case.name,
        scheme=item.scheme,
        expected=item.expected,
        seed=seed,
        why=item.why,
        seconds=time.perf_counter() - began,
        **(defaults | fields),
    )


# -- the three kinds of expectation ------------------------------------------------------------------


def _must_not(item: Item, seed: int) -> dict[str, Any]:
    """Explore the small scope, then sample the larger one: no finding of any kind."""
    small = _run(item, item.case.program, EXHAUSTIVE, seed, EXHAUSTIVE_LIMIT)
    fields: dict[str, Any] = {"executions": small.executions, "complete": small.complete}
    if small.failures:
        return fields | _shown(item, small.failures[0], RowResult.VIOLATED)
    if not small.complete:
        return fields | {"found": RowResult.INCOMPLETE, "explanation": small.reason}
    clean = f"none of all {small.executions} executions fails"
    if item.case.larger is None:
        return fields | {"found": RowResult.CLEAN, "explanation": clean}
    larger = _run(item, item.case.larger, SAMPLING, seed, item.case.samples)
    fields |= {"larger_program": item.case.larger.name, "larger_executions": larger.executions}
    if larger.failures:
        return fields | _shown(item, larger.failures[0], RowResult.VIOLATED)
    if larger.statistics.truncated:
        return fields | {"found": RowResult.INCOMPLETE, "explanation": f"{larger.program.name}: {larger.reason}"}
    return fields | {
        "found": RowResult.CLEAN,
        "explanation": f"{clean}, none of {larger.executions} larger ones",
    }


def _findable(item: Item, seed: int) -> dict[str, Any]:
    """Search until there is a finding; it must be of a kind that shows this hole."""
    report = _run(item, item.case.program, SAMPLING, seed, SEARCH_LIMIT)
    fields: dict[str, Any] = {"executions": report.executions}
    if not report.failures:
        return fields | {"found": RowResult.NOT_FOUND, "explanation": report.reason}
    failure = report.failures[0]
    counts = any(finding.kind in item.case.kinds for finding in failure.findings)
    return fields | _shown(item, failure, RowResult.VIOLATED if counts else RowResult.FLAGGED)


def _model(item: Item, seed: int) -> dict[str, Any]:
    """Explore the small scope without a finding; then search until the behaviour is seen."""
    small = _run(item, item.case.program, EXHAUSTIVE, seed, EXHAUSTIVE_LIMIT)
    fields: dict[str, Any] = {"executions": small.executions, "complete": small.complete}
    if small.failures:
        return fields | _shown(item, small.failures[0], RowResult.FLAGGED)
    if not small.complete:
        return fields | {"found": RowResult.INCOMPLETE, "explanation": small.reason}
    search = _run(item, item.case.program, SAMPLING, seed, SEARCH_LIMIT, [_watching(item)])
    fields |= {"larger_program": item.case.name, "larger_executions": search.executions}
    if not search.failures:
        return fields | {"found": RowResult.NOT_FOUND, "explanation": f"not seen in {search.executions} executions"}
    shown = search.failures[0]
    flagged = judge(shown.trace, DEFAULT)
    return fields | _shown(item, shown, RowResult.FLAGGED if flagged else RowResult.OBSERVED)


# -- parts -------------------------------------------------------------------------------------------


def _run(
    item: Item, program: Program, scheduler: str, seed: int, executions: int, checkers: Sequence[Checker] = DEFAULT
) -> Report:
    return explore(
        program, item.machine, scheduler=scheduler, seed=seed, executions=executions, failures=1, checkers=checkers
    )


def _watching(item: Item) -> Checker:
    """Return a checker that reports the behaviour of a MODEL case as a finding, so that a search stops at it."""
    observed = item.case.observed
    assert observed is not None  # the case has been checked

    def watching(trace: Trace) -> Iterable[Finding]:
        return (Finding(_OBSERVED, item.case.why),) if observed(trace) else ()

    return watching


def _shown(item: Item, failure: Failure, found: RowResult) -> dict[str, Any]:
    """Return the fields for a failure, with the finding that counts if there are several."""
    counting = [f for f in failure.findings if f.kind in item.case.kinds]
    finding = (counting or failure.findings)[0]
    return {
        "found": found,
        "index": failure.index,
        "command": failure.command if item.named else "",
        "explanation": finding.message,
    }
