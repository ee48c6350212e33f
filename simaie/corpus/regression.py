"""A bug that emulators have had, as a program: it has a finding under a scheme with the bug, and none without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simaie.corpus.audit_case import Expect, Needs
from simaie.corpus.program_entry import ProgramEntry
from simaie.guest.program import Program

__all__ = ["Regression"]


@dataclass(frozen=True, kw_only=True)
class Regression(ProgramEntry):
    """One bug.

    Attributes:
        title: The bug in a few words.
        why: What goes wrong, and what is right instead.
        program: The program, so small that every interleaving can be run.
        kinds: The kinds of finding that show the bug.
        expected: Scheme name -> expectation, for schemes of simaie that have the bug or are free of it.
        needs: The machine.
    """

    title: str
    why: str
    program: Program
    kinds: frozenset[str]
    expected: Mapping[str, Expect]
    needs: Needs = field(default_factory=Needs)
