"""A program with parts left out: the form of a shrunk counterexample, and the text by which files and commands name it.

A cut lists what to leave out of the original program, so that a reference needs only the original, which can be found
by name. A cut vCPU still exists and does nothing: the others keep their names.
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
    """The parts to leave out of one thread: all of it, or some instructions, numbered from 0.

    Without `items` and `end`, the whole thread is left out. `FINAL_CHECK` leaves out the final check, which usually
    relies on the complete program.

    Attributes:
        thread: Index of the thread.
        items: Of a list, the indices of the items; of a function, the numbers of the instructions in execution order.
        end: Every instruction from this number on is left out; None for no such end.
    """

    thread: int
    items: tuple[int, ...] | None = None
    end: int | None = None

    @classmethod
    def of(cls, thread: int, gone: Iterable[int], end: int | None = None) -> Cut:
        """Return the cut of `gone` and of all instructions from `end` on, in its canonical form.

        Args:
            thread: Index of the thread.
            gone: Numbers of the instructions to leave out.
            end: Every instruction from this number on is left out; None for no such end.
        """
        items = set(gone) if end is None else {item for item in gone if item < end}
        while end is not None and end - 1 in items:
            end -= 1
            items.remove(end)
        return cls(thread) if end == 0 else cls(thread, tuple(sorted(items)), end)

    @property
    def removes_all(self) -> bool:
        """Whether the cut leaves nothing of the thread."""
        return self.items is None and self.end is None

    @property
    def is_empty(self) -> bool:
        """Whether the cut leaves the whole thread."""
        return self.items == () and self.end is None

    def has(self, number: int) -> bool:
        """Whether the cut leaves out the instruction (or item) with this number."""
        return self.removes_all or number in (self.items or ()) or (self.end is not None and number >= self.end)

    def __str__(self) -> str:
        if self == FINAL_CHECK:
            return "final"
        parts = [f"{first}" if first == last else f"{first}-{last}" for first, last in _runs(self.items or ())]
        if self.end is not None:
            parts.append(f"{self.end}-")
        return f"{self.thread}:{'+'.join(parts)}" if parts else str(self.thread)

    @classmethod
    def parse(cls, text: str) -> Cut:
        """Return the cut of a text; raise UsageError if the text is no cut.

        Args:
            text: ``1`` (the whole thread), ``0:2+5-7+9-`` (2, 5 to 7, all from 9 on) or ``final``.
        """
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
#: More instructions than a command line plausibly names: a range beyond this is a typo, and would fill memory.
_MOST = 100_000


def _range(first: int, last: int) -> range:
    if not 0 <= first <= last < _MOST:
        raise ValueError
    return range(first, last + 1)


def _runs(items: Iterable[int]) -> list[tuple[int, int]]:
    """Return (first, last) of each run of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for item in items:
        if runs and runs[-1][1] == item - 1:
            runs[-1] = runs[-1][0], item
        else:
            runs.append((item, item))
    return runs


def without(program: Program, cuts: Sequence[Cut]) -> Program:
    """Return a program without the parts that `cuts` name; the initial memory stays.

    Args:
        program: The program; if it is cut already, the cuts apply to its original.
        cuts: The cuts.

    Raises:
        UsageError: There is no such thread, a list has no such item, or a branch in a list loses its label.
    """
    require_instance("program", program, Program, "a simaie.Program")
    for cut in require_iterable("cuts", cuts, "Cut"):
        require_instance("a cut", cut, Cut, "a simaie.guest.cut.Cut, as Cut.parse makes it")
        require_integer("the thread of a cut", cut.thread)
    original = program.cut_from or program
    threads = list(original.threads)
    made = copy.copy(original)
    made.__dict__.pop("digest", None)  # recomputed for what is left
    for cut in cuts:
        if cut == FINAL_CHECK:
            made.final = None
            continue
        if not 0 <= cut.thread < len(threads):
            raise UsageError(f"cut {cut}: program {original.name!r} has no thread {cut.thread}")
        threads[cut.thread] = _cut(original, cut)
    made.threads = tuple(threads)
    made.cut_from, made.cuts = original, tuple(sorted(cuts, key=lambda cut: cut.thread))
    return made


def _cut(original: Program, cut: Cut) -> GuestFunction | Code:
    thread, where = original.threads[cut.thread], f"thread {cut.thread} of program {original.name!r}"
    if cut.removes_all:
        return Code([], original.cpu_class, where)
    if not isinstance(thread, Code):
        return part_of(thread, frozenset(cut.items or ()), cut.end)
    if any(not 0 <= item < len(thread) for item in cut.items or ()):
        raise UsageError(f"cut {cut}: {where} has {len(thread)} items")
    return Code([item for index, item in enumerate(thread) if not cut.has(index)], original.cpu_class, where)
