"""Checkers by name, from the entry-point group ``simaie.checkers``, or as functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from simaie import plugins
from simaie.arguments import require_iterable
from simaie.callbacks import is_async
from simaie.errors import SimaieError, UnknownNameError, UsageError, raised
from simaie.finding import Finding
from simaie.plugins import Spec
from simaie.protocols import Checker

__all__ = ["CheckerChoice", "blame", "checkers_of", "name_of", "require_findings"]

#: A checker, its name, or ``"name:option=value"`` if the name is that of a function that makes checkers, or of a
#: checker with such a function (`with_options`).
CheckerChoice: TypeAlias = Checker | str


def checkers_of(choices: Iterable[CheckerChoice]) -> tuple[Checker, ...]:
    """Return the checkers that `choices` select.

    Raises:
        UsageError: A choice is neither a name nor a function, or a name is unknown; the message says how to list them.
    """
    return tuple(map(_checker, require_iterable("checkers", choices, "names or functions")))


def _checker(choice: CheckerChoice) -> Checker:
    if not isinstance(choice, str):
        if not callable(choice) or isinstance(choice, type):
            raise UsageError(f"a checker is a function of a trace, or the name of one, not {choice!r}")
        if is_async(choice):
            raise UsageError(f"the checker {name_of(choice)!r} is an `async def`; {_CONTRACT}")
        return choice
    spec = Spec.of(choice)
    try:
        found = plugins.resolve(plugins.CHECKERS, spec.name)
    except UnknownNameError as error:
        raise UnknownNameError("checker", spec.name, error.known, "simaie list checkers names them all") from None
    maker = getattr(found, "with_options", found)
    made: Checker = plugins.construct(f"checker {spec}", maker, **spec.options) if spec.options else found
    return made


def name_of(checker: Checker) -> str:
    """Return the name of a checker in reports."""
    return str(getattr(checker, "__name__", type(checker).__name__)).replace("_", "-")


_CONTRACT = "a checker takes a trace and returns its findings, () if it has no findings"


def blame(checker: Checker, error: BaseException) -> None:
    """Raise UsageError for `error`, which came out of `checker`, if that is the user's own; a bug of ours stays one."""
    ours = getattr(checker, "__module__", "").startswith("simaie.")
    what, where = raised(error)
    if not (ours and not where) and not isinstance(error, SimaieError):  # ours may call a specification of the user's
        raise UsageError(f"the checker {name_of(checker)!r} raised {what}; {_CONTRACT}") from error


def require_findings(checker: Checker, given: Iterable[object]) -> None:
    """Raise UsageError if an item is not a finding."""
    for item in given:
        if not isinstance(item, Finding):
            raise UsageError(f"the checker {name_of(checker)!r} returned {item!r}; {_CONTRACT}")
