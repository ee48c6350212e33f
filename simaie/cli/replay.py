"""The command ``simaie replay``: run a saved failure again and show it step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from simaie.cli.documents import Document
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, prose_width, width
from simaie.cli.replayed import replayed
from simaie.cli.status import Status, status_of
from simaie.finding import Verdict
from simaie.replaying.failure import Failure
from simaie.replaying.recorded import Recorded, while_shown
from simaie.show.failure_view import execution_text, failure_view
from simaie.show.format import clean
from simaie.show.lines import prose
from simaie.show.trace_json import failure_document

__all__ = ["heading", "run_replay"]


def run_replay(
    file: Path,
    target: str | None,
    best_effort: bool,
    driver: str | None,
    output: Format,
    everything: bool,
    checkers: Sequence[str] = (),
    trust: bool = False,
    scheme: str | None = None,
    host: str | None = None,
    repeat: int | None = None,
    continue_with: str | None = None,
) -> Status:
    """Replay `file`, print, and return violated if the checkers find something, else inconclusive.

    With `repeat`, what is shown is the cycle of a lasso, run so often.

    Without the code that it needs, the file is shown as it was recorded, and the status is that of the recorded
    verdict.
    """
    with guest_output_aside():
        failure = replayed(
            file, target, best_effort, driver, checkers, trust, scheme, host, or_recorded=repeat is None,
            continue_with=continue_with,
        )  # fmt: skip
        if repeat is not None:
            failure = replace(failure, trace=failure.repeated(repeat))
    with while_shown(failure):
        if output is Format.JSON:
            print_json(Document.REPLAY.named(failure_document(failure)))
        else:
            view = failure_view(failure, everything=everything, width=width())
            print_lines([heading(failure), *_divergence(failure, continue_with), Text(), *view])
    return status_of(failure.verdict)


def _divergence(failure: Failure, continue_with: str | None) -> list[Text]:
    if not failure.diverged:
        return []
    how = "from there on each vCPU ran up to the operations before which the recorded execution switched"
    how += f"; after the last of them {clean(continue_with)} chose" if continue_with else ""
    return prose(Text(f"differs first at {clean(failure.diverged)}; {how}", "yellow"), prose_width(), indent=2)


def heading(failure: Failure) -> Text:
    """Return the line with verdict, program, machine and execution."""
    if failure.verdict is Verdict.VIOLATED:
        verdict = "VIOLATED", "bold red"
    else:
        verdict = "INCONCLUSIVE" if failure.findings else "NOTHING FOUND", "bold yellow"
    line = Text().append(*verdict).append(f"  {clean(failure.program.name)}", "bold")
    line.append(f" under {clean(failure.machine.scheme)} on {clean(failure.machine.host)}, ")
    how = "recorded, not run again" if isinstance(failure, Recorded) else "replayed"
    return line.append(f"{execution_text(failure)} {how}")
