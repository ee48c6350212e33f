"""How a session looks where nothing can be clicked: the drawing so far, and how it stands."""

from __future__ import annotations

from html import escape

from simaie.exploration.interactive import Session
from simaie.show.format import clean
from simaie.show.picture import drawing_html

__all__ = ["session_html"]


def session_html(session: Session) -> str:
    """Static markup, without script."""
    drawn = drawing_html(session.failure) if len(session.trace) else ""
    return f"{drawn}<p>{escape(clean(session.status))}</p>"
