"""Reports on a mapping: whether it keeps what the guest's architecture promises, and what it keeps needlessly."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from simaie.exploration.compare import Forbidden, forbidden_dict
from simaie.exploration.subject import FinalValues
from simaie.finding import Verdict

__all__ = ["JudgedPart", "Judgement", "MappedProgram", "MappingReport"]


class Judgement(StrEnum):
    """What a mapping does to the outcomes of programs, compared with what the architecture allows."""

    EXACT = "exact"  # all outcomes that the architecture allows, and no others
    STRONGER = "stronger than needed"  # no forbidden outcome, but some allowed ones never
    TOO_WEAK = "too weak"  # a forbidden outcome
    UNDECIDED = "undecided"  # a search did not end


@dataclass(frozen=True)
class MappedProgram:
    """The result for one program.

    Attributes:
        name: The name of the program.
        forbidden: The forbidden outcomes, each with an execution that shows it.
        unreached: The allowed outcomes that the mapping excludes.
        undecided: Why the outcomes are not all known; empty if they are.
        interrupted: Whether Ctrl-C ended the search.
        executions: The number of executions of both searches.
    """

    name: str
    forbidden: tuple[Forbidden, ...] = field(repr=False)
    unreached: tuple[FinalValues, ...] = field(repr=False)
    undecided: str
    interrupted: bool
    executions: int

    @property
    def judgement(self) -> Judgement:
        """What the mapping does to this program."""
        if self.forbidden:
            return Judgement.TOO_WEAK
        if self.undecided:
            return Judgement.UNDECIDED
        return Judgement.STRONGER if self.unreached else Judgement.EXACT

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "name": self.name,
            "judgement": self.judgement.value,
            "forbidden": [forbidden_dict(each) for each in self.forbidden],
            "unreached": [dict(state) for state in self.unreached],
            "undecided": self.undecided,
            "executions": self.executions,
        }


@dataclass(frozen=True)
class JudgedPart:
    """One order of a mapping, and what becomes possible without it.

    Attributes:
        what: The order and its place, in words.
        change: The change of the mapping that leaves it out.
        missed_by: The name of a program that shows a forbidden outcome without it; empty if none does.
        forbidden: That outcome, with its execution; None if no program shows one.
        undecided: Why it is not known whether it is missed; empty if it is known.
    """

    what: str
    change: str
    missed_by: str
    forbidden: Forbidden | None = field(repr=False)
    undecided: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the part as JSON values."""
        witness = None if self.forbidden is None else forbidden_dict(self.forbidden)
        texts = {"what": self.what, "change": self.change, "missed_by": self.missed_by, "undecided": self.undecided}
        return {**texts, "witness": witness}


@dataclass(frozen=True)
class MappingReport:
    """The result of `judge_mapping`.

    Attributes:
        scheme: The scheme with the mapping.
        mapping: The mapping, as text.
        host: The host memory.
        programs: The result for each program.
        parts: The orders of the mapping, each left out alone; empty if the mapping is not known to suffice.
        weaker: A mapping that suffices too and of which nothing can be left out, as text; empty if nothing can be left
            out of the given one, or if that is not known.
        model_notes: How the models differ from real architectures; see `Comparison.model_note`.
        interrupted: Whether Ctrl-C ended the search.
        seconds: The time of all searches, in seconds.
    """

    scheme: str
    mapping: str
    host: str
    programs: tuple[MappedProgram, ...]
    parts: tuple[JudgedPart, ...]
    weaker: str
    model_notes: tuple[str, ...]
    interrupted: bool
    seconds: float = field(repr=False)

    @property
    def judgement(self) -> Judgement:
        """What the mapping does to these programs: too weak if it is for one, exact if it is for all."""
        found = {program.judgement for program in self.programs}
        if Judgement.TOO_WEAK in found:
            return Judgement.TOO_WEAK
        if self.interrupted or Judgement.UNDECIDED in found or not found:
            return Judgement.UNDECIDED
        return Judgement.STRONGER if Judgement.STRONGER in found else Judgement.EXACT

    @property
    def verdict(self) -> Verdict:
        """Violated if the mapping is too weak; holds if it suffices for every program, at least one."""
        by_judgement = {Judgement.TOO_WEAK: Verdict.VIOLATED, Judgement.UNDECIDED: Verdict.INCONCLUSIVE}
        return by_judgement.get(self.judgement, Verdict.HOLDS)

    @property
    def too_weak(self) -> tuple[MappedProgram, ...]:
        """The programs that show a forbidden outcome."""
        return self._judged(Judgement.TOO_WEAK)

    @property
    def stronger(self) -> tuple[MappedProgram, ...]:
        """The programs of which the mapping excludes an allowed outcome, and that show no forbidden one."""
        return self._judged(Judgement.STRONGER)

    @property
    def undecided(self) -> tuple[MappedProgram, ...]:
        """The programs whose outcomes are not all known."""
        return self._judged(Judgement.UNDECIDED)

    @property
    def never_missed(self) -> tuple[JudgedPart, ...]:
        """The orders without which no program shows a forbidden outcome, each left out alone."""
        return tuple(part for part in self.parts if not part.missed_by and not part.undecided)

    def _judged(self, judgement: Judgement) -> tuple[MappedProgram, ...]:
        return tuple(program for program in self.programs if program.judgement is judgement)

    def __str__(self) -> str:
        return f"{self.scheme} on {self.host}: {self.judgement.value}, in {len(self.programs)} programs"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "scheme": self.scheme,
            "mapping": self.mapping,
            "host": self.host,
            "verdict": self.verdict.value,
            "judgement": self.judgement.value,
            "programs": [program.as_dict() for program in self.programs],
            "parts": [part.as_dict() for part in self.parts],
            "never_missed": [part.what for part in self.never_missed],
            "weaker": self.weaker,
            "model_notes": list(self.model_notes),
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 6),
        }
