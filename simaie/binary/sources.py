"""The text of the source files of a compiled program, as far as they are found: to be shown next to a trace."""

from __future__ import annotations

from pathlib import Path

from simaie.binary.lines import Lines
from simaie.input_file import read_bounded

__all__ = ["MOST_SOURCE", "read_sources"]

#: The most source text of one program that is kept, in bytes.
MOST_SOURCE = 256 << 10
#: Other files are not read, because debug information may name any file.
_SUFFIXES = frozenset({".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".inc", ".s", ".S"})


def read_sources(lines: Lines, folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the lines of source files by name: those that debug information names, or that lie in a folder.

    Args:
        lines: The source lines of the program.
        folder: The folder of the ELF file, to which names may be relative.
    """
    found: dict[str, tuple[str, ...]] = {}
    left = MOST_SOURCE
    for name, path in lines.paths.items():
        if Path(name).suffix not in _SUFFIXES:
            continue
        text = _first_text((folder / path, folder / name), left)
        if text is not None:
            found[name] = tuple(text.splitlines())
            left -= len(text)
    return found


def _first_text(paths: tuple[Path, ...], most: int) -> str | None:
    for path in paths:
        try:
            return read_bounded(path, most).decode("utf-8", "replace")
        except OSError:
            continue
    return None
