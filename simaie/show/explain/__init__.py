"""Findings in the guest's terms: what came between what, which value it cost, and which protection was not there.

Everything is read off the trace: who held which lock, which of the emulator's own places an instruction had looked at
before it went ahead, and who changed them since. `table` pairs each kind of finding with its explanation; a kind that
is not in it gets the finding's own message and its steps in words.
"""

from simaie.show.explain.context import NOTHING, Context, around
from simaie.show.explain.rejected_outcomes import OUTCOMES_ONLY, beside_compare, guilty
from simaie.show.explain.table import EXPLANATIONS, explain, explain_failure

__all__ = [
    "EXPLANATIONS", "NOTHING", "OUTCOMES_ONLY", "Context", "around", "beside_compare", "explain", "explain_failure",
    "guilty",
]  # fmt: skip
