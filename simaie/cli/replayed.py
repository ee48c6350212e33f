"""Replays of a saved failure under the options of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simaie.cli.machines import driver_of, load_program
from simaie.cli.status import complain
from simaie.errors import UnnamedCodeError
from simaie.replaying.failure import Failure
from simaie.replaying.file import read_replay_file
from simaie.replaying.player import replay
from simaie.replaying.recorded import recorded
from simaie.replaying.resolving import recorded_parts

__all__ = ["replayed"]


def replayed(
    file: Path,
    target: str | None,
    best_effort: bool,
    driver: str | None,
    checkers: Sequence[str],
    trust: bool,
    scheme: str | None = None,
    host: str | None = None,
    *,
    or_recorded: bool = False,
    continue_with: str | None = None,
) -> Failure:
    """Run the failure in `file` again.

    If the file of a scheme or a host that the caller names has changed since the recording, a line on stderr says so.

    Args:
        file: The replay file.
        target: The program that the caller names.
        best_effort: Whether to follow the decisions only as far as they fit.
        driver: As for `simaie.replay`, like the arguments after it.
        checkers: The checkers; empty for those of the file.
        trust: Whether to import the files that `file` names.
        scheme: The scheme that replaces that of the file.
        host: The host memory that replaces that of the file.
        or_recorded: Whether to return the recorded failure, and say so on stderr, if a replay needs code that the
            caller has not named.
        continue_with: The scheduler that goes on after the last decision that applies.
    """
    for part, given in zip(recorded_parts(read_replay_file(file)), (scheme, host), strict=True):
        changed = part.change(given)
        if changed is not None:
            complain(changed)
    try:
        return replay(
            file,
            program=None if target is None else load_program(target, trust=trust),
            mode="best-effort" if best_effort else "strict",
            driver=driver_of(driver),
            checkers=tuple(checkers) or None,
            scheme=scheme,
            host=host,
            trust=trust,
            continue_with=continue_with,
        )
    except UnnamedCodeError as error:
        if target is not None or not or_recorded:
            raise
        complain(f"recorded, not run again: {error}")
        return recorded(file, str(error))
