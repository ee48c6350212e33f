"""Vector instructions that Sleigh names but does not say: NEON of A64, SSSE3 and SSE4.1 of x86; and those of A32.

Most vector instructions are ordinary P-code over registers of 16 bytes. These are not (Arm ARM DDI 0487, C7.2; Intel
SDM, volume 2). A vector is a number whose lowest lane is lane 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from simaie.binary.cells import mask
from simaie.binary.lanes import Shape, joined, lanes_of, signed_lane
from simaie.binary.neon_rules import RULES
from simaie.host.loaded import lift

__all__ = ["is_vector", "vector"]

_EXTENDS = re.compile(r"pmov([sz])x([bwd])([wdq])")
_LETTERS = {"b": 1, "w": 2, "d": 4, "q": 8}


def vector(name: str, out: int, given: int, *operands: int) -> int:
    """Return the result of an instruction.

    Args:
        name: The user-defined operation of Sleigh, for which `is_vector` holds.
        out: The size of the result in bytes.
        given: The size of the first operand in bytes.
        *operands: The operands as Sleigh has them.
    """
    rule, shape = _RULES[name], Shape(out, given)
    result: int = lift(lambda *known: rule(shape, *known), *operands)
    return result


def is_vector(name: str) -> bool:
    """Whether a user-defined operation of Sleigh is one of these instructions."""
    return name in _RULES


def _extract(shape: Shape, low: int, high: int, first: int, _: int) -> int:
    return (high << 8 * shape.given | low) >> 8 * first & mask(shape.out)


def _best(choose: Callable[[int, int], int], signed: bool) -> Callable[[int, int, int], int]:
    """Return a function of two lanes and their size."""

    def best(one: int, other: int, lane: int) -> int:
        return choose(signed_lane(one, lane), signed_lane(other, lane)) & mask(lane) if signed else choose(one, other)

    return best


def _shifted(value: int, amount: int, lane: int) -> int:
    distance = signed_lane(amount & 0xFF, 1)
    return (value << distance) & mask(lane) if distance >= 0 else value >> -distance


def _shifted_signed(value: int, amount: int, lane: int) -> int:
    return _shifted(signed_lane(value, lane), amount, lane) & mask(lane)


def _each(function: Callable[[int, int, int], int]) -> Callable[..., int]:
    """Return an instruction on the lanes of two vectors."""

    def rule(shape: Shape, one: int, other: int, lane: int) -> int:
        both = zip(lanes_of(one, shape.given, lane), lanes_of(other, shape.given, lane), strict=True)
        return joined((function(a, b, lane) for a, b in both), lane)

    return rule


def _pairs(function: Callable[[int, int, int], int]) -> Callable[..., int]:
    """Return an instruction on the neighbouring lanes of one vector, and then of another."""

    def rule(shape: Shape, one: int, other: int, lane: int) -> int:
        lanes = lanes_of(one, shape.given, lane) + lanes_of(other, shape.given, lane)
        return joined((function(a, b, lane) for a, b in zip(lanes[::2], lanes[1::2], strict=True)), lane)

    return rule


def _across(function: Callable[[int, int, int], int]) -> Callable[..., int]:
    """Return an instruction on all lanes of a vector."""

    def rule(shape: Shape, value: int, lane: int) -> int:
        first, *others = lanes_of(value, shape.given, lane)
        for each in others:
            first = function(first, each, lane)
        return first

    return rule


def _reversed(container: int) -> Callable[..., int]:
    def rule(shape: Shape, value: int, lane: int) -> int:
        parts = (lanes_of(each, container, lane)[::-1] for each in lanes_of(value, shape.given, container))
        return joined((each for part in parts for each in part), lane)

    return rule


def _table(shape: Shape, otherwise: int, *operands: int) -> int:
    """TBL and TBX: the bytes of a table of several registers at the places that the last operand has."""
    *table, places = operands
    known = [byte for register in table for byte in lanes_of(register, 16, 1)]
    rest = lanes_of(otherwise, shape.out, 1)
    chosen = enumerate(lanes_of(places, shape.out, 1))
    return joined((known[place] if place < len(known) else rest[number] for number, place in chosen), 1)


def _multiplied(shape: Shape, one: int, other: int) -> int:
    return joined((a * b for a, b in zip(lanes_of(one, 16, 4), lanes_of(other, 16, 4), strict=True)), 4)


def _shuffled(shape: Shape, value: int, places: int) -> int:
    known = lanes_of(value, shape.given, 1)
    return joined((0 if place & 0x80 else known[place % shape.given] for place in lanes_of(places, shape.given, 1)), 1)


def _extended(name: str) -> Callable[..., int]:
    """Return a PMOVSX or PMOVZX, which extends the low lanes."""
    match = _EXTENDS.fullmatch(name)
    assert match is not None
    signed, small, wide = match[1] == "s", _LETTERS[match[2]], _LETTERS[match[3]]

    def rule(shape: Shape, *operands: int) -> int:
        lanes = lanes_of(operands[-1], shape.out * small // wide, small)
        return joined((signed_lane(each, small) if signed else each for each in lanes), wide)

    return rule


def _absolute(lane: int) -> Callable[..., int]:
    def rule(shape: Shape, *operands: int) -> int:
        return joined((abs(signed_lane(each, lane)) for each in lanes_of(operands[-1], shape.out, lane)), lane)

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
    **RULES,
    **{f"pabs{letter}": _absolute(_LETTERS[letter]) for letter in "bwd"},
}  # fmt: skip
