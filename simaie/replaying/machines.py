"""The program that the command line names, and the machine that its options describe.

A program of the corpus brings the machine for which it is meant; each given option overrides a part of that machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simaie import corpus
from simaie.binary.scenario import Scenario
from simaie.errors import InputError, SimaieError, UsageError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.plugins import Spec
from simaie.replaying.target import find_target

__all__ = ["MachineOptions", "host_of", "load_program", "make_machine"]

#: The ideal scheme, which does what the guest architecture itself promises.
DEFAULT_SCHEME = "native"


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """The options that describe a machine; None for an option that was not given."""

    scheme: str | None = None
    host: str | None = None
    full_system: bool | None = None
    host_word: int | None = None
    address_bits: int | None = None
    endian: str | None = None
    steps: int | None = None
    tries: int | None = None
    lassos: bool = False
    fairness: str | None = None


def load_program(target: str, *, trust: bool = False, scenario: Scenario | None = None) -> Program:
    """Return the program that `target` names.

    Args:
        target: As on the command line.
        trust: Whether a text may name code, see `simaie.guest.text.parse_program`.
        scenario: What is run of an ELF file.

    Raises:
        InputError: There is no such program, or its file raises or exits.
    """
    try:
        return find_target(target, trust=trust, scenario=scenario)
    except SimaieError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{target}: the program cannot be loaded: {type(error).__name__}: {error}") from error


def make_machine(target: str, options: MachineOptions) -> Machine:
    """Return the machine for `target`: from the options, then from the corpus, then from the defaults.

    Args:
        target: As on the command line.
        options: The given options.
    """
    case: Any = _entry(target)
    needs: dict[str, Any] = {}
    known = [] if case is None else _schemes(case)
    default = next(iter(known), DEFAULT_SCHEME)
    spec = Spec.of(default if options.scheme is None else options.scheme)
    if case is not None:
        if spec.name in known:
            spec = Spec(spec.name, {**case.needs.options, **spec.options})
        names = ("full_system", "host_word", "address_bits")
        needs = {name: getattr(case.needs, name) for name in names}
    given = {
        "host": options.host,
        "full_system": options.full_system,
        "host_word": options.host_word,
        "address_bits": options.address_bits,
        "endian": options.endian,
    }
    steps = options.steps if options.steps is not None or case is None else case.needs.steps
    limits = Limits(tries=_tries(options), **_given(steps=steps, fairness=options.fairness))
    return Machine(spec, limits=limits, **needs | _given(**given))


def host_of(target: str) -> str | None:
    """Return the host that a program of the corpus needs; None if it needs no special one, and for other programs.

    A machine from `make_machine` has this host only if the options say so.

    Args:
        target: As on the command line.
    """
    needs: Any = getattr(_entry(target), "needs", None)
    host: str | None = None if needs is None else needs.host
    return None if host == corpus.Needs().host else host


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _tries(options: MachineOptions) -> int | None:
    if not options.lassos:
        return Limits().tries if options.tries is None else options.tries
    if options.tries is not None:
        raise UsageError("--tries and --lassos cannot be used together: with --lassos, no vCPU waits for a change")
    return None


def _entry(target: str) -> Any:
    """Return the corpus entry called `target`; None if the corpus has no such entry."""
    return corpus.entry(target) if corpus.has_program(target) else None


def _schemes(entry: Any) -> list[str]:
    """Return the schemes for which a corpus entry has an expectation, the most natural one first."""
    return [row.scheme for row in entry.rows] if isinstance(entry, corpus.Guest) else list(entry.expected)
