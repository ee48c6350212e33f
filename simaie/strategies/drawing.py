"""The drawing of programs: first the kinds of instructions and places to leave out, then thread by thread.

No draw has more than a hundred outcomes. Hypothesis prefers integers that it finds in the source of loaded modules, if
they fit; those are never below a hundred. So examples depend only on the seed, and not on where simaie is installed or
on other installed modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

from simaie.guest.code import Ins, ins
from simaie.guest.forms import SPAWN, table_of
from simaie.guest.program import Program
from simaie.strategies.examples import GeneratedProgram

__all__ = ["MOST", "Shape", "draw_program"]

#: Maximum number of outcomes of one draw.
MOST = 100
_BITS = 6  # bits of one draw, so that it has fewer outcomes than `MOST`

Drawn = tuple[Ins, ...]


class Shape(NamedTuple):
    """The parameters of programs to draw.

    Attributes:
        isa: Name of the instruction set.
        vcpus: Maximum number of vCPUs.
        instructions: Maximum number of instructions of a vCPU.
        addresses: Guest addresses.
        widths: Widths in bytes.
        kinds: Kinds of instructions.
    """

    isa: str
    vcpus: int
    instructions: int
    addresses: tuple[int, ...]
    widths: tuple[int, ...]
    kinds: tuple[str, ...]


class _Thread(NamedTuple):
    """A drawn thread.

    Attributes:
        items: Its code.
        parent: Index of the thread that spawns it; None if the machine starts it.
        at: Index of the parent's instruction before which it is spawned.
    """

    items: list[Ins]
    parent: int | None
    at: int


@st.composite
def draw_program(draw: st.DrawFn, shape: Shape) -> Program:
    """Draw a program of this shape."""
    kinds, places, sizes = _swarm(draw, shape)
    least = draw(st.integers(0, shape.instructions))  # short programs and full ones are equally useful
    code = _code(shape.isa, kinds, places, sizes, least, shape.instructions)
    if code is None:  # no address suits the kinds that are left: then all are left
        code = _code(shape.isa, shape.kinds, shape.addresses, shape.widths, least, shape.instructions)
        assert code is not None  # otherwise the shape would have been refused
    threads: list[_Thread] = []
    for number in range(draw(st.integers(1, shape.vcpus))):
        parent = draw(st.integers(0, number)) if SPAWN in kinds and number else 0
        at = draw(st.integers(0, shape.instructions)) if parent else 0
        threads.append(_Thread(_flat(draw(code), shape.instructions), parent - 1 if parent else None, at))
    columns = [_column(threads, number) for number, thread in enumerate(threads) if thread.parent is None]
    init = {address: 0 for address in shape.addresses if not address % 4}
    return GeneratedProgram("generated", isa=shape.isa, threads=columns, init=init)


def _swarm(draw: st.DrawFn, shape: Shape) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the kinds, addresses and widths that this example uses."""
    choices: tuple[str | int, ...] = (*shape.kinds, *shape.addresses)
    without = [draw(st.integers(0, (1 << min(_BITS, len(choices) - i)) - 1)) for i in range(0, len(choices), _BITS)]
    kept = [item for i, item in enumerate(choices) if not without[i // _BITS] >> i % _BITS & 1]
    only = draw(st.integers(0, len(shape.widths)))
    return (
        tuple(item for item in kept if isinstance(item, str)),
        tuple(item for item in kept if isinstance(item, int)),
        shape.widths[only - 1 : only] if only else shape.widths,
    )


@lru_cache(maxsize=65536)
def _code(
    isa: str, kinds: tuple[str, ...], addresses: tuple[int, ...], widths: tuple[int, ...], least: int, most: int
) -> st.SearchStrategy[list[Drawn]] | None:
    """Return the strategy of a thread's code; None if there is no such instruction."""
    table = table_of(isa, kinds, addresses, widths)
    parts = [st.sampled_from(table[i : i + MOST]) for i in range(0, len(table), MOST)]
    return st.lists(st.one_of(parts), min_size=least, max_size=most) if parts else None


def _flat(drawn: list[Drawn], instructions: int) -> list[Ins]:
    items = [item for part in drawn for item in part][:instructions]
    return [_numbered(item, i) for i, item in enumerate(items)]


@lru_cache(maxsize=65536)
def _numbered(item: Ins, index: int) -> Ins:
    """Return `item` with a unique register for its result."""
    return item if item.into is None else msgspec.structs.replace(item, into=f"r{index}")


def _column(threads: Sequence[_Thread], number: int) -> list[Ins]:
    """Return the code of a thread with the spawns of its children, followed by the children's code."""
    children = [i for i, thread in enumerate(threads) if thread.parent == number]
    column = list(threads[number].items)
    for child in sorted(children, key=lambda i: threads[i].at, reverse=True):
        column.insert(threads[child].at, ins("spawn", f"t{child}"))
    for child in children:
        column += [ins("exit"), ins("label", f"t{child}"), *_column(threads, child)]
    return column
