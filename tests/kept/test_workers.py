"""Worker processes: one that dies costs only what it was at, and all of them end with their parent."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from simaie.cli.status import Status
from simaie.errors import InternalError
from simaie.exploration.workers import in_workers

from .processes import SIMAIE, Process, begun, is_running, soon

#: Explored in no time, and not in any time.
SMALL = "X86 small{}\n{{}}\n P0 ;\n MOV [x],$1 ;\nexists x=1\n"
ENDLESS = "X86 endless\n{}\n" + "|".join(f" P{n} " for n in range(9)) + ";\n" + "".join(
    "|".join(f" MOV [x],${10 * row + n} " for n in range(9)) + ";\n" for row in range(3)
) + "exists x=99\n"  # fmt: skip


def lost(piece: int) -> str:
    return f"{piece} is lost"


def square(piece: int) -> str:
    return str(piece * piece)


def dies_once(folder: Path, deadly: int, piece: int) -> str:
    """Kill the worker the first time that it comes to the deadly piece."""
    with (folder / f"begun-{piece}").open("a") as file:
        file.write("x")
    if piece == deadly and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(piece)


def dies(deadly: tuple[int, ...], piece: int) -> str:
    if piece in deadly:
        os._exit(0)
    return square(piece)


def raises(piece: int) -> str:
    raise KeyError("oops")


PIECES = list(range(70))


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_results_come_in_order(jobs: int) -> None:
    assert list(in_workers(square, PIECES, jobs, lost)) == list(map(square, PIECES))
    assert list(in_workers(square, [], jobs, lost)) == []


@pytest.mark.parametrize("deadly", [0, 20, 69])
def test_what_a_dead_worker_was_at_is_done_again_and_nothing_else(tmp_path: Path, deadly: int) -> None:
    found = list(in_workers(partial(dies_once, tmp_path, deadly), PIECES, 2, lost))
    assert found == list(map(square, PIECES))
    assert {piece: len((tmp_path / f"begun-{piece}").read_text()) for piece in PIECES} == dict.fromkeys(
        PIECES, 1
    ) | {deadly: 2}


def test_a_piece_that_kills_every_worker_is_given_up() -> None:
    deadly = (0, 1, 33, 69)
    found = list(in_workers(partial(dies, deadly), PIECES, 2, lost))
    assert found == [lost(piece) if piece in deadly else square(piece) for piece in PIECES]


def test_an_exception_in_a_worker_is_raised_here() -> None:
    with pytest.raises(InternalError, match=r"KeyError.*oops"):
        list(in_workers(raises, PIECES, 2, lost))


def test_ctrl_c_brings_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece never ends, so that no result can come in its turn."""
    from simaie.exploration import workers

    answered = []

    class Impatient(workers.Pool):
        def _answered(self, worker):
            super()._answered(worker)
            answered.append(worker)
            if len(answered) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(workers, "Pool", Impatient)
    results = in_workers(sleeps_at_first, PIECES[:30], 2, lost)
    assert [next(results) for _ in range(3)] == ["1", "4", "9"]
    with pytest.raises(KeyboardInterrupt):
        list(results)


def sleeps_at_first(piece: int) -> str:
    if piece == 0:
        time.sleep(10_000)
    return square(piece)


# -- the command ---------------------------------------------------------------------------------------


@pytest.fixture(name="files")
def fixture_files(tmp_path: Path) -> list[Path]:
    """Twenty files that take no time, and two that take all there is."""
    texts = [SMALL.format(number) for number in range(20)] + [ENDLESS] * 2
    files = [tmp_path / f"{number:02}.litmus" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def at_the_endless(process: Process) -> list[int]:
    """Wait until what takes no time is printed; returns the workers, which are at what takes all time."""
    assert process.popen.stdout is not None
    for line in iter(process.popen.stdout.readline, b""):
        if b"small19" in line:
            break
    return soon(lambda: [*process.children()] if len(process.children()) == 2 else [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(files: list[Path], number: signal.Signals) -> None:
    with begun(*SIMAIE, "litmus", *files, "-j", 2) as process:
        workers = at_the_endless(process)
        assert all(map(is_running, workers))
        ran = process.end(number)
        soon(lambda: not any(map(is_running, workers)))
    assert "Traceback" not in ran.err
    statuses = {signal.SIGINT: Status.INTERRUPTED, signal.SIGTERM: Status.TERMINATED}
    assert ran.status == statuses.get(number, -number)
    if number is not signal.SIGKILL:
        assert ran.err.startswith("20 files: 20 Ok")


def test_killed_workers_cost_only_the_file_that_they_were_at(files: list[Path]) -> None:
    """It is begun again by another one, until that is killed too."""
    with begun(*SIMAIE, "litmus", *files[:21], "-j", 2) as process:
        at_the_endless(process)
        while process.popen.poll() is None:
            for worker in process.children():
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        ran = process.ended()
    assert ran.status == Status.ERROR
    first, second = ran.err.splitlines()
    assert first.startswith(f"simaie: {files[20]}:1:1: ")
    assert second.startswith("21 files: 20 Ok, 0 No, 1 unreadable")


def test_a_reader_that_leaves_ends_it_without_a_word(files: list[Path]) -> None:
    """Though the workers are at something that has no end."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with begun(*SIMAIE, "litmus", *files[19:], "-j", 2, stdout=writing) as process:
            ran = process.ended()
    finally:
        os.close(writing)
    assert (ran.status, ran.err) == (Status.BROKEN_PIPE, "")
