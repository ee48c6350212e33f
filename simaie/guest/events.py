"""Instructions that sleep until an event, an interrupt or a store to watched bytes, and those that end such sleeps.

Whether a vCPU really sleeps is the scheme's option ``events``. With ``hint`` it does not: it goes on at once, as every
architecture allows and QEMU does, and other vCPUs go first. With ``sleep`` it sleeps until something wakes it up. Then
a lost wake-up is a deadlock.

A sleep may also end because the vCPU has lost its reservation, if the scheme can watch that
(`simaie.Scheme.watched_reservation`). Only `native` can. Under another scheme WFE waits for SEV alone, as in an
emulator that forgets this event, and UMWAIT and WRS.NTO do not sleep.

Deviation: only the reservation that the vCPU has when it begins to sleep counts. Hardware keeps the event of a
reservation that the vCPU has lost and then replaced or cleared, and WFE then wakes up once more than here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from simaie.errors import NotModelledError, UsageError
from simaie.host.wakeups import Wakeups
from simaie.op import Function, Kind, Op
from simaie.protocols import require_one_of
from simaie.trace import AccessKind

__all__ = [
    "park",
    "send_event",
    "send_interrupt",
    "unpark",
    "wait_for_event",
    "wait_for_interrupt",
    "wait_for_store",
    "watch",
]

_Nothing: TypeAlias = Coroutine[Any, Any, None]

#: The names of flags in traces: of all vCPUs, and of one.
_EVENTS, _INTERRUPT, _TOKEN = "events", "interrupt of vCPU {}", "token of vCPU {}"
_ENDS = "whether the sleep ends without a wake-up"


def wait_for_event(cpu: Any, mnemonic: str, *, spurious: bool) -> _Nothing:
    """Sleep until the vCPU's event register is set or its reservation is lost, and clear the register."""
    require_one_of("spurious", spurious, (False, True))
    if not _sleeps(cpu, mnemonic):
        return _hint(cpu, mnemonic)
    asleep = partial(_asleep, cpu, mnemonic, _flags(cpu, _EVENTS), watches=True)
    return _until(cpu, mnemonic, asleep, _ENDS, may_end=spurious)


def send_event(cpu: Any, mnemonic: str, name: str | None = None) -> _Nothing:
    """Set the event register of one vCPU, or of all of them."""
    return _quiet(cpu, mnemonic, _flags(cpu, _EVENTS).send(name) if _sleeps(cpu, mnemonic) else _nothing())


def wait_for_interrupt(cpu: Any, mnemonic: str, *, arrives: bool) -> _Nothing:
    """Sleep until an interrupt is pending, and take it."""
    require_one_of("arrives", arrives, (False, True))
    return _interrupted(cpu, mnemonic, arrives=arrives) if _sleeps(cpu, mnemonic) else _hint(cpu, mnemonic)


async def _interrupted(cpu: Any, mnemonic: str, *, arrives: bool) -> None:
    asleep = partial(_asleep, cpu, mnemonic, _flags(cpu, _INTERRUPT.format(cpu.name)))
    await _until(cpu, mnemonic, asleep, "whether an interrupt arrives", may_end=arrives)
    await cpu.exception("interrupt")


def send_interrupt(cpu: Any, name: str) -> _Nothing:
    """Make an interrupt pending on the vCPU called `name`."""
    _require_modelled(cpu, "send-interrupt")
    _require_there(cpu, "interrupt", name)
    return _quiet(cpu, "send-interrupt", _flags(cpu, _INTERRUPT.format(name)).send(name))


def wait_for_store(cpu: Any, mnemonic: str, *, spurious: bool) -> _Nothing:
    """Sleep until another vCPU stores to the bytes that this one watches; go on at once if it watches none."""
    require_one_of("spurious", spurious, (False, True))
    return _watching(cpu, mnemonic, spurious=spurious) if _sleeps(cpu, mnemonic) else _hint(cpu, mnemonic)


async def _watching(cpu: Any, mnemonic: str, *, spurious: bool) -> None:
    watched = cpu._scheme.watched_reservation(cpu)
    if watched is None:
        await _hint(cpu, mnemonic)
    else:
        await _until(cpu, mnemonic, partial(_until_stored, cpu, mnemonic, watched), _ENDS, may_end=spurious)


