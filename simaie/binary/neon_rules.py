"""What the vector instructions of A32 and T32 compute (Arm ARM DDI 0406C, A8.8.276 and following).

The last operand of each rule is the size of a lane in bytes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from simaie.binary.cells import mask
from simaie.binary.lanes import Shape, joined, lanes_of, signed_lane

__all__ = ["PREFIX", "RULES"]

#: The names of these operations begin with it.
PREFIX = "neon."
_Rule: TypeAlias = Callable[..., int]
_Lane: TypeAlias = Callable[[int, int], int]  # takes a lane and its size


def _unsigned(value: int, lane: int) -> int:
    return value


def _both(read: _Lane, function: Callable[[int, int], int]) -> _Rule:
    """Return an instruction on the lanes of two vectors, which `read` makes numbers."""

    def rule(shape: Shape, one: int, other: int, lane: int) -> int:
        pairs = zip(lanes_of(one, shape.out, lane), lanes_of(other, shape.out, lane), strict=True)
        return joined((function(read(a, lane), read(b, lane)) for a, b in pairs), lane)

    return rule


def _added(rule: _Rule, sign: int = 1) -> _Rule:
    """Return an instruction that adds its result to the first operand, or subtracts it."""

    def accumulated(shape: Shape, total: int, *operands: int) -> int:
        lane = operands[-1]
        parts = zip(lanes_of(total, shape.out, lane), lanes_of(rule(shape, *operands), shape.out, lane), strict=True)
        return joined((a + sign * b for a, b in parts), lane)

    return accumulated


def _adjacent(read: _Lane, function: Callable[[int, int], int]) -> _Rule:
    """Return an instruction on the neighbouring lanes of one vector, and then of another."""

    def rule(shape: Shape, one: int, other: int, lane: int) -> int:
        lanes = [read(each, lane) for each in lanes_of(one, shape.out, lane) + lanes_of(other, shape.out, lane)]
        return joined((function(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)), lane)

    return rule


def _adjacent_long(read: _Lane) -> _Rule:
    """Return VPADDL, whose operand has lanes of half the size."""

    def rule(shape: Shape, value: int, lane: int) -> int:
        lanes = [read(each, lane // 2) for each in lanes_of(value, shape.out, lane // 2)]
        return joined((a + b for a, b in zip(lanes[::2], lanes[1::2], strict=True)), lane)

    return rule


def _one(read: _Lane, function: Callable[[int], int]) -> _Rule:
    def rule(shape: Shape, value: int, lane: int) -> int:
        return joined((function(read(each, lane)) for each in lanes_of(value, shape.out, lane)), lane)

    return rule


def _by_amount(read: _Lane, function: Callable[[int, int], int]) -> _Rule:
    """Return an instruction that shifts each lane by a constant."""

    def rule(shape: Shape, value: int, amount: int, lane: int) -> int:
        return joined((function(read(each, lane), amount) for each in lanes_of(value, shape.out, lane)), lane)

    return rule


def _inserted(shape: Shape, before: int, value: int, amount: int, left: int, lane: int) -> int:
    """VSLI and VSRI: the bits that are shifted in are those of the destination."""
    full = mask(lane)
    kept = full & ~(full << amount) if left else full & ~(full >> amount)
    pairs = zip(lanes_of(before, shape.out, lane), lanes_of(value, shape.out, lane), strict=True)
    return joined((a & kept | (b << amount if left else b >> amount) & ~kept for a, b in pairs), lane)


def _by_register(read: _Lane) -> _Rule:
    """Return VSHL, which shifts by the lowest byte of each lane, to the right if it is negative."""

    def rule(shape: Shape, value: int, amounts: int, lane: int) -> int:
        pairs = zip(lanes_of(value, shape.out, lane), lanes_of(amounts, shape.out, lane), strict=True)
        return joined((_shifted(read(each, lane), signed_lane(amount & 0xFF, 1)) for each, amount in pairs), lane)

    return rule


def _shifted(value: int, amount: int) -> int:
    return value << amount if amount >= 0 else value >> -amount


def _extended(read: _Lane) -> _Rule:
    """Return VMOVL, whose operand has lanes of half the size."""

    def rule(shape: Shape, value: int, lane: int) -> int:
        return joined((read(each, lane // 2) for each in lanes_of(value, shape.out // 2, lane // 2)), lane)

    return rule


def _narrowed(shape: Shape, value: int, amount: int, lane: int) -> int:
    """VMOVN and VSHRN, whose operand has lanes of twice the size."""
    return joined((each >> amount for each in lanes_of(value, 2 * shape.out, 2 * lane)), lane)


def _reversed(shape: Shape, value: int, container: int, lane: int) -> int:
    parts = (lanes_of(each, container, lane)[::-1] for each in lanes_of(value, shape.out, container))
    return joined((each for part in parts for each in part), lane)


def _select(shape: Shape, chosen: int, one: int, other: int) -> int:
    return one & chosen | other & ~chosen & mask(shape.out)


def _duplicated(shape: Shape, value: int, index: int, lane: int) -> int:
    return joined([lanes_of(value, 8, lane)[index]] * (shape.out // lane), lane)


def _extract(shape: Shape, low: int, high: int, first: int) -> int:
    return (high << 8 * shape.out | low) >> 8 * first & mask(shape.out)


def _table(shape: Shape, otherwise: int, *operands: int) -> int:
    """VTBL and VTBX: the bytes of a table of several registers at the places that the last operand has."""
    *table, places = operands
    known = [byte for register in table for byte in lanes_of(register, 8, 1)]
    chosen = zip(lanes_of(places, 8, 1), lanes_of(otherwise, 8, 1), strict=True)
    return joined((known[place] if place < len(known) else byte for place, byte in chosen), 1)


def _permuted(shape: Shape, kind: int, part: int, one: int, other: int, lane: int) -> int:
    """VTRN, VUZP and VZIP (1, 2, 3), which change both operands: the new value of the first or of the second one."""
    a, b = lanes_of(one, shape.out, lane), lanes_of(other, shape.out, lane)
    if kind == 1:
        return joined((x for pair in zip(a[part::2], b[part::2], strict=True) for x in pair), lane)
    if kind == 2:
        return joined((a + b)[part::2], lane)
    lanes = [x for pair in zip(a, b, strict=True) for x in pair]
    return joined(lanes[part * len(a) :][: len(a)], lane)


def _ones(condition: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    """Return a comparison, whose result is all ones if it holds."""
    return lambda a, b: -1 if condition(a, b) else 0


def _of_both_signs(name: str, make: Callable[[_Lane], _Rule]) -> dict[str, _Rule]:
    return {f"{name}.u": make(_unsigned), f"{name}.s": make(signed_lane)}


#: Name -> rule. Names that end with ``.u`` and ``.s`` differ in what their lanes are.
_NAMED: Mapping[str, _Rule] = {
    "add": _both(_unsigned, operator.add),
    "sub": _both(_unsigned, operator.sub),
    "mul": _both(_unsigned, operator.mul),
    "mla": _added(_both(_unsigned, operator.mul)),
    "mls": _added(_both(_unsigned, operator.mul), -1),
    "tst": _both(_unsigned, _ones(lambda a, b: a & b != 0)),
    "ceq": _both(_unsigned, _ones(operator.eq)),
    **_of_both_signs("cgt", lambda read: _both(read, _ones(operator.gt))),
    **_of_both_signs("cge", lambda read: _both(read, _ones(operator.ge))),
    **_of_both_signs("max", lambda read: _both(read, max)),
    **_of_both_signs("min", lambda read: _both(read, min)),
    **_of_both_signs("abd", lambda read: _both(read, lambda a, b: abs(a - b))),
    **_of_both_signs("aba", lambda read: _added(_both(read, lambda a, b: abs(a - b)))),
    **_of_both_signs("hadd", lambda read: _both(read, lambda a, b: a + b >> 1)),
    **_of_both_signs("rhadd", lambda read: _both(read, lambda a, b: a + b + 1 >> 1)),
    **_of_both_signs("hsub", lambda read: _both(read, lambda a, b: a - b >> 1)),
    **_of_both_signs("shl", _by_register),
    "padd": _adjacent(_unsigned, operator.add),
    **_of_both_signs("pmax", lambda read: _adjacent(read, max)),
    **_of_both_signs("pmin", lambda read: _adjacent(read, min)),
    **_of_both_signs("paddl", _adjacent_long),
    **_of_both_signs("padal", lambda read: _added(_adjacent_long(read))),
    "shift_left": _by_amount(_unsigned, operator.lshift),
    **_of_both_signs("shr", lambda read: _by_amount(read, operator.rshift)),
    **_of_both_signs("sra", lambda read: _added(_by_amount(read, operator.rshift))),
    "insert": _inserted,
    "shrn": _narrowed,
    **_of_both_signs("movl", _extended),
    "rev": _reversed,
    "cnt": _one(_unsigned, int.bit_count),
    "abs": _one(signed_lane, abs),
    "neg": _one(signed_lane, operator.neg),
    "bsl": _select,
    "dup": _duplicated,
    "ext": _extract,
    "tbl": _table,
    "permute": _permuted,
}


def _leading_zeros(shape: Shape, value: int, lane: int) -> int:
    return joined((8 * lane - each.bit_length() for each in lanes_of(value, shape.out, lane)), lane)


#: The operations by their names in P-code.
RULES: Mapping[str, _Rule] = {
    f"{PREFIX}{name}": rule for name, rule in {**_NAMED, "clz": _leading_zeros}.items()
}
