"""The flags N, Z, C and V of Arm as hidden registers, each 0 or 1, kept only in threads that read one.

Both instruction sets have these flags and condition codes (Arm ARM, DDI 0487, C1.2.4). Unlike on x86, the carry of a
subtraction means that there was no borrow.
"""

from __future__ import annotations

from simaie.litmus.lowering.builder import Builder, Value

__all__ = ["after_add", "after_logic", "after_subtract", "condition", "inverse"]

#: Condition code -> the test, and whether it is negated.
_TESTS = {
    "eq": ("Z", False), "ne": ("Z", True), "cs": ("C", False), "hs": ("C", False), "cc": ("C", True),
    "lo": ("C", True), "mi": ("N", False), "pl": ("N", True), "vs": ("V", False), "vc": ("V", True),
    "hi": ("higher", False), "ls": ("higher", True), "lt": ("less", False), "ge": ("less", True),
    "le": ("less or equal", False), "gt": ("less or equal", True),
}  # fmt: skip
_INVERSES = {"hs": "lo", "lo": "hs"}
for _one, _other in (("eq", "ne"), ("cs", "cc"), ("mi", "pl"), ("vs", "vc"), ("hi", "ls"), ("lt", "ge"), ("le", "gt")):
    _INVERSES |= {_one: _other, _other: _one}


def inverse(b: Builder, code: str) -> str:
    """Return the code that holds iff `code` does not."""
    if code not in _INVERSES:
        raise b.unsupported("its condition")
    return _INVERSES[code]


def after_add(b: Builder, one: Value, other: Value, result: Value, bits: int) -> None:
    """Set the flags after ``result = one + other``; all values are unsigned and have `bits` bits."""
    if b.looks_at_flags:
        _sign_and_zero(b, result, bits)
        b.alu("lt", result, one, b.flag("C"))
        _overflow(b, b.alu("xor", one, result), b.alu("xor", other, result), bits)


def after_subtract(b: Builder, one: Value, other: Value, result: Value, bits: int) -> None:
    """Set the flags after ``result = one - other``; all values are unsigned and have `bits` bits."""
    if b.looks_at_flags:
        _sign_and_zero(b, result, bits)
        b.alu("le", other, one, b.flag("C"))
        _overflow(b, b.alu("xor", one, result), b.alu("xor", one, other), bits)


def after_logic(b: Builder, result: Value, bits: int, *, clear: bool) -> None:
    """Set the flags after a logical operation, which clears C and V (AArch64) or keeps them (Arm)."""
    if b.looks_at_flags:
        _sign_and_zero(b, result, bits)
        if clear:
            b.move(0, b.flag("C"))
            b.move(0, b.flag("V"))


def condition(b: Builder, code: str) -> Value:
    """Return 1 if the condition holds, else 0."""
    if code == "al":
        return 1
    if code not in _TESTS:
        raise b.unsupported("its condition")
    test, negated = _TESTS[code]
    holds = _holds(b, test)
    return b.alu("xor", holds, 1) if negated else holds


def _holds(b: Builder, test: str) -> Value:
    if test == "higher":
        return b.alu("and", b.flag("C"), b.alu("xor", b.flag("Z"), 1))
    if not test.startswith("less"):
        return b.flag(test)
    less = b.alu("xor", b.flag("N"), b.flag("V"))
    return less if test == "less" else b.alu("or", less, b.flag("Z"))


def _sign_and_zero(b: Builder, result: Value, bits: int) -> None:
    b.alu("shr", result, bits - 1, b.flag("N"))
    b.alu("eq", result, 0, b.flag("Z"))


def _overflow(b: Builder, one: Value, other: Value, bits: int) -> None:
    """Set the overflow flag: the top bit of both sign differences."""
    b.alu("shr", b.alu("and", one, other), bits - 1, b.flag("V"))
