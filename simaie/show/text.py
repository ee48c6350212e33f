"""A failure or a trace as plain text for `print`, with the columns that the command line shows."""

from __future__ import annotations

import shutil
import sys

from simaie.replaying.failure import Failure
from simaie.show.failure_view import execution_text, failure_view
from simaie.show.format import clean
from simaie.show.lines import NARROWEST
from simaie.show.trace_view import trace_view
from simaie.trace import Trace

__all__ = ["as_text"]

#: Width of the text where stdout is no terminal.
_WIDTH = 120


def as_text(shown: Failure | Trace) -> str:
    """Return the lines of a failure with its explanation, or of a trace, in the width of the terminal."""
    if isinstance(shown, Trace):
        head, lines = f"{clean(shown.program)}: {len(shown)} steps", trace_view(shown, width=_width())
    else:
        machine = shown.machine
        head = (
            f"{clean(shown.program.name)} under {clean(machine.scheme)} on {clean(machine.host)}, "
            + execution_text(shown)
        )
        lines = failure_view(shown, width=_width())
    return "\n".join([head, "", *(line.plain.rstrip() for line in lines)])


def _width() -> int:
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH
    return max(shutil.get_terminal_size().columns, NARROWEST)
