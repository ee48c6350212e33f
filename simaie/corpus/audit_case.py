"""A corpus entry: a program and its expected outcome under each scheme, as data.

An entry belongs to one row of the audit of the AIE design. It names schemes but imports none, and its predicates look
only at traces, so it can be read, listed and replayed without running anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from simaie.corpus.program_entry import ProgramEntry
from simaie.errors import UsageError
from simaie.guest.program import Program
from simaie.trace import Trace

__all__ = ["Case", "Expect", "Needs", "ObservedBehaviour"]

#: Whether a trace shows the behaviour of a MODEL row.
ObservedBehaviour: TypeAlias = Callable[[Trace], bool]


class Expect(StrEnum):
    """The expected outcome of a program under a scheme."""

    MUST_NOT = "must-not"  # no schedule has a finding
    FINDABLE = "findable"  # a hole of the design: some schedule has a finding, and a search finds it
    MODEL = "model"  # a behaviour that must be seen, and is no violation


@dataclass(frozen=True, kw_only=True)
class Needs:
    """The machine for which a program is meant; the fields have the meaning of the arguments of `simaie.Machine`.

    Attributes:
        host: Name of the memory model.
        full_system: Whether addresses are translated.
        host_word: Host word in bits.
        address_bits: Address width in bits; 12 makes a radix tree of one level with either granule, so that small
            scopes stay small.
        steps: Maximum number of operations of one execution.
        options: Options of the scheme.
    """

    host: str = "sc"
    full_system: bool = False
    host_word: int = 64
    address_bits: int = 12
    steps: int = 20_000
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case(ProgramEntry):
    """One program of the corpus and its expectations.

    Attributes:
        row: Row of the audit.
        title: The row's case in a few words.
        why: Why the outcome must happen or can happen.
        program: The program at a scope so small that every interleaving can be run.
        expected: Scheme name -> expectation.
        kinds: The kinds of finding that show a FINDABLE hole (under MUST-NOT any finding is a failure).
        observed: Predicate for MODEL.
        larger: The same at a larger scope, to be sampled.
        samples: Executions to sample of `larger`.
        needs: The machine.
        started: The number of vCPUs that the threads of `program`, and those of `larger`, start at run time.
        ideal_keeps: Whether the ideal scheme keeps it; false for a mistake outside of any scheme, such as a device's.

    Raises:
        UsageError: An expectation lacks what is needed to judge it.
    """

    row: int
    title: str
    why: str
    program: Program
    expected: Mapping[str, Expect]
    kinds: frozenset[str] = frozenset()
    observed: ObservedBehaviour | None = None
    larger: Program | None = None
    samples: int = 100
    needs: Needs = field(default_factory=Needs)
    started: tuple[int, int] = (0, 0)
    ideal_keeps: bool = True

    def __post_init__(self) -> None:
        wanted = set(self.expected.values())
        lacking = [
            what
            for expectation, what, there in (
                (Expect.MUST_NOT, "a larger program", self.larger is not None),
                (Expect.FINDABLE, "the kinds of finding that count", bool(self.kinds)),
                (Expect.MODEL, "a predicate for what is to be observed", self.observed is not None),
            )
            if expectation in wanted and not there
        ]
        if lacking:
            raise UsageError(f"corpus program {self.name!r} lacks {' and '.join(lacking)}")

    def vcpus(self, program: Program) -> int:
        """Return the number of vCPUs of one of its programs, with those that start at run time."""
        return len(program.threads) + self.started[program is self.larger]

    @property
    def programs(self) -> tuple[Program, ...]:
        """The program, and the larger one if there is one."""
        return (self.program,) if self.larger is None else (self.program, self.larger)
