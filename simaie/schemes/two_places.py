"""A compare-and-swap of two locations (CAS2 of m68k) with the world stopped, for schemes that have no better way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simaie.protocols import VCpu
from simaie.schemes.scheme import Scheme

__all__ = ["compare_two_alone"]


async def compare_two_alone(
    scheme: Scheme,
    cpu: VCpu,
    addresses: tuple[int, int],
    width: int,
    expected: tuple[int, int],
    new: tuple[int, int],
    *,
    stop: Callable[[], Awaitable[None]] | None = None,
    resume: Callable[[], Awaitable[None]] | None = None,
    store: Callable[[VCpu, int, int, int], Awaitable[None]] | None = None,
) -> int:
    """Perform the instruction while no other vCPU is inside one.

    Both locations are translated first, so that a fault leaves the world running.

    Args:
        scheme: The scheme; the arguments after it are those of `Scheme.cmpxchg_two`.
        cpu: The vCPU.
        addresses: The locations.
        width: Width of each in bytes.
        expected: The values to compare with.
        new: The values to store.
        stop: Stops the world, and notes it for exceptions; None for the operation of the host alone.
        resume: Resumes the world.
        store: Stores to one location as `Scheme.store` does, if the scheme keeps records of stores; None for a plain
            store of the host.

    Returns:
        Both old values as one number, whose low half is that of the first location.
    """
    host = scheme.host
    places = [await scheme.ranges(address, width, write=True) for address in addresses]
    await (stop or host.begin_exclusive)()
    old = [await host.load_ranges(ranges) for ranges in places]
    if tuple(old) == expected:
        for address, ranges, value in zip(addresses, places, new, strict=True):
            await (store(cpu, address, width, value) if store else host.store_ranges(ranges, value))
    await (resume or host.end_exclusive)()
    return old[0] | old[1] << 8 * width
