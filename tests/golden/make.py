"""Writes the golden replay files of the version that simaie writes: ``python tests/golden/make.py``.

One for each thing that a digest must tell apart: plain accesses, entries and sets of the modelled module, the bitmap,
16-byte values, store buffers and fences, LL/SC, local choices. Every program is data and stands in its file as text.
Files of a version stay as they were written: a new version adds its own.
"""

from __future__ import annotations

from pathlib import Path

import simaie
from simaie import Ins, Machine, Program, ins
from simaie.replaying.file import VERSION

X, Y = 0x1000, 0x1010
FOLDER = Path(__file__).parent
WIDE = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210


def failures() -> dict[str, simaie.Failure]:
    """The failures, by the names of their files."""
    add, stored = [ins("add", X, 1)], [ins("store", X, 1), ins("load", Y)]
    fenced = [ins("store", X, 1), ins("mfence"), ins("load", Y)]
    other = [ins("store", Y, 1), ins("load", X)]
    aba = [[ins("ldrex", X), ins("strex", X, 2)], [ins("str_", X, 1), ins("str_", X, 0)]]
    swaps = [[ins("ldrex", X), ins("strex", X, 2)], [ins("swp", X, 1), ins("swp", X, 0)]]
    window = [[ins("lock_xadd", X, 1)], [ins("store", X, 5)]]
    chosen = [[ins("choose", 3, what="how much"), *add], add]
    torn = [[ins("lock_cmpxchg16b", X, 0, WIDE)], [ins("store", X, 1)]]
    races, strict = "data-races", "llsc-atomicity-strict"
    return {
        "plain": _first("x86", [add, add], Machine("none"), races),
        "choice": _first("x86", chosen, Machine("none"), races),
        "buffers": _first("x86", [stored, other], Machine("native", host="tso"), races),
        "fence": _first("x86", [fenced, other], Machine("native", host="pso"), races),
        "value": _first("arm", aba, Machine("cas"), strict),
        "sets": _first("arm", swaps, Machine("aie-rfc", address_bits=20), strict),
        "bitmap": _first("x86", window, Machine("aie-v2", address_bits=20), "rmw-atomicity"),
        "wide": _first("x86", torn, Machine("none"), "rmw-atomicity"),
    }


def _first(isa: str, threads: list[list[Ins]], machine: Machine, checker: str) -> simaie.Failure:
    program = Program("golden", isa=isa, threads=threads, init={X: 0, Y: 0})
    return simaie.explore(program, machine, scheduler="random-walk", executions=2000, checkers=[checker]).failures[0]


if __name__ == "__main__":
    for name, failure in failures().items():
        failure.save(FOLDER / f"{name}-{VERSION}.json")
