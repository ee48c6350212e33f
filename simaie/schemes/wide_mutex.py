"""CMPXCHG16B under a mutex that no other instruction takes: the fallback of box64 on hosts without a 16-byte atomic.

Locked instructions of up to a host word are host atomics, so they slip in between the load and the store of a 16-byte
one. The same holds for plain stores. Two 16-byte instructions exclude each other.

Source: box64, the lock mutex_16b of its context, used on hosts such as RISC-V; issues 818 and 2054.
"""

from __future__ import annotations

from typing import ClassVar

from simaie.schemes.holes import Hole, Variant
from simaie.schemes.split_lock import SplitMutex

__all__ = ["WideMutex"]


class WideMutex(SplitMutex):
    """An access wider than a host word: lock; ld; op; st; unlock. A narrower one is a host atomic at any address."""

    name: ClassVar[str] = "wide-mutex"
    variants: ClassVar[tuple[Variant, ...]] = (Variant("", frozenset({Hole.WIDE_LOCK})),)

    def is_split(self, address: int, width: int) -> bool:
        """Whether the access is wider than a host word."""
        return width > self.host.word
