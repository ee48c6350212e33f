"""The classes of violations by which schemes are told apart, and the expected ones of each published variant.

Each class is a pattern of accesses under which a scheme may break atomicity. `simaie.corpus.violations` has a small
program for each, which a search runs in every order. A scheme lists its variants, each with exactly the classes in
which such a search finds a violation; in all others it proves that there is none. The expectations are for a
sequentially consistent host, and for hosts that reorder accesses: these have all its executions and more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "BY_COMPARE", "BY_VALUE", "EXPECTED_ON", "LLSC_HOLES", "LOCK_HOLES", "PLAIN_HOLES", "STUCK_HOLES", "Hole",
    "Variant",
]  # fmt: skip


class Hole(StrEnum):
    """A class of violations; the value is its name, and `meaning` says what happens."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Hole:
        """Create the member called `name`, described by `meaning`."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    LLSC = "llsc-llsc", "two store-conditionals of one generation both succeed"
    STORE = "llsc-store", "a store-conditional succeeds across a plain store of another value"
    SAME_VALUE = "llsc-same-value", "a store-conditional succeeds across a plain store of the same value"
    ABA_ONE_STORER = "aba-one-storer", "a store-conditional succeeds after one vCPU has stored B and A again"
    ABA_TWO_STORERS = "aba-two-storers", "a store-conditional succeeds after two vCPUs have stored B and A"
    ABA_BY_SC = "aba-by-sc", "a store-conditional succeeds after others have changed the word from A to B and back"
    ABA_FAILED_SC = "aba-failed-sc", "a failed store-conditional nearby hides the stores of B and A"
    NEIGHBOUR = "llsc-neighbour", "a store of the vCPU itself to the next byte hides a store of another vCPU"
    WIDE = "llsc-upper-half", "a store-conditional succeeds across a store of the same value to its upper half"
    WIDTH = "llsc-width", "a store-conditional narrower than its load-linked succeeds across a store to the rest"
    ADDRESS = "llsc-address", "a store-conditional succeeds at another address than that of the load-linked"
    ALONE = "llsc-alone", "a store-conditional to address 0 succeeds without any load-linked"
    EXCEPTION = "llsc-exception", "a store-conditional succeeds across an exception that ends the reservation"
    FAULT = "llsc-fault", "a store-conditional succeeds although its load-linked faulted"
    SWITCH = "llsc-switch", "a store-conditional succeeds across a context switch that clears the reservation"
    LLSC_RMW = "llsc-rmw", "a store-conditional succeeds across a locked instruction"
    RMW = "rmw-rmw", "two locked instructions lose an update"
    RMW_STORE = "rmw-store", "a locked instruction loses a plain store"
    BYTE = "rmw-byte", "a locked instruction on a byte loses a plain store to the next byte"
    SPLIT = "split-split", "two locked instructions across a host word lose an update"
    SPLIT_LOCK = "split-lock", "a locked instruction across a host word loses the update of one in the word"
    SPLIT_STORE = "split-store", "a locked instruction across a host word loses a plain store"
    SPLIT_LOAD = "split-load", "a load sees a half of a locked instruction across a host word"
    MISALIGNED = "misaligned-lock", "two misaligned locked instructions in a host word lose an update"
    WIDE_LOCK = "lock-16-8", "a locked instruction of 16 bytes loses the update of one of 8 bytes"
    TORN_8 = "torn-8", "a load of 8 bytes sees a half of a store of 8 bytes"
    TORN_16 = "torn-16", "a load of 16 bytes sees a half of a store of 16 bytes, where the guest forbids it"
    DEADLOCK = "deadlock", "vCPUs wait for each other for ever"
    LIVELOCK = "livelock", "load-linked, barrier and store-conditional may fail in every try, without interference"
    LEAK = "leak", "a vCPU leaves an instruction and keeps the lock"


_RMW, _BYTE, _TORN, _STUCK = map(tuple(Hole).index, (Hole.RMW, Hole.BYTE, Hole.TORN_8, Hole.DEADLOCK))
#: The classes for guests with load-linked and store-conditional, and those for guests with locked instructions.
LLSC_HOLES, LOCK_HOLES = tuple(Hole)[:_BYTE], tuple(Hole)[_RMW:_TORN]
#: The classes for guests with plain accesses only, and those in which a vCPU never gets on.
PLAIN_HOLES, STUCK_HOLES = tuple(Hole)[_TORN:_STUCK], tuple(Hole)[_STUCK:]
#: What a store-conditional that compares values does not see.
BY_VALUE = frozenset(
    {Hole.SAME_VALUE, Hole.ABA_ONE_STORER, Hole.ABA_TWO_STORERS, Hole.ABA_FAILED_SC, Hole.WIDE, Hole.WIDTH}
)
#: What it does not see where the store-conditionals of other vCPUs leave no mark.
BY_COMPARE = BY_VALUE | {Hole.ABA_BY_SC}


#: The hosts of which a variant says what is expected.
EXPECTED_ON = ("sc", "tso", "armv8")


class Variant(NamedTuple):
    """A published variant of a scheme, with what is expected of it.

    Attributes:
        options: The options of the scheme, as on a command line; empty for the defaults.
        holes: The classes in which it has a violation on every host.
        reordered: The classes in which it has one on hosts that reorder accesses, in addition.
        armv8: The classes in which it has one on a host that reorders all accesses, in addition to these.
        whole_16: Whether plain accesses of 16 bytes are indivisible. If not, as of most schemes on a host with words of
            8 bytes, the class `Hole.TORN_16` is broken on every host too.
    """

    options: str = ""
    holes: frozenset[Hole] = frozenset()
    reordered: frozenset[Hole] = frozenset()
    armv8: frozenset[Hole] = frozenset()
    whole_16: bool = False

    def on(self, host: str) -> frozenset[Hole] | None:
        """Return the classes in which it has a violation on `host`; None if nothing is said of this host."""
        if host not in EXPECTED_ON:
            return None
        more = {"tso": self.reordered, "armv8": self.reordered | self.armv8}
        torn = frozenset() if self.whole_16 else frozenset({Hole.TORN_16})
        return self.holes | torn | more.get(host, frozenset())
