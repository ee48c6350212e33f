"""The options of marks and of the fixture: those of `simaie.Machine`, those of `simaie.explore`, and `complete`.

A call of the fixture overrides the marks, and pytest's command line overrides both.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import pytest

from simaie import Limits, Machine
from simaie.check import CheckerChoice
from simaie.errors import UsageError
from simaie.exploration.in_progress import ExplorationProgress
from simaie.exploration.jobs import Jobs
from simaie.exploration.kept import FailureCallback
from simaie.exploration.scheduler_choice import SchedulerChoice
from simaie.host.memory import HostFactory
from simaie.machine import SchemeChoice
from simaie.plugins import Spec

__all__ = ["SCHEME", "MachineOptions", "Options", "Run", "SearchOptions", "schemes_of", "test_options"]

#: The fixture that holds the scheme of a test item whose mark names several.
SCHEME = "simaie_scheme"


class MachineOptions(TypedDict, total=False):
    """The options that describe a machine, as `simaie.Machine` takes them."""

    scheme: SchemeChoice
    host: str | HostFactory
    full_system: bool
    host_word: int
    address_bits: int | None
    endian: Literal["little", "big"]
    limits: Limits | None


class SearchOptions(TypedDict, total=False):
    """The options of a search, as `simaie.explore` takes them."""

    scheduler: SchedulerChoice
    seed: int
    executions: int
    seconds: float | None
    failures: int | None
    checkers: Sequence[CheckerChoice]
    driver: Literal["inline", "trio"]
    coverage: bool
    check_determinism: bool
    progress: ExplorationProgress | bool | None
    found: FailureCallback | None
    jobs: Jobs


class Options(MachineOptions, SearchOptions, total=False):
    """The options of a mark or a call; `complete` says whether the test fails if the search is no proof."""

    complete: bool


_MACHINE = frozenset(MachineOptions.__annotations__)
_ALL = (*Options.__annotations__, "machine")


class Run(NamedTuple):
    """The machine and the search that the options of one exploration describe.

    Attributes:
        machine: The machine.
        search: The other arguments of `simaie.explore`, as far as they were given.
        complete: Whether the test fails if the search is no proof.
        default_scheme: Whether no option names a scheme, so that the machine emulates with the default one.
    """

    machine: Machine
    search: dict[str, Any]
    complete: bool
    default_scheme: bool


def marked_options(node: pytest.Item) -> dict[str, Any]:
    """Return the options of the marks of a test; those of the nearest mark count. UsageError if one is unknown."""
    options: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("simaie"))):
        if mark.args:
            raise UsageError(f"@pytest.mark.simaie takes its options by name, as in scheme={mark.args[0]!r}")
        options = _overridden(options, mark.kwargs)
    return options


def schemes_of(node: pytest.Item) -> list[tuple[str, Any]] | None:
    """Return the schemes that the marks of a test list, each with its part of the test's id; None without a list.

    Raises:
        UsageError: The list is empty, or an entry is no scheme.
    """
    listed = marked_options(node).get("scheme")
    if not isinstance(listed, list):
        return None
    if not listed:
        raise UsageError("scheme=[] names no scheme; list at least one, or leave the option out to check 'native'")
    return [(_name_of(scheme), scheme) for scheme in listed]


def test_options(item: pytest.Item, given: Mapping[str, Any]) -> Run:
    """Return the exploration that the marks of a test, the call of its fixture and the command line describe together.

    Raises:
        UsageError: An option is unknown, or two contradict each other.
    """
    options = marked_options(item)
    callspec = getattr(item, "callspec", None)
    if schemes_of(item) is not None and callspec is not None and SCHEME in callspec.params:
        options["scheme"] = callspec.params[SCHEME]
    options = _overridden(options, given)
    for name in ("seed", "executions", "scheduler"):
        value = item.config.getoption(f"simaie_{name}")
        if value is not None:
            options[name] = value
    return _run_of(options)


test_options.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test where it is imported


def _run_of(options: dict[str, Any]) -> Run:
    complete = options.pop("complete", False)
    if not isinstance(complete, bool):
        raise UsageError(f"complete must be True or False, not {complete!r}")
    machine = options.pop("machine", None)
    described = {name: options.pop(name) for name in sorted(_MACHINE & options.keys())}
    if isinstance(described.get("scheme"), list):
        raise UsageError("only a mark can list schemes, and only of a test function; explore once for each scheme")
    if machine is None:
        return Run(Machine(**described), options, complete, "scheme" not in described)
    if described:
        raise UsageError(f"machine=... describes the whole machine: it goes without {', '.join(described)}")
    return Run(machine, options, complete, False)


def _overridden(options: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` with those of `given` in their place; a machine replaces all that describes one."""
    _require_known(given)
    if given.get("machine") is not None:
        options = {name: value for name, value in options.items() if name not in _MACHINE}
    elif not _MACHINE.isdisjoint(given):
        options = {name: value for name, value in options.items() if name != "machine"}
    return {**options, **given}


def _require_known(options: Mapping[str, Any]) -> None:
    for name in sorted(set(options) - set(_ALL)):
        close = difflib.get_close_matches(name, _ALL, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"simaie has no option {name!r} for a test{hint} (known: {', '.join(_ALL)})")


def _name_of(scheme: Any) -> str:
    """Return what the id of a test calls a scheme."""
    if callable(scheme):
        return str(getattr(scheme, "__name__", scheme))
    return str(Spec.of(scheme))


