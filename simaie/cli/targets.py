"""The targets of commands that take several: programs and litmus files, folders of these and lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from simaie.cli.litmus import find_files
from simaie.cli.machines import load_program
from simaie.cli.status import complain
from simaie.errors import SimaieError
from simaie.litmus import LitmusError

__all__ = ["Wrong", "is_one", "load_targets"]


class Wrong:
    """What cannot be read or run: said on stderr, and kept for the JSON document."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []

    def take(self, name: str, error: SimaieError) -> None:
        """Note and say what is wrong with a program."""
        if isinstance(error, LitmusError):
            self._add(error.file, str(error), error.line, error.column)
        else:
            self._add(name, f"{name}: {error}")

    def lacks(self, path: str, problem: str) -> None:
        """Note and say that a path leads nowhere."""
        self._add(path, f"{path}: {problem}")

    def _add(self, file: str, problem: str, line: int = 0, column: int = 0) -> None:
        self.errors.append({"file": file, "line": line, "column": column, "problem": problem})
        complain(problem)


def is_one(target: str) -> bool:
    """Whether a target means a single program: no folder and no list."""
    return not (target.startswith("@") or os.path.isdir(target))


def load_targets(targets: Iterable[str], wrong: Wrong) -> Iterator[tuple[str, Any]]:
    """Each program or path of a litmus file that the targets mean, with its name on the command line.

    Folders and lists are those of ``simaie litmus``. Raises SimaieError for a program that cannot be had.
    """
    for target in targets:
        if target.endswith(".litmus") or not is_one(target):
            yield from ((file, file) for file in find_files([target], wrong))
        else:
            yield target, load_program(target)
