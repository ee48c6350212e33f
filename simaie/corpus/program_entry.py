"""The base of the entries of the corpus: each has a program, whose name is its own."""

from __future__ import annotations

from simaie.guest.program import Program

__all__ = ["ProgramEntry"]


class ProgramEntry:
    """An entry of the corpus. One with a larger program, too, lists both in `programs`.

    Attributes:
        program: The program, at a scope so small that every execution can be run.
    """

    program: Program

    @property
    def name(self) -> str:
        """The name of the small program."""
        return self.program.name

    def vcpus(self, program: Program) -> int:
        """Return the number of vCPUs of one of its programs."""
        return len(program.threads)

    @property
    def programs(self) -> tuple[Program, ...]:
        """All programs of the entry."""
        return (self.program,)
