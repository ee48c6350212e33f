"""Which orders of memory accesses there are, as a set of four: what a fence asks for and what a host keeps by itself.

An order is named by what comes first and what comes after it in the program: ``ld-st`` keeps an earlier load before a
later store. The strong guests and hosts keep all but ``st-ld`` (x86, SPARC TSO); PSO also gives up ``st-st``; the weak
ones (Arm, RISC-V, POWER, MIPS) keep none by themselves. In text a set is its names joined by ``+``, or ``full``.
"""

from __future__ import annotations

import functools
from enum import IntFlag

from simaie.errors import UsageError

__all__ = ["Barrier", "parse_barrier"]


class Barrier(IntFlag):
    """A set of orders between a vCPU's own accesses."""

    NONE = 0
    LD_LD = 1
    LD_ST = 2
    ST_LD = 4
    ST_ST = 8
    FULL = 15

    @property
    def text(self) -> str:
        """``full``, ``none``, or the names of the orders joined by ``+``."""
        if self in (Barrier.FULL, Barrier.NONE):
            return "none" if not self else "full"
        return "+".join(name for name, order in _ORDERS.items() if order & self)


_ORDERS = {"ld-ld": Barrier.LD_LD, "ld-st": Barrier.LD_ST, "st-ld": Barrier.ST_LD, "st-st": Barrier.ST_ST}


@functools.cache
def parse_barrier(text: str) -> Barrier:
    """The set that `text` names; UsageError if it names none."""
    if text in ("full", "none"):
        return Barrier.FULL if text == "full" else Barrier.NONE
    found = Barrier.NONE
    for name in text.split("+"):
        if name not in _ORDERS:
            raise UsageError(f"a barrier is 'full', 'none', or of {', '.join(_ORDERS)} joined by '+', not {text!r}")
        found |= _ORDERS[name]
    return found
