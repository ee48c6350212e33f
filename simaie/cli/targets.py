"""The targets of commands that take several: programs, litmus files, folders of litmus files, and lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from simaie.binary.scenario import Scenario
from simaie.cli.machines import load_program
from simaie.cli.status import complain
from simaie.errors import SimaieError
from simaie.litmus import LitmusError
from simaie.litmus.paths import find_files

__all__ = ["InputErrors", "is_one", "load_targets"]


class InputErrors:
    """The errors of targets that cannot be read or run: printed on stderr, and kept for the JSON document."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []

    def take(self, name: str, error: SimaieError) -> None:
        """Keep and print the error of a program."""
        if isinstance(error, LitmusError):
            self._add(error.file, str(error), error.line, error.column)
        else:
            self._add(name, f"{name}: {error}")

    def missing(self, path: str, problem: str) -> None:
        """Keep and print that a path leads nowhere."""
        self._add(path, f"{path}: {problem}")

    def _add(self, file: str, problem: str, line: int = 0, column: int = 0) -> None:
        self.errors.append({"file": file, "line": line, "column": column, "problem": problem})
        complain(problem)


def is_one(target: str) -> bool:
    """Return whether a target means a single program, and no folder or list."""
    return not (target.startswith("@") or os.path.isdir(target))


def load_targets(
    targets: Iterable[str], input_errors: InputErrors, scenario: Scenario | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield each program or path of a litmus file that the targets mean, with its name on the command line.

    Folders and lists have the meaning that they have for ``simaie litmus``.

    Raises:
        SimaieError: A program cannot be loaded.
    """
    for target in targets:
        if target.endswith(".litmus") or not is_one(target):
            yield from ((file, file) for file in find_files([target], input_errors))
        else:
            yield target, load_program(target, scenario=scenario)
