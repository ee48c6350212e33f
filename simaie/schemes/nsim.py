"""LL/SC by the page-translation cache: nSIM.

As in `simaie.schemes.tlb_excl`, stores to a page with reservations take a slow path under a lock, and the cached
translations of the page are dropped when a reservation is made. The load-linked loads and reserves under that lock,
which is what makes it correct. Its form with hardware transactions is `simaie.schemes.pico_htm`.

Source: M. Kristien, T. Spink, B. Campbell, S. Sarkar, I. Stark, B. Franke, I. Böhm, N. Topham, "Fast and Correct
Load-Link/Store-Conditional Instruction Handling in DBT Systems", IEEE TCAD 39(11), CASES 2020. Deviations:
the slow path has one lock, and the world stops while translations are dropped.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts
from simaie.schemes.holes import Variant
from simaie.schemes.tlb_excl import TlbExcl

__all__ = ["Nsim"]


class Nsim(TlbExcl):
    """`TlbExcl` with load and reservation under the lock, whatever the order.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        **usual: Options of `TlbExcl`, except `order`.
    """

    name: ClassVar[str] = "nsim"
    variants: ClassVar[tuple[Variant, ...]] = (Variant(""),)

    def __init__(self, host: Host, pages: PageTable, machine: MachineFacts, **usual: Any) -> None:
        super().__init__(host, pages, machine, **{**usual, "order": "locked"})
