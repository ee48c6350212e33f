"""The system calls of a guest that sleep on a futex and wake others (see `simaie.host.futex`).

They are no instructions, and no scheme emulates them: an emulator passes them to the kernel of the host. A vCPU that
sleeps is in no instruction, so that other vCPUs can stop the world meanwhile, as those of an emulator can.
"""

from __future__ import annotations

from typing import Any

from simaie.arguments import require_address, require_at_least_one, require_bool, require_integer
from simaie.errors import NotModelledError
from simaie.host.futex import WIDTH, Futex
from simaie.trace import AccessKind

__all__ = ["futex_wait", "futex_wake"]

_OTHER = AccessKind.OTHER


async def futex_wait(cpu: Any, address: int, expected: int, *, spurious: bool = False) -> bool:
    """Perform `Cpu.futex_wait` on a vCPU, with the same arguments and result."""
    require_integer("the value with which to sleep", expected)
    require_bool(spurious=spurious)
    _check(cpu, "futex-wait", address)
    word = expected & (1 << 8 * WIDTH) - 1
    futex: Futex | None = None

    async def wait() -> bool | None:
        nonlocal futex
        futex = await _futex(cpu, address)
        return await futex.wait(cpu.name, word)

    rung = await cpu._access("futex-wait", _OTHER, address, WIDTH, wait(), WIDTH)
    if rung is None or futex is None:
        return False
    if spurious and await cpu.choose(2, "whether the sleep ends without a wake-up"):
        await cpu._access("futex-leave", _OTHER, 0, 0, futex.leave(cpu.name))
    else:
        await cpu._access("futex-sleep", _OTHER, 0, 0, futex.sleep(cpu.name, rung))
    return True


async def futex_wake(cpu: Any, address: int, count: int = 1) -> int:
    """Perform `Cpu.futex_wake` on a vCPU, with the same arguments and result."""
    require_at_least_one("the number of vCPUs to wake", count)
    _check(cpu, "futex-wake", address)
    woken: int = await cpu._access("futex-wake", _OTHER, address, WIDTH, _wake(cpu, address, count), WIDTH)
    return woken


def _check(cpu: Any, mnemonic: str, address: int) -> None:
    """Raise NotModelledError on a host of execution graphs, UsageError for what is no address."""
    if cpu._machine.host_takes_orders:
        raise NotModelledError(
            f"{mnemonic} is not modelled on a host of execution graphs such as armv8; use the host sc, tso or pso"
        )
    require_address(f"the address of {mnemonic}", address)


async def _wake(cpu: Any, address: int, count: int) -> int:
    return await (await _futex(cpu, address)).wake(count)


async def _futex(cpu: Any, address: int) -> Futex:
    scheme = cpu._scheme
    [(physical, _)] = await scheme.ranges(address, WIDTH, write=False)
    found: Futex = scheme.host.futex(physical)
    return found
