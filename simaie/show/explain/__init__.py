"""Explanations of findings: which access came between which, which value was lost, and which protection was missing.

An explanation uses the trace alone: which vCPU held which lock, which state of the emulator an instruction read before
it went ahead, and which vCPU changed that state since. `table` pairs each kind of finding with its explanation; for a
kind that it lacks, the explanation lists the finding's steps.
"""

from simaie.show.explain.context import NOTHING, Context, around
from simaie.show.explain.rejected_outcomes import OUTCOMES_ONLY, about_compare, guilty
from simaie.show.explain.table import EXPLANATIONS, explain, explain_failure

__all__ = [
    "EXPLANATIONS",
    "NOTHING",
    "OUTCOMES_ONLY",
    "Context",
    "about_compare",
    "around",
    "explain",
    "explain_failure",
    "guilty",
]  # fmt: skip
