"""The determinism check across processes: one execution again in new ones, in which strings hash otherwise.

In one process the order of a set of strings is always the same, and so nothing there can show that a guest depends on
it (`simaie.exploration.determinism`). Its replay then diverges in the next process, where Python hashes strings
otherwise. Here that is tried at once: the first execution is saved as a replay file, and its decisions are followed
under other values of PYTHONHASHSEED.

What passing does not prove: it is one execution, under a few orders of each set; a set of two strings has the same
order in all of them once in eight times.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from simaie.errors import InternalError, NondeterminismError, SimaieError
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.exploration.workers import end_with, without_interrupts
from simaie.guest.program import Program
from simaie.guest.text import is_data
from simaie.machine import Machine
from simaie.replaying.failure import Failure
from simaie.replaying.player import replay
from simaie.replaying.run import Driver, run
from simaie.trace import Trace

__all__ = ["check_across_processes"]

_HASH_SEEDS = ("1", "2", "3")
_SECONDS = 120.0


class _Replayed(msgspec.Struct, frozen=True):
    """What the other process tells: the events of the execution, as text, or why there are none."""

    events: list[str]
    end: str
    refused: str = ""


def check_across_processes(
    program: Program,
    machine: Machine,
    scheduler: SchedulerChoice = "portfolio",
    *,
    seed: int = 0,
    driver: Driver = "inline",
) -> None:
    """Run the first execution here, then again in three processes with other hashes, if there is guest code in Python.

    Raises NondeterminismError, with step, expected and got, if one differs, and whatever makes a program impossible to
    name in a replay file.
    """
    if is_data(program):
        return
    made, spec = make_scheduler(scheduler)
    trace = run(program, machine, made, seed=seed, driver=driver)
    here = _told(trace)
    with tempfile.TemporaryDirectory() as folder:
        file = Failure(program, machine, spec, seed, 0, trace, (), driver=driver).save(Path(folder) / "first.json")
        for hash_seed in _HASH_SEEDS:
            there = _replayed(file, hash_seed)
            if there != here:
                raise _error(program, here, there)


def _told(trace: Trace) -> _Replayed:
    return _Replayed([str(event) for event in trace.events], f"{trace.ending}, {trace.outcome}")


def _replayed(file: Path, hash_seed: str) -> _Replayed:
    """What becomes of the execution in a process of its own."""
    with without_interrupts():  # there: Ctrl-C reaches every process of a terminal, and this one sees to it
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(file), str(os.getpid())],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
        )
    with process:
        try:
            told, _ = process.communicate(timeout=_SECONDS)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise InternalError(
            f"the process that should have replayed an execution ended with status {process.returncode}"
        )
    return msgspec.json.decode(told, type=_Replayed)


def _error(program: Program, here: _Replayed, there: _Replayed) -> NondeterminismError:
    what = f"program {program.name!r} is another in another process"
    why = "it must not depend on the order of a set, on hashes, or on anything outside of it"
    if there.refused:
        return NondeterminismError(f"{what}: {there.refused}; {why}")
    pairs = zip([*here.events, here.end], [*there.events, there.end], strict=False)
    step, (expected, got) = next((step, pair) for step, pair in enumerate(pairs) if pair[0] != pair[1])
    message = f"{what}: under the same decisions it differs first at step {step}: expected {expected}, got {got}; {why}"
    return NondeterminismError(message, step=step, expected=expected, got=got)


def _main(file: str, parent: str) -> None:
    """Follow the decisions in `file`, as the other process, and print what happened as JSON."""
    end_with(int(parent))
    with contextlib.redirect_stdout(sys.stderr):  # what the guest prints
        try:
            told = _told(replay(file, mode="best-effort", checkers=(), trust=True).trace)
        except SimaieError as error:
            told = _Replayed([], "", str(error))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
