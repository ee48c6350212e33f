"""Prose for a terminal: lines that break between words and keep their styles."""

from __future__ import annotations

from rich.text import Text

__all__ = ["NARROWEST", "PROSE", "wrapped"]

#: Longer lines of prose are hard to read, however wide the terminal or the trace.
PROSE = 80
#: No terminal counts as narrower than this.
NARROWEST = 20


def wrapped(line: Text, width: int | None, indent: int = 0) -> list[Text]:
    """Return `line` as lines of at most `width` and at most `PROSE` characters, broken at spaces.

    A longer word stays in one piece.

    Args:
        line: The prose.
        width: Characters that a line may have; None to leave the line as it is.
        indent: Number of spaces before the second line and the following ones.
    """
    if width is None:
        return [line]
    room, lines, rest = max(NARROWEST, min(width, PROSE)), [], line
    while len(rest) > room:
        cut = _space(rest.plain, room)
        if cut is None:
            break
        lines.append(rest[:cut])
        rest = Text(" " * indent).append_text(rest[cut + 1 :])
    return [*lines, rest]


def _space(text: str, room: int) -> int | None:
    """Return the last space that leaves at most `room` characters before it, else the first one after them."""
    begin = len(text) - len(text.lstrip())
    cut = text.rfind(" ", begin, room + 1)
    if cut < 0:
        cut = text.find(" ", max(room, begin))
    return None if cut < 0 else cut
