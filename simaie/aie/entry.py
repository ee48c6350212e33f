"""The entry that the radix tree holds for a granule: its lock, and the extra state of one of the two designs.

`address` is the granule's first byte: guest-virtual in user mode, physical in full-system mode. The lock
(``lock 0x1000``) has this address too, so that a trace tells which granule an operation concerns.
"""

from __future__ import annotations

from simaie.aie.tiny_set import TinySet
from simaie.host.host import Host
from simaie.op import Role, cell_name

__all__ = ["Entry", "OwnedEntry", "RegisteredEntry"]


class Entry:
    """The lock of one granule.

    Args:
        host: Host port, which creates the lock.
        address: Address of the granule's first byte.
    """

    __slots__ = ("address", "lock", "name")

    role = Role.ENTRY

    def __init__(self, host: Host, address: int) -> None:
        self.address = address
        self.name = cell_name(self.role, address)
        self.lock = host.mutex(cell_name(Role.LOCK, address), address)

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
        self.owners = TinySet(host, address, self.lock)


class RegisteredEntry(Entry):
    """An entry of the later revision: the lock of a granule and whether the bitmap knows the granule.

    Attributes:
        bm_set: Cell, whether the granule's bit is known to be set.
    """

    __slots__ = ("bm_set",)

    def __init__(self, host: Host, address: int) -> None:
        super().__init__(host, address)
        self.bm_set = host.cell_of(Role.ANNOUNCED, address, False, self.lock)
