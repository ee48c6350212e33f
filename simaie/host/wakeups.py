"""Flags that end sleeps: the event registers of Arm, pending interrupts, and the tokens of parked threads.

Each vCPU has a flag. A wake-up sets it, and the sleep that it ends clears it. So a wake-up that comes before the sleep
is not lost, and several wake-ups before it count as one. Futexes have no such flags (`simaie.host.futex`).

Sources: Arm Architecture Reference Manual, DDI 0487, D1.6 "Wait for Event" (one event register for each PE, and SEV
sets all of them); Java SE, `LockSupport` (a permit for each thread).

The flags of all vCPUs are one cell, because SEV reaches vCPUs that it does not know. Their accesses are updates, which
order nothing else: SEV is no barrier for the stores before it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeAlias

from simaie.host.host import Host
from simaie.op import Function, Kind, Op, Role

__all__ = ["Wakeups"]

#: Whether the flags are set in general, and the names of the vCPUs whose flag is not as the others, in order.
_Flags: TypeAlias = tuple[bool, tuple[str, ...]]


class Wakeups:
    """The flags of one kind.

    Args:
        host: Host port.
        name: The name of their cell in traces.
    """

    def __init__(self, host: Host, name: str) -> None:
        self._cell = host.cell(name, (False, ()), role=Role.SLEEP)

    def send(self, name: str | None = None) -> Awaitable[None]:
        """Set the flag of the vCPU called `name`; None for those of all vCPUs."""
        if name is None:
            return self._cell.update("wake all", lambda now: ((True, ()), None))
        return self._cell.update(f"wake {name}", lambda now: (_with(now, name, True), None))

    def clear(self, name: str) -> Awaitable[None]:
        """Clear the flag of a vCPU."""
        return self._cell.update(f"awake {name}", lambda now: (_with(now, name, False), None))

    def sleep(self, name: str, mnemonic: str, watched: Op | None = None) -> Op:
        """Return the operation that waits for the flag of a vCPU, or until it has lost its reservation.

        Args:
            name: The name of the vCPU.
            mnemonic: The instruction that sleeps, for readers.
            watched: What `simaie.Scheme.watched_reservation` returned.
        """
        if watched is None:
            function = Function("wake-up", lambda now: _is_set(now, name))
            return Op(Kind.AWAIT, self._cell, function=function, note=mnemonic)
        either = Function("wake-up or a lost reservation", lambda now: _is_set(now[0], name) or not now[1])
        return Op(Kind.AWAIT, value=(Op(Kind.LOAD, self._cell), watched), function=either, note=mnemonic)


def _is_set(flags: _Flags, name: str) -> bool:
    general, others = flags
    return general is not (name in others)


def _with(flags: _Flags, name: str, value: Any) -> _Flags:
    general, others = flags
    rest = {*others} - {name}
    return general, tuple(sorted(rest if general is value else {*rest, name}))
