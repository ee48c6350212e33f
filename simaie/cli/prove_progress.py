"""The command ``simaie prove-progress``: prove that every vCPU of a program ends in every fair execution."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from simaie.binary.scenario import Scenario
from simaie.cli.documents import Document
from simaie.cli.machines import MachineOptions, load_program, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, prose_width, width
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, status_of
from simaie.exploration.endless import STATES, ProgressProof, prove_progress
from simaie.show.failure_view import failure_view
from simaie.show.format import clean
from simaie.show.lines import command_line, prose
from simaie.show.report_view import VERDICT_STYLE
from simaie.show.trace_json import failure_document

__all__ = ["run_prove_progress"]


def run_prove_progress(
    target: str,
    machine_options: MachineOptions,
    states: int | None,
    folder: Path | None,
    output: Format,
    everything: bool,
    *,
    trust: bool = False,
    scenario: Scenario | None = None,
) -> Status:
    """Visit the states, print the verdict with its execution, save it, and return the status."""
    with guest_output_aside():
        program = load_program(target, trust=trust, scenario=scenario)
        machine = make_machine(target, machine_options)
        files = FailureFiles(folder)
        proof = prove_progress(program, machine, states=STATES if states is None else states)
        if proof.failure is not None:
            files(proof.failure)
    if output is Format.JSON:
        print_json(Document.PROVE_PROGRESS.named(_document(proof) | {"saved": list(map(str, files.paths))}))
    else:
        _print(proof, files, everything)
    return Status.ERROR if files.incomplete else status_of(proof.verdict)


def _document(proof: ProgressProof) -> dict[str, object]:
    found = proof.failure
    return proof.as_dict() | {"failure": None if found is None else failure_document(found)}


def _print(proof: ProgressProof, files: FailureFiles, everything: bool) -> None:
    line = Text().append(proof.verdict.value.upper(), VERDICT_STYLE[proof.verdict])
    line.append(f"  progress of {clean(proof.program.name)}", "bold")
    line.append(f" under {clean(proof.machine.scheme)}: {clean(proof.reason)}")
    print_lines(prose(line, prose_width(), indent=2))
    found = proof.failure
    if found is None:
        return
    print_lines([Text(), *failure_view(found, everything=everything, width=width())])
    print_lines([command_line("reproduce: ", found.how_to_reproduce)])
    if (path := files.path(found)) is not None:
        print_lines([command_line("saved: ", found.replay_command(path))])
