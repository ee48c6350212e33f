"""Futexes as Linux has them: threads sleep on a word of RAM until another thread wakes them.

Source: futex(2) of the Linux manual pages, FUTEX_WAIT and FUTEX_WAKE; U. Drepper, "Futexes Are Tricky" (2011). Of other
operations on the same futex, the comparison and the beginning of the sleep are one step, as Linux makes them under the
lock of a hash bucket. Here each futex has a bucket of its own. Which sleepers a wake-up ends is a decision, since the
manual promises no order.
"""

from __future__ import annotations

from typing import TypeAlias

from simaie.host.host import Host, SharedCell
from simaie.op import Function, Kind, Op, Role

__all__ = ["WIDTH", "Futex"]

#: Bytes of a futex word, on every architecture.
WIDTH = 4

#: The vCPUs that sleep, and those that were woken an odd number of times; both are names in their order.
_Sleepers: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


class Futex:
    """The sleepers of one word of RAM.

    Args:
        host: Host port.
        address: Physical address of the word.
    """

    def __init__(self, host: Host, address: int) -> None:
        self._host, self._address = host, address
        self._name = f"futex {address:#x}"
        self._bucket = host.mutex(f"bucket of {self._name}")
        self._sleepers = host.cell(self._name, ((), ()), self._bucket)
        self._bells: dict[str, SharedCell] = {}  # by vCPU: its number of wake-ups modulo 2

    async def wait(self, name: str, expected: int) -> bool | None:
        """Put a vCPU to sleep if the word holds `expected`; it then has to perform `sleep`.

        Args:
            name: The name of the vCPU.
            expected: The value of the word with which it may sleep.

        Returns:
            What `sleep` takes: whether the vCPU was woken an odd number of times before. None if it does not sleep.
        """
        rung: bool | None = None
        await self._bucket.lock()
        if await self._host.load(self._address, WIDTH) == expected:
            rung = await self._sleepers.update("fall asleep", lambda now: _asleep(now, name))
        await self._bucket.unlock()
        return rung

    def sleep(self, name: str, rung: bool) -> Op:
        """Return the operation that waits for the wake-up of a vCPU.

        Args:
            name: The name of the vCPU.
            rung: What `wait` returned.
        """
        return Op(Kind.AWAIT, self._bell(name), function=Function("wake-up", lambda bell: bell != rung))

    async def leave(self, name: str) -> None:
        """End the sleep of a vCPU without a wake-up, if it still sleeps."""
        await self._bucket.lock()
        await self._sleepers.update("leave", lambda now: (_without(now, (name,)), None))
        await self._bucket.unlock()

    async def wake(self, most: int) -> int:
        """Wake `most` sleepers, or all if there are fewer; return how many were woken."""
        await self._bucket.lock()
        asleep, odd = await self._sleepers.load()
        woken = await self._chosen(asleep, most)
        if woken:
            await self._sleepers.update("wake", lambda now: (_woken(now, woken), None))
            for name in woken:
                await self._bell(name).exchange(name not in odd)
        await self._bucket.unlock()
        return len(woken)

    async def _chosen(self, asleep: tuple[str, ...], most: int) -> tuple[str, ...]:
        """Return which sleepers wake up: each set of the right size is one way to decide."""
        if len(asleep) <= most:
            return asleep
        chosen: list[str] = []
        first = 0  # later names only, so that no set is chosen in two ways
        for left in range(most, 0, -1):
            arity = len(asleep) - left - first + 1
            at = first + (await self._host.choose(arity, f"{self._name} wakes") if arity > 1 else 0)
            chosen.append(asleep[at])
            first = at + 1
        return tuple(chosen)

    def _bell(self, name: str) -> SharedCell:
        if name not in self._bells:
            cell = self._host.cell(f"{self._name} of {name}", False, role=Role.SLEEP, address=self._address)
            self._bells[name] = cell
        return self._bells[name]


def _asleep(now: _Sleepers, name: str) -> tuple[_Sleepers, bool]:
    asleep, odd = now
    return (tuple(sorted({*asleep, name})), odd), name in odd


def _without(now: _Sleepers, names: tuple[str, ...]) -> _Sleepers:
    asleep, odd = now
    return tuple([name for name in asleep if name not in names]), odd


def _woken(now: _Sleepers, names: tuple[str, ...]) -> _Sleepers:
    asleep, odd = _without(now, names)
    return asleep, tuple(sorted({*odd} ^ {*names}))
