"""Pickles of failures, which hold what is needed to run the failure again instead of its trace.

A trace holds functions and cells of the scheme that ran, which cannot be pickled. A pickle of a failure therefore has
the program, the machine and the schedule, as a replay file has. Loading it runs the schedule once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from simaie import plugins
from simaie.check import CHECKERS, DEFAULT, CheckerChoice
from simaie.decision import Schedule
from simaie.errors import ReplayError
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.replaying.run import Driver, run

__all__ = ["Pickled", "packed", "restored"]


class Pickled(msgspec.Struct, frozen=True):
    """The parts of a failure that a pickle holds.

    Attributes:
        checkers: None for the default ones. A checker of simaie is an equals sign and its name.
    """

    program: Program
    machine: Machine
    scheduler: Spec | None
    seed: int
    index: int
    schedule: Schedule
    digest: str
    findings: tuple[Finding, ...]
    profile: Mapping[str, Any]
    driver: Driver
    checkers: tuple[CheckerChoice, ...] | None


def packed(checkers: tuple[CheckerChoice, ...]) -> tuple[CheckerChoice, ...] | None:
    """Return `checkers` in the form of a pickle."""
    if checkers == DEFAULT:
        return None
    names = {id(checker): f"={name}" for name, checker in CHECKERS.items()}
    return tuple([names.get(id(choice), choice) for choice in checkers])


def restored(make: Callable[..., Any], pickled: Pickled) -> Any:
    """Run the schedule of a pickled failure again and return the failure, made by `make`.

    Raises:
        ReplayError: It runs differently now, because the program, the scheme or simaie has changed.
    """
    scripted = plugins.resolve(plugins.SCHEDULERS, "scripted")(pickled.schedule, strict=False)
    again = run(
        pickled.program, pickled.machine, scripted, seed=pickled.seed, index=pickled.index, driver=pickled.driver
    )
    if again.digest != pickled.digest:
        raise ReplayError(
            f"a pickled failure of program {pickled.program.name!r} runs differently now: the program, the scheme or "
            "simaie has changed since"
        )
    return make(
        pickled.program, pickled.machine, pickled.scheduler, pickled.seed, pickled.index, again, pickled.findings,
        pickled.profile, pickled.driver, _unpacked(pickled.checkers),
    )  # fmt: skip


def _unpacked(checkers: tuple[CheckerChoice, ...] | None) -> tuple[CheckerChoice, ...]:
    if checkers is None:
        return DEFAULT
    return tuple([CHECKERS[choice[1:]] if isinstance(choice, str) and choice[0] == "=" else choice
                  for choice in checkers])  # fmt: skip
