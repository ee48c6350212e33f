"""Host atomicity classes of plain accesses: QEMU's MO_ATOM_IFALIGN, WITHIN16, SUBALIGN and NONE.

Each guest access has a class that says which part of it must be indivisible:

- ``ifalign``: all of it if it is aligned, else single bytes; ``ifalign-pair``: the same for each of its two halves;
- ``within16``: all of it if it lies in 16 aligned bytes, else single bytes; ``within16-pair``: the same, but of a pair
  across the end of 16 bytes the halves that lie within, if such an end is between them;
- ``subalign``: the largest aligned parts of it;
- ``none``: single bytes.

An indivisible part in one host word is one operation on its bytes, where QEMU loads the word around it or compares and
swaps that word. If the host has no access that is wide enough, the instruction runs alone, with the world stopped.
Locked instructions and LL/SC are those of `simaie.schemes.cas`.

The classes of violations have aligned accesses only, where ``within16`` and ``subalign`` are as ``ifalign``. Nothing is
expected of ``none``, since a search of single bytes in every order is long.

Source: QEMU 8.1 and later, accel/tcg/ldst_atomicity.c.inc and include/exec/memop.h.
"""

from __future__ import annotations

from typing import Any, ClassVar

from simaie.host.host import Host, Ranges, join_parts, split_parts
from simaie.host.pages import PageTable
from simaie.op import Kind, Op
from simaie.protocols import MachineFacts, VCpu, require_one_of
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.holes import BY_COMPARE, Hole, Variant

__all__ = ["CLASSES", "QemuAtomicity"]

CLASSES = ("ifalign", "ifalign-pair", "within16", "within16-pair", "subalign", "none")
_REGION = 16


class QemuAtomicity(CompareAndSwap):
    """`CompareAndSwap` with plain accesses as divisible as their atomicity class allows.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine.
        atomicity: The class of all plain accesses, one of `CLASSES`.
        host_atomic16: Whether the host has indivisible accesses of 16 aligned bytes.
        **usual: Options of `CompareAndSwap`.
    """

    name: ClassVar[str] = "qemu-atomicity"
    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("", BY_COMPARE, whole_16=True),
        Variant(
            "atomicity=ifalign-pair",
            BY_COMPARE | {Hole.STORE, Hole.TORN_8},
            armv8=frozenset({Hole.LLSC, Hole.LLSC_RMW}),
        ),
        Variant("atomicity=within16", BY_COMPARE, whole_16=True),
        Variant("atomicity=within16-pair", BY_COMPARE, whole_16=True),
        Variant("atomicity=subalign", BY_COMPARE, whole_16=True),
    )

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        atomicity: str | None = "ifalign",
        host_atomic16: bool = False,
        **usual: Any,
    ) -> None:
        super().__init__(host, pages, machine, **usual)
        self.atomicity = atomicity or "none"  # on a command line, "none" is read as None
        require_one_of("atomicity", self.atomicity, CLASSES)
        self.widest = _REGION if host_atomic16 else host.word

    async def load(self, cpu: VCpu, address: int, width: int) -> int:
        """Load in parts, each as wide as the class requires."""
        parts, alone = self._plan(await self.ranges(address, width, write=False))
        alone = await self._stop_if(cpu, alone)
        values = [await self._load_part(*part) for part in parts]
        if alone:
            await self.resume_world(cpu)
        return join_parts(values, [size for _, size in parts], self.host.endian)

    async def store(self, cpu: VCpu, address: int, width: int, value: int) -> None:
        """Store in parts, each as wide as the class requires."""
        parts, alone = self._plan(await self.ranges(address, width, write=True))
        alone = await self._stop_if(cpu, alone)
        for part, each in zip(parts, split_parts(value, [size for _, size in parts], self.host.endian), strict=True):
            await Op(Kind.STORE, None, *part, each)
        if alone:
            await self.resume_world(cpu)

    async def _load_part(self, at: int, size: int) -> int:
        value: int = await Op(Kind.LOAD, None, at, size)
        return value

    async def _stop_if(self, cpu: VCpu, needed: bool) -> bool:
        """Stop the world if that is needed and not done; return whether it was stopped here."""
        if not needed or cpu.local.stopped:
            return False
        await self.stop_world(cpu)
        return True

    def _plan(self, ranges: Ranges) -> tuple[list[tuple[int, int]], bool]:
        """Return the parts of an access, and whether it must run with the world stopped."""
        parts = [part for at, size in ranges for part in required_parts(self.atomicity, at, size)]
        alone = any(at % self.widest + size > self.widest for at, size in parts)
        return parts, alone


def required_parts(atomicity: str, at: int, width: int) -> list[tuple[int, int]]:
    """Return the parts of an access that must each be indivisible: (physical address, width in bytes).

    Args:
        atomicity: The class, one of `CLASSES`.
        at: Physical address.
        width: Width of the access in bytes.
    """
    size = _required(atomicity, at, width)
    if atomicity == "within16-pair" and size < 0:
        half = width // 2
        first, second = (at, half), (at + half, half)
        whole_first = at % _REGION + half <= _REGION
        return [first, *_cut(*second, 1)] if whole_first else [*_cut(*first, 1), second]
    return _cut(at, width, size)


def _required(atomicity: str, at: int, width: int) -> int:
    """Return the width that must be indivisible; negative if that holds for one half of a pair only."""
    if width == 1 or atomicity == "none":
        return 1
    if atomicity in ("ifalign", "ifalign-pair"):
        size = width // 2 if atomicity == "ifalign-pair" else width
        return size if at % size == 0 else 1
    if atomicity == "subalign":
        return min(width, at & -at or width)
    if at % _REGION + width <= _REGION:
        return width
    if atomicity == "within16":
        return 1
    half = width // 2
    return half if at % _REGION + half == _REGION else -half


def _cut(at: int, width: int, size: int) -> list[tuple[int, int]]:
    return [(at + offset, min(size, width - offset)) for offset in range(0, width, size)]
