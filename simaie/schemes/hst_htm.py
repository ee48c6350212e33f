"""HST-HTM: store tags, and a hardware transaction around the test and the store of a store-conditional.

The transaction makes test and store indivisible, so the world need not stop. But it does not wait for stores that are
between their mark and their access, so the hole of two storers remains, and the other order of mark and store is no
repair: a store may be visible before its mark.

Source: as for `simaie.schemes.hst`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts
from simaie.schemes.holes import BY_VALUE, Hole, Variant
from simaie.schemes.hst import BY_VALUE_AFTER_MARKS, Hst

__all__ = ["HstHtm"]

#: What one other vCPU hides from a load-linked whose mark waits in the store buffer.
_ABA_OF_ONE = frozenset({Hole.ABA_ONE_STORER, Hole.ABA_BY_SC, Hole.ABA_FAILED_SC})


class HstHtm(Hst):
    """SC: transaction {if T == me and the value is unchanged: st}.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        sc: The protection of the store-conditional, as for `Hst`.
        **usual: Options of `Hst`.
    """

    name: ClassVar[str] = "hst-htm"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_VALUE_AFTER_MARKS, reordered=_ABA_OF_ONE),
        Variant("aborts=true", BY_VALUE_AFTER_MARKS | {Hole.LIVELOCK}, reordered=_ABA_OF_ONE),
        Variant("order=store-first", BY_VALUE_AFTER_MARKS, reordered=_ABA_OF_ONE),
        Variant(
            "order=store-first,compare=false",
            BY_VALUE | {Hole.STORE, Hole.NEIGHBOUR},
            reordered=frozenset({Hole.LLSC, Hole.ABA_BY_SC, Hole.LLSC_RMW}),
        ),
    )

    def __init__(
        self, host: Host, pages: PageTable, machine: MachineFacts, *, sc: str = "transaction", **usual: Any
    ) -> None:
        super().__init__(host, pages, machine, sc=sc, **usual)
