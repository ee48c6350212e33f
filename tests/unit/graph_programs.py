"""Programs for hosts of execution graphs: the classical shapes, and x86 guests with locked instructions."""

from __future__ import annotations

from simaie import Program, ins
from simaie.guest.code import Ins

X, Y, Z = 0x100, 0x200, 0x300


def store(place: int, value: int | str = 1) -> Ins:
    return ins("store", place, value)


def load(place: int, into: str) -> Ins:
    return ins("load", place, into=into)


def xchg(place: int, into: str) -> Ins:
    return ins("xchg", place, 1, into=into)


def xadd(place: int, into: str = "q") -> Ins:
    return ins("lock_xadd", place, 1, into=into)


FENCE = ins("mfence")

SHAPES: dict[str, list[list[Ins]]] = {
    "SB": [[store(X), load(Y, "r")], [store(Y), load(X, "r")]],
    "MP": [[store(X), store(Y)], [load(Y, "r"), load(X, "s")]],
    "LB": [[load(X, "r"), store(Y)], [load(Y, "r"), store(X)]],
    "LB+data": [[load(X, "r"), store(Y, "r")], [load(Y, "r"), store(X, "r")]],
    "S": [[store(X, 2), store(Y)], [load(Y, "r"), store(X)]],
    "R": [[store(X), store(Y)], [store(Y, 2), load(X, "r")]],
    "2+2W": [[store(X), store(Y, 2)], [store(Y), store(X, 2)]],
    "IRIW": [[store(X)], [store(Y)], [load(X, "r"), load(Y, "s")], [load(Y, "r"), load(X, "s")]],
    "WRC": [[store(X)], [load(X, "r"), store(Y)], [load(Y, "r"), load(X, "s")]],
    "MPQ": [[store(X), store(Y)], [xchg(Y, "r"), load(X, "s")]],
    "LBQ": [[load(X, "r"), xchg(Z, "q"), store(Y)], [load(Y, "r"), store(X)]],
    "SBQ": [[store(X), xchg(Z, "q"), load(Y, "r")], [store(Y), xchg(Z + 0x40, "q"), load(X, "r")]],
    "SB+xchgs": [[xchg(X, "q"), load(Y, "r")], [xchg(Y, "q"), load(X, "r")]],
}


def shape(name: str) -> Program:
    """A program of `SHAPES`, with the final memory as part of its outcome."""
    return Program(name, isa="x86", threads=SHAPES[name], watch={X: 4, Y: 4})


def increments(count: int) -> Program:
    """As many vCPUs, each of which adds 1 atomically; a function, so that addresses are not known before."""

    async def add(cpu):
        await cpu.lock_xadd(X, 1)

    return Program(f"inc{count}", isa="x86", threads=[add] * count, watch={X: 4})
