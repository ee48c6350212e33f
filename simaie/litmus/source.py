"""The text of a file, and positions in it.

Everything after the header is scanned in a copy of the text in which comments are blank. The copy has the same length
and the same line ends, so a position in it is a position in the file.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

__all__ = ["Position", "Source", "without_comments"]


class Position(msgspec.Struct, frozen=True):
    """A position in a file: line and column, both counted from 1."""

    line: int
    column: int

    def moved(self, origin: Position) -> Position:
        """Return the same position for a text in which this position's text begins at `origin`."""
        column = self.column + origin.column - 1 if self.line == 1 else self.column
        return Position(origin.line + self.line - 1, column)


class Source:
    """A text whose offsets can be converted to lines and columns."""

    def __init__(self, text: str) -> None:
        """Find the lines of a text."""
        self.text = text
        self._line_starts = [0]
        start = text.find("\n")
        while start >= 0:
            self._line_starts.append(start + 1)
            start = text.find("\n", start + 1)

    def position(self, offset: int) -> Position:
        """Return the position of an offset."""
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def padded(self, start: int, end: int) -> str:
        """Return a section, after enough white space to leave each character at its position in the file."""
        place = self.position(start)
        return "\n" * (place.line - 1) + " " * (place.column - 1) + self.text[start:end]


def without_comments(text: str, start: int) -> tuple[str, int | None]:
    """Blank the nested `(* ... *)` after `start`; return the text and the offset of an unclosed one, or None.

    Args:
        text: The text of a file.
        start: Offset at which to start.
    """
    pieces: list[str] = []
    done = 0
    opening = text.find("(*", start)
    while opening >= 0:
        closing = _end_of_comment(text, opening)
        if closing is None:
            return "".join(pieces) + text[done:], opening
        pieces += [text[done:opening], _blank(text[opening:closing])]
        done = closing
        opening = text.find("(*", done)
    return "".join(pieces) + text[done:], None


def _end_of_comment(text: str, opening: int) -> int | None:
    """Return the end of a comment, or None; each search stops at the next closing mark, so the walk is linear."""
    depth, at, outer = 1, opening + 2, -1
    while depth:
        if outer < at:
            outer = text.find("*)", at)
        if outer < 0:
            return None
        inner = text.find("(*", at, outer + 1)
        if inner >= 0:
            depth, at = depth + 1, inner + 2
        else:
            depth, at = depth - 1, outer + 2
    return at


def _blank(comment: str) -> str:
    return "\n".join(" " * len(line) for line in comment.split("\n"))
