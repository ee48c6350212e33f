"""A compare-and-swap of two locations (CAS2 of m68k) with the world stopped, for schemes that have no better way."""

from __future__ import annotations

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
) -> int:
    """Perform the instruction while no other vCPU is inside one; the arguments are those of `Scheme.cmpxchg_two`.

    Both locations are translated first, so that a fault leaves the world running.
    """
    host = scheme.host
    places = [await scheme.ranges(address, width, write=True) for address in addresses]
    await host.begin_exclusive()
    old = [await host.load_ranges(ranges) for ranges in places]
    if tuple(old) == expected:
        for ranges, value in zip(places, new, strict=True):
            await host.store_ranges(ranges, value)
    await host.end_exclusive()
    return old[0] | old[1] << 8 * width
