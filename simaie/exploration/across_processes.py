"""The determinism check across processes: one execution is repeated in processes that hash strings differently.

In one process the order of a set of strings is always the same. A check inside the process (see
`simaie.exploration.determinism`) can therefore not notice that a guest depends on it. The replay would diverge in the
next process, where Python hashes strings differently. This check finds that out at once: it saves the first execution
as a replay file, and follows its decisions under other values of PYTHONHASHSEED.

What passing does not prove: the check runs one execution, under a few orders of each set. A set of two strings has the
same order in all of them in one case of eight.
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
    """The answer of the other process: the events of the execution as text, or why it could not run it."""

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
    """Run the first execution of a program with Python code here, and again in three processes with other hashes.

    Args:
        program: The program; one that is data is not checked.
        machine: The machine.
        scheduler: The scheduler, as for `simaie.explore`.
        seed: The seed of the exploration.
        driver: The driver, as for `simaie.explore`.

    Raises:
        NondeterminismError: An execution differs; the error has the step, what was expected, and what happened.
        ReplayError: A replay file cannot name the program.
    """
    if is_data(program):
        return
    made, spec = make_scheduler(scheduler)
    trace = run(program, machine, made, seed=seed, driver=driver)
    here = _summary(trace)
    with tempfile.TemporaryDirectory() as folder:
        file = Failure(program, machine, spec, seed, 0, trace, (), driver=driver).save(Path(folder) / "first.json")
        for hash_seed in _HASH_SEEDS:
            there = _replayed(file, hash_seed)
            if there != here:
                raise _error(program, here, there)


def _summary(trace: Trace) -> _Replayed:
    return _Replayed([str(event) for event in trace.events], f"{trace.ending}, {trace.outcome}")


def _replayed(file: Path, hash_seed: str) -> _Replayed:
    """Run the execution in a new process, and return its answer."""
    with without_interrupts():  # Ctrl-C reaches the new process too, but only this one handles it
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(file), str(os.getpid())],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
        )
    with process:
        try:
            answer, _ = process.communicate(timeout=_SECONDS)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise InternalError(
            f"the process that should have replayed an execution ended with status {process.returncode}"
        )
    return msgspec.json.decode(answer, type=_Replayed)


def _error(program: Program, here: _Replayed, there: _Replayed) -> NondeterminismError:
    what = f"program {program.name!r} runs differently in another process"
    why = "it must not depend on the order of a set, on hashes, or on anything outside of it"
    if there.refused:
        return NondeterminismError(f"{what}: {there.refused}; {why}")
    pairs = zip([*here.events, here.end], [*there.events, there.end], strict=False)
    step, (expected, got) = next((step, pair) for step, pair in enumerate(pairs) if pair[0] != pair[1])
    message = f"{what}, first at step {step} under the same decisions: expected {expected}, got {got}; {why}"
    return NondeterminismError(message, step=step, expected=expected, got=got)


def _main(file: str, parent: str) -> None:
    """Follow the decisions in `file`, in the other process, and print the answer as JSON."""
    end_with(int(parent))
    with contextlib.redirect_stdout(sys.stderr):  # the guest may print
        try:
            answer = _summary(replay(file, mode="best-effort", checkers=(), trust=True).trace)
        except SimaieError as error:
            answer = _Replayed([], "", str(error))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    _main(*sys.argv[1:])
