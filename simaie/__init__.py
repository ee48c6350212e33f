"""simaie: a deterministic simulator that finds atomicity violations in the way emulators run guest atomics.

    report = simaie.explore(program, simaie.Machine(scheme="aie-rfc"), seed=7)

`Program` is guest code, `Machine` the emulator and its host, a scheduler chooses the interleaving; the three are
independent of each other. See the README for a first walk.

Names are imported when first used, so that ``import simaie`` is quick and loads neither trio nor anything optional.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simaie.decision import Choice, Schedule, Switch
    from simaie.engine.machine import Limits, Machine
    from simaie.errors import GuestFault, SimaieError, UsageError
    from simaie.explore.explorer import explore
    from simaie.explore.report import Report
    from simaie.finding import Finding, Verdict
    from simaie.guest.code import Ins, ins
    from simaie.guest.program import FinalState, Program
    from simaie.host.pages import Page
    from simaie.protocols import Scheduler
    from simaie.replay.failure import Failure
    from simaie.replay.player import replay
    from simaie.schemes.scheme import Scheme
    from simaie.trace import Outcome, Trace

_HOME = {
    "Choice": "simaie.decision",
    "Failure": "simaie.replay.failure",
    "FinalState": "simaie.guest.program",
    "Finding": "simaie.finding",
    "GuestFault": "simaie.errors",
    "Ins": "simaie.guest.code",
    "Limits": "simaie.engine.machine",
    "Machine": "simaie.engine.machine",
    "Outcome": "simaie.trace",
    "Page": "simaie.host.pages",
    "Program": "simaie.guest.program",
    "Report": "simaie.explore.report",
    "Schedule": "simaie.decision",
    "Scheduler": "simaie.protocols",
    "Scheme": "simaie.schemes.scheme",
    "SimaieError": "simaie.errors",
    "Switch": "simaie.decision",
    "Trace": "simaie.trace",
    "UsageError": "simaie.errors",
    "Verdict": "simaie.finding",
    "explore": "simaie.explore.explorer",
    "ins": "simaie.guest.code",
    "replay": "simaie.replay.player",
}

__all__ = [
    "Choice",
    "Failure",
    "FinalState",
    "Finding",
    "GuestFault",
    "Ins",
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
    "explore",
    "ins",
    "replay",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'simaie' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
