"""Checkers by name, from the entry-point group ``simaie.checkers``, or as the functions that they are."""

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

#: A checker, its name, or ``"name:option=value"`` where the name stands for a function that makes checkers, or for a
#: checker that knows such a function (`with_options`).
CheckerChoice: TypeAlias = Checker | str


def checkers_of(choices: Iterable[CheckerChoice]) -> tuple[Checker, ...]:
    """The checkers that `choices` mean.

    Raises UsageError for what is neither a name nor a function, and for an unknown name, with all that are known.
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
        raise UsageError(f"unknown checker {spec.name!r}; known are {', '.join(error.known)}") from None
    maker = getattr(found, "with_options", found)
    made: Checker = plugins.construct(f"checker {spec}", maker, **spec.options) if spec.options else found
    return made


def name_of(checker: Checker) -> str:
    """What a report calls it."""
    return str(getattr(checker, "__name__", type(checker).__name__)).replace("_", "-")


_CONTRACT = "a checker takes a trace and gives its findings, () where it has none"


def blame(checker: Checker, error: BaseException) -> None:
    """Raise UsageError for `error`, which came out of `checker`, if that is the user's own; a bug of ours stays one."""
    ours = getattr(checker, "__module__", "").startswith("simaie.")
    what, where = raised(error)
    if not (ours and not where) and not isinstance(error, SimaieError):  # ours may call a specification of the user's
        raise UsageError(f"the checker {name_of(checker)!r} raised {what}; {_CONTRACT}") from error


def require_findings(checker: Checker, given: Iterable[object]) -> None:
    """Raise UsageError for what is no finding."""
    for item in given:
        if not isinstance(item, Finding):
            raise UsageError(f"the checker {name_of(checker)!r} gave {item!r}; {_CONTRACT}")
