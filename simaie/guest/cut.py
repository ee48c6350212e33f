"""A program with parts left out: what a counterexample is cut down to, and how a file or a command names it.

A cut says what to leave out of the whole program, so that the whole, which can be found again by name, is all that has
to be referred to. A vCPU that is cut is still there and does nothing: the others keep their names.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec

from simaie.errors import UsageError
from simaie.guest.code import Code
from simaie.guest.program import Program

__all__ = ["FINAL_CHECK", "Cut", "without"]


class Cut(msgspec.Struct, frozen=True, order=True, array_like=True):
    """What to leave out of thread number `thread`: the items of its list with these indices; None: all that it does.

    `FINAL_CHECK` is what leaves out the final check, which mostly counts on the whole program.
    """

    thread: int
    items: tuple[int, ...] | None = None

    def __str__(self) -> str:
        if self == FINAL_CHECK:
            return "final"
        return str(self.thread) if self.items is None else f"{self.thread}:{'+'.join(map(str, self.items))}"

    @classmethod
    def parse(cls, text: str) -> Cut:
        """From ``1`` (the whole thread), ``0:2+5`` (two items of its list) or ``final``; UsageError otherwise."""
        if text == "final":
            return FINAL_CHECK
        thread, colon, items = text.partition(":")
        try:
            return cls(int(thread), tuple(sorted({int(item) for item in items.split("+")})) if colon else None)
        except ValueError:
            raise UsageError(
                f"a cut is a thread's number (1), some items of its list (0:2+5), or final; not {text!r}"
            ) from None


FINAL_CHECK = Cut(-1)


def without(program: Program, cuts: Sequence[Cut]) -> Program:
    """`program` without what `cuts` names, counted in the whole program even if `program` is cut already.

    The initial memory stays. Raises UsageError if there is no such thread or item, if a thread is
    not a list and only items of it are to go, or if a branch loses its label.
    """
    whole = program.whole or program
    threads = list(whole.threads)
    made = copy.copy(whole)
    made.__dict__.pop("digest", None)  # worked out anew, of what is left
    for cut in cuts:
        if cut == FINAL_CHECK:
            made.final = None
            continue
        if not 0 <= cut.thread < len(threads):
            raise UsageError(f"cut {cut}: program {whole.name!r} has no thread {cut.thread}")
        threads[cut.thread] = _cut(whole, cut)
    made.threads = tuple(threads)
    made.whole, made.cuts = whole, tuple(sorted(cuts, key=lambda cut: cut.thread))
    return made


def _cut(whole: Program, cut: Cut) -> Code:
    thread, where = whole.threads[cut.thread], f"thread {cut.thread} of program {whole.name!r}"
    if cut.items is None:
        return Code([], whole.cpu_class, where)
    if not isinstance(thread, Code):
        raise UsageError(f"cut {cut}: {where} is a function, so only all of it can be cut")
    if any(not 0 <= item < len(thread) for item in cut.items):
        raise UsageError(f"cut {cut}: {where} has {len(thread)} items")
    return Code([item for index, item in enumerate(thread) if index not in cut.items], whole.cpu_class, where)
