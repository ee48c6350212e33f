"""Texts that fit a width without losing an address, a value or a count.

A path in the radix tree gives way first, because its last levels identify the slot: ``radix/00/00/07/10`` becomes
``radix/.../07/10``, with an ellipsis of one character. A text that is still too long continues on the next line. The
page does the same in assets/fitting.js.
"""

from __future__ import annotations

import re
import textwrap

from simaie.show.format import shorten

__all__ = ["fit", "without_levels"]

#: A path of three levels or more.
_PATH = re.compile(r"\b[0-9a-f]{2}(?:/[0-9a-f]{2}){2,}\b")
#: A guest may write a text of any length; lines after these are dropped.
MOST_LINES = 6
_INDENT = "  "


def fit(text: str, width: int) -> list[str]:
    """Return `text` as lines of at most `width` characters, as few as possible.

    Its paths lose levels only if that saves a line, and no more levels than it takes. Only a word longer than a whole
    line loses its middle.
    """
    if len(text) <= width:
        return [text]
    versions = [text]
    while (shorter := without_levels(text, len(versions))) != versions[-1]:
        versions.append(shorter)
    best = min(versions, key=lambda version: (_cuts(version, width), len(_wrapped(version, width))))
    lines = _wrapped(best, width)
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], f"{_INDENT}\u2026"]


def _cuts(text: str, width: int) -> int:
    """Return the number of words that are longer than a line."""
    return sum(len(word) > width - len(_INDENT) for word in text.split(" "))


def _wrapped(text: str, width: int) -> list[str]:
    words = " ".join(shorten(word, width - len(_INDENT)) for word in text.split(" "))
    return textwrap.wrap(words, width, subsequent_indent=_INDENT, break_on_hyphens=False)


def without_levels(text: str, levels: int) -> str:
    """Return `text` in which an ellipsis replaces the first `levels` levels of each path; its last level stays."""
    return _PATH.sub(lambda found: _shortened(found[0].split("/"), levels), text)


def _shortened(parts: list[str], levels: int) -> str:
    return "/".join(["\u2026", *parts[min(levels, len(parts) - 1) :]])
