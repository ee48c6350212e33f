"""The command ``simaie fuzz``: explore generated programs under one machine; shorten and keep the failures.

Examples come from Hypothesis, in its phase of generation alone: the same seed has the same examples, on any machine
with the same version of it. Every example is explored to its limit, even if it fails, and one failure of each signature
is shortened by `simaie.exploration.counterexamples`, the strongest first. A saved failure carries its program as text
and replays under any version of Hypothesis.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text

from simaie.check import DEFAULT, CheckerChoice
from simaie.cli.documents import Document
from simaie.cli.fuzzing import Elsewhere, Fuzzing, Here, Tried
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.machines import MachineOptions, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status
from simaie.errors import Interrupted, SimaieError, UsageError
from simaie.exploration.counterexamples import Counterexample, as_found, counterexamples
from simaie.exploration.signatures import MOST_SIGNATURES
from simaie.guest.program import Program
from simaie.guest.text import program_text
from simaie.machine import Machine
from simaie.printable import clean, clean_lines
from simaie.protocols import require_positive
from simaie.replaying.checkers import judges
from simaie.replaying.failure import Failure
from simaie.show.lines import command_line

__all__ = ["Fuzzing", "fuzz", "run_fuzz"]

_PROGRESS_SECONDS = 0.5


class _Stopped(BaseException):
    """Ends the run: enough examples failed, or, with an error, the request is wrong. Hypothesis lets it through."""


def fuzz(
    isa: str,
    machine: Machine,
    *,
    examples: int,
    seed: int,
    executions: int = 20,
    vcpus: int = 3,
    instructions: int = 4,
    kinds: Sequence[str] | None = None,
    checkers: Sequence[CheckerChoice] = DEFAULT,
    failures: int | None = None,
    jobs: int = 1,
    found: Callable[[Failure], None] | None = None,
) -> Fuzzing:
    """Explore `examples` generated programs and return what was seen.

    Args:
        isa: the guests' instruction set.
        machine: on which they run.
        examples: how many programs to generate.
        seed: the same seed has the same examples.
        executions: of each program; all of them are run, also after the first failure.
        vcpus, instructions, kinds: as for `simaie.strategies.programs`.
        checkers: as for `simaie.explore`.
        failures: stop after this number of failing examples; None to go on.
        jobs: the number of processes that explore programs; it changes the time and nothing else.
        found: called with the first failure of each signature as soon as it is found.

    Raises:
        Interrupted: Ctrl-C ended it; its ``report`` is what was seen until then.
    """
    require_positive(examples=examples, executions=executions, failures=failures)
    judges(checkers)
    from simaie.strategies import programs  # an optional extra, and only this command needs it

    strategy = programs(isa, vcpus=vcpus, instructions=instructions, kinds=kinds)
    search = {"seed": seed, "executions": executions, "checkers": checkers}
    result, began = Fuzzing(), time.perf_counter()
    tell = None if found is None else _of_new_signatures(found)
    tried: Tried = Here(machine, search, result, tell)
    if jobs > 1:
        tried = Elsewhere(machine, search, result, tell, jobs)
    try:
        _drive(strategy, examples, failures, seed, tried, result)
    except KeyboardInterrupt:
        result.interrupted = True
    finally:
        tried.end()
    result.seconds = time.perf_counter() - began
    if result.interrupted:
        raise Interrupted(f"the fuzzing, after {result.examples} examples of which {result.failing} fail,", result)
    return result


def _of_new_signatures(found: Callable[[Failure], None]) -> Callable[[Failure], None]:
    """Return a callback that calls `found` with the first failure of each signature only."""
    known: set[str] = set()

    def first_of_signature(failure: Failure) -> None:
        digest = failure.signature.digest
        if digest not in known and len(known) < MOST_SIGNATURES:
            known.add(digest)
            found(failure)

    return first_of_signature


def _drive(
    strategy: Any, examples: int, failures: int | None, seed: int, tried: Tried, result: Fuzzing
) -> None:
    from simaie.strategies.generate import generate

    shown = time.perf_counter()
    first_ended = 0.0

    def one(program: Program) -> None:
        count(tried(program))

    def count(done: Iterator[None]) -> None:
        try:
            for _ in done:
                counted()
        except SimaieError as error:
            raise _Stopped(error) from error

    def counted() -> None:
        nonlocal shown, first_ended
        now = time.perf_counter()
        first_ended = first_ended or now
        result.examples_per_second = (result.examples - 1) / (now - first_ended) if now > first_ended else 0.0
        if result.failing == failures:
            raise _Stopped
        if sys.stderr.isatty() and time.perf_counter() - shown > _PROGRESS_SECONDS:
            shown = time.perf_counter()
            print(f"\r{result.examples}/{examples} examples, {result.traces} distinct traces, {result.failing} fail",
                  end="", file=sys.stderr)  # fmt: skip

    try:
        generate(strategy, examples, seed, one)
        count(tried.rest())
    except _Stopped as stopped:
        if stopped.args:
            raise stopped.args[0] from None


def run_fuzz(isa: str, options: MachineOptions, limits: dict[str, Any], folder: Path | None, output: Format) -> Status:
    """Fuzz, shorten, save and print; return violated if an example failed, else inconclusive, since it is a sample."""
    with guest_output_aside():
        if options.scheme is None:
            raise UsageError("say which scheme to fuzz: --scheme NAME (simaie list schemes)")
        files = FailureFiles(folder, prefix="fuzz-")
        result, interrupted = found_until_interrupted(
            partial(fuzz, isa, make_machine("", options), found=files, **limits)
        )
        found = as_found(result.signatures.groups)
        if not interrupted:
            found, interrupted = found_until_interrupted(partial(counterexamples, result.signatures.groups))
        for each in found:
            files(each.failure)
        files.keep_only(each.failure for each in found)
    if output is Format.JSON:
        print_json(Document.FUZZ.named(_document(result, found, files)))
    else:
        print_lines(_lines(result, found, files))
    if files.incomplete:
        return Status.ERROR
    return status_unless_interrupted(Status.VIOLATED if result.failing else Status.INCONCLUSIVE, interrupted)


def _text(program: Program) -> str:
    with contextlib.suppress(UsageError):
        return program_text(program)
    return repr(program)


def _document(result: Fuzzing, found: Sequence[Counterexample], files: FailureFiles) -> dict[str, Any]:
    counts = {name: getattr(result, name) for name in ("examples", "executions", "traces", "failing", "interrupted")}
    counts |= {"programs": len(result.programs), "examples_per_second": result.examples_per_second}
    failures = [{**_facts(each), "saved": _text_of(files.path(each.failure))} for each in found]
    return {**counts, "seconds": result.seconds, "failures": failures, "unlisted": result.signatures.unlisted}


def _text_of(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _facts(found: Counterexample) -> dict[str, Any]:
    failure, signature = found.failure, found.failure.signature
    return {
        "kind": found.kind,
        "signature": signature.text,
        "digest": signature.digest,
        "count": found.count,
        "program": _text(failure.program),
        "schedule": failure.trace.schedule.text,
        "findings": [str(finding) for finding in failure.findings],
    }


def _lines(result: Fuzzing, found: Sequence[Counterexample], files: FailureFiles) -> list[Text]:
    rate = result.examples_per_second
    speed = f" ({rate:,.0f} per second)" if rate else ""
    stopped = ", interrupted" if result.interrupted else ""
    lines = [Text(f"{result.examples} examples{speed}, {len(result.programs)} distinct programs, "
                  f"{result.executions} executions, {result.traces} distinct traces, {result.failing} examples "
                  f"fail{stopped}")]  # fmt: skip
    for each in found:
        failure, path = each.failure, files.path(each.failure)
        lines += [Text(), Text(clean_lines(failure.summary), "bold"), Text(_text(failure.program).rstrip())]
        lines.append(Text(f"schedule: {failure.trace.schedule.text}"))
        lines.append(Text(clean(f"signature of {each.count} failing executions: {failure.signature}"), "dim"))
        if path is not None:
            lines.append(command_line("saved: ", failure.replay_command(path)))
    if result.signatures.unlisted:
        lines += [Text(), Text(f"{result.signatures.unlisted} failing executions with more signatures than are kept")]
    return lines
