"""The entry that the radix tree holds for a granule: its lock, and the extra state of one of the two designs.

`address` is the granule's first byte: guest-virtual in user mode, physical in full-system mode. The lock is named after
it (``lock 0x1000``), so that a trace tells which granule an operation concerns.
"""

from __future__ import annotations

from simaie.aie.tiny_set import TinySet
from simaie.host.host import Host

__all__ = ["Entry", "OwnedEntry", "RegisteredEntry"]


class Entry:
    """The lock of one granule.

    Args:
        host: Host port, which creates the lock.
        address: Address of the granule's first byte.
    """

    __slots__ = ("address", "lock", "name")

    def __init__(self, host: Host, address: int) -> None:
        self.address = address
        self.name = f"entry {address:#x}"
        self.lock = host.mutex(f"lock {address:#x}")

    def __repr__(self) -> str:
        return f"<{self.name}>"


class OwnedEntry(Entry):
    """An entry of the RFC: the lock of a granule and its reservations.

    Attributes:
        owners: The vCPUs that hold a reservation on the granule.
    """

    __slots__ = ("owners",)

    def __init__(self, host: Host, address: int) -> None:
        super().__init__(host, address)
        self.owners = TinySet(host, f"set {address:#x}", self.lock)


class RegisteredEntry(Entry):
    """An entry of the later revision: the lock of a granule and whether the bitmap knows the granule.

    Attributes:
        bm_set: Cell, whether the granule's bit is known to be set.
    """

    __slots__ = ("bm_set",)

    def __init__(self, host: Host, address: int) -> None:
        super().__init__(host, address)
        self.bm_set = host.cell(f"bm_set {address:#x}", False, self.lock)
