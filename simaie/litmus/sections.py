"""The first stage of reading: cut a file into its header, initial state, program and condition.

Character scans, not the grammar, define the sections. The header ends at the first `{` (even inside a comment that is
never closed: herd7 does so, and tests depend on it). The initial state ends at the matching brace, and the program
before the first row that begins like a condition. A `<<` ends the file: in some old tests foreign text follows, in
which a comment may be open.
"""

from __future__ import annotations

import msgspec

from simaie.litmus.errors import PositionedError
from simaie.litmus.header import Header
from simaie.litmus.source import Source, without_comments

__all__ = ["Sections", "cut"]

_KEYWORDS = frozenset({"exists", "forall", "final", "observed", "Observed", "locations", "filter"})
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")


class Sections(msgspec.Struct, frozen=True):
    """A file in sections; the spans are (start, end) offsets into `source`, in which comments are blank."""

    header: Header
    source: Source
    init: tuple[int, int]
    rows: tuple[tuple[int, int], ...]
    condition: tuple[int, int]


def cut(header: Header, source: Source) -> Sections:
    """Cut a file into sections, after its header."""
    text, unclosed = without_comments(source.text, header.end)
    clean = Source(text)
    if unclosed is not None and text.find("<<", header.end, unclosed) < 0:
        raise PositionedError(clean.position(unclosed), "comment is never closed", ["'*)'"])
    init_end = _closing_brace(clean, header.end)
    rows, condition_start = _rows(clean, init_end + 1)
    end = text.find("<<", condition_start)
    span = (condition_start, len(text) if end < 0 else end)
    return Sections(header, clean, (header.end + 1, init_end), tuple(rows), span)


def _closing_brace(source: Source, opening: int) -> int:
    """Return the end of the initial state; arrays have nested braces, one level deep."""
    at, depth = opening + 1, 1
    while True:
        closing = source.text.find("}", at)
        if closing < 0:
            raise PositionedError(source.position(opening), "the initial state is never closed", ["'}'"])
        depth += source.text.count("{", at, closing) - 1
        if not depth:
            return closing
        at = closing + 1


def _rows(source: Source, start: int) -> tuple[list[tuple[int, int]], int]:
    """Return the rows of the program, without their `;`, and the start of the condition."""
    text, rows = source.text, []
    at = _skip_blank(text, start)
    if text.startswith(";", at):
        at = _skip_blank(text, at + 1)
    while not _begins_condition(text, at):
        end = text.find(";", at)
        _check_row(source, at, len(text) if end < 0 else end, closed=end >= 0)
        rows.append((at, end))
        at = _skip_blank(text, end + 1)
    return rows, at


def _check_row(source: Source, start: int, end: int, *, closed: bool) -> None:
    """Refuse a row that lacks its `;`: it runs on to the end of the file, or into a line of the condition."""
    line = source.text.find("\n", start, end)
    while line >= 0:
        at = _skip_blank(source.text, line)
        if at < end and _begins_condition(source.text, at):
            raise PositionedError(source.position(at), "the row of the program before this is not ended", ["';'"])
        line = source.text.find("\n", max(at, line + 1), end)
    if not closed:
        raise PositionedError(source.position(len(source.text)), "the file ends inside a row of the program", ["';'"])


def _begins_condition(text: str, at: int) -> bool:
    if at >= len(text) or text[at] in "(~" or text.startswith("<<", at):
        return True
    end = at
    while end < len(text) and text[end] in _WORD:
        end += 1
    if text[at:end] == "not":  # which is also an instruction
        return text.startswith(("exists", "(", "~"), _skip_blank(text, end))
    return text[at:end] in _KEYWORDS


def _skip_blank(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
