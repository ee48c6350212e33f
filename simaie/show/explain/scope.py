"""Why `explore` may say "violated" where `compare` says "holds" of the same program.

`explore` judges each execution: also how each instruction was carried out. `compare` judges the set of outcomes. An
instruction that was not atomic need not leave an outcome that the architecture forbids.
"""

from __future__ import annotations

from collections.abc import Iterable

from simaie.finding import Finding
from simaie.show.explain.rejected_outcomes import REFUSALS

__all__ = ["OUTCOMES_ONLY", "beside_compare"]

#: What a comparison that holds does not say.
OUTCOMES_ONLY = (
    "compare judges outcomes alone; explore also judges how each instruction was carried out, "
    "and may find a violation that leaves no forbidden outcome"
)


def beside_compare(findings: Iterable[Finding]) -> str:
    """What `findings` say of the outcome, in a sentence; empty if one of them is about the outcome."""
    kinds = [finding.kind for finding in findings]
    if not kinds or any(kind in REFUSALS for kind in kinds):
        return ""
    return (
        "No finding is about the outcome, which the architecture may allow: so compare, which judges outcomes alone, "
        "may say that the program holds."
    )
