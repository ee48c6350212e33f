"""Which corpus programs are put to which schemes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from simaie.corpus import Case, Expect, cases
from simaie.errors import UnknownNameError, UsageError
from simaie.machine import Limits, Machine
from simaie.plugins import Spec
from simaie.schemes.scheme import Scheme

__all__ = ["Item", "SchemeChoice", "plan"]

SchemeChoice: TypeAlias = str | tuple[str, Mapping[str, Any]] | Spec | Callable[..., Scheme]


class Item(NamedTuple):
    """One case to be examined. scheme: as a report shows it; named: whether a command can name it."""

    case: Case
    expected: Expect
    machine: Machine
    scheme: str
    named: bool


def plan(schemes: Sequence[SchemeChoice] | None, rows: Sequence[int] | None) -> list[Item]:
    """All that is to be examined, by row; UsageError or UnknownNameError if a scheme or row has nothing to it."""
    chosen = _chosen_cases(rows)
    if schemes is None:
        return [_item(case, name, name) for case in chosen for name in case.expected]
    if isinstance(schemes, str) or not schemes:
        raise UsageError(f"schemes must be a list of schemes, not {schemes!r}")
    families = [(choice, _family(choice)) for choice in schemes]
    items = [_item(c, family, choice) for c in chosen for choice, family in families if family in c.expected]
    if not items:
        raise UsageError(f"no program of the rows {sorted({c.row for c in chosen})} says what to expect of {schemes}")
    return items


def _chosen_cases(rows: Sequence[int] | None) -> list[Case]:
    known = {case.row for case in cases()}
    if rows is None:
        return list(cases())
    if isinstance(rows, str | int) or not rows:
        raise UsageError(f"rows must be a list of row numbers, not {rows!r}")
    for row in rows:
        if row not in known:
            raise UsageError(f"there is no row {row!r} in the audit (rows: {', '.join(map(str, sorted(known)))})")
    return [case for case in cases() if case.row in rows]


def _family(choice: SchemeChoice) -> str:
    """The scheme whose expectations hold for `choice`: a class goes by its own name or that of the nearest base."""
    known = {name for case in cases() for name in case.expected}
    if not callable(choice):
        name = Spec.of(choice).name
        if name not in known:
            raise UnknownNameError("scheme of the audit", name, known)
        return name
    for base in getattr(choice, "__mro__", ()):
        name = vars(base).get("name")
        if name in known:
            return str(name)
    raise UsageError(f"no corpus program says what to expect of {choice!r}: derive it from one of {sorted(known)}")


def _item(case: Case, family: str, choice: SchemeChoice) -> Item:
    needs = case.needs
    scheme: SchemeChoice
    if callable(choice):
        scheme = functools.partial(choice, **needs.options) if needs.options else choice
        shown = str(getattr(choice, "name", choice))
    else:
        given = Spec.of(choice)
        scheme = Spec(given.name, {**needs.options, **given.options})
        shown = str(scheme)
    machine = Machine(
        scheme,
        host=needs.host,
        full_system=needs.full_system,
        host_word=needs.host_word,
        address_bits=needs.address_bits,
        limits=Limits(steps=needs.steps),
    )
    return Item(case, case.expected[family], machine, shown, not callable(choice))
