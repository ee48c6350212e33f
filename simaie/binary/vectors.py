"""Vector instructions that Sleigh names but does not say: NEON of A64, SSSE3 and SSE4.1 of x86.

Most vector instructions are ordinary P-code over registers of 16 bytes. These are not (Arm ARM DDI 0487, C7.2; Intel
SDM, volume 2). A vector is a number whose lowest lane is lane 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from simaie.binary.cells import mask
from simaie.host.loaded import lift

__all__ = ["is_vector", "vector"]

_Lanes: TypeAlias = list[int]
_EXTENDS = re.compile(r"pmov([sz])x([bwd])([wdq])")
_LETTERS = {"b": 1, "w": 2, "d": 4, "q": 8}


class _Shape(NamedTuple):
    """The sizes in bytes of the result and of a vector operand."""

    out: int
    given: int


def vector(name: str, out: int, given: int, *operands: int) -> int:
    """Return the result of an instruction.

    Args:
        name: The user-defined operation of Sleigh, for which `is_vector` holds.
        out: The size of the result in bytes.
        given: The size of the first operand in bytes.
        *operands: The operands as Sleigh has them.
    """
    rule, shape = _RULES[name], _Shape(out, given)
    result: int = lift(lambda *known: rule(shape, *known), *operands)
    return result


def is_vector(name: str) -> bool:
    """Whether a user-defined operation of Sleigh is one of these instructions."""
    return name in _RULES


def _lanes(value: int, size: int, lane: int) -> _Lanes:
    return [value >> 8 * at & mask(lane) for at in range(0, size, lane)]


def _joined(lanes: Iterable[int], lane: int) -> int:
    return sum((value & mask(lane)) << 8 * lane * number for number, value in enumerate(lanes))


def _signed(value: int, lane: int) -> int:
    half = 1 << 8 * lane - 1
    return (value ^ half) - half


def _extract(shape: _Shape, low: int, high: int, first: int, _: int) -> int:
    return (high << 8 * shape.given | low) >> 8 * first & mask(shape.out)


def _best(choose: Callable[[int, int], int], signed: bool) -> Callable[[int, int, int], int]:
    """Return a function of two lanes and their size."""

    def best(one: int, other: int, lane: int) -> int:
        return choose(_signed(one, lane), _signed(other, lane)) & mask(lane) if signed else choose(one, other)

    return best


def _shifted(value: int, amount: int, lane: int) -> int:
    distance = _signed(amount & 0xFF, 1)
    return (value << distance) & mask(lane) if distance >= 0 else value >> -distance


def _shifted_signed(value: int, amount: int, lane: int) -> int:
    return _shifted(_signed(value, lane), amount, lane) & mask(lane)


def _each(function: Callable[[int, int, int], int]) -> Callable[..., int]:
    """Return an instruction on the lanes of two vectors."""

    def rule(shape: _Shape, one: int, other: int, lane: int) -> int:
        both = zip(_lanes(one, shape.given, lane), _lanes(other, shape.given, lane), strict=True)
        return _joined((function(a, b, lane) for a, b in both), lane)

    return rule


def _pairs(function: Callable[[int, int, int], int]) -> Callable[..., int]:
    """Return an instruction on the neighbouring lanes of one vector, and then of another."""

    def rule(shape: _Shape, one: int, other: int, lane: int) -> int:
        lanes = _lanes(one, shape.given, lane) + _lanes(other, shape.given, lane)
        return _joined((function(a, b, lane) for a, b in zip(lanes[::2], lanes[1::2], strict=True)), lane)

    return rule


def _across(function: Callable[[int, int, int], int]) -> Callable[..., int]:
    """Return an instruction on all lanes of a vector."""

    def rule(shape: _Shape, value: int, lane: int) -> int:
        first, *others = _lanes(value, shape.given, lane)
        for each in others:
            first = function(first, each, lane)
        return first

    return rule


def _reversed(container: int) -> Callable[..., int]:
    def rule(shape: _Shape, value: int, lane: int) -> int:
        parts = (_lanes(each, container, lane)[::-1] for each in _lanes(value, shape.given, container))
        return _joined((each for part in parts for each in part), lane)

    return rule


def _table(shape: _Shape, otherwise: int, *operands: int) -> int:
    """TBL and TBX: the bytes of a table of several registers at the places that the last operand has."""
    *table, places = operands
    known = [byte for register in table for byte in _lanes(register, 16, 1)]
    rest = _lanes(otherwise, shape.out, 1)
    chosen = enumerate(_lanes(places, shape.out, 1))
    return _joined((known[place] if place < len(known) else rest[number] for number, place in chosen), 1)


def _multiplied(shape: _Shape, one: int, other: int) -> int:
    return _joined((a * b for a, b in zip(_lanes(one, 16, 4), _lanes(other, 16, 4), strict=True)), 4)


def _shuffled(shape: _Shape, value: int, places: int) -> int:
    known = _lanes(value, shape.given, 1)
    return _joined((0 if place & 0x80 else known[place % shape.given] for place in _lanes(places, shape.given, 1)), 1)


def _extended(name: str) -> Callable[..., int]:
    """Return a PMOVSX or PMOVZX, which extends the low lanes."""
    match = _EXTENDS.fullmatch(name)
    assert match is not None
    signed, small, wide = match[1] == "s", _LETTERS[match[2]], _LETTERS[match[3]]

    def rule(shape: _Shape, *operands: int) -> int:
        lanes = _lanes(operands[-1], shape.out * small // wide, small)
        return _joined((_signed(each, small) if signed else each for each in lanes), wide)

    return rule


def _absolute(lane: int) -> Callable[..., int]:
    def rule(shape: _Shape, *operands: int) -> int:
        return _joined((abs(_signed(each, lane)) for each in _lanes(operands[-1], shape.out, lane)), lane)

    return rule


_BEST = {f"{sign}{name}": _best(choose, sign == "s") for sign in "us" for name, choose in (("max", max), ("min", min))}
_RULES: dict[str, Callable[..., int]] = {
    "NEON_ext": _extract,
    **{f"NEON_{name}": _each(function) for name, function in _BEST.items()},
    **{f"NEON_{name}p": _pairs(function) for name, function in _BEST.items()},
    **{f"NEON_{name}v": _across(function) for name, function in _BEST.items()},
    "NEON_ushl": _each(_shifted),
    "NEON_sshl": _each(_shifted_signed),
    **{f"NEON_rev{8 * size}": _reversed(size) for size in (2, 4, 8)},
    "a64_TBL": _table,
    "pmulld": _multiplied,
    "pshufb": _shuffled,
    **{f"pmov{sign}x{pair}": _extended(f"pmov{sign}x{pair}") for sign in "sz"
       for pair in ("bw", "bd", "bq", "wd", "wq", "dq")},
    **{f"pabs{letter}": _absolute(_LETTERS[letter]) for letter in "bwd"},
}  # fmt: skip
