"""A program with parts left out: what a counterexample is cut down to, and how a file or a command names it.

A cut says what to leave out of the whole program, so that the whole, which can be found again by name, is all that has
to be referred to. A vCPU that is cut is still there and does nothing: the others keep their names.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import msgspec

from simaie.arguments import require_instance, require_integer, require_iterable, require_text
from simaie.errors import UsageError
from simaie.guest.code import Code
from simaie.guest.part import part_of
from simaie.guest.program import GuestFunction, Program

__all__ = ["FINAL_CHECK", "Cut", "without"]


class Cut(msgspec.Struct, frozen=True, order=True, array_like=True):
    """What to leave out of thread number `thread`: all that it does, or some instructions, counted from 0.

    items: of a list, the items with these indices; of a function, the instructions with these numbers in the order in
    which it comes to them. end: all from this one on (None: no such end). With neither, the whole thread.
    `FINAL_CHECK` is what leaves out the final check, which mostly counts on the whole program.
    """

    thread: int
    items: tuple[int, ...] | None = None
    end: int | None = None

    @classmethod
    def of(cls, thread: int, gone: Iterable[int], end: int | None = None) -> Cut:
        """The cut of `gone` and of all from `end` on, written in the one way in which it is written."""
        items = set(gone) if end is None else {item for item in gone if item < end}
        while end is not None and end - 1 in items:
            end -= 1
            items.remove(end)
        return cls(thread) if end == 0 else cls(thread, tuple(sorted(items)), end)

    @property
    def whole(self) -> bool:
        """Whether nothing of the thread is left."""
        return self.items is None and self.end is None

    @property
    def nothing(self) -> bool:
        """Whether all of the thread is left."""
        return self.items == () and self.end is None

    def has(self, number: int) -> bool:
        """Whether the instruction (or item) with this number is left out."""
        return self.whole or number in (self.items or ()) or (self.end is not None and number >= self.end)

    def __str__(self) -> str:
        if self == FINAL_CHECK:
            return "final"
        parts = [f"{first}" if first == last else f"{first}-{last}" for first, last in _runs(self.items or ())]
        if self.end is not None:
            parts.append(f"{self.end}-")
        return f"{self.thread}:{'+'.join(parts)}" if parts else str(self.thread)

    @classmethod
    def parse(cls, text: str) -> Cut:
        """From ``1`` (the whole thread), ``0:2+5-7+9-`` (2, 5 to 7, all from 9 on) or ``final``; else UsageError."""
        if require_text("a cut", text) == "final":
            return FINAL_CHECK
        thread, colon, parts = text.partition(":")
        items: set[int] = set()
        end: int | None = None
        try:
            for part in parts.split("+") if colon else ():
                first, dash, last = part.partition("-")
                if dash and not last:
                    end = int(first) if end is None else min(end, int(first))
                else:
                    items.update(_range(int(first), int(last or first)))
            return cls.of(int(thread), items, end) if colon else cls(int(thread))
        except ValueError:
            raise UsageError(
                f"a cut is a thread's number (1), some of its instructions (0:2+5-7+9-), or final; not {text!r}"
            ) from None


FINAL_CHECK = Cut(-1)
#: More instructions than anybody names on a command line: a range beyond it is a slip, and would fill memory.
_MOST = 1_000_000


def _range(first: int, last: int) -> range:
    if not 0 <= first <= last < _MOST:
        raise ValueError
    return range(first, last + 1)


def _runs(items: Iterable[int]) -> list[tuple[int, int]]:
    """The first and last of each run of neighbours."""
    runs: list[tuple[int, int]] = []
    for item in items:
        if runs and runs[-1][1] == item - 1:
            runs[-1] = runs[-1][0], item
        else:
            runs.append((item, item))
    return runs


def without(program: Program, cuts: Sequence[Cut]) -> Program:
    """`program` without what `cuts` names, counted in the whole program even if `program` is cut already.

    The initial memory stays. Raises UsageError if there is no such thread, if a list has no such item, or if a branch
    in one loses its label.
    """
    require_instance("program", program, Program, "a simaie.Program")
    for cut in require_iterable("cuts", cuts, "Cut"):
        require_instance("a cut", cut, Cut, "a simaie.guest.cut.Cut, as Cut.parse makes it")
        require_integer("the thread of a cut", cut.thread)
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


def _cut(whole: Program, cut: Cut) -> GuestFunction | Code:
    thread, where = whole.threads[cut.thread], f"thread {cut.thread} of program {whole.name!r}"
    if cut.whole:
        return Code([], whole.cpu_class, where)
    if not isinstance(thread, Code):
        return part_of(thread, frozenset(cut.items or ()), cut.end)
    if any(not 0 <= item < len(thread) for item in cut.items or ()):
        raise UsageError(f"cut {cut}: {where} has {len(thread)} items")
    return Code([item for index, item in enumerate(thread) if not cut.has(index)], whole.cpu_class, where)
