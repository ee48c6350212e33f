"""Functions that return a widget, or a still picture where anywidget is not installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from simaie.errors import UsageError
from simaie.exploration.interactive import Session
from simaie.exploration.report import Report
from simaie.finding import Finding
from simaie.replaying.failure import Failure
from simaie.show.picture import notebook_html
from simaie.show.picture.subject import subject_of
from simaie.show.widgets.base import session_html
from simaie.trace import Trace

if TYPE_CHECKING:
    from simaie.show.widgets.player import Player
    from simaie.show.widgets.session import SessionView

__all__ = ["MISSING", "Still", "player", "session_view"]

MISSING = "to {} in a notebook, install the extra: pip install 'simaie[notebook]'"


class Still:
    """A picture that replaces a widget, with a sentence on what to install; it is drawn when it is shown."""

    def __init__(self, html: Callable[[], str], text: Callable[[], str], purpose: str) -> None:
        self._html, self._text, self._sentence = html, text, MISSING.format(purpose)

    def __repr__(self) -> str:
        return f"{self._text()}\n({self._sentence})"

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": f"{self._html()}<p>{escape(self._sentence)}</p>"}


def player(given: Failure | Trace | Report, findings: Sequence[Finding] = ()) -> Player | Still:
    """Return a player of a failure, of a trace with `findings`, or of a report's first failure.

    Returns:
        A `simaie.show.widgets.player.Player`; a `Still` if anywidget is not installed.

    Raises:
        UsageError: The report has no failures.
    """
    if isinstance(given, Report):
        if not given.failures:
            raise UsageError(
                f"there is no failure to step through: the verdict is {given.verdict} ({given.reason}); "
                "for an execution of your own choice take simaie.interactive(program, machine)"
            )
        given = given.failures[0]
    subject = subject_of(given, findings)
    html = notebook_html(given)
    try:
        from simaie.show.widgets.player import Player
    except ImportError:
        return Still(lambda: html, lambda: subject.title, "step through it")
    return Player(subject, html)


def session_view(session: Session) -> SessionView | Still:
    """Return a `simaie.show.widgets.session.SessionView`; a `Still` if anywidget is not installed."""
    try:
        from simaie.show.widgets.session import SessionView
    except ImportError:
        return Still(lambda: session_html(session), lambda: repr(session), "choose by clicking")
    return SessionView(session)
