"""The read-modify-write functions of the instruction sets, named so that a trace can show them.

Each takes the old value, unsigned, and returns the new one, wrapped at `width` bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from simaie.host.loaded import LOADED, lift, plain
from simaie.op import Function

__all__ = ["rmw"]

_BINARY: dict[str, Callable[[int, int], int]] = {
    "add": lambda old, x: old + x,
    "sub": lambda old, x: old - x,
    "and": lambda old, x: old & x,
    "or": lambda old, x: old | x,
    "xor": lambda old, x: old ^ x,
    "clear": lambda old, x: old & ~x,
    "bts": lambda old, bit: old | 1 << bit,
    "btr": lambda old, bit: old & ~(1 << bit),
    "btc": lambda old, bit: old ^ 1 << bit,
    "neg": lambda old, _: -old,
    "not": lambda old, _: ~old,
    "swap": lambda old, x: x,
    "umax": lambda old, x: lift(max, old, x),
    "umin": lambda old, x: lift(min, old, x),
}


#: The functions that commute with each other, whatever their operands, by the name of their family.
_FAMILIES = {
    "add": "add", "sub": "add", "and": "and", "clear": "and", "btr": "and", "or": "or", "bts": "or",
    "xor": "xor", "btc": "xor", "not": "xor", "umax": "umax", "umin": "umin", "smax": "smax", "smin": "smin",
}  # fmt: skip


def rmw(name: str, operand: int, width: int, *, drops: bool = False) -> Function:
    """Return the function `name` with its operand bound.

    Args:
        name: A key of `_BINARY`, or ``smin`` or ``smax`` for the signed minimum and maximum.
        operand: The second operand.
        width: Width of the values in bytes.
        drops: Whether the instruction drops the old value, so that the function may commute with others.
    """
    family = _FAMILIES.get(name, "") if drops else ""
    mask = (1 << 8 * width) - 1
    label = f"{name} {operand & mask}"
    if type(operand) is LOADED:
        apply = rmw(name, plain(operand), width).apply
        return Function(label, lambda old: lift(lambda one, _: apply(one), old, operand))
    if name in ("smin", "smax"):
        pick = min if name == "smin" else max
        return Function(label, lambda old: lift(pick, _signed(old, width), _signed(operand, width)) & mask, family)
    binary = _BINARY[name]
    wrapped = operand & mask
    return Function(label, lambda old: binary(old, wrapped) & mask, family)


def _signed(value: int, width: int) -> int:
    half = 1 << (8 * width - 1)
    return (value & (2 * half - 1) ^ half) - half
