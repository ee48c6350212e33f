"""Lines of styled text: wrapped at words for a terminal, and commands, which are never wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from simaie.show.format import clean

__all__ = ["NARROWEST", "PROSE", "command_line", "prose", "wrapped"]

#: Longer lines of prose are hard to read, however wide the terminal or the trace.
PROSE = 80
#: No terminal counts as narrower than this.
NARROWEST = 20

_WORD = re.compile(r"\S+")


def command_line(label: str, command: str) -> Text:
    """Return a line that names a command; it is never wrapped, so that it can be copied whole."""
    return Text(label, no_wrap=True).append(clean(command), "cyan")


def prose(line: Text, width: int | None, indent: int = 0) -> list[Text]:
    """Return `line` as lines of at most `width` and at most `PROSE` cells, broken between words.

    Args:
        line: The prose.
        width: Cells that a line may take; None to leave the line as it is.
        indent: Number of spaces before the second line and the following ones.
    """
    return [line] if width is None else wrapped(line, max(NARROWEST, min(width, PROSE)), indent)


def wrapped(line: Text, width: int, indent: int | None = None) -> list[Text]:
    """Return `line` as lines of at most `width` cells, broken between words.

    A word that is wider than a line stays whole, and so does a line with ``no_wrap``.

    Args:
        line: The line.
        width: Cells that a line may take.
        indent: Number of spaces before the second line and the following ones; None for two more than the first has.
    """
    if line.no_wrap or line.cell_len <= width:
        return [line]
    if indent is None:
        indent = len(line.plain) - len(line.plain.lstrip(" ")) + 2
    if indent >= width:
        return [line]
    first, *rest = line.divide(list(_breaks(line.plain, width, indent)))
    lines = [first, *(Text(" " * indent).append_text(part) for part in rest)]
    for each in lines:
        each.rstrip()
    return lines


def _breaks(text: str, width: int, indent: int) -> Iterator[int]:
    """Yield the offsets in `text` at which a new line begins."""
    begin, room = 0, width
    for word in _WORD.finditer(text):
        if cell_len(text[begin : word.end()]) > room and text[begin : word.start()].strip():
            yield word.start()
            begin, room = word.start(), width - indent
