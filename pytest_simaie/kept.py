"""Files of failures: one for each test that failed, under pytest's root folder, until it passes; others on request.

A file names the test whose failure it holds, so that no other test runs it. A file that names no test, since a command
or a script wrote it, belongs to every test of its program.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import msgspec
import pytest

from simaie import Failure, Machine, Program
from simaie import replay as replay_file
from simaie.guest.cut import without
from simaie.replaying.file import read_replay_file, write_replay_file

__all__ = ["FOLDER", "keep", "kept_file", "let_go", "run_again", "save_other", "test_of"]

#: The folder of kept failures, under pytest's root folder.
FOLDER = ".simaie"
#: The folder ignores itself, so that no failure is committed by chance.
_GITIGNORE = "# written by simaie\n*\n"


def kept_file(item: pytest.Item) -> Path:
    """Return the file that keeps the failure of this test; a digest tells apart long names and names not in ASCII."""
    digest = hashlib.blake2b(item.nodeid.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    name = re.sub(r"\W+", "-", item.name, flags=re.ASCII).strip("-")[:60]
    return item.config.rootpath / FOLDER / f"{name}-{digest}.json"


def keep(failure: Failure, item: pytest.Item, folder: Path | None) -> Path:
    """Keep the failure of this test, write it to `folder` too, and return the path to show.

    Raises:
        InputError: A file cannot be written.
    """
    paths = [kept_file(item)]
    paths += [] if folder is None else [folder / paths[0].name]
    for path in paths:
        write_replay_file(msgspec.structs.replace(failure.record(path.parent), test=item.nodeid), path)
    _ignore(paths[0].parent)
    return paths[-1]


def _ignore(folder: Path) -> None:
    """Make git ignore the folder of kept failures, unless it has a .gitignore already."""
    with contextlib.suppress(OSError), (folder / ".gitignore").open("x", encoding="utf-8") as file:
        file.write(_GITIGNORE)


def let_go(path: Path, content: bytes) -> None:
    """Delete a kept file, unless another run has kept its failure there in the meantime and so changed it."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            path.unlink()


def save_other(failure: Failure, item: pytest.Item, folder: Path) -> Path:
    """Write a failure that is not kept to `folder`; return the path, which names the signature too."""
    name = kept_file(item)
    return failure.save(folder / f"{name.stem}-{failure.signature.digest}{name.suffix}")


def test_of(path: Path) -> str | None:
    """Return the test whose failure the file holds; None if it names none; ReplayError if it cannot be read."""
    return read_replay_file(path).test


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test where it is imported


def run_again(
    path: Path, program: Program | None, machine: Machine, options: dict[str, object]
) -> Failure | None:
    """Run the recorded schedule on `program` under `machine`, as far as it fits; None if it is of another program.

    Args:
        path: The file.
        program: The program; None for the one in the file.
        machine: The machine; its scheme may be another one than that of the recording.
        options: The options of the search, of which the driver and the checkers count.
    """
    record = read_replay_file(path).program
    if program is not None:
        if (record.name, record.digest) != (program.name, program.digest):
            return None
        program = without(program, record.cuts) if record.cuts else program
    choice = {name: options[name] for name in ("driver", "checkers") if name in options}
    return replay_file(path, program=program, machine=machine, mode="best-effort", **choice)  # type: ignore[arg-type]
