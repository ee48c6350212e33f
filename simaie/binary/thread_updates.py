"""The read-modify-writes of x86, as translated code calls them; on private memory they are plain."""

from __future__ import annotations

from simaie.binary.cells import mask
from simaie.binary.thread_memory import ThreadMemory

__all__ = ["ThreadUpdates"]


def _old(old: int, new: int) -> int:
    return old


class ThreadUpdates(ThreadMemory):
    """A thread that performs read-modify-writes of x86."""

    async def update(
        self, pc: int, address: int, name: str, function: str, operand: int, width: int, locked: bool
    ) -> int:
        """Return the old value of a location after an arithmetic read-modify-write, or before it if it is private."""
        if (value := await self._private(pc, address, width, locked)) is not None:
            return value
        cpu = self._cpu
        if self.escapes(operand):
            await self.publish()
        if name == "xchg":
            return int(await cpu.xchg(address, operand, width=width))
        form = cpu._locked if locked else cpu._plain
        return int(await form(name, function, address, operand, width, _old))

    async def compare(
        self, pc: int, address: int, name: str, expected: int, new: int, width: int, locked: bool
    ) -> int:
        """Return the old value of a location after a compare-and-exchange, or before it if it is private."""
        if (value := await self._private(pc, address, width, locked)) is not None:
            return value
        if self.escapes(new) or self.escapes(new & mask(width // 2)):
            await self.publish()
        method = getattr(self._cpu, f"lock_{name}" if locked else name)
        return int(await (method(address, expected, new, width=width) if name == "cmpxchg" else
                          method(address, expected, new)))  # fmt: skip

    async def bit(
        self, pc: int, address: int, name: str, offset: int, width: int, locked: bool, immediate: bool
    ) -> int:
        """Change a bit; return the old bit."""
        if self.low <= address < self.high:
            at = address if immediate else address + _signed(offset, width) // (8 * width) * width
            old = await self._private(pc, at, width, locked)
            assert old is not None
            bit = 1 << offset % (8 * width)
            self.poke(at, width, old | bit if name == "bts" else old & ~bit if name == "btr" else old ^ bit)
            return int(bool(old & bit))
        self._begin(self._places[pc], address, 1)
        method = getattr(self._cpu, f"lock_{name}" if locked else name)
        return int(await method(address, offset, width=width, immediate=immediate))

    async def _private(self, pc: int, address: int, width: int, locked: bool) -> int | None:
        """Return the value of a private location, of which a lock is just a fence; None if it is shared."""
        if self.low <= address < self.high:
            if locked:
                self.step(pc)
                await self._cpu.mfence()
            return self.peek(address, width)
        self._begin(self._places[pc], address, width)
        return None


def _signed(value: int, width: int) -> int:
    half = 1 << 8 * width - 1
    return (value & 2 * half - 1 ^ half) - half