def watch(cpu: Any, mnemonic: str, address: int) -> _Nothing:
    """Watch the bytes around `address`, until `wait_for_store` ends."""
    if _sleeps(cpu, mnemonic):
        return _access(cpu, mnemonic, AccessKind.OTHER, address, 1, cpu._scheme.watch(cpu, address))
    return _quiet(cpu, mnemonic, _nothing())


def park(cpu: Any, *, spurious: bool) -> _Nothing:
    """Perform `Cpu.park` on a vCPU."""
    require_one_of("spurious", spurious, (False, True))
    _require_modelled(cpu, "park")
    asleep = partial(_asleep, cpu, "park", _flags(cpu, _TOKEN.format(cpu.name)))
    return _until(cpu, "park", asleep, _ENDS, may_end=spurious)


def unpark(cpu: Any, name: str) -> _Nothing:
    """Perform `Cpu.unpark` on a vCPU."""
    _require_modelled(cpu, "unpark")
    _require_there(cpu, "unpark", name)
    return _quiet(cpu, "unpark", _flags(cpu, _TOKEN.format(name)).send(name))


async def _until(
    cpu: Any, mnemonic: str, asleep: Callable[[], _Nothing], question: str, *, may_end: bool
) -> None:
    """Sleep as `asleep` says, or decide that the sleep ends without that if it may."""
    if may_end and await cpu.choose(2, question):
        await _hint(cpu, mnemonic)
    else:
        await _quiet(cpu, mnemonic, asleep(), sleeps=True)


async def _asleep(cpu: Any, mnemonic: str, wakeups: Wakeups, *, watches: bool = False) -> None:
    """Sleep until the flag of the vCPU is set, and clear it; with `watches`, also until the reservation is lost."""
    scheme = cpu._scheme
    watched = scheme.watched_reservation(cpu) if watches else None
    seen = await wakeups.sleep(cpu.name, mnemonic, watched)
    if watched is not None and not seen[1]:
        await scheme.clear_exclusive(cpu)  # so that the next sleep does not end for the same reason
    await wakeups.clear(cpu.name)


async def _until_stored(cpu: Any, mnemonic: str, watched: Op) -> None:
    lost = Function("a lost reservation", _is_lost)
    await Op(Kind.AWAIT, value=(watched,), function=lost, note=mnemonic)
    await cpu._scheme.clear_exclusive(cpu)


def _hint(cpu: Any, mnemonic: str) -> _Nothing:
    return _quiet(cpu, mnemonic, Op(Kind.PAUSE))


def _quiet(cpu: Any, mnemonic: str, body: Awaitable[None], *, sleeps: bool = False) -> _Nothing:
    """Perform an instruction that accesses no data of the guest."""
    return _access(cpu, mnemonic, AccessKind.OTHER, 0, 0, body, sleeps=sleeps)


def _access(cpu: Any, *what: Any, sleeps: bool = False) -> _Nothing:
    performed: _Nothing = cpu._access(*what, sleeps=sleeps)
    return performed


async def _nothing() -> None:
    pass


def _is_lost(seen: tuple[int]) -> bool:
    return not seen[0]


def _sleeps(cpu: Any, mnemonic: str) -> bool:
    if cpu._scheme.events == "hint":
        return False
    _require_modelled(cpu, mnemonic)
    return True


def _require_modelled(cpu: Any, mnemonic: str) -> None:
    if cpu._machine.host_takes_orders:
        raise NotModelledError(
            f"{mnemonic} that sleeps or wakes up others is not modelled on a host of execution graphs such as armv8; "
            "use the host sc, tso or pso, or the scheme's option events=hint"
        )


def _require_there(cpu: Any, verb: str, name: str) -> None:
    """Raise UsageError if no vCPU of the program can have this name; a child's begins with that of its ancestor."""
    names: tuple[str, ...] = cpu._machine.names
    if name.partition(".")[0] not in names:
        raise UsageError(f"there is no vCPU {name!r} to {verb}; the program has {', '.join(names)}")


def _flags(cpu: Any, name: str) -> Wakeups:
    found: Wakeups = cpu._scheme.host.wakeups(name)
    return found
