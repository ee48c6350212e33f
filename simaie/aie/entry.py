"""What the radix tree holds for a granule: the lock, and what one of the two designs keeps beside it.

`address` is the granule's first byte: guest-virtual in user mode, physical in full-system mode. The lock
(``lock 0x1000``) bears it, which is how a trace tells which granule an operation is about.
"""

from __future__ import annotations

from simaie.aie.tiny_set import TinySet
from simaie.host.host import Host
from simaie.op import Role, cell_name

__all__ = ["Entry", "OwnedEntry", "RegisteredEntry"]


class Entry:
    """The lock of one granule."""

    __slots__ = ("address", "lock", "name")

    role = Role.ENTRY

    def __init__(self, host: Host, address: int) -> None:
        self.address = address
        self.name = cell_name(self.role, address)
        self.lock = host.mutex(cell_name(Role.LOCK, address), address)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class OwnedEntry(Entry):
    """An entry of the RFC. owners: the vCPUs that hold a reservation on the granule."""

    __slots__ = ("owners",)

    def __init__(self, host: Host, address: int) -> None:
        super().__init__(host, address)
        self.owners = TinySet(host, address, self.lock)


class RegisteredEntry(Entry):
    """An entry of the later revision. bm_set: whether the bitmap's bit for it is known to be set."""

    __slots__ = ("bm_set",)

    def __init__(self, host: Host, address: int) -> None:
        super().__init__(host, address)
        self.bm_set = host.cell_of(Role.ANNOUNCED, address, False, self.lock)
