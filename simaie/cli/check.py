"""The command ``simaie check``: run a saved execution again and judge it by the recorded checkers or others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from simaie.check import judge, name_of
from simaie.cli.documents import Document
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.replay import heading
from simaie.cli.replayed import replayed
from simaie.cli.status import Status, status_of
from simaie.finding import Finding, verdict_of
from simaie.replaying.checkers import judges, word_for
from simaie.replaying.failure import Failure
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.trace_json import failure_document

__all__ = ["run_check"]

#: The name of a checker as the caller wrote it, with its findings.
_Judged = tuple[str, tuple[Finding, ...]]


def run_check(
    file: Path,
    checkers: Sequence[str],
    target: str | None,
    best_effort: bool,
    driver: str | None,
    output: Format,
    everything: bool,
    trust: bool = False,
    scheme: str | None = None,
    host: str | None = None,
) -> Status:
    """Judge the execution in `file`; return violated or inconclusive, since one execution proves nothing."""
    with guest_output_aside():
        failure = replayed(file, target, best_effort, driver, checkers, trust, scheme, host)
        judged = [
            (word_for(choice) or name_of(checker), judge(failure.trace, [checker]))
            for choice, checker in zip(failure.checkers, judges(failure.checkers), strict=True)
        ]
    _write(failure, judged, output, everything)
    return status_of(failure.verdict)


def _write(failure: Failure, judged: Sequence[_Judged], output: Format, everything: bool) -> None:
    if output is Format.JSON:
        document = failure_document(failure)
        document["checkers"] = [{"checker": name, "findings": msgspec.to_builtins(found)} for name, found in judged]
        print_json(Document.CHECK.named(document))
        return
    print_lines([heading(failure), Text(), *(_line(name, found) for name, found in judged), Text()])
    print_lines(failure_view(failure, everything=everything, width=width()))


def _line(name: str, found: Sequence[Finding]) -> Text:
    words = f"{len(found)} finding{'s' * (len(found) != 1)}, {verdict_of(found)}" if found else "nothing found"
    return Text().append(f"{clean(name):<24} ", "bold").append(words, "red" if found else "dim")
