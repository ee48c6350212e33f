"""HST-WEAK: store tags that plain stores do not write, so only load-linkeds and store-conditionals see each other.

The store-conditional takes a mutex, tests the tag, and compares and swaps. A plain store is visible by its value only,
so an A-B-A by plain stores breaks the scheme. Traffic by LL/SC alone is safe, because every load-linked marks.

Source: as for `simaie.schemes.hst`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host
from simaie.host.pages import PageTable
from simaie.protocols import MachineFacts
from simaie.schemes.holes import BY_VALUE, Variant
from simaie.schemes.hst import Hst

__all__ = ["HstWeak"]


class HstWeak(Hst):
    """LL: T = me; ld. SC: mutex; if T == me: compare-and-swap. A plain store only stores.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        sc: The protection of the store-conditional, as for `Hst`.
        marks: Whether plain stores mark.
        **usual: Options of `Hst`.
    """

    name: ClassVar[str] = "hst-weak"
    variants: ClassVar[tuple[Variant, ...]] = (Variant("", BY_VALUE),)

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        sc: str = "mutex",
        marks: bool = False,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, sc=sc, marks=marks, **usual)
