"""The four orders of memory accesses, which a fence asks for and a host keeps by itself.

The name of an order says which access comes first in the program and which comes later: ``ld-st`` keeps an earlier load
before a later store. Strong guests and hosts (x86, SPARC TSO) keep all orders except ``st-ld``; PSO does not keep
``st-st`` either; weak ones (Arm, RISC-V, POWER, MIPS) keep no order by themselves. As text, a set is the names joined
by ``+``, or ``full``, or ``none``.
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
    """Return the set of orders that `text` names; UsageError if it names no set."""
    if text in ("full", "none"):
        return Barrier.FULL if text == "full" else Barrier.NONE
    found = Barrier.NONE
    for name in text.split("+"):
        if name not in _ORDERS:
            raise UsageError(
                f"a barrier must be 'full', 'none', or some of {', '.join(_ORDERS)} joined by '+', not {text!r}"
            )
        found |= _ORDERS[name]
    return found
