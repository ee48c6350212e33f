"""Replaying a file: find its program, build its machine, follow its decisions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from simaie import corpus, plugins
from simaie.check import CheckerChoice, judge
from simaie.check.prerequisites import require_answers
from simaie.errors import InputError, ReplayError, SimaieError, UnknownNameError, UsageError
from simaie.finding import FORBIDDEN_OUTCOME, Finding
from simaie.guest.cut import without
from simaie.guest.identity import find_program
from simaie.guest.program import Program
from simaie.guest.text import parse_program
from simaie.machine import Limits, Machine
from simaie.plugins import Spec
from simaie.protocols import Scheduler, require_one_of
from simaie.replaying.checkers import choices_of, judges
from simaie.replaying.failure import Failure
from simaie.replaying.file import ReplayFile, load
from simaie.replaying.recording import Comparing
from simaie.replaying.run import Driver, run
from simaie.replaying.target import find_target, program_of, source_digest, target_text
from simaie.trace import Trace

__all__ = ["Mode", "replay"]

Mode = Literal["strict", "best-effort"]


def replay(
    source: str | os.PathLike[str] | Failure,
    *,
    program: Program | str | None = None,
    machine: Machine | None = None,
    mode: Mode = "strict",
    driver: Driver | None = None,
    checkers: Sequence[CheckerChoice] | None = None,
) -> Failure:
    """Run a saved or held failure again; the result has the trace and what the checkers find in it now.

    source: a replay file's path, or a failure. program: to use instead of the one that the file refers to (a
    changed version of it, say). machine: likewise, and needed where the scheme was a class. mode: ``"strict"`` raises
    DivergenceError at the first step that differs; ``"best-effort"`` follows the decisions as far as they fit.
    driver, checkers: as for `simaie.explore`; by default those that ran and judged it then.

    Raises ReplayError if the file, its program or its checkers cannot be had, or have changed; UsageError if a checker
    that is asked for has nothing to judge, since the program does not say what it takes.
    """
    if checkers is not None:
        judges(checkers)  # what is wrong with them is said before anything is looked for
    require_one_of("mode", mode, ("strict", "best-effort"))
    if isinstance(source, Failure):
        base, record = Path(), source.record(Path())
        program, machine = program or source.program, machine or source.machine
    else:
        base, record = Path(source).parent, load(Path(source))
    chosen = _given(program) if program is not None else _program(record, base)
    judging = _judging(source, record, base, chosen if program is not None else None, checkers)
    scheduler = _follower(record, mode)
    result = machine or _machine(record)
    driver = driver or record.driver
    info = record.scheduler
    trace = run(chosen, result, scheduler, seed=info.seed, index=info.index, driver=driver)
    spec = Spec(info.name, info.options)
    if checkers is not None:
        require_answers(judges(checkers), trace)
    findings = (*judge(trace, judges(judging)), *_carried(record, trace))
    return Failure(
        chosen, result, spec, info.seed, info.index, trace, findings, info.profile, driver, tuple(judging)
    )


def _judging(
    source: object, record: ReplayFile, base: Path, given: Program | None, checkers: Sequence[CheckerChoice] | None
) -> Sequence[CheckerChoice]:
    """Who judges: whom the caller names, or who did when it was recorded."""
    if checkers is not None:
        return checkers
    if isinstance(source, Failure):
        return source.checkers
    return choices_of(record.checkers, base, trusted=None if given is None else given.defined_in)


def _carried(record: ReplayFile, trace: Trace) -> Iterator[Finding]:
    """What no checker can find in a trace alone, since it took a comparison, and what holds of the same execution."""
    if record.is_of(trace):
        yield from (finding for finding in record.findings if finding.kind == FORBIDDEN_OUTCOME)


def _follower(record: ReplayFile, mode: Mode) -> Scheduler:
    scripted: Scheduler = plugins.resolve(plugins.SCHEDULERS, "scripted")(record.schedule, strict=mode == "strict")
    return Comparing(scripted, record.steps, record.version) if mode == "strict" else scripted


def _given(program: Program | str) -> Program:
    return find_target(program) if isinstance(program, str) else program


def _machine(record: ReplayFile) -> Machine:
    saved = record.machine
    for custom, what, name in (
        (saved.custom_scheme, "scheme", saved.scheme),
        (saved.custom_host, "host memory", saved.host),
    ):
        if custom:
            raise ReplayError(
                f"the recording used the {what} class {name!r}, which no file can carry: give machine=Machine(...)"
            )
    try:
        return Machine(
            (saved.scheme, saved.options),
            host=saved.host,
            full_system=saved.full_system,
            host_word=saved.host_word,
            address_bits=saved.address_bits,
            endian=saved.endian,
            limits=Limits(saved.steps, saved.threads),
        )
    except SimaieError as error:
        raise ReplayError(f"the recorded machine cannot be built: {error}") from error


def _program(record: ReplayFile, base: Path) -> Program:
    """The program that the record refers to, unchanged, with what the record says left out."""
    whole = _whole(record, base)
    if not record.program.cuts:
        return whole
    try:
        return without(whole, record.program.cuts)
    except UsageError as error:
        raise ReplayError(str(error)) from None


def _whole(record: ReplayFile, base: Path) -> Program:
    wanted = record.program
    known = find_program(wanted.name, wanted.digest)
    if known is not None:
        return known  # type: ignore[no-any-return]  # only programs are remembered
    if wanted.corpus is not None:
        try:
            return _unchanged(corpus.program(wanted.corpus), record, "the corpus")
        except UnknownNameError as error:
            raise ReplayError(str(error)) from None
    if wanted.text is not None:
        return _unchanged(_parsed(wanted.text), record, "the replay file")
    if wanted.source is None or wanted.variable is None:
        raise ReplayError(
            f"the program {wanted.name!r} was not the global of any file, so it cannot be found again: "
            "give program=... (on the command line: --program FILE.py:NAME)"
        )
    path = base / wanted.source
    if not path.is_file():
        raise ReplayError(f"{path}: the file that defined program {wanted.name!r} is gone; give --program FILE.py:NAME")
    if source_digest(path) != wanted.source_digest:
        raise ReplayError(
            f"{path} has changed since the recording; to replay against it as it is now, "
            f"give --program {target_text(path, wanted.variable)}"
        )
    return _unchanged(program_of(path, wanted.variable), record, str(path))


def _parsed(text: str) -> Program:
    try:
        return parse_program(text, "the replay file's program")
    except InputError as error:
        raise ReplayError(str(error)) from None


def _unchanged(program: Program, record: ReplayFile, where: str) -> Program:
    if program.digest != record.program.digest:
        raise ReplayError(f"program {program.name!r} of {where} has changed since the recording")
    return program
