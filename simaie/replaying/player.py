"""Replaying a file or a failure: follow its decisions, and judge the execution."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from simaie import plugins
from simaie.arguments import require_instance, require_path
from simaie.check import CheckerChoice, judge
from simaie.check.prerequisites import require_answers
from simaie.errors import DivergenceError, ReplayError, UsageError
from simaie.finding import FORBIDDEN_OUTCOME, Finding
from simaie.guest.program import Program
from simaie.machine import Limits, Machine, SchemeChoice
from simaie.plugins import Spec
from simaie.protocols import HostMemory, Scheduler, require_one_of
from simaie.replaying.checkers import judges, recorded_checkers
from simaie.replaying.failure import Failure
from simaie.replaying.file import ReplayFile, read_replay_file
from simaie.replaying.recording import Comparing, Recording
from simaie.replaying.relative import FollowThen, difference, follower_of
from simaie.replaying.resolving import cut_as_recorded, machine_in, program_in
from simaie.replaying.run import MACHINE, PROGRAM, Driver, run
from simaie.replaying.schedulers import scheduler_of
from simaie.replaying.target import find_target, recorded_path
from simaie.replaying.trace_record import trace_of
from simaie.trace import Trace

__all__ = ["Mode", "replay"]

Mode = Literal["strict", "best-effort"]


def replay(
    source: str | os.PathLike[str] | Failure,
    *,
    program: Program | str | None = None,
    machine: Machine | None = None,
    scheme: SchemeChoice | None = None,
    host: str | Callable[..., HostMemory] | None = None,
    mode: Mode = "strict",
    continue_with: Scheduler | str | None = None,
    driver: Driver | None = None,
    checkers: Sequence[CheckerChoice] | None = None,
    trust: bool = False,
) -> Failure:
    """Run a failure again, from its replay file or from memory, and return it as the checkers judge it now.

    A file never chooses the code that runs. A program of the corpus, a program whose text the file holds, and a program
    that exists in this process are found without help. Any other program, and a checker that is code, must be named
    or trusted.

    Args:
        source: The path of a replay file, or a failure.
        program: A program to run instead of the recorded one, such as a changed version of it; or its name, as
            ``FILE.py:NAME``.
        machine: A machine to use instead of the recorded one.
        scheme: A scheme to use instead of the recorded one, in the recorded machine. It is needed if the recorded
            scheme was a class; it keeps the recorded options if it has none.
        host: A host memory to use instead of the recorded one, likewise.
        mode: ``"strict"`` raises DivergenceError at the first step that differs; ``"best-effort"`` follows the
            decisions as far as they apply. If the execution differs, it follows them by the operations of each vCPU, so
            that an access that was inserted or removed moves no other switch (see `simaie.replaying.relative`).
        continue_with: The scheduler that chooses after the last decision that applies, or its name with options, such
            as ``"pct:depth=3"``; it implies best effort. By default the running actor goes on.
        driver: As for `simaie.explore`; by default the recorded one.
        checkers: As for `simaie.explore`; by default the recorded ones.
        trust: Whether to import the Python files that the replay file names by relative paths, if they are unchanged.

    Returns:
        The failure with the new trace; it has no findings if nothing fails now.

    Raises:
        UnnamedCodeError: The replay needs code that the caller has neither named nor trusted;
            `simaie.replaying.recorded` shows the recorded failure without it.
        ReplayError: The file, its program or its checkers are not available or have changed.
        DivergenceError: In strict mode, the execution differs from the recorded one.
        UsageError: An argument is wrong, or a checker has nothing to judge because the program does not record it.
    """
    _require(source, program, machine)
    if checkers is not None:
        judges(checkers)  # a wrong checker is reported before any file is read
    then = _continuing(continue_with)
    if machine is not None and (scheme is not None or host is not None):
        raise UsageError("pass a machine, or a scheme and a host for the recorded machine, but not both")
    require_one_of("mode", mode, ("strict", "best-effort"))
    if isinstance(source, Failure):
        base, record = Path(), source.record(Path())
        program = program or source.program
        machine = machine or (source.machine if scheme is None and host is None else None)
    else:
        base, record = Path(source).parent, read_replay_file(Path(source))
    named = _given(program, record) if program is not None else None
    with _naming(source):
        chosen = named or program_in(record, base, trust=trust)
    judging = _judging(source, record, base, named, checkers, trust)
    with _naming(source):
        result = machine
        if result is None:
            saved = machine_in(record, base, scheme=scheme, host=host, trust=trust)
            result = saved.usual_for(chosen).for_program(chosen)
    driver = driver or record.driver
    info = record.scheduler
    bounded = result if machine is not None else _bounded(result, record)
    play = partial(run, chosen, bounded, seed=info.seed, index=info.index, driver=driver)
    try:
        trace, diverged = _played(play, record, mode, then)
    except DivergenceError as error:
        if chosen.name != record.program.name:
            error.add_note(f"the file records the program {record.program.name!r}, and {chosen.name!r} was run")
        raise
    if checkers is not None:
        require_answers(judges(checkers), trace)
    findings = (*judge(trace, judges(judging)), *_carried(record, trace))
    # The recorded scheduler chooses the recorded execution again, but not an execution that differs.
    spec, profile = (_scheduler(record, base), info.profile) if record.is_of(trace) else (None, {})
    file = None if isinstance(source, Failure) or named is not None else Path(source)
    return Failure(
        chosen, result, spec, info.seed, info.index, trace, findings, profile, driver, tuple(judging), file, diverged
    )


@contextlib.contextmanager
def _naming(source: str | os.PathLike[str] | Failure) -> Iterator[None]:
    """Let a ReplayError begin with the path of the replay file, if there is one."""
    try:
        yield
    except ReplayError as error:
        if isinstance(source, Failure) or type(error) is not ReplayError:
            raise
        raise ReplayError(f"{os.fspath(source)}: {error}") from error


def _require(source: object, program: object, machine: object) -> None:
    """Raise UsageError for an argument of `replay` that has a wrong type."""
    if not isinstance(source, Failure):
        require_path("source (the path of a replay file, or a Failure)", source)
    if program is not None and not isinstance(program, str):
        require_instance("program", program, Program, f"{PROGRAM} or its name, such as FILE.py:NAME")
    if machine is not None:
        require_instance("machine", machine, Machine, MACHINE)


def _continuing(choice: Scheduler | str | None) -> Scheduler | None:
    """Return the scheduler that `choice` is or names; None if `choice` is None, UsageError if it names none."""
    if choice is None or isinstance(choice, Scheduler):
        return choice
    return scheduler_of(Spec.of(choice, "continue_with", "a simaie.Scheduler"))


def _scheduler(record: ReplayFile, base: Path) -> Spec:
    """Return the name and options of the recorded scheduler; it is neither imported nor used."""
    saved = record.scheduler
    name = saved.name if saved.source is None else f"{recorded_path(base, saved.source)}:{saved.name}"
    return Spec(name, saved.options)


def _judging(
    source: object,
    record: ReplayFile,
    base: Path,
    named: Program | None,
    checkers: Sequence[CheckerChoice] | None,
    trust: bool,
) -> Sequence[CheckerChoice]:
    """Return the checkers that the caller names, or the recorded ones."""
    if checkers is not None:
        return checkers
    if isinstance(source, Failure):
        return source.checkers
    return recorded_checkers(record.checkers, base, None if named is None else named.defined_in, trust=trust)


def _carried(record: ReplayFile, trace: Trace) -> Iterator[Finding]:
    """Yield the recorded findings of a comparison, which no checker can make, if `trace` is the recorded execution."""
    if record.is_of(trace):
        yield from (finding for finding in record.findings if finding.kind == FORBIDDEN_OUTCOME)


def _bounded(machine: Machine, record: ReplayFile) -> Machine:
    """Return `machine` with a limit of steps that suits the recording, because a file may ask for any limit.

    An execution that differs from the recorded one may take some more steps.
    """
    steps = max(Limits().steps, 2 * len(record.steps))
    if machine.limits.steps <= steps:
        return machine
    bounded = copy.copy(machine)
    bounded.limits = msgspec.structs.replace(machine.limits, steps=steps)
    return bounded


def _played(play: partial[Trace], record: ReplayFile, mode: Mode, then: Scheduler | None) -> tuple[Trace, str]:
    """Return the replayed execution, and where it first differs from the recorded one.

    Args:
        play: Runs an execution under a scheduler.
        record: The recorded execution.
        mode: As of `replay`.
        then: The scheduler that goes on after the last decision.
    """
    if mode == "strict" and then is None:
        trace = play(_follower(record, mode))
        _require_equal(trace, record)
        return trace, ""
    recording = Recording(_follower(record, "best-effort"))
    trace = play(recording)
    differs = difference(record.steps, recording.steps)
    segments = follower_of(record) if differs or then is not None else None
    if segments is None and then is not None:
        raise UsageError("continue_with needs a file with the steps of a host that is no host of execution graphs")
    if segments is not None:
        recording = Recording(segments if then is None else FollowThen(segments, then))
        trace = play(recording)
        differs = difference(record.steps, recording.steps)
    return trace, differs


def _require_equal(trace: Trace, record: ReplayFile) -> None:
    """Raise DivergenceError if `trace` has the recorded steps, and is not the recorded execution all the same."""
    if not record.exact or record.is_of(trace):
        return
    recorded = None if record.trace is None else trace_of(record.trace, record.program.name, record.schedule)
    for step, (expected, got) in enumerate(zip(recorded.events if recorded else (), trace.events, strict=False)):
        if str(expected) != str(got):
            raise DivergenceError(step, f"vCPU {expected}", f"vCPU {got}")
    raise DivergenceError(len(trace), f"an end with the digest {record.digest}", f"one with {trace.digest}")


def _follower(record: ReplayFile, mode: Mode) -> Scheduler:
    scripted: Scheduler = plugins.resolve(plugins.SCHEDULERS, "scripted")(record.schedule, strict=mode == "strict")
    return Comparing(scripted, record.steps, record.exact) if mode == "strict" else scripted


def _given(program: Program | str, record: ReplayFile) -> Program:
    """Return the program that the caller names; if it is the recorded one, with the recorded cuts."""
    named = find_target(program) if isinstance(program, str) else program
    uncut = named.cut_from is None and bool(record.program.cuts) and named.digest == record.program.digest
    return cut_as_recorded(named, record) if uncut else named
