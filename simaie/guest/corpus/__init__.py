"""Named programs with their expected outcomes as data."""

from __future__ import annotations

from simaie.errors import UnknownNameError
from simaie.guest.program import Program

__all__ = ["names", "program"]


def names() -> list[str]:
    """The names of all corpus programs."""
    return []


def program(name: str) -> Program:
    """The program called `name`; UnknownNameError if there is none."""
    raise UnknownNameError("program", name, names())
