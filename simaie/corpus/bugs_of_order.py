"""Bugs of emulators with barriers: one that is left out, and one of the wrong kind."""

from __future__ import annotations

from simaie.corpus.audit_case import Expect, Needs
from simaie.corpus.common import X, Y
from simaie.corpus.regression import Regression
from simaie.guest.code import ins
from simaie.guest.program import FinalState, Program

__all__ = ["OF_ORDER"]

_HOLDS, _FOUND = Expect.MUST_NOT, Expect.FINDABLE


def _sees_the_data_behind_the_flag(state: FinalState) -> bool:
    return not state.registers["1:flag"] or state.registers["1:data"] == 1


def _message(name: str, isa: str, plain: tuple[str, str], ordered: tuple[str, str]) -> Program:
    """Return a program in which vCPU 0 stores data and then a flag, and vCPU 1 loads the flag and then the data.

    Args:
        name: The name of the program.
        isa: The instruction set.
        plain: The store and the load of the data.
        ordered: Those of the flag.
    """
    writer = [ins(plain[0], X, 1), ins(ordered[0], Y, 1)]
    reader = [ins(ordered[1], Y, into="flag"), ins(plain[1], X, into="data")]
    init = {X: 0, Y: 0}
    return Program(name, isa=isa, threads=[writer, reader], init=init, final=_sees_the_data_behind_the_flag)


OF_ORDER = (
    Regression(
        title="a load-acquire and a store-release without barriers",
        why="The flag is seen before the data on a host that reorders accesses.",
        program=_message("bug-release-without-barrier", "arm", ("str_", "ldr"), ("stl", "lda")),
        kinds=frozenset({"final-check"}),
        expected={"native": _HOLDS, "cas": _HOLDS, "cas:barriers=none": _FOUND},
        needs=Needs(host="armv8"),
    ),
    Regression(
        title="a barrier between stores that is emitted as one between loads",
        why="The order of the stores of an x86 guest is lost. Each vCPU needs its own kind of barrier.",
        program=_message("bug-wrong-barrier", "x86", ("store", "load"), ("store", "load")),
        kinds=frozenset({"final-check"}),
        expected={
            "native": _HOLDS,
            "cas": _HOLDS,
            "cas:barriers=ld-ld+st-st": _HOLDS,
            "cas:barriers=ld-ld": _FOUND,
            "cas:barriers=st-st": _FOUND,
        },
        needs=Needs(host="rvwmo", options={"barriers": "full"}),
    ),
)
