"""What is known of the barriers that programs need: minimal sets, and a witness for each kind that must stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simaie.barrier import Barrier
from simaie.exploration.compare import Forbidden, forbidden_dict
from simaie.exploration.minimal_sets import combined
from simaie.finding import Verdict

__all__ = ["BarriersReport", "Need", "ProgramBarriers"]


class Need(NamedTuple):
    """That a kind cannot be dropped: with the barriers `without`, all others that matter, something forbidden happens.

    always: in every minimal set of the program; else only where `minimal` is chosen.
    """

    program: str
    kind: Barrier
    minimal: Barrier
    without: Barrier
    always: bool
    forbidden: Forbidden

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        sets = {"kind": self.kind.text, "minimal": self.minimal.text, "without": self.without.text}
        return {"program": self.program, **sets, "always": self.always, "witness": forbidden_dict(self.forbidden)}


@dataclass(frozen=True)
class ProgramBarriers:
    """What one program needs.

    minimal: its minimal sets. remaining: what happens even with all barriers (which is not for barriers to mend), and
    undecided: why nothing is known; `minimal` is empty with either. executions, seconds: of all searches.
    unexplored: the set of outcomes whose search a limit ended, in words, which is why the program is undecided; empty
    if a limit ended none.
    """

    name: str
    minimal: tuple[Barrier, ...]
    needs: tuple[Need, ...] = field(repr=False)
    remaining: Forbidden | None = field(repr=False)
    undecided: str
    interrupted: bool
    executions: int
    seconds: float = field(repr=False)
    unexplored: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "minimal": [each.text for each in self.minimal],
            "remaining": None if self.remaining is None else forbidden_dict(self.remaining),
            "undecided": self.undecided,
            "unexplored": self.unexplored,
            "executions": self.executions,
            "seconds": round(self.seconds, 6),
        }


@dataclass(frozen=True)
class BarriersReport:
    """The result of `minimal_barriers`.

    minimal: the minimal sets of kinds with which every program (but those that no barrier mends, and the undecided)
    does only what its architecture allows. scheme: without its option ``barriers``. kept: the kinds that the host keeps
    by itself. model_notes: see `Comparison.model_note`.
    """

    scheme: str
    host: str
    kept: Barrier
    programs: tuple[ProgramBarriers, ...]
    model_notes: tuple[str, ...]
    interrupted: bool
    seconds: float = field(repr=False)

    @property
    def minimal(self) -> tuple[Barrier, ...]:
        """All minimal sets, smallest first."""
        return combined(program.minimal for program in self.programs if program.minimal)

    @property
    def needs(self) -> tuple[Need, ...]:
        """Why each kind cannot be dropped, program by program."""
        return tuple(need for program in self.programs for need in program.needs)

    @property
    def remaining(self) -> tuple[ProgramBarriers, ...]:
        """The programs that all barriers together do not mend."""
        return tuple(program for program in self.programs if program.remaining is not None)

    @property
    def undecided(self) -> tuple[ProgramBarriers, ...]:
        """The programs of which nothing is known."""
        return tuple(program for program in self.programs if program.undecided)

    @property
    def verdict(self) -> Verdict:
        """Holds if there are programs, and an answer for each; violated if barriers do not mend one."""
        if self.remaining:
            return Verdict.VIOLATED
        sure = self.programs and not self.undecided and not self.interrupted
        return Verdict.HOLDS if sure else Verdict.INCONCLUSIVE

    def needed_by(self, kind: Barrier) -> tuple[str, ...]:
        """The programs that cannot do without one kind."""
        return tuple(dict.fromkeys(need.program for need in self.needs if need.kind == kind and need.always))

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "scheme": self.scheme,
            "host": self.host,
            "verdict": self.verdict.value,
            "minimal": [each.text for each in self.minimal],
            "kept": self.kept.text,
            "model_notes": list(self.model_notes),
            "programs": [program.as_dict() for program in self.programs],
            "needs": [need.as_dict() for need in self.needs],
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 6),
        }
