"""The command ``simaie shrink``: cut a saved failure down to the shortest that fails in the same way."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text

from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.progress import shrink_progress
from simaie.cli.replayed import replayed
from simaie.cli.status import Status
from simaie.guest.cut import FINAL_CHECK, Cut
from simaie.replaying.failure import Failure, Shrunk
from simaie.replaying.reproduce import is_named
from simaie.saving import require_parent
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.lines import command_line
from simaie.show.trace_json import failure_document

__all__ = ["run_shrink"]


def run_shrink(
    file: Path,
    target: str | None,
    driver: str | None,
    out: Path | None,
    options: dict[str, Any],
    output: Format,
    everything: bool,
    trust: bool = False,
    scheme: str | None = None,
    host: str | None = None,
) -> Status:
    """Replay `file`, shrink its failure, print it, and save it to `out` if given.

    Returns:
        The status 0 (`HOLDS`), since the command did what it was asked to do, so that the next one can follow ``&&``.

    Raises:
        SimaieError: The replay finds nothing, or the file cannot be written.
    """
    if out is not None:
        require_parent(out)
    with guest_output_aside(), shrink_progress(file.name) as progress:
        failure = replayed(file, target, False, driver, options["checkers"] or (), trust, scheme, host)
        shrunk, interrupted = found_until_interrupted(partial(failure.shrink, progress=progress, **options))
        if out is not None:
            shrunk.failure.save(out)
    if output is Format.JSON:
        report = shrunk.report
        sizes = {"before": report.before._asdict(), "after": report.after._asdict()}
        rest = {"executions": report.executions, "interrupted": report.interrupted, **sizes}
        how = {"kind": report.kind, "kept": list(report.kept), **rest}
        how["left_out"] = [str(cut) for cut in shrunk.failure.program.cuts]
        rest = {"command": _format_command(shrunk, file), "saved": None if out is None else str(out)}
        print_json(Document.SHRINK.named({**failure_document(shrunk.failure), "shrunk": how, **rest}))
        return status_unless_interrupted(Status.HOLDS, interrupted)
    print_lines([*_heading(failure, shrunk), Text()])
    print_lines(failure_view(shrunk.failure, everything=everything, width=width()))
    print_lines(_again(shrunk, file, out))
    return status_unless_interrupted(Status.HOLDS, interrupted)


def _result(failure: Failure, shrunk: Shrunk) -> Text:
    """Return the first word of the result: whether `failure` became shorter, and if not, whether it cannot."""
    report = shrunk.report
    if report.interrupted:
        return Text("INTERRUPTED, the shortest so far", "bold yellow")
    if report.before != report.after or failure.program.cuts != shrunk.failure.program.cuts:
        return Text("SHRUNK", "bold green")
    return Text("NOT SHORTER YET" if report.exhausted else "ALREADY THE SHORTEST", "bold")


def _heading(failure: Failure, shrunk: Shrunk) -> list[Text]:
    program, report = shrunk.failure.program, shrunk.report
    line = _result(failure, shrunk).append(f"  {clean(program.name)}", "bold")
    line.append(f", {clean(', '.join(report.kept))}: {clean(str(report))}")
    if not program.cuts:
        return [line]
    return [line, Text(f"left out of the program: {', '.join(map(_words, program.cuts))}", "dim")]


def _format_command(shrunk: Shrunk, file: Path) -> str:
    """Return the command that reproduces the result, or shrinks the file again if no command can name the program."""
    failure = shrunk.failure
    if is_named(failure):
        return failure.command
    return failure.replay_command(file).replace("simaie replay", "simaie shrink", 1)


def _words(cut: Cut) -> str:
    if cut == FINAL_CHECK:
        return "the final check"
    if cut.removes_all:
        return f"vCPU {cut.thread}"
    return f"of vCPU {cut.thread} instructions {str(cut).partition(':')[2].replace('+', ', ')}"


def _again(shrunk: Shrunk, file: Path, out: Path | None) -> list[Text]:
    lines = [Text(), command_line("reproduce: ", _format_command(shrunk, file))]
    return lines if out is None else [*lines, command_line("saved: ", shrunk.failure.replay_command(out))]
