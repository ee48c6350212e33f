"""A lock-free guest of the corpus: a program with its specification, and its outcomes, as data.

The verdict of a row is that of the guest's *specification*: its program's own checkers (linearizability of an object),
its final check (mutual exclusion, nothing lost), no deadlock, no fault. An emulator may break the atomicity of single
instructions without an effect on this guest. The row then *holds*, and names the kinds of finding of the default
checkers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simaie.corpus.audit_case import Needs
from simaie.corpus.program_entry import ProgramEntry
from simaie.finding import Verdict
from simaie.guest.program import Program

__all__ = ["SCHEMES", "Guest", "Row", "holds", "table", "violated"]

#: The checkers that, in addition to a program's own, judge whether the guest did its work.
_WORK = ("progress", "guest-fault")
#: The schemes that run the guests of an instruction set, and why an ordinary correct algorithm holds under each.
SCHEMES: Mapping[str, Mapping[str, str]] = {
    "arm": {
        "native": "the algorithm is right: no store comes between a load-linked and its store-conditional",
        "aie-rfc": "every load-linked location is stored to only by store-conditionals, which empty the set",
        "cas": "a store-conditional that finds the expected value is harmless here, whatever came between",
        "none": "a store-conditional overwrites what others have stored since the load-linked",
    },
    "x86": {
        "native": "the algorithm is right: locked instructions are atomic",
        "aie-rfc": "locked instructions keep each other out of their granule, and plain stores check for them",
        "aie-v2": "locked instructions keep each other out of their granule, and plain stores check for them",
        "cas": "each locked instruction is one atomic instruction of the host",
        "global-lock": "locations that locked instructions change are changed by nothing else",
        "none": "a locked instruction overwrites what others have stored since it has loaded",
    },
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """The outcome of a guest under one scheme on one host.

    Attributes:
        scheme: Name of the scheme.
        verdict: Holds or violated, by the guest's specification.
        why: The reason.
        host: Name of the host memory.
        unnoticed: Kinds of finding of the default checkers, if the emulation is broken but the specification holds.
    """

    scheme: str
    verdict: Verdict
    why: str
    host: str = "sc"
    unnoticed: tuple[str, ...] = ()


def holds(scheme: str, why: str, *, host: str = "sc", unnoticed: tuple[str, ...] = ()) -> Row:
    """Return a row whose specification holds.

    Args:
        scheme: Name of the scheme.
        why: The reason.
        host: Name of the host memory.
        unnoticed: Kinds of finding of the default checkers.
    """
    return Row(scheme=scheme, verdict=Verdict.HOLDS, why=why, host=host, unnoticed=unnoticed)


def violated(scheme: str, why: str, *, host: str = "sc") -> Row:
    """Return a row whose specification some schedule violates.

    Args:
        scheme: Name of the scheme.
        why: The reason.
        host: Name of the host memory.
    """
    return Row(scheme=scheme, verdict=Verdict.VIOLATED, why=why, host=host)


def table(isa: str, *rows: Row) -> tuple[Row, ...]:
    """Return `rows`, and for every other scheme on a sequentially consistent host the outcome of a correct algorithm.

    A correct algorithm holds under all schemes but ``none``.
    """
    special = {row.scheme: row for row in rows if row.host == "sc"}
    usual = {scheme: (violated if scheme == "none" else holds)(scheme, why) for scheme, why in SCHEMES[isa].items()}
    return (*(usual | special).values(), *[row for row in rows if row.host != "sc"])


@dataclass(frozen=True, kw_only=True)
class Guest(ProgramEntry):
    """A lock-free algorithm for one instruction set.

    Attributes:
        title: Name of the algorithm.
        specification: What it must achieve, in words.
        program: The program at a scope so small (two vCPUs, one or two operations each) that all executions can be run.
        larger: The program with three or four vCPUs, to be sampled.
        rows: The outcomes of both programs.
        needs: The machine.
    """

    title: str
    specification: str
    program: Program
    larger: Program
    rows: tuple[Row, ...]
    needs: Needs = field(default_factory=Needs)

    @property
    def programs(self) -> tuple[Program, ...]:
        """The small and the large program."""
        return (self.program, self.larger)

    @property
    def checkers(self) -> tuple[str, ...]:
        """The names of the checkers that judge whether the guest did its work."""
        return (*self.program.checkers, *_WORK, *(["final-check"] if self.program.final is not None else []))

    def row(self, scheme: str, host: str = "sc") -> Row | None:
        """Return the expected outcome under a scheme on a host, or None."""
        return next((row for row in self.rows if (row.scheme, row.host) == (scheme, host)), None)
