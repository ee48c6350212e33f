"""The interleavings of two transactions at one location that no serial execution has.

Of the eight ways in which an access of another vCPU can fall between two local ones, four are unserializable (S. Lu,
J. Tucek, F. Qin, Y. Zhou, "AVIO: Detecting Atomicity Violations via Access Interleaving Invariants", ASPLOS 2006):
local-remote-local R-W-R, W-W-R, R-W-W and W-R-W. W-W-W is a cycle of conflicts too, though a serial execution leaves
the same state if nothing read in between; it has no label here. A late read (`simaie.check.accesses`) can only be the
last of the three.
"""

from __future__ import annotations

import msgspec

from simaie.check.accesses import Access, late_reads
from simaie.check.transactions import Transactions
from simaie.dependence import locations

__all__ = ["Pattern", "unserializable"]


class Pattern(msgspec.Struct, frozen=True):
    """Three accesses of an unserializable interleaving.

    Attributes:
        before: Index of the first local access.
        remote: Index of the foreign access.
        after: Index of the second local access.
        label: One of the four labels, or empty.
        transaction: Number of the local transaction.
    """

    before: int
    remote: int
    after: int
    label: str
    transaction: int


class _Latest(msgspec.Struct):
    """The latest access of its kind, and the latest by another vCPU than that; indices, -1 if there is no access."""

    index: int = -1
    vcpu: str = ""
    other: int = -1

    def add(self, index: int, vcpu: str) -> None:
        if vcpu != self.vcpu:
            self.other, self.vcpu = self.index, vcpu
        self.index = index

    def foreign(self, vcpu: str) -> int:
        """Return the latest access by a vCPU other than `vcpu`."""
        return self.other if vcpu == self.vcpu else self.index


class _Local(msgspec.Struct):
    """The latest access and the latest write of one transaction to one location."""

    access: int = -1
    write: int = -1


def unserializable(found: Transactions) -> dict[int, Pattern]:
    """Return the first pattern of each transaction, by its number, labelled ones first; one sweep."""
    patterns: dict[int, Pattern] = {}
    places = locations(found.accesses)
    late = late_reads(found.accesses, places).reads
    interrupted = [transaction.interrupted for transaction in found.all]
    latest: dict[int, tuple[_Latest, _Latest]] = {}  # location -> reads, writes
    local: dict[tuple[int, int], _Local] = {}
    for index, access in enumerate(found.accesses):
        me = found.of[index]
        vcpu = found.all[me].vcpu
        for location in places[access.address, access.width]:
            reads, writes = latest.setdefault(location, (_Latest(), _Latest()))
            if interrupted[me]:
                mine = local.setdefault((me, location), _Local())
                pattern = _pattern(found, index, mine, reads.foreign(vcpu), writes.foreign(vcpu))
                known = patterns.get(me)
                if pattern is not None and (known is None or (pattern.label and not known.label)):
                    patterns[me] = pattern
                if (index, location) in late:
                    continue
                mine.access = index
                if access.writes:
                    mine.write = index
            if access.reads and (index, location) not in late:
                reads.add(index, vcpu)
            if access.writes:
                writes.add(index, vcpu)
    return patterns


def _pattern(found: Transactions, index: int, mine: _Local, read: int, write: int) -> Pattern | None:
    """Return the pattern that the local access `index` completes, given the latest foreign read and write."""
    accesses, me = found.accesses, found.of[index]
    if -1 < mine.access < write:
        return Pattern(mine.access, write, index, _label(accesses[mine.access], accesses[index]), me)
    if -1 < mine.write < read and accesses[index].writes:
        return Pattern(mine.write, read, index, "W-R-W", me)
    return None


def _label(before: Access, after: Access) -> str:
    """Return the label of a foreign write between two local accesses; a read-modify-write counts as a read."""
    if before.reads:
        return "R-W-R" if after.reads else "R-W-W"
    return "W-W-R" if after.reads else ""
