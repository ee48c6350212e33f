"""Row 25: the classic litmus tests on hosts that reorder, with and without the barriers that an emulator should emit.

Each test forbids one outcome on its guest's architecture, by the guest's own fences or (x86) by the architecture alone.
The weak hosts delay stores: TSO breaks tests that need a store kept before a load (SB, R), PSO also those that need a
store kept before a store (MP, S, 2+2W). Neither delays a load, so LB and IRIW are not affected.

Names: J. Alglave, L. Maranget, M. Tautschnig, "Herding cats" (TOPLAS 36(2), 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.common import ARM, X86, X, Y, Z
from simaie.guest.code import Ins, ins
from simaie.guest.program import FinalState, Program

__all__ = ["CASES"]

#: One access: ``("W", place, value)`` or ``("R", place, register)``.
Access = tuple[str, int, Any]
Odd = Callable[[FinalState], bool]

#: The threads of each test, and its forbidden outcome.
SHAPES: dict[str, tuple[tuple[tuple[Access, ...], ...], Odd]] = {
    "sb": (
        ((("W", X, 1), ("R", Y, "r")), (("W", Y, 1), ("R", X, "r"))),
        lambda s: s.registers["0:r"] == s.registers["1:r"] == 0,
    ),
    "r": (
        ((("W", X, 1), ("W", Y, 1)), (("W", Y, 2), ("R", X, "r"))),
        lambda s: s[Y] == 2 and s.registers["1:r"] == 0,
    ),
    "mp": (
        ((("W", X, 1), ("W", Y, 1)), (("R", Y, "r"), ("R", X, "s"))),
        lambda s: s.registers["1:r"] == 1 and s.registers["1:s"] == 0,
    ),
    "s": (
        ((("W", X, 2), ("W", Y, 1)), (("R", Y, "r"), ("W", X, 1))),
        lambda s: s.registers["1:r"] == 1 and s[X] == 2,
    ),
    "2+2w": (
        ((("W", X, 1), ("W", Y, 2)), (("W", Y, 1), ("W", X, 2))),
        lambda s: s[X] == s[Y] == 1,
    ),
    "lb": (
        ((("R", X, "r"), ("W", Y, 1)), (("R", Y, "r"), ("W", X, 1))),
        lambda s: s.registers["0:r"] == s.registers["1:r"] == 1,
    ),
    "iriw": (
        ((("W", X, 1),), (("W", Y, 1),), (("R", X, "r"), ("R", Y, "s")), (("R", Y, "r"), ("R", X, "s"))),
        lambda s: [s.registers[name] for name in ("2:r", "2:s", "3:r", "3:s")] == [1, 0, 1, 0],
    ),
}

_NAMES = {"x86": {"W": "store", "R": "load", "fence": "mfence"}, "arm": {"W": "str_", "R": "ldr", "fence": "dmb"}}
_LOCKED = {
    "x86": [ins("lock_inc", Z)],
    "arm": [ins("ldrex", Z, into="old"), ins("strex", Z, 1, into="failed")],
}


def litmus(shape: str, isa: str, between: str, name: str, *, more: int = 0) -> Program:
    """Return a litmus test as a program.

    Args:
        shape: Name of the test, a key of `SHAPES`.
        isa: Instruction set of the guest.
        between: What is between two accesses: nothing, fences or locked operations.
        name: Name of the program.
        more: Number of additional vCPUs that only store and load elsewhere.
    """
    threads, odd = SHAPES[shape]
    code = [_thread(isa, between, accesses) for accesses in threads]
    names = _NAMES[isa]
    code += [[ins(names["W"], Z + 16 * (1 + i), 1), ins(names["R"], Z + 16, into="other")] for i in range(more)]
    return Program(name, isa=isa, threads=code, init={X: 0, Y: 0, Z: 0}, final=lambda state: not odd(state))


def _thread(isa: str, between: str, accesses: Sequence[Access]) -> list[Ins]:
    names = _NAMES[isa]
    code: list[Ins] = []
    for kind, place, what in accesses:
        if code and between == "fences":
            code.append(ins(names["fence"]))
        elif code and between == "locked operations":
            code += _LOCKED[isa]
        code.append(ins(names["W"], place, what) if kind == "W" else ins(names["R"], place, into=what))
    return code


def _case(shape: str, isa: str, host: str, barriers: str, between: str, expect: Expect, why: str) -> Case:
    what = {"nothing": "", "fences": "-fenced", "locked operations": "-locked"}[between]
    name = f"{shape}-{isa}{what}-{host}-{barriers}"
    return Case(
        row=25,
        title=f"{shape.upper()}{what.replace('-', ' ')} on {host.upper()}",
        why=why,
        program=litmus(shape, isa, between, name),
        expected=X86(expect) if isa == "x86" else ARM(expect),
        kinds=frozenset({"final-check"}),
        larger=litmus(shape, isa, between, f"{name}-large", more=2),
        needs=Needs(host=host, options={"barriers": barriers}),
    )


#: The weakest reordering that breaks each test, as the host that has it.
_HOST = {"sb": "tso", "r": "tso", "mp": "pso", "s": "pso", "2+2w": "pso"}


def _cases() -> list[Case]:
    found, must_not, findable = [], Expect.MUST_NOT, Expect.FINDABLE
    for isa in ("x86", "arm"):
        for shape, host in _HOST.items():
            for barriers, expect, why in (
                ("none", findable, "the guest's fences become nothing, and the host delays the store"),
                ("guest", must_not, "the guest's fences become the host's"),
                ("full", must_not, "the guest's fences become the host's"),
            ):
                found.append(_case(shape, isa, host, barriers, "fences", expect, why))
        for shape in _HOST:
            why = "the mutex of the granule carries the barrier that the emulator does not emit"
            found.append(_case(shape, isa, _HOST[shape], "none", "locked operations", must_not, why))
        for shape in ("lb", "iriw"):
            why = "it takes a host that delays loads, or shows a store to some vCPUs first"
            found.append(_case(shape, isa, "pso", "none", "nothing", must_not, why))
    for shape in ("mp", "s", "2+2w"):
        why = "x86 needs no fence here, so there is no fence to become the host's; the store is delayed"
        found.append(_case(shape, "x86", "pso", "guest", "nothing", findable, why))
        why = "a barrier before each store keeps the order that x86 guarantees without fences"
        found.append(_case(shape, "x86", "pso", "full", "nothing", must_not, why))
    return found


CASES = _cases()
