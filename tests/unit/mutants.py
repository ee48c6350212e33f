"""Schemes with one protection taken out each: what the searches and the checkers must find.

Each is the real scheme with one method replaced. `MUTANTS` lists them with the scheme that they spoil and a
program of `SPOILED` that holds under the scheme and breaks under the mutant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from runs import X, program
from scheme_parts import read_modify_write

from simaie.aie.radix_tree import RadixTree
from simaie.aie.registry import Registry
from simaie.guest.program import Program
from simaie.schemes.aie_rfc import AieRfc
from simaie.schemes.aie_v2 import AieV2
from simaie.schemes.scheme import Scheme

__all__ = ["MUTANTS", "Mutant"]


class RacyTree(RadixTree):
    """Publishes a child with a plain store, so that every racer believes that it has won."""

    async def publish(self, slot, fresh):
        await slot.store(fresh)
        return fresh


class PlainInsertion(AieRfc):
    """The insertion's compare-and-swap is a plain store."""

    name = "aie-rfc with a plain insertion"
    tree_class = RacyTree


class UnlockedRmw(AieRfc):
    """The read-modify-write takes no lock."""

    name = "aie-rfc without the lock"

    async def atomic_rmw(self, cpu, address, width, function):
        return await read_modify_write(self, address, width, function)


class UncheckedStore(AieRfc):
    """A plain store does not ask whether its granule is used atomically."""

    name = "aie-rfc with unchecked stores"

    async def check(self, cpu, key):
        pass


class LateBitmap(AieV2):
    """The bitmap's bit is set at the end of the first locked instruction and not before its load."""

    name = "aie-v2 with a late bitmap"

    async def get_lock(self, cpu, key):
        cpu.local.held = await Registry.get_lock(self.registry, key)  # without what BitmapRegistry adds to it

    async def lock_disable(self, cpu):
        if cpu.local.held is not None:
            await self.registry.announce(cpu.local.held)
        await super().lock_disable(cpu)


class FullSet(AieRfc):
    """A store-conditional that stores leaves the set as it is."""

    name = "aie-rfc with a set that is never emptied"

    async def end_reservations(self, entry):
        pass


# -- the programs ------------------------------------------------------------------------------------


async def increment(cpu):
    await cpu.lock_xadd(X, 1)


async def increment_twice(cpu):
    await cpu.lock_xadd(X, 1)
    await cpu.lock_xadd(X, 1)


async def store_once_registered(cpu):
    await cpu.wait_until(X, lambda value: value > 0)
    await cpu.store(X, 10)


async def try_increment(cpu):
    value = await cpu.ldrex(X)
    cpu.observe("stored", 1 - await cpu.strex(X, value + 1))


def two_increments() -> Program:
    return program("x86", increment, increment, final=lambda end: end[X] == 2)


def store_after_registration() -> Program:
    """The granule is registered when the store begins, so the store is never lost: 10 or, incremented later, 11."""
    return program("x86", increment_twice, store_once_registered, final=lambda end: end[X] in (10, 11))


def two_attempts() -> Program:
    return program("arm", try_increment, try_increment, final=lambda end: end[X] == sum(end.registers.values()))


class Mutant(NamedTuple):
    """A spoiled scheme, the sound one, and a program that tells them apart."""

    spoiled: type[Scheme]
    sound: type[Scheme]
    program: Callable[[], Program]


MUTANTS: list[Any] = [
    Mutant(PlainInsertion, AieRfc, two_increments),
    Mutant(UnlockedRmw, AieRfc, two_increments),
    Mutant(UncheckedStore, AieRfc, store_after_registration),
    Mutant(LateBitmap, AieV2, store_after_registration),
    Mutant(FullSet, AieRfc, two_attempts),
]
