"""The text of a file, and the places in it.

Everything after the header is scanned in a copy of the text in which comments are blank: the copy has the
same length and the same line ends, so a place in it is a place in the file.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

__all__ = ["Position", "Source", "without_comments"]


class Position(msgspec.Struct, frozen=True):
    """A place in a file: line and column, both counted from 1."""

    line: int
    column: int


class Source:
    """A text whose offsets can be turned into lines and columns."""

    def __init__(self, text: str) -> None:
        """Find the lines of a text."""
        self.text = text
        self._line_starts = [0]
        start = text.find("\n")
        while start >= 0:
            self._line_starts.append(start + 1)
            start = text.find("\n", start + 1)

    def position(self, offset: int) -> Position:
        """Say where in the file an offset is."""
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def padded(self, start: int, end: int) -> str:
        """Cut a section out, behind enough white space to leave each character at its place in the file."""
        place = self.position(start)
        return "\n" * (place.line - 1) + " " * (place.column - 1) + self.text[start:end]


def without_comments(text: str, start: int) -> tuple[str, int | None]:
    """Blank the nested `(* ... *)` after `start`; say as well where one that is never closed begins."""
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
    """Walk from mark to mark; each search stops at the closing mark in sight, so that the walk is linear."""
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
