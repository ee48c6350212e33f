"""An idiom of public programs that relies on the order of a host, as a program: a broken form, or a repaired one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simaie.corpus.audit_case import Expect, Needs
from simaie.corpus.program_entry import ProgramEntry
from simaie.guest.program import Program

__all__ = ["Idiom"]

_NEEDS = Needs(host="armv8", options={"reservation": "exact"})


@dataclass(frozen=True, kw_only=True)
class Idiom(ProgramEntry):
    """One form of an idiom, whose outcome that must not be is refused by the final check of its program.

    Attributes:
        title: The idiom in a few words.
        why: Why the order that it relies on is kept, or is not.
        program: The program, so small that every execution can be run.
        expected: Scheme name -> expectation.
        needs: The machine.
    """

    title: str
    why: str
    program: Program
    expected: Mapping[str, Expect]
    needs: Needs = field(default=_NEEDS)
