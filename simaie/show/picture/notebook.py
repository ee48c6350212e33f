"""The static markup of results in a notebook: the drawing, and before it the lines of a report.

The drawing is an image, not inline SVG: from a stored output that has not been run or trusted, JupyterLab and GitHub
drop the elements of SVG and leave a heap of words, but they do show images.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from html import escape

from simaie.exploration.report import Report
from simaie.replaying.failure import Failure
from simaie.show.format import clean
from simaie.show.picture.subject import subject_of
from simaie.show.picture.svg import to_svg
from simaie.show.report_view import report_view
from simaie.trace import Trace

__all__ = ["drawing_html", "notebook_html"]

_IMAGE = (
    '<div style="overflow-x:auto"><img style="max-width:none" alt="{}" src="data:image/svg+xml;base64,{}"></div>'
)


def notebook_html(given: Report | Failure | Trace) -> str:
    """Return markup without script, because a reader may not trust the notebook; it is the same in every run."""
    if isinstance(given, Report):
        return "".join(_report(given))
    if isinstance(given, Failure):
        return drawing_html(given) + _code(given.how_to_reproduce)
    return drawing_html(given)


def drawing_html(given: Failure | Trace) -> str:
    """Return the drawing as an image, with the findings as its alternative text."""
    subject = subject_of(given)
    words = [subject.title, *(finding.message for finding, _ in subject.explained)]
    return _IMAGE.format(escape(clean(". ".join(words))), b64encode(to_svg(given).encode()).decode())


def _report(report: Report) -> Iterator[str]:
    lines = "\n".join(line.plain for line in report_view(report, timed=False))
    yield f'<pre style="white-space:pre-wrap;font-family:monospace">{escape(lines)}</pre>'
    if report.failures:
        yield drawing_html(report.failures[0])


def _code(command: str) -> str:
    """Return the command on one line, which scrolls: a break after a dash would look like two arguments."""
    shown = f'<code style="white-space:pre">{escape(clean(command))}</code>'
    return f'<p style="overflow-x:auto">reproduce: {shown}</p>'
