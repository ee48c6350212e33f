"""What ``simaie check`` does: run a saved execution again and judge it by checkers of the caller's choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.text import Text

from simaie.check import CHECKERS, DEFAULT, checkers_of, judge, name_of
from simaie.cli.machines import load_program
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.replay import heading
from simaie.cli.status import Status, status_of
from simaie.finding import Finding, verdict_of
from simaie.replay.failure import Failure
from simaie.replay.player import replay
from simaie.show.failure_view import failure_view
from simaie.show.trace_json import failure_document
from simaie.show.words import clean

__all__ = ["run_check"]

#: A checker by the name that it was asked for, with what it found.
_Judged = tuple[str, tuple[Finding, ...]]


def run_check(
    file: Path,
    checkers: Sequence[str],
    target: str | None,
    best_effort: bool,
    driver: str | None,
    output: Format,
    everything: bool,
) -> Status:
    """Judge the execution in `file`; violated or inconclusive, since one execution proves nothing to hold."""
    names = list(checkers) or [_name(checker) for checker in DEFAULT]
    judging = checkers_of(names)  # before anything is run: a wrong name is a wrong command line
    with guest_output_aside():
        failure = replay(
            file,
            program=None if target is None else load_program(target),
            mode="best-effort" if best_effort else "strict",
            driver="trio" if driver == "trio" else "inline",
            checkers=judging,
        )
        judged = [(name, judge(failure.trace, [checker])) for name, checker in zip(names, judging, strict=True)]
    _write(failure, judged, output, everything)
    return status_of(failure.verdict)


def _name(checker: Any) -> str:
    return next((name for name, known in CHECKERS.items() if known is checker), name_of(checker))


def _write(failure: Failure, judged: Sequence[_Judged], output: Format, everything: bool) -> None:
    if output is Format.JSON:
        document = failure_document(failure)
        document["checkers"] = [{"checker": name, "findings": msgspec.to_builtins(found)} for name, found in judged]
        print_json(document)
        return
    print_lines([heading(failure), Text(), *(_line(name, found) for name, found in judged), Text()])
    print_lines(failure_view(failure, everything=everything, width=width()))


def _line(name: str, found: Sequence[Finding]) -> Text:
    words = f"{len(found)} finding{'s' * (len(found) != 1)}, {verdict_of(found)}" if found else "nothing found"
    return Text().append(f"{clean(name):<24} ", "bold").append(words, "red" if found else "dim")
