"""Loops, cut: a label may be gone back to only so many times, then the thread ends and says so.

A search that is to be complete needs executions that end. herd7 does the same (its option `-unroll`): what a loop would
do later is not seen, so the states are all those of the test only if no execution was cut. A cut thread ends where it
is and observes `CUT` instead of its registers; the others go on as if it were very slow.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.guest.code import Ins, ins

__all__ = ["CUT", "MARK", "bounded"]

#: The reserved observation of a thread that was cut; no register is called that.
CUT = "!cut"
MARK = ins("observe", 1, into=CUT)

_BRANCHES = frozenset({"branch", "cbz", "cbnz"})


def bounded(code: Sequence[Ins], ending: Sequence[Ins], rounds: int) -> list[Ins]:
    """`code`, then `ending`, in which each label is gone back to at most `rounds` times.

    A branch backwards goes by a detour behind the ending, which counts and goes on, or cuts.
    """
    places = {str(item.args[0]): index for index, item in enumerate(code) if item.name == "label"}
    detours: dict[str, str] = {}
    result: list[Ins] = []
    for index, item in enumerate(code):
        target = str(item.args[-1]) if item.name in _BRANCHES else ""
        if target and places.get(target, index) < index:
            detour = detours.setdefault(target, f"..again {target}")
            item = Ins(item.name, (*item.args[:-1], detour), item.into, item.options)
        result.append(item)
    result += ending
    if detours:
        result.append(ins("branch", "..end"))
        for target, detour in detours.items():
            result += _detour(target, detour, rounds)
        result += [ins("label", "..cut"), MARK, ins("label", "..end")]
    return result


def _detour(target: str, label: str, rounds: int) -> list[Ins]:
    counter, more = f"..rounds {target}", f"..more {target}"
    return [
        ins("label", label),
        ins("reg_add", counter, 1, into=counter),
        ins("reg_le", counter, rounds, into=more),
        ins("cbnz", more, target),
        ins("branch", "..cut"),
    ]
