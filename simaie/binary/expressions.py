"""One operation of P-code as a Python expression over unsigned numbers (P-code reference manual of Ghidra)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple

from simaie.binary.cells import mask
from simaie.binary.operations import Operation, Varnode

__all__ = ["Expression", "expression_of"]


class Expression(NamedTuple):
    """A Python expression, and the variables that it reads."""

    text: str
    reads: tuple[str, ...]


_Read = Callable[[Varnode], Expression]
_Rule = Callable[[Operation, "_Operands"], str]


class _Operands:
    """The operands of one operation, unsigned and signed."""

    def __init__(self, op: Operation, read: _Read) -> None:
        self._op = op
        self._made = [read(node) for node in op.inputs]

    def __getitem__(self, index: int) -> str:
        return self._made[index].text

    def signed(self, index: int) -> str:
        half = 1 << 8 * self._op.inputs[index].size - 1
        return f"(({self[index]}^{half})-{half})"

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(name for made in self._made for name in made.reads)


def expression_of(op: Operation, read: _Read) -> Expression | None:
    """Return the value of an operation; None for an operation that is not modelled."""
    rule = _RULES.get(op.opcode)
    if rule is None:
        return None
    operands = _Operands(op, read)
    return Expression(rule(op, operands), operands.reads)


def _wrapped(op: Operation, text: str) -> str:
    assert op.output is not None
    return f"({text})&{mask(op.output.size)}"


def _binary(symbol: str, *, wraps: bool = False) -> _Rule:
    def rule(op: Operation, x: _Operands) -> str:
        text = f"{x[0]}{symbol}{x[1]}"
        return _wrapped(op, text) if wraps else text

    return rule


def _comparison(symbol: str, *, signed: bool = False) -> _Rule:
    def rule(op: Operation, x: _Operands) -> str:
        one, two = op.inputs
        if one.space == two.space == "const" and not signed:
            return str(int(_COMPARE[symbol](one.offset, two.offset)))
        if signed and symbol == "<" and two == Varnode("const", 0, two.size):
            return f"{x[0]}>>{8 * one.size - 1}"  # the sign bit
        return f"int({x.signed(0)}{symbol}{x.signed(1)})" if signed else f"int({x[0]}{symbol}{x[1]})"

    return rule


def _overflow(symbol: str) -> _Rule:
    def rule(op: Operation, x: _Operands) -> str:
        half = 1 << 8 * op.inputs[0].size - 1
        return f"int(not {-half}<={x.signed(0)}{symbol}{x.signed(1)}<{half})"

    return rule


def _carry(op: Operation, x: _Operands) -> str:
    return f"int({x[0]}+{x[1]}>{mask(op.inputs[0].size)})"


def _left(op: Operation, x: _Operands) -> str:
    bits = 8 * op.inputs[0].size
    if op.inputs[1].space == "const":
        return _wrapped(op, f"{x[0]}<<{min(op.inputs[1].offset, bits)}")
    return _wrapped(op, f"shift_left({x[0]},{x[1]},{bits})")


def _right(op: Operation, x: _Operands) -> str:
    if op.inputs[1].space == "const":
        return f"{x[0]}>>{min(op.inputs[1].offset, 8 * op.inputs[0].size)}"
    return f"shift_right({x[0]},{x[1]})"


def _right_signed(op: Operation, x: _Operands) -> str:
    return _wrapped(op, f"shift_right({x.signed(0)},{x[1]})")


def _division(name: str, *, signed: bool) -> _Rule:
    def rule(op: Operation, x: _Operands) -> str:
        return _wrapped(op, f"{name}({x.signed(0)},{x.signed(1)})" if signed else f"{name}({x[0]},{x[1]})")

    return rule


def _of(text: Callable[[_Operands], str], *, wraps: bool = False) -> _Rule:
    def rule(op: Operation, x: _Operands) -> str:
        return _wrapped(op, text(x)) if wraps else text(x)

    return rule


_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le
}  # fmt: skip
_RULES: dict[str, _Rule] = {
    "COPY": _of(lambda x: x[0]),
    "INT_ZEXT": _of(lambda x: x[0]),
    "INT_SEXT": _of(lambda x: x.signed(0), wraps=True),
    "INT_ADD": _binary("+", wraps=True),
    "INT_SUB": _binary("-", wraps=True),
    "INT_MULT": _binary("*", wraps=True),
    "INT_AND": _binary("&"),
    "INT_OR": _binary("|"),
    "INT_XOR": _binary("^"),
    "BOOL_AND": _binary("&"),
    "BOOL_OR": _binary("|"),
    "BOOL_XOR": _binary("^"),
    "BOOL_NEGATE": _of(lambda x: f"{x[0]}^1"),
    "INT_NEGATE": _of(lambda x: f"~{x[0]}", wraps=True),
    "INT_2COMP": _of(lambda x: f"-{x[0]}", wraps=True),
    "INT_EQUAL": _comparison("=="),
    "INT_NOTEQUAL": _comparison("!="),
    "INT_LESS": _comparison("<"),
    "INT_LESSEQUAL": _comparison("<="),
    "INT_SLESS": _comparison("<", signed=True),
    "INT_SLESSEQUAL": _comparison("<=", signed=True),
    "INT_CARRY": _carry,
    "INT_SCARRY": _overflow("+"),
    "INT_SBORROW": _overflow("-"),
    "INT_LEFT": _left,
    "INT_RIGHT": _right,
    "INT_SRIGHT": _right_signed,
    "INT_DIV": _division("divide", signed=False),
    "INT_REM": _division("remainder", signed=False),
    "INT_SDIV": _division("divide", signed=True),
    "INT_SREM": _division("remainder", signed=True),
    "SUBPIECE": lambda op, x: _wrapped(op, f"{x[0]}>>{8 * op.inputs[1].offset}"),
    "PIECE": lambda op, x: f"{x[0]}<<{8 * op.inputs[1].size}|{x[1]}",
    "POPCOUNT": _of(lambda x: f"({x[0]}).bit_count()"),
    "LZCOUNT": lambda op, x: f"{8 * op.inputs[0].size}-({x[0]}).bit_length()",
}
