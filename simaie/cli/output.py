"""Output: results go to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from simaie.errors import SimaieError

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "Format", "ListedFirst", "OutputError",
    "guest_output_aside", "print_json", "print_lines", "prose_width", "width", "writing",
]  # fmt: skip


class OutputError(SimaieError):
    """Raised if the result cannot be written to stdout, since the device is full, for example."""


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn an error of writing to stdout into an OutputError, unless the reader has left."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the result cannot be written to stdout: {error.strerror}") from error


class Format(StrEnum):
    """The formats of a result."""

    TEXT = "text"
    JSON = "json"


def print_json(document: Any) -> None:
    """Print one JSON document, alone on stdout."""
    with writing():
        json.dump(document, sys.stdout, indent=1)
        print()


class ListedFirst:
    """A JSON document on stdout that begins with a long list, whose items are printed as they come."""

    def __init__(self, name: str) -> None:
        self._name, self._empty = name, True

    def add(self, item: Any) -> None:
        """Print one more item of the list."""
        sys.stdout.write(f'{{\n "{self._name}": [\n' if self._empty else ",\n")
        sys.stdout.write(textwrap.indent(json.dumps(item, indent=1), "  "))
        self._empty = False

    def end(self, rest: dict[str, Any]) -> None:
        """Print the rest of the document, which must not be empty."""
        sys.stdout.write(f'{{\n "{self._name}": [' if self._empty else "\n ")
        sys.stdout.write("],\n " + json.dumps(rest, indent=1)[1:].lstrip() + "\n")


def print_lines(lines: Iterable[RenderableType]) -> None:
    """Print styled lines and tables, on a terminal in colour and wrapped at words, elsewhere plain and unwrapped."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # the caller maps it to a status; rich would exit with status 1

    console = Plain(width=width(), highlight=False, markup=False, emoji=False, soft_wrap=True)
    with writing():
        for line in _flat(lines):
            for part in _fitting(line):
                console.print(part)


def _flat(lines: Iterable[RenderableType]) -> Iterator[RenderableType]:
    """Yield the lines and tables in `lines`, also those in groups."""
    from rich.console import Group

    for line in lines:
        if isinstance(line, Group):
            yield from _flat(line.renderables)
        else:
            yield line


def _fitting(line: RenderableType) -> Sequence[RenderableType]:
    """Return a line, wrapped to the width of the terminal if it is text and stdout is a terminal."""
    from rich.text import Text

    from simaie.show.lines import wrapped

    return wrapped(line, width()) if isinstance(line, Text) and sys.stdout.isatty() else [line]


#: The least width for which lines are made; a narrower terminal wraps or cuts them itself.
_NARROWEST = 20
#: The width of a trace in a pipe, where no terminal says how wide it is.
WIDTH_IN_A_PIPE = 120


def width() -> int:
    """Return the width of a line, in characters."""
    if not sys.stdout.isatty():
        return WIDTH_IN_A_PIPE
    from rich.console import Console

    return max(Console().width, _NARROWEST)


def prose_width() -> int | None:
    """Return the width of a line of prose, in characters; None in a pipe, which gets its lines whole."""
    return width() if sys.stdout.isatty() else None


@contextlib.contextmanager
def guest_output_aside() -> Iterator[None]:
    """Send what guest code prints to stderr, since stdout is for the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
