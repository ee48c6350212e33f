"""The plan of an audit: the pairs of corpus program and scheme to examine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from simaie import plugins
from simaie.corpus import Case, Expect, cases
from simaie.definitions import definition
from simaie.errors import NotEmulatedError, SimaieError, UnknownNameError, UsageError
from simaie.machine import Limits, Machine
from simaie.plugins import Spec
from simaie.replaying.run import run
from simaie.schemes.scheme import Scheme

__all__ = ["AuditedScheme", "Item", "plan"]

#: In bits; with a narrower one even the ideal scheme splits wide accesses.
USUAL_HOST_WORD = 64
#: Why a scheme unknown to the corpus must pass a case.
_KEPT = "the ideal scheme keeps it"

AuditedScheme: TypeAlias = str | tuple[str, Mapping[str, Any]] | Spec | Callable[..., Scheme]


class Item(NamedTuple):
    """One case to examine.

    Attributes:
        case: The case.
        expected: Its expectation under the scheme.
        machine: The machine.
        scheme: The scheme, as a report shows it.
        named: Whether a command can name the scheme.
        why: Why the outcome of the row must or can come about.
    """

    case: Case
    expected: Expect
    machine: Machine
    scheme: str
    named: bool
    why: str


def plan(schemes: Sequence[AuditedScheme] | None, rows: Sequence[int] | None) -> list[Item]:
    """Return all items to examine, by row; raise UsageError or UnknownNameError for a scheme or row without any."""
    chosen = _chosen_cases(rows)
    if schemes is None:
        return [_item(case, case.expected[name], name) for case in chosen for name in case.expected]
    if isinstance(schemes, str) or not schemes:
        raise UsageError(f"schemes must be a list of schemes, not {schemes!r}")
    families = [(choice, _family(choice)) for choice in schemes]
    items = []
    for case in chosen:
        for choice, family in families:
            if family is not None and family in case.expected:
                items.append(_item(case, case.expected[family], choice))
            elif family is None and _is_asked_of_all(case):
                item = _item(case, Expect.MUST_NOT, choice)._replace(why=_KEPT)
                items += [item] if _emulates(item) else []
    if not items:
        raise UsageError(f"no program of the rows {sorted({c.row for c in chosen})} says what to expect of {schemes}")
    return items


def _is_asked_of_all(case: Case) -> bool:
    """Return whether a scheme that the corpus does not know must not break the case, since the ideal scheme does not.

    Cases about missing barriers, about a host word that is too narrow, or that no scheme can keep do not count.
    """
    if not case.ideal_keeps:
        return False
    kept_by_some = Expect.MUST_NOT in case.expected.values()
    return kept_by_some or (case.needs.host == "sc" and case.needs.host_word == USUAL_HOST_WORD)


def _emulates(item: Item) -> bool:
    """Return whether the scheme knows the instructions of the program, as far as one execution shows."""
    made, program = plugins.resolve(plugins.SCHEDULERS, "round-robin")(), item.case.program
    item.machine.check_options()
    try:
        run(program, item.machine, made)
    except NotEmulatedError:
        return False
    except SimaieError:  # the row will report it
        return True
    return True


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


def _family(choice: AuditedScheme) -> str | None:
    """Return the scheme whose expectations hold for `choice`: of a class, its own name or that of the nearest base."""
    known = {name for case in cases() for name in case.expected}
    found: Any = choice
    if not callable(choice):
        spec = Spec.of(choice)
        if definition(spec.name) is None:
            if spec.name not in known:
                if spec.name in plugins.names(plugins.SCHEMES):
                    listed = ", ".join(sorted(known))
                    raise UsageError(f"the audit does not say what to expect of {spec.name!r}; it does of: {listed}")
                raise UnknownNameError("scheme of the audit", spec.name, known)
            return spec.name
        found = plugins.resolve(plugins.SCHEMES, spec.name)
    for base in getattr(found, "__mro__", ()):
        name = vars(base).get("name")
        if name in known:
            return str(name)
    return None


def _item(case: Case, expected: Expect, choice: AuditedScheme) -> Item:
    needs = case.needs
    scheme: AuditedScheme = plugins.with_options(plugins.SCHEMES, choice, needs.options)
    shown = str(getattr(choice, "name", choice) if callable(choice) else Spec.of(scheme))
    machine = Machine(
        scheme,
        host=needs.host,
        full_system=needs.full_system,
        host_word=needs.host_word,
        address_bits=needs.address_bits,
        limits=Limits(steps=needs.steps),
    )
    return Item(case, expected, machine, shown, machine.is_named, case.why)
