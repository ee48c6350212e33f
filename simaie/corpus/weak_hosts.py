"""Row 25 on Armv8: an x86 guest on a host that reorders loads and stores, with and without what it is owed there.

x86 keeps all orders of plain accesses except that of a store before a later load, and a locked instruction is a full
fence. Armv8 keeps none of them. The schemes take the barriers of `Scheme.map_accesses` from one of two options: with
``barriers=full`` a fence is before each plain access, as QEMU emits it, and a mapping may have one around locked
instructions, too.

AIE performs a locked instruction under the mutex of its granule. A mutex is taken by an acquire and released by a
release; those of two granules are acquire and release of different locks, which order nothing between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simaie.corpus.audit_case import Case, Expect, Needs
from simaie.corpus.barriers import SHAPES, litmus
from simaie.corpus.common import X86, X, Y, Z
from simaie.guest.code import ins
from simaie.guest.program import Program

__all__ = ["CASES"]

_HOST = "armv8"
#: An execution costs some ten times one on a host with store buffers.
_SAMPLES = 50
#: The shapes that x86 forbids without fences; and those that are run also with the fences, since they are small.
_PLAIN, _SMALL = ("mp", "s", "2+2w", "lb", "iriw"), ("mp", "s", "lb")
#: What QEMU has around plain accesses, and a full fence at both ends of a locked instruction.
_FENCED = "qemu/atomic.before=full/atomic.after=full/atomic.failed=full"


def _case(name: str, title: str, program: Program, large: Program, options: Mapping[str, Any], *facts: Any) -> Case:
    expect, why = facts
    return Case(
        row=25,
        title=title,
        why=why,
        program=program,
        expected=X86(expect),
        kinds=frozenset({"final-check"}),
        larger=large,
        samples=_SAMPLES,
        needs=Needs(host=_HOST, options=options),
    )


def _exchanges(name: str, *, more: int = 0) -> Program:
    """Return store buffering whose stores are exchanges, in two granules.

    Args:
        name: The name of the program.
        more: The number of additional vCPUs that store and load elsewhere.
    """
    code = [[ins("xchg", mine, 1), ins("load", other, into="r")] for mine, other in ((X, Y), (Y, X))]
    code += [[ins("store", Z + 16 * i, 1), ins("load", Z, into="other")] for i in range(more)]
    odd = SHAPES["sb"][1]
    return Program(name, isa="x86", threads=code, init={X: 0, Y: 0, Z: 0}, final=lambda state: not odd(state))


def _cases() -> list[Case]:
    found = []
    for shape in _PLAIN:
        for option, value, expect, why in (
            ("barriers", "guest", Expect.FINDABLE, "the guest has no fence here, and the host keeps no order"),
            ("barriers", "full", Expect.MUST_NOT, "a fence before each access keeps what x86 keeps by itself"),
            ("mapping", "fex", Expect.MUST_NOT, "LDAPR and STLR keep what x86 keeps by itself"),
        ):
            if expect is Expect.MUST_NOT and shape not in _SMALL:
                continue
            name = f"{shape}-x86-{_HOST}-{value}"
            program = litmus(shape, "x86", "nothing", name)
            large = litmus(shape, "x86", "nothing", f"{name}-large", more=1)
            title = f"{shape.upper()} on Armv8, {option}={value}"
            found.append(_case(name, title, program, large, {option: value}, expect, why))
    for option, value, expect, why in (
        ("barriers", "full", Expect.FINDABLE, "the mutexes of two granules order nothing between them"),
        ("mapping", _FENCED, Expect.MUST_NOT, "a full fence at both ends makes the locked instruction a fence"),
    ):
        name = f"sb-x86-xchg-{_HOST}-{'full' if option == 'barriers' else 'fenced'}"
        title = f"SB of exchanges on Armv8, {'barriers=full' if option == 'barriers' else 'fences at both ends'}"
        large = _exchanges(f"{name}-large", more=1)
        found.append(_case(name, title, _exchanges(name), large, {option: value}, expect, why))
    return found


CASES = _cases()
