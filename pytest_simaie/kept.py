"""Failures as files: that of a test under pytest's root folder until it passes, and those that are asked for.

A file names the test whose failure it holds, so that it is run by no other. One that names none, since a command or a
script wrote it, belongs to every test of its program.
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

#: Under pytest's root folder: a file for each test that failed, until it passes.
FOLDER = ".simaie"


def kept_file(item: pytest.Item) -> Path:
    """Where the failure of this test is kept. The digest tells apart tests whose names are not ASCII, or long."""
    digest = hashlib.blake2b(item.nodeid.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    name = re.sub(r"\W+", "-", item.name, flags=re.ASCII).strip("-")[:60]
    return item.config.rootpath / FOLDER / f"{name}-{digest}.json"


def keep(failure: Failure, item: pytest.Item, folder: Path | None) -> Path:
    """Keep the failure of this test, and write it to `folder` too; the path to show. SimaieError if it cannot be."""
    paths = [kept_file(item)]
    paths += [] if folder is None else [folder / paths[0].name]
    for path in paths:
        write_replay_file(msgspec.structs.replace(failure.record(path.parent), test=item.nodeid), path)
    return paths[-1]


def let_go(path: Path, content: bytes) -> None:
    """Delete a kept file, unless it has another content by now: another run may have kept its failure there."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            path.unlink()


def save_other(failure: Failure, item: pytest.Item, folder: Path) -> Path:
    """Write to `folder` a failure of this test that is not kept; the path, which names its signature too."""
    name = kept_file(item)
    return failure.save(folder / f"{name.stem}-{failure.signature.digest}{name.suffix}")


def test_of(path: Path) -> str | None:
    """The test whose failure the file holds; None if it names none. ReplayError if it cannot be read."""
    return read_replay_file(path).test


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test where it is imported


def run_again(
    path: Path, program: Program | None, machine: Machine, options: dict[str, object]
) -> Failure | None:
    """The recorded schedule on `program`, else on the file's own, under `machine`; None if it is of another program.

    It is followed as far as it fits: the scheme may be another one now.
    """
    record = read_replay_file(path).program
    if program is not None:
        if (record.name, record.digest) != (program.name, program.digest):
            return None
        program = without(program, record.cuts) if record.cuts else program
    choice = {name: options[name] for name in ("driver", "checkers") if name in options}
    return replay_file(path, program=program, machine=machine, mode="best-effort", **choice)  # type: ignore[arg-type]
