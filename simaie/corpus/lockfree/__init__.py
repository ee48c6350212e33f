"""Lock-free algorithms as guests, for Arm by LL/SC and for x86 by LOCK, with their outcome under each scheme.

A file holds a family. `GUESTS` has all guests, by name.
"""

from __future__ import annotations

from simaie.corpus.lockfree import (
    barrier,
    locks,
    mutual_exclusion,
    queues,
    reclamation,
    ring,
    rwlock,
    seqlock,
    stacks,
)
from simaie.corpus.lockfree.guest import Guest, Row

__all__ = ["GUESTS", "Guest", "Row"]

_FAMILIES = (stacks, queues, locks, rwlock, seqlock, mutual_exclusion, reclamation, ring, barrier)
GUESTS: tuple[Guest, ...] = tuple(sorted((g for family in _FAMILIES for g in family.GUESTS), key=lambda g: g.name))
