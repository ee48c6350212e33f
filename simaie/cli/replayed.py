"""The failure in a replay file, run again as the options of a command say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simaie.cli.machines import driver_of, load_program
from simaie.cli.status import complain
from simaie.errors import UnnamedCodeError
from simaie.replaying.failure import Failure
from simaie.replaying.file import load
from simaie.replaying.player import replay
from simaie.replaying.recorded import recorded
from simaie.replaying.resolving import recorded_parts

__all__ = ["replayed", "replayed_or_recorded"]


def replayed(
    file: Path,
    target: str | None,
    best_effort: bool,
    driver: str | None,
    checkers: Sequence[str],
    trust: bool,
    scheme: str | None = None,
    host: str | None = None,
) -> Failure:
    """Run the failure in `file` again. target: the program that the caller names; the rest as for `simaie.replay`.

    A scheme or a host that the caller names and whose file has changed since the recording is said on stderr.
    """
    for part, given in zip(recorded_parts(load(file)), (scheme, host), strict=True):
        changed = part.change(given)
        if changed is not None:
            complain(changed)
    return replay(
        file,
        program=None if target is None else load_program(target, trust=trust),
        mode="best-effort" if best_effort else "strict",
        driver=driver_of(driver),
        checkers=tuple(checkers) or None,
        scheme=scheme,
        host=host,
        trust=trust,
    )


def replayed_or_recorded(
    file: Path,
    target: str | None,
    best_effort: bool,
    driver: str | None,
    checkers: Sequence[str],
    trust: bool,
    scheme: str | None = None,
    host: str | None = None,
) -> Failure:
    """As `replayed`; where that takes code that the caller has not named, what the file holds, and a line on stderr."""
    try:
        return replayed(file, target, best_effort, driver, checkers, trust, scheme, host)
    except UnnamedCodeError as error:
        if target is not None:
            raise
        complain(f"recorded, not run again: {error}")
        return recorded(file, str(error))
