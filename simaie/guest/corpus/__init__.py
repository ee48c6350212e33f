"""Named programs, each with what must come of it under the schemes, as data.

One or more for every row of the audit of the AIE design; a file holds a theme. A program is made once, so that
its name always means the same content.
"""

from __future__ import annotations

from simaie.errors import UnknownNameError
from simaie.guest.corpus import addresses, barriers, contention, llsc, locked_rmw, locks, registration, swp
from simaie.guest.corpus.case import Case, Expect, Needs
from simaie.guest.program import Program

__all__ = ["Case", "Expect", "Needs", "case", "cases", "names", "program"]

_THEMES = (registration, locked_rmw, llsc, swp, contention, locks, addresses, barriers)
_CASES: tuple[Case, ...] = tuple(sorted((c for theme in _THEMES for c in theme.CASES), key=lambda c: c.row))
_BY_NAME: dict[str, tuple[Case, Program]] = {p.name: (c, p) for c in _CASES for p in c.programs}


def cases() -> tuple[Case, ...]:
    """All entries, by row."""
    return _CASES


def names() -> list[str]:
    """The names of all corpus programs, sorted."""
    return sorted(_BY_NAME)


def program(name: str) -> Program:
    """The program called `name`; UnknownNameError if there is none."""
    return _find(name)[1]


def case(name: str) -> Case:
    """The entry that the program called `name` belongs to; UnknownNameError if there is none."""
    return _find(name)[0]


def _find(name: str) -> tuple[Case, Program]:
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownNameError("program", name, _BY_NAME) from None
