"""A device that reads and writes guest RAM directly (DMA): no guest instruction, so no scheme sees it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from simaie.guest.cpu import Cpu
from simaie.trace import AccessKind

__all__ = ["Device"]


class Device(Cpu):
    """An uninstrumented bus master; its addresses are physical."""

    isa: ClassVar[str] = "device"

    def dma_read(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Read RAM, bypassing the emulator's helpers.

        Args:
            address: Physical address.
            width: Width in bytes.
        """
        body = self._scheme.host.load(address, width)
        return self._access("dma-read", AccessKind.LOAD, address, width, body)

    def dma_write(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, None]:
        """Write RAM, bypassing the emulator's helpers.

        Args:
            address: Physical address.
            value: The unsigned integer to write.
            width: Width in bytes.
        """
        body = self._scheme.host.store(address, width, value)
        return self._access("dma-write", AccessKind.STORE, address, width, body, 1, value)

    def dma_cas(self, address: int, expected: int, new: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Compare RAM with `expected` and store `new` if equal, in one step; return the old value.

        It bypasses the emulator's helpers, as the walker of a host's own MMU does, or a PCI Express AtomicOp.

        Args:
            address: Physical address.
            expected: The value to compare with.
            new: The unsigned integer to store.
            width: Width in bytes.
        """
        body = self._scheme.host.compare_and_swap(address, width, expected, new)
        return self._access("dma-cas", AccessKind.ATOMIC, address, width, body, width)
