"""The failure in a replay file, run again as the options of a command say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simaie.cli.machines import driver_of, load_program
from simaie.cli.status import complain
from simaie.errors import UnnamedCodeError
from simaie.replaying.failure import Failure
from simaie.replaying.player import replay
from simaie.replaying.recorded import recorded

__all__ = ["replayed", "replayed_or_recorded"]


def replayed(
    file: Path, target: str | None, best_effort: bool, driver: str | None, checkers: Sequence[str], trust: bool
) -> Failure:
    """Run the failure in `file` again. target: the program that the caller names; the rest as for `simaie.replay`."""
    return replay(
        file,
        program=None if target is None else load_program(target, trust=trust),
        mode="best-effort" if best_effort else "strict",
        driver=driver_of(driver),
        checkers=tuple(checkers) or None,
        trust=trust,
    )


def replayed_or_recorded(
    file: Path, target: str | None, best_effort: bool, driver: str | None, checkers: Sequence[str], trust: bool
) -> Failure:
    """As `replayed`; where that takes code that the caller has not named, what the file holds, and a line on stderr."""
    try:
        return replayed(file, target, best_effort, driver, checkers, trust)
    except UnnamedCodeError as error:
        if target is not None:
            raise
        complain(f"recorded, not run again: {error}")
        return recorded(file, str(error))
