"""simaie: a deterministic simulator that finds atomicity violations in the way emulators run guest atomics.

    report = simaie.explore(program, simaie.Machine(scheme="aie-rfc"), seed=7)

`Program` is guest code, `Machine` the emulator and its host, a scheduler chooses the interleaving; the three are
independent of each other. See the README for a first walk.

The functions `explore` and `replay` stand here in front of the packages of the same name, whose modules are imported
by their full names. trio is loaded only by what needs it.
"""

from simaie.decision import Choice, Schedule, Switch
from simaie.errors import GuestFault, Interrupted, SimaieError, UsageError
from simaie.exploration.compare import Comparison, compare
from simaie.exploration.explorer import explore
from simaie.exploration.interactive import interactive
from simaie.exploration.report import Report
from simaie.finding import Finding, Verdict
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program
from simaie.host.pages import Page
from simaie.machine import Limits, Machine
from simaie.protocols import Scheduler
from simaie.replaying.failure import Failure
from simaie.replaying.player import replay
from simaie.schemes.scheme import Scheme
from simaie.trace import Outcome, Trace

__all__ = [
    "Choice",
    "Comparison",
    "Failure",
    "FinalState",
    "Finding",
    "GuestFault",
    "Ins",
    "Interrupted",
    "Limits",
    "Machine",
    "Outcome",
    "Page",
    "Program",
    "Report",
    "Schedule",
    "Scheduler",
    "Scheme",
    "SimaieError",
    "Switch",
    "Trace",
    "UsageError",
    "Verdict",
    "compare",
    "explore",
    "ins",
    "interactive",
    "replay",
]
