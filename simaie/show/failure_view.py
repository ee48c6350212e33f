"""A failure as text: its trace, and below it each finding with its explanation."""

from __future__ import annotations

import textwrap

from rich.text import Text

from simaie.replaying.failure import Failure
from simaie.show.explain import around, beside_compare, explain, guilty
from simaie.show.trace_end import MOST_FINDINGS, finding_lines
from simaie.show.trace_view import trace_view

__all__ = ["failure_view"]

_INDENT = "   "
#: Prose is not read in lines as wide as a trace may be.
_PROSE = 100
#: Nor in lines narrower than this, however narrow the terminal.
_NARROWEST = 20


def failure_view(failure: Failure, *, everything: bool = False, width: int | None = None) -> list[Text]:
    """The lines of a failure. everything: fold nothing; width: what they may take, in characters."""
    trace, findings = failure.trace, guilty(failure.trace, failure.findings)
    lines = trace_view(trace, findings, everything=everything, width=width, findings_below=False)
    told, known = finding_lines(findings), around(failure)
    room = max(min(width or _PROSE, _PROSE) - len(_INDENT), _NARROWEST)
    for number, line in enumerate(told):
        lines.append(line)
        if number < min(len(findings), MOST_FINDINGS):
            prose = explain(trace, findings[number], known)
            lines += [Text(_INDENT + row) for row in textwrap.wrap(prose, room, break_on_hyphens=False)]
    lines += [Text(row, "dim") for row in textwrap.wrap(beside_compare(findings), max(width or _PROSE, _NARROWEST))]
    return lines
