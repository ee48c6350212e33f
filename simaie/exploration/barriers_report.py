"""Reports on the barriers that programs need: minimal sets, and a witness for each kind that must stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simaie.barrier import Barrier
from simaie.exploration.compare import Forbidden, forbidden_dict
from simaie.exploration.minimal_sets import Kinds, combined
from simaie.finding import Verdict

__all__ = ["BarriersReport", "Need", "ProgramBarriers"]


class Need(NamedTuple):
    """The need for one kind of barrier, with the witness that it cannot be dropped.

    Attributes:
        program: The name of the program.
        kind: The kind of barrier.
        minimal: The minimal set from which it cannot be dropped.
        without: The set with which the forbidden outcome occurs: all other barriers that matter.
        always: Whether the kind is in every minimal set of the program.
        forbidden: The forbidden outcome, with its execution.
    """

    program: str
    kind: Kinds
    minimal: Kinds
    without: Kinds
    always: bool
    forbidden: Forbidden

    def as_dict(self) -> dict[str, Any]:
        """Return the need as JSON values."""
        sets = {"kind": self.kind.text, "minimal": self.minimal.text, "without": self.without.text}
        return {"program": self.program, **sets, "always": self.always, "witness": forbidden_dict(self.forbidden)}


@dataclass(frozen=True)
class ProgramBarriers:
    """The barriers that one program needs.

    Attributes:
        name: The name of the program.
        minimal: Its minimal sets of barriers; empty if `remaining` or `undecided` is set.
        needs: Why no kind can be dropped from these sets.
        remaining: A forbidden outcome that occurs even with all barriers, so that its cause is not a missing barrier.
        undecided: Why the minimal sets are not known; empty if they are.
        interrupted: Whether Ctrl-C ended the search.
        executions: The number of executions of all searches.
        seconds: The time of all searches, in seconds.
        unexplored: The set of outcomes whose search ended at a limit, in words, so that the program is undecided; empty
            if no search did.
    """

    name: str
    minimal: tuple[Kinds, ...]
    needs: tuple[Need, ...] = field(repr=False)
    remaining: Forbidden | None = field(repr=False)
    undecided: str
    interrupted: bool
    executions: int
    seconds: float = field(repr=False)
    unexplored: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
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

    Attributes:
        scheme: The scheme, without the option that is varied.
        host: The host memory.
        kept: The kinds of barrier that the host keeps by itself.
        programs: The result for each program.
        model_notes: How the models differ from real architectures; see `Comparison.model_note`.
        interrupted: Whether Ctrl-C ended the search.
        seconds: The time of all searches, in seconds.
        none: The empty set: a `Barrier`, or a `Placement` if the sets say where the barriers are.
    """

    scheme: str
    host: str
    kept: Barrier
    programs: tuple[ProgramBarriers, ...]
    model_notes: tuple[str, ...]
    interrupted: bool
    seconds: float = field(repr=False)
    none: Kinds = field(default=Barrier.NONE, repr=False)

    @property
    def minimal(self) -> tuple[Kinds, ...]:
        """The minimal sets that suffice for all programs, smallest first.

        Programs that fail even with all barriers, and undecided ones, do not count.
        """
        return combined((program.minimal for program in self.programs if program.minimal), self.none)

    @property
    def needs(self) -> tuple[Need, ...]:
        """The reasons why no kind can be dropped, program by program."""
        return tuple(need for program in self.programs for need in program.needs)

    @property
    def remaining(self) -> tuple[ProgramBarriers, ...]:
        """The programs that show a forbidden outcome even with all barriers."""
        return tuple(program for program in self.programs if program.remaining is not None)

    @property
    def undecided(self) -> tuple[ProgramBarriers, ...]:
        """The programs whose minimal sets are not known."""
        return tuple(program for program in self.programs if program.undecided)

    @property
    def verdict(self) -> Verdict:
        """Violated if a program fails even with all barriers; holds if every program, at least one, has an answer."""
        if self.remaining:
            return Verdict.VIOLATED
        sure = self.programs and not self.undecided and not self.interrupted
        return Verdict.HOLDS if sure else Verdict.INCONCLUSIVE

    def needed_by(self, kind: Kinds) -> tuple[str, ...]:
        """Return the names of the programs that need one kind in every minimal set."""
        return tuple(dict.fromkeys(need.program for need in self.needs if need.kind == kind and need.always))

    def __str__(self) -> str:
        if self.remaining:
            result = f"not even all barriers are enough for {len(self.remaining)} of {len(self.programs)} programs"
        else:
            result = "minimal barriers: " + (" or ".join(each.text for each in self.minimal) or "unknown")
        return f"{self.scheme} on {self.host}: {self.verdict.value} ({result})"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
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
