"""The witnesses of findings: saving one as a replay file, and running all of them against the code as it is now."""

from __future__ import annotations

import shlex
import tempfile
from enum import StrEnum
from pathlib import Path

import msgspec

from simaie.campaign.marked import program_of_test
from simaie.campaign.store import Store
from simaie.campaign.summary import Finding, Status
from simaie.campaign.unit import Unit
from simaie.campaign.work import finding_id
from simaie.errors import SimaieError, UnnamedCodeError, UsageError
from simaie.replaying.failure import Failure
from simaie.replaying.machines import load_program
from simaie.replaying.player import replay
from simaie.saving import save_file

__all__ = ["Fate", "Retried", "find", "named_program", "retry", "save_witness", "witness_of"]


_UNLIKE = "it runs unlike the recorded execution ({}), and others may fail: explore it anew"


class Fate(StrEnum):
    """What became of a finding."""

    STILL = "still there"  # the witness fails with the same signature
    CHANGED = "changed"  # it fails in another way, or cannot be run
    GONE = "gone"  # it does not fail


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """A finding whose witness was run again.

    Attributes:
        finding: Its id.
        text: The signature.
        fate: What became of it.
        reason: In what way it has changed, or why that it is gone proves little; empty otherwise.
    """

    finding: str
    text: str
    fate: Fate
    reason: str = ""


def find(status: Status, name: str) -> Finding:
    """Return the finding whose id, or the digest of whose signature, begins with `name`.

    Raises:
        UsageError: No finding has such a name, or several have.
    """
    found = [each for each in status.findings if each.finding.startswith(name) or each.signature.startswith(name)]
    exact = [each for each in found if each.finding == name] or found
    if len(exact) == 1 and name:
        return exact[0]
    if not exact:
        known = ", ".join(each.finding for each in status.findings[:12]) or "none so far"
        raise UsageError(f"{status.store} has no finding {name!r}; its findings: {known}")
    which = ", ".join(f"{each.finding} (under {each.scheme})" for each in exact[:12])
    raise UsageError(f"{name!r} may be any of {which}; write more of it")


def save_witness(store: Store, finding: Finding, path: Path | None = None) -> Path:
    """Write the replay file of the shortest execution of a finding, and return its path.

    Args:
        store: The store.
        finding: The finding.
        path: The file; None for one next to the store. Paths in the replay file are relative to the folder of the
            store, so that a file elsewhere replays only programs of the corpus, and those that are data.
    """
    place = store.path.with_name(f"{store.path.stem}-{finding.finding}.json") if path is None else path
    return save_file(place, witness_of(store, finding))


def retry(store: Store, finding: Finding) -> Retried:
    """Run the witness of a finding against the program and the scheme as they are now."""
    unit = store.units()[finding.shortest[0]]
    try:
        fate, reason = _fate(_run_again(store, finding, unit), finding)
    except SimaieError as error:
        fate, reason = Fate.CHANGED, f"the witness cannot be run: {_why(error, unit)}"
    except Exception as error:  # a file of the user may raise anything when it is imported
        fate, reason = Fate.CHANGED, f"the witness cannot be run: {type(error).__name__}: {error}"
    return Retried(finding=finding.finding, text=finding.text, fate=fate, reason=reason)


def named_program(unit: Unit) -> str | None:
    """Return the program of a unit as on the command line; None if the witness has it, or nothing does."""
    if unit.kind == "test":
        return program_of_test(unit.target)
    return unit.target if unit.kind == "explore" else None


def _why(error: SimaieError, unit: Unit) -> str:
    """Return why a witness cannot be run: a campaign has no way to name code that only a test or a strategy has."""
    if not isinstance(error, UnnamedCodeError):
        return str(error)
    if unit.kind == "test":
        return f"only pytest has its program; run the test: {shlex.join(['pytest', unit.target])}"
    return "its program is code that was drawn, and no file has it"


def _run_again(store: Store, finding: Finding, unit: Unit) -> Failure:
    target = named_program(unit)
    program = None if target is None else load_program(target, scenario=unit.scenario)
    with tempfile.NamedTemporaryFile(dir=store.path.parent, prefix=".simaie-", suffix=".json") as file:
        file.write(witness_of(store, finding))
        file.flush()
        return replay(
            file.name, program=program, scheme=unit.scheme, host=unit.host, mode="best-effort",
            checkers=unit.checkers or None,
        )  # fmt: skip


def _fate(failure: Failure, finding: Finding) -> tuple[Fate, str]:
    if not failure.findings:
        return Fate.GONE, _UNLIKE.format(failure.diverged) if failure.diverged else ""
    if finding_id(finding.scheme, failure.signature) == finding.finding:
        return Fate.STILL, ""
    return Fate.CHANGED, f"it fails with another signature: {failure.signature}"


def witness_of(store: Store, finding: Finding) -> bytes:
    """Return the replay file of the shortest execution of a finding."""
    rows = store.rows(
        "SELECT witness FROM findings WHERE finding = ? AND unit = ?", finding.finding, finding.shortest[0]
    )
    data: bytes = rows[0][0]
    return data
