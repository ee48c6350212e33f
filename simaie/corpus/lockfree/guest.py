"""What a lock-free guest of the corpus is: a program with its specification, and what comes of it, as data.

The verdict of a row is that of the guest's *specification*: its program's own checkers (linearizability of an object),
its final check (mutual exclusion, nothing lost), no deadlock, no fault. An emulator may break the atomicity of single
instructions in a way that this guest does not notice: the row then *holds*, and names the kinds of finding by which the
usual checkers tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simaie.corpus.case import Needs
from simaie.finding import Verdict
from simaie.guest.program import Program

__all__ = ["SCHEMES", "Guest", "Row", "holds", "table", "violated"]

#: Beside a program's own checkers, what judges whether the guest did its work.
_WORK = ("progress", "guest-fault")
#: The schemes that run the guests of an instruction set, and why one that takes care of nothing special runs on them.
SCHEMES: Mapping[str, Mapping[str, str]] = {
    "arm": {
        "native": "the algorithm is right: no store comes between a load-linked and its store-conditional",
        "aie-rfc": "all that is load-linked here is stored to by store-conditionals, which empty the set",
        "cas": "a store-conditional that finds the value it has seen does no harm here, whatever came between",
        "none": "a store-conditional overwrites what others have stored since the load-linked",
    },
    "x86": {
        "native": "the algorithm is right: locked instructions are atomic",
        "aie-rfc": "locked instructions keep each other out of their granule, and plain stores check for them",
        "aie-v2": "locked instructions keep each other out of their granule, and plain stores check for them",
        "cas": "each locked instruction is one atomic instruction of the host",
        "global-lock": "what is changed by locked instructions is changed by nothing else",
        "none": "a locked instruction overwrites what others have stored since it has loaded",
    },
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What comes of a guest under one scheme on one host.

    verdict: holds or violated, as the guest's specification judges. why: the reason. unnoticed: kinds of finding of the
    usual checkers, where the emulation is broken and the specification holds all the same.
    """

    scheme: str
    verdict: Verdict
    why: str
    host: str = "sc"
    unnoticed: tuple[str, ...] = ()


def holds(scheme: str, why: str, *, host: str = "sc", unnoticed: tuple[str, ...] = ()) -> Row:
    """The specification holds."""
    return Row(scheme=scheme, verdict=Verdict.HOLDS, why=why, host=host, unnoticed=unnoticed)


def violated(scheme: str, why: str, *, host: str = "sc") -> Row:
    """Some schedule breaks the specification."""
    return Row(scheme=scheme, verdict=Verdict.VIOLATED, why=why, host=host)


def table(isa: str, *rows: Row) -> tuple[Row, ...]:
    """`rows`, and for every other scheme on a sequentially consistent host what a right algorithm lets expect.

    That is: it holds under all schemes but ``none``.
    """
    special = {row.scheme: row for row in rows if row.host == "sc"}
    usual = {scheme: (violated if scheme == "none" else holds)(scheme, why) for scheme, why in SCHEMES[isa].items()}
    return (*(usual | special).values(), *[row for row in rows if row.host != "sc"])


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A lock-free algorithm for one instruction set.

    title: what it is. specification: what must come of it, in words. program: of a scope so small (two vCPUs, one or
    two operations each) that all its executions can be run; larger: of three or four vCPUs, to be sampled. rows: what
    comes of both.
    """

    title: str
    specification: str
    program: Program
    larger: Program
    rows: tuple[Row, ...]
    needs: Needs = field(default_factory=Needs)

    @property
    def name(self) -> str:
        """The name of the program of small scope."""
        return self.program.name

    @property
    def programs(self) -> tuple[Program, ...]:
        """The small and the large program."""
        return (self.program, self.larger)

    @property
    def checkers(self) -> tuple[str, ...]:
        """The names of the checkers that say whether the guest did its work."""
        return (*self.program.checkers, *_WORK, *(["final-check"] if self.program.final is not None else []))

    def row(self, scheme: str, host: str = "sc") -> Row | None:
        """Return the expected outcome under a scheme on a host, or None.

        Args:
            scheme: Name of the scheme.
            host: Name of the host memory.
        """
        return next((row for row in self.rows if (row.scheme, row.host) == (scheme, host)), None)
