"""The frame of an HTML page that is one file: the page loads nothing, and the browser holds it to that."""

from __future__ import annotations

from html import escape

__all__ = ["NO_SCRIPT", "OWN_SCRIPT", "html_page"]

#: What a page without a script may do: apply its own style.
NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'"
#: What a page with a script of its own may do. It cannot fetch anything.
OWN_SCRIPT = f"{NO_SCRIPT}; script-src 'unsafe-inline'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def html_page(title: str, style: str, body: str, policy: str = NO_SCRIPT) -> str:
    """Return a page.

    Args:
        title: The title, as plain text.
        style: The style sheet, which ends with a line break.
        body: What the body holds, as HTML that ends with a line break.
        policy: What the page may do, as a content security policy.
    """
    return _PAGE.format(title=escape(title), style=style, body=body, policy=policy)
