"""Cutting of loops: after a number of jumps back to a label the thread ends and records the cut.

A complete search needs executions that end. herd7 does the same (its option `-unroll`): the later rounds of a loop are
not seen, so the states are all those of the test only if no execution was cut. A cut thread ends where it is and
observes `CUT` instead of its registers; the others continue as if it were very slow.

Two kinds of loops end by themselves and are not cut:

* A polling loop: straight code of loads and fences in which every register is written before it is read. The engine
  replaces its rounds by a wait until the values that it reads have changed (`simaie.engine.spin`).
* A loop that counts on constants: no branch in it depends on what any instruction has read. It runs to its end, within
  `CONSTANT_ROUNDS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simaie.guest.code import Ins, ins
from simaie.guest.register_instructions import COUNTER, LOCAL

__all__ = ["CONSTANT_ROUNDS", "CUT", "MARK", "bounded"]

#: The reserved observation of a thread that was cut; no register has this name.
CUT = "!cut"
MARK = ins("observe", 1, into=CUT)
#: Maximum number of rounds of a loop that counts on constants, in case it never ends.
CONSTANT_ROUNDS = 1_000

_BRANCHES = frozenset({"branch", "cbz", "cbnz"})
_LOADS = frozenset(
    {"load", "ldr", "ldrb", "ldrh", "ldrsb", "ldrsh", "ldrsw", "ldar", "ldarb", "ldarh", "ldapr", "lb", "lbu", "lh",
     "lhu", "lw", "lwu", "ld", "lbz", "lhz", "lha", "lwz", "lwa"}
)  # fmt: skip
_FENCES = frozenset(
    {"mfence", "lfence", "sfence", "dmb", "dsb", "isb", "fence", "fence_i", "fence_tso", "sync", "lwsync", "isync",
     "eieio", "pause", "yield_", "wfe"}
)  # fmt: skip


def bounded(code: Sequence[Ins], ending: Sequence[Ins], rounds: int) -> list[Ins]:
    """Return `code`, then `ending`, with the number of jumps back to each label limited.

    A loop that ends by itself is not limited. A backward branch takes a detour after the ending, which counts and
    continues, or cuts.

    Args:
        code: The instructions of a thread.
        ending: The instructions to run at its end.
        rounds: Maximum number of jumps back to one label.
    """
    places = {str(item.args[0]): index for index, item in enumerate(code) if item.name == "label"}
    from_memory: set[str] | None = None
    detours: dict[tuple[str, int], str] = {}
    result: list[Ins] = []
    for index, item in enumerate(code):
        target = str(item.args[-1]) if item.name in _BRANCHES else ""
        first = places.get(target, index)
        if first < index and not _only_looks(code[first + 1 : index], item):
            if from_memory is None:
                from_memory = _from_memory(code, places)
            constant = _counts_on_constants(code[first : index + 1], from_memory)
            bound = max(rounds, CONSTANT_ROUNDS) if constant else rounds
            detour = detours.setdefault((target, bound), f"..again {bound} {target}")
            item = Ins(item.name, (*item.args[:-1], detour), item.into, item.options)
        result.append(item)
    result += ending
    if detours:
        result.append(ins("branch", "..end"))
        for (target, bound), detour in detours.items():
            result += _detour(target, detour, bound)
        result += [ins("label", "..cut"), MARK, ins("label", "..end")]
    return result


def _detour(target: str, label: str, rounds: int) -> list[Ins]:
    counter, more = f"{COUNTER}{label}", f"..more {label}"
    return [
        ins("label", label),
        ins("reg_add", counter, 1, into=counter),
        ins("reg_le", counter, rounds, into=more),
        ins("cbnz", more, target),
        ins("branch", "..cut"),
    ]


def _reads(item: Ins) -> list[str]:
    """Return the registers that an instruction reads."""
    args = item.args[:-1] if item.name in _BRANCHES else () if item.name == "label" else item.args
    return [arg for arg in args if isinstance(arg, str)]


def _only_looks(body: Sequence[Ins], branch: Ins) -> bool:
    """Whether a loop reads memory and keeps nothing from one round to the next."""
    written = {item.into for item in body}
    so_far: set[str | None] = set()
    for item in (*body, branch):
        if any(register in written and register not in so_far for register in _reads(item)):
            return False
        so_far.add(item.into)
    names = {item.name for item in body} - {name for name in LOCAL if name == "mov" or name.startswith(("reg_", "sel"))}
    return not names.isdisjoint(_LOADS) and names <= _LOADS | _FENCES


def _counts_on_constants(loop: Sequence[Ins], from_memory: set[str]) -> bool:
    """Whether the loop ends by branches on registers that it changes, and by none that depends on memory."""
    tested = {register for item in loop if item.name in _BRANCHES for register in _reads(item)}
    return tested.isdisjoint(from_memory) and not tested.isdisjoint({item.into for item in loop})


def _from_memory(code: Sequence[Ins], places: dict[str, int]) -> set[str]:
    """Return the registers whose value may depend on memory."""
    found: set[str] = set()
    while True:
        new = {item.into for index, item in enumerate(code) if item.into and _depends(code, places, index, found)}
        if new <= found:
            return found
        found |= new


def _depends(code: Sequence[Ins], places: dict[str, int], index: int, found: set[str]) -> bool:
    """Whether the value that the instruction at `index` writes is read from memory, or decided by such a value."""
    item = code[index]
    return (
        item.name not in LOCAL
        or not found.isdisjoint(_reads(item))
        or any(min(at, target) < index < max(at, target) for at, target in _branches_on(code, places, found))
    )


def _branches_on(code: Sequence[Ins], places: dict[str, int], found: set[str]) -> Iterable[tuple[int, int]]:
    """Yield the positions of the branches that test one of the registers, with those of their labels."""
    for at, item in enumerate(code):
        if item.name in ("cbz", "cbnz") and not found.isdisjoint(_reads(item)):
            yield at, places.get(str(item.args[-1]), len(code))
