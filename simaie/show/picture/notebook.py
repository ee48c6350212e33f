"""How results show themselves in a notebook: the drawing, and for a report its lines first.

The drawing is an image, not markup: of an output that was stored, and that nobody has run, JupyterLab and GitHub show
images and drop the elements of SVG, which leaves a heap of words.
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
    """Static markup, without script: a notebook may be opened by who does not trust it. The same in every run."""
    if isinstance(given, Report):
        return "".join(_report(given))
    if isinstance(given, Failure):
        return drawing_html(given) + _code(given.how_to_reproduce)
    return drawing_html(given)


def drawing_html(given: Failure | Trace) -> str:
    """The drawing as an image, with the findings in words for who does not see it."""
    subject = subject_of(given)
    words = [subject.title, *(finding.message for finding, _ in subject.explained)]
    return _IMAGE.format(escape(clean(". ".join(words))), b64encode(to_svg(given).encode()).decode())


def _report(report: Report) -> Iterator[str]:
    lines = "\n".join(line.plain for line in report_view(report, timed=False))
    yield f'<pre style="white-space:pre-wrap;font-family:monospace">{escape(lines)}</pre>'
    if report.failures:
        yield drawing_html(report.failures[0])


def _code(command: str) -> str:
    return f"<p>reproduce: <code>{escape(clean(command))}</code></p>"
