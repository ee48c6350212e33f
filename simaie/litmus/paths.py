"""The litmus files that paths mean: files, folders, and lists of paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from simaie.input_file import read_bounded

__all__ = ["MissingPaths", "find_files"]

_LISTS_DEEP = 8
#: The longest list of paths that is read.
_LIST_BYTES = 16 << 20


class MissingPaths(Protocol):
    """A collector of paths that lead nowhere."""

    def missing(self, path: str, problem: str) -> None:
        """Take a path and what is wrong with it."""
        ...


def find_files(paths: Iterable[str], tally: MissingPaths, depth: int = 0) -> Iterator[str]:
    """Yield the files that `paths` mean: a file itself, the `*.litmus` files in a folder, the entries of an `@list`.

    A list has a path on each line, relative to its own folder; a `#` begins a comment. A folder is walked in the order
    of names. A path that leads nowhere goes into the tally.
    """
    for path in paths:
        if path.startswith("@"):
            yield from _listed(path, tally, depth)
        elif os.path.isdir(path):
            found = sorted(str(each) for each in Path(path).rglob("*.litmus") if each.is_file())
            if not found:
                tally.missing(path, "there is no .litmus file in this folder")
            yield from found
        else:
            yield path


def _listed(path: str, tally: MissingPaths, depth: int) -> Iterator[str]:
    name = Path(path[1:])
    if depth >= _LISTS_DEEP:
        tally.missing(path, f"lists in lists, more than {_LISTS_DEEP} deep")
        return
    try:
        lines = read_bounded(name, _LIST_BYTES).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        tally.missing(path, f"the list cannot be read: {getattr(error, 'strerror', None) or 'it is not text in UTF-8'}")
        return
    entries = [entry for line in lines if (entry := line.partition("#")[0].strip())]
    yield from find_files([_relative(name, entry) for entry in entries], tally, depth + 1)


def _relative(name: Path, entry: str) -> str:
    mark = "@" * entry.startswith("@")
    return mark + str(name.parent / entry.removeprefix("@"))
