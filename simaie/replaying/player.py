"""Replaying a file: follow its decisions, and judge what comes out."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from simaie import plugins
from simaie.arguments import require_instance, require_path
from simaie.check import CheckerChoice, judge
from simaie.check.prerequisites import require_answers
from simaie.errors import UsageError
from simaie.finding import FORBIDDEN_OUTCOME, Finding
from simaie.guest.program import Program
from simaie.machine import Limits, Machine, SchemeChoice
from simaie.plugins import Spec
from simaie.protocols import HostMemory, Scheduler, require_one_of
from simaie.replaying.checkers import choices_of, judges
from simaie.replaying.failure import Failure
from simaie.replaying.file import ReplayFile, load
from simaie.replaying.recording import Comparing
from simaie.replaying.resolving import cut_as_recorded, machine_in, program_in
from simaie.replaying.run import MACHINE, PROGRAM, Driver, run
from simaie.replaying.target import find_target
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
    driver: Driver | None = None,
    checkers: Sequence[CheckerChoice] | None = None,
    trust: bool = False,
) -> Failure:
    """Run a saved or held failure again; the result has the trace and what the checkers find in it now.

    No file runs code of its own choice. A program of the corpus, one whose text the file holds, and one that is alive
    in this process are found by themselves; any other, and a checker that is code, has to be named or trusted.

    Args:
        source: a replay file's path, or a failure.
        program: to use instead of the one that the file refers to (a changed version of it, say).
        machine: likewise.
        scheme: to use in place of the file's in the machine that the file describes; needed where it was a class,
            whose options in the file are kept if none are given.
        host: likewise, the host memory.
        mode: ``"strict"`` raises DivergenceError at the first step that differs; ``"best-effort"`` follows the
            decisions as far as they fit.
        driver: as for `simaie.explore`; by default the one that ran it then.
        checkers: as for `simaie.explore`; by default those that judged it then.
        trust: whether to import the Python files that the replay file names relative to its own folder, if they are
            unchanged since.

    Raises:
        UnnamedCodeError: it takes code that the caller has neither named nor trusted; see
            `simaie.replaying.recorded` for what can be seen without it.
        ReplayError: the file, its program or its checkers cannot be had, or have changed.
        DivergenceError: the execution is another one than that of the file, in strict mode.
        UsageError: a checker that is asked for has nothing to judge, since the program does not say what it takes.
    """
    _require(source, program, machine)
    if checkers is not None:
        judges(checkers)  # what is wrong with them is said before anything is looked for
    if machine is not None and (scheme is not None or host is not None):
        raise UsageError("give a machine, or the scheme and the host of the recorded one, not both")
    require_one_of("mode", mode, ("strict", "best-effort"))
    if isinstance(source, Failure):
        base, record = Path(), source.record(Path())
        program = program or source.program
        machine = machine or (source.machine if scheme is None and host is None else None)
    else:
        base, record = Path(source).parent, load(Path(source))
    named = _given(program, record) if program is not None else None
    chosen = named or program_in(record, base, trust=trust)
    judging = _judging(source, record, base, named, checkers, trust)
    scheduler = _follower(record, mode)
    result = machine or machine_in(record, base, scheme=scheme, host=host, trust=trust).usual_for(chosen)
    driver = driver or record.driver
    info = record.scheduler
    bounded = result if machine is not None else _bounded(result, record)
    trace = run(chosen, bounded, scheduler, seed=info.seed, index=info.index, driver=driver)
    if checkers is not None:
        require_answers(judges(checkers), trace)
    findings = (*judge(trace, judges(judging)), *_carried(record, trace))
    # The scheduler chooses the recorded execution again, but not one that has become another.
    spec, profile = (_scheduler(record, base), info.profile) if record.is_of(trace) else (None, {})
    file = None if isinstance(source, Failure) or named is not None else Path(source)
    return Failure(
        chosen, result, spec, info.seed, info.index, trace, findings, profile, driver, tuple(judging), file
    )


def _require(source: object, program: object, machine: object) -> None:
    """Raise UsageError for an argument of `replay` that is of no kind that it takes."""
    if not isinstance(source, Failure):
        require_path("source (the path of a replay file, or a Failure)", source)
    if program is not None and not isinstance(program, str):
        require_instance("program", program, Program, f"{PROGRAM} or what names one, as FILE.py:NAME")
    if machine is not None:
        require_instance("machine", machine, Machine, MACHINE)


def _scheduler(record: ReplayFile, base: Path) -> Spec:
    """The scheduler that chose, as a command line names it; it is not asked again, and nothing is imported."""
    saved = record.scheduler
    return Spec(saved.name if saved.source is None else f"{base / saved.source}:{saved.name}", saved.options)


def _judging(
    source: object,
    record: ReplayFile,
    base: Path,
    named: Program | None,
    checkers: Sequence[CheckerChoice] | None,
    trust: bool,
) -> Sequence[CheckerChoice]:
    """The checkers that the caller names, or those that judged when it was recorded."""
    if checkers is not None:
        return checkers
    if isinstance(source, Failure):
        return source.checkers
    return choices_of(record.checkers, base, None if named is None else named.defined_in, trust=trust)


def _carried(record: ReplayFile, trace: Trace) -> Iterator[Finding]:
    """What no checker can find in a trace alone, since it took a comparison, and what holds of the same execution."""
    if record.is_of(trace):
        yield from (finding for finding in record.findings if finding.kind == FORBIDDEN_OUTCOME)


def _bounded(machine: Machine, record: ReplayFile) -> Machine:
    """`machine` with no more steps than a replay takes: a limit in a file costs its writer nothing.

    An execution that goes another way than the recorded one may take some more.
    """
    steps = max(Limits().steps, 2 * len(record.steps))
    if machine.limits.steps <= steps:
        return machine
    bounded = copy.copy(machine)
    bounded.limits = msgspec.structs.replace(machine.limits, steps=steps)
    return bounded


def _follower(record: ReplayFile, mode: Mode) -> Scheduler:
    scripted: Scheduler = plugins.resolve(plugins.SCHEDULERS, "scripted")(record.schedule, strict=mode == "strict")
    return Comparing(scripted, record.steps, record.exact) if mode == "strict" else scripted


def _given(program: Program | str, record: ReplayFile) -> Program:
    """The program that the caller names, with what the record leaves out of it if it is the recorded one."""
    named = find_target(program) if isinstance(program, str) else program
    uncut = named.cut_from is None and bool(record.program.cuts) and named.digest == record.program.digest
    return cut_as_recorded(named, record) if uncut else named
