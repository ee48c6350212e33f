"""The audit: tests every expectation of the corpus, row by row of the AIE design.

    report = simaie.audit.audit(["aie-v2"], rows=[6])

A MUST-NOT is explored completely at a small scope and sampled at a larger one. A FINDABLE hole is searched for at
random, and is reported with the command that shows it again. A MODEL behaviour must be seen, and never be called a
violation. `counterexamples` shows the holes that were found, each by its shortest execution.
"""

from simaie.audit.audit import DEFAULT_SEED, audit
from simaie.audit.counterexample import row_counterexamples
from simaie.audit.report import AuditReport, AuditRow, RowResult, expectation_text

__all__ = ["DEFAULT_SEED", "AuditReport", "AuditRow", "RowResult", "audit", "expectation_text", "row_counterexamples"]
