"""All programs of the corpus by name. A program is created once, so that its name always means the same content."""

from __future__ import annotations

from typing import TypeAlias

from simaie.corpus import (
    addresses,
    atomics,
    barriers,
    both_kinds,
    contention,
    llsc,
    locked_rmw,
    locks,
    page_walk,
    registration,
    sharing,
    swp,
    two_locations,
    weak_hosts,
)
from simaie.corpus.arm_idioms import IDIOMS
from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.bugs import REGRESSIONS
from simaie.corpus.idiom import Idiom
from simaie.corpus.lockfree import GUESTS, Guest, Row
from simaie.corpus.regression import Regression
from simaie.corpus.violations import VIOLATIONS, Violation
from simaie.errors import UnknownNameError
from simaie.guest.program import Program

__all__ = [
    "Case", "Expect", "Guest", "Idiom", "Needs", "Regression", "Row", "Violation",
    "case", "cases", "entry", "guest", "guests", "idioms", "names", "program", "regressions",
]  # fmt: skip

Entry: TypeAlias = Case | Guest | Idiom | Regression | Violation

_THEMES = (
    registration, locked_rmw, atomics, llsc, both_kinds, two_locations, swp, contention, locks,
    addresses, page_walk, barriers, weak_hosts, sharing,
)  # fmt: skip
_CASES: tuple[Case, ...] = tuple(sorted((c for theme in _THEMES for c in theme.CASES), key=lambda c: c.row))
_ALL: tuple[Entry, ...] = (*_CASES, *GUESTS, *REGRESSIONS, *VIOLATIONS, *IDIOMS)
_BY_NAME: dict[str, tuple[Entry, Program]] = {p.name: (e, p) for e in _ALL for p in e.programs}


def cases() -> tuple[Case, ...]:
    """Return the entries of the audit, by row."""
    return _CASES


def guests() -> tuple[Guest, ...]:
    """Return the lock-free algorithms, by name."""
    return GUESTS


def regressions() -> tuple[Regression, ...]:
    """Return the bugs that emulators have had."""
    return REGRESSIONS


def idioms() -> tuple[Idiom, ...]:
    """Return the idioms that rely on the order of an Arm host, each in a broken form and in repaired ones."""
    return IDIOMS


def names() -> list[str]:
    """Return the names of all corpus programs, sorted."""
    return sorted(_BY_NAME)


def program(name: str) -> Program:
    """Return the program called `name`; raise UnknownNameError if there is no such program."""
    return _find(name)[1]


def entry(name: str) -> Entry:
    """Return the entry of the program called `name`; raise UnknownNameError if there is no such program."""
    return _find(name)[0]


def case(name: str) -> Case:
    """Return the audit entry of the program called `name`; raise UnknownNameError if there is no such program."""
    found = _BY_NAME.get(name, (None, None))[0]
    if not isinstance(found, Case):
        raise UnknownNameError("case", name, [n for n, (e, _) in _BY_NAME.items() if isinstance(e, Case)])
    return found


def guest(name: str) -> Guest:
    """Return the lock-free algorithm of the program called `name`; raise UnknownNameError if there is no such one."""
    found = _BY_NAME.get(name, (None, None))[0]
    if not isinstance(found, Guest):
        raise UnknownNameError("guest", name, [n for n, (e, _) in _BY_NAME.items() if isinstance(e, Guest)])
    return found


def _find(name: str) -> tuple[Entry, Program]:
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownNameError("program", name, _BY_NAME) from None


for _name, (_, _program) in _BY_NAME.items():
    _program.made_by = program, (_name,)
