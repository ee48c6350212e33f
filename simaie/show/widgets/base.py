"""The common parts of the widgets: the module for the front end, the MIME bundle, the still picture of a session.

The module is one text: the page's script and style and the widget's own script. So there is no build step, and nothing
is fetched. The still picture replaces the widget where no front end runs.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Any

from simaie.exploration.interactive import Session
from simaie.show.format import clean
from simaie.show.picture import drawing_html
from simaie.show.picture.page import asset, walk_script

__all__ = ["module", "session_html", "shown"]


def module(widget: str) -> str:
    """Return the ECMAScript module of the widget whose script is ``assets/WIDGET.js``."""
    style = asset("light.css") + asset("dark.css") + asset("page.css") + _own("widget.css")
    return f"const STYLE = {json.dumps(style)};\n{walk_script()}{_own('frame.js')}{_own(f'{widget}.js')}"


def _own(name: str) -> str:
    return (files("simaie.show.widgets") / "assets" / name).read_text("utf-8")


def shown(bundle: Any, html: str, text: str, purpose: str) -> Any:
    """Return a widget's MIME bundle, extended for readers without a front end.

    Args:
        bundle: Data and metadata of the widget.
        html: Markup that replaces the widget.
        text: Text that replaces the widget.
        purpose: What a front end is needed for, in a message after both.
    """
    data, metadata = bundle
    sentence = f"to {purpose}, run the cell in JupyterLab or VS Code"
    return {**data, "text/plain": f"{text}\n({sentence})", "text/html": f"{html}<p>({sentence})</p>"}, metadata


def session_html(session: Session) -> str:
    """Return static markup of the session, without script."""
    drawn = drawing_html(session.failure) if len(session.trace) else ""
    return f"{drawn}<p>{escape(clean(session.status))}</p>"
