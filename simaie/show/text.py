"""A failure or a trace as plain text: the columns that the command line shows, for `print`."""

from __future__ import annotations

import shutil
import sys

from simaie.replaying.failure import Failure
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.trace_view import trace_view
from simaie.trace import Trace

__all__ = ["as_text"]

#: How wide the text is where no terminal says how wide it is, and how narrow at least.
_WIDTH, _NARROWEST = 120, 20


def as_text(shown: Failure | Trace) -> str:
    """Return the lines of a failure, its explanation included, or of a trace; for a terminal they have its width."""
    if isinstance(shown, Trace):
        head, lines = f"{clean(shown.program)}: {len(shown)} steps", trace_view(shown, width=_width())
    else:
        machine = shown.machine
        head = (
            f"{clean(shown.program.name)} under {clean(machine.scheme)} on {clean(machine.host)}, "
            f"execution {shown.index} of seed {shown.seed}"
        )
        lines = failure_view(shown, width=_width())
    return "\n".join([head, "", *(line.plain.rstrip() for line in lines)])


def _width() -> int:
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH
    return max(shutil.get_terminal_size().columns, _NARROWEST)
