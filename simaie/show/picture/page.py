"""A page to walk through an execution: one file that needs neither a network nor a library.

The page contains its data as JSON, and its script makes the rows in sight from them, as text nodes and never as markup.
So a long trace opens as fast as a short one, and a guest's names cannot become anything but names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

from simaie.finding import Finding
from simaie.replaying.failure import Failure
from simaie.show.html_page import OWN_SCRIPT, html_page
from simaie.show.picture.document import page_document
from simaie.show.picture.subject import subject_of
from simaie.trace import Trace

__all__ = ["asset", "to_html", "walk_script"]

#: The parts of the function `walk`, each before those that use it.
_WALK = ("data", "fitting", "table", "arrows", "panel", "walk")


def asset(name: str) -> str:
    """Return the text of a file in the folder `assets`."""
    return (files("simaie.show.picture") / "assets" / name).read_text("utf-8")


def walk_script() -> str:
    """Return JavaScript that defines ``walk(root, data, options)``, which fills an element with the walk."""
    body = "\n".join(asset(f"{part}.js") for part in _WALK)
    return f"{asset('elements.js')}\nfunction walk(root, data, options) {{\n{body}}}\n"


_BODY = """<noscript>This page needs JavaScript, which is switched off.</noscript>
<script id="data" type="application/json">{data}</script>
<script>
"use strict";
{script}</script>
"""


def to_html(given: Failure | Trace, findings: Sequence[Finding] = ()) -> str:
    """Return the page of a failure, or of a trace with `findings` in it.

    Raises:
        UsageError: `given` is neither a failure nor a trace.
    """
    subject = subject_of(given, findings)
    data = json.dumps(page_document(subject), separators=(",", ":"), ensure_ascii=True)
    dark = f"@media (prefers-color-scheme: dark) {{\n{asset('dark.css')}}}\n"
    style = asset("light.css") + dark + asset("page.css")
    body = _BODY.format(data=_inert(data), script=walk_script() + asset("page.js"))
    return html_page(subject.headline, style, body, OWN_SCRIPT)


def _inert(data: str) -> str:
    """Return equal JSON in which no character can end the element that contains it."""
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
