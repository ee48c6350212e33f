"""The one exception that a bad litmus test raises, and the fault that becomes it.

Most of the reader does not know which file it reads, and a cell of the program table is parsed (and cached) without its
position in the file. Such code raises a `PositionedError`, whose position is relative to the given text. The caller
that cut the text out of the file moves the fault, and the reader turns it into a `LitmusError`. A fault never leaves
the package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from simaie.errors import InputError
from simaie.litmus.source import Position

__all__ = ["LitmusError", "PositionedError", "nearest", "quoted"]

_SHOWN_LENGTH = 40


class LitmusError(InputError):
    """A litmus test that cannot be read.

    Attributes:
        file: Name of the file.
        line: Line of the error, counted from 1.
        column: Column of the error, counted from 1.
        problem: What was found.
        expected: What would have been valid there, if known.
    """

    def __init__(self, file: str, position: Position, problem: str, expected: Iterable[str] = ()) -> None:
        """Compose the message from its parts."""
        self.file, self.line, self.column = file, position.line, position.column
        self.problem, self.expected = problem, tuple(expected)
        hint = f"; expected {_either(self.expected)}" if self.expected else ""
        super().__init__(f"{file}:{self.line}:{self.column}: {problem}{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        """Let the error cross a process boundary, as it does when a campaign's worker reads the file."""
        return type(self), (self.file, Position(self.line, self.column), self.problem, self.expected)


class PositionedError(Exception):
    """An error at a position of the text that is being parsed."""

    def __init__(self, position: Position, problem: str, expected: Iterable[str] = ()) -> None:
        """Record the error; the caller that catches it knows the file."""
        self.position, self.problem, self.expected = position, problem, tuple(expected)
        super().__init__(problem)

    def moved(self, origin: Position) -> PositionedError:
        """Return the same fault for a text in which this fault's text begins at `origin`."""
        return PositionedError(self.position.moved(origin), self.problem, self.expected)


def quoted(text: str) -> str:
    """Return a piece of the file for a message: printable, and not too long."""
    return repr(str(text) if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "...")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'X'?` if a known name is similar, else an empty string."""
    by_key = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name[:_SHOWN_LENGTH].lower(), by_key, n=1, cutoff=0.5)
    return f"; did you mean {by_key[close[0]]!r}?" if close else ""


def _either(choices: tuple[str, ...]) -> str:
    return choices[0] if len(choices) == 1 else ", ".join(choices[:-1]) + " or " + choices[-1]
