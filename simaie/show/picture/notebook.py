"""What a result looks like at the end of a notebook's cell: the verdict, how it was reached, and the first failure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from simaie.explore.report import Report
from simaie.replay.failure import Failure
from simaie.show.picture.svg import to_svg
from simaie.show.report_view import report_view
from simaie.show.words import clean
from simaie.trace import Trace

__all__ = ["notebook_html"]

#: Of a report without a failure there is nothing but its lines.
_SCROLLING = '<div style="overflow-x:auto">{}</div>'


def notebook_html(given: Report | Failure | Trace) -> str:
    """Static markup, without script: a notebook may be opened by who does not trust it. The same in every run."""
    if isinstance(given, Report):
        return "".join(_report(given))
    if isinstance(given, Failure):
        return _SCROLLING.format(to_svg(given)) + _code(given.command)
    return _SCROLLING.format(to_svg(given))


def _report(report: Report) -> Iterator[str]:
    lines = "\n".join(line.plain for line in report_view(report, timed=False))
    yield f'<pre style="white-space:pre-wrap;font-family:monospace">{escape(lines)}</pre>'
    if report.failures:
        yield _SCROLLING.format(to_svg(report.failures[0]))


def _code(command: str) -> str:
    return f"<p>again: <code>{escape(clean(command))}</code></p>"
