"""Where results and messages go: stdout for results, stderr for everything else."""

from __future__ import annotations

import contextlib
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from simaie.errors import SimaieError

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "Format", "ListedFirst", "OutputError", "guest_output_aside", "print_json", "print_lines", "width", "writing",
]  # fmt: skip


class OutputError(SimaieError):
    """The result cannot be written to stdout: the device is full, say."""


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """While this lasts, stdout is written to: raises OutputError if that fails, unless the reader has left."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the result cannot be written to stdout: {error.strerror}") from error


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


def print_json(document: Any) -> None:
    """One JSON document, alone on stdout."""
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
    """Styled lines and tables: in colour on a terminal, plain elsewhere; text is never wrapped or cut."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # ours to say what it means; rich would exit with status 1

    console = Plain(width=width(), highlight=False, markup=False, emoji=False, soft_wrap=True)
    with writing():
        for line in lines:
            console.print(line)


#: A terminal is never taken for narrower than this: its lines are wrapped or cut by itself.
_NARROWEST = 20
#: How wide a picture is made where no terminal says how wide it is.
WIDTH_IN_A_PIPE = 120


def width() -> int:
    """How wide a line should be, in characters."""
    if not sys.stdout.isatty():
        return WIDTH_IN_A_PIPE
    from rich.console import Console

    return max(Console().width, _NARROWEST)


@contextlib.contextmanager
def guest_output_aside() -> Iterator[None]:
    """What guest code prints while it runs goes to stderr: stdout is for the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
