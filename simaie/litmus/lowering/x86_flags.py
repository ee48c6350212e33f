"""The flags of x86 as hidden registers, each 0 or 1, kept only in threads that read one."""

from __future__ import annotations

from simaie.litmus.lowering.builder import Builder, Value

__all__ = ["arithmetic", "condition"]

_LOGIC = frozenset({"and", "or", "xor"})
#: Condition code -> the test without its negation; `condition` negates those in `_NEGATED`.
_TESTS = {
    **dict.fromkeys(("e", "z", "ne", "nz"), "zero"),
    **dict.fromkeys(("b", "c", "nae", "ae", "nb", "nc"), "carry"),
    **dict.fromkeys(("be", "na", "a", "nbe"), "below or equal"),
    **dict.fromkeys(("s", "ns"), "sign"),
    **dict.fromkeys(("o", "no"), "overflow"),
    **dict.fromkeys(("l", "nge", "ge", "nl"), "less"),
    **dict.fromkeys(("le", "ng", "g", "nle"), "less or equal"),
}
_NEGATED = frozenset({"ne", "nz", "ae", "nb", "nc", "a", "nbe", "ns", "no", "ge", "nl", "g", "nle"})


def arithmetic(b: Builder, operation: str, a: Value, c: Value, result: Value, bits: int, *, carry: bool = True) -> None:
    """Set the flags after ``result = a operation c``; all values have `bits` bits.

    Args:
        b: The builder of the thread.
        operation: A key of `simaie.guest.register_instructions.ALU`.
        a: The first operand.
        c: The second operand.
        result: The result.
        bits: Width of the values in bits.
        carry: Whether the operation changes the carry flag.
    """
    if not b.looks_at_flags:
        return
    top = bits - 1
    b.alu("eq", result, 0, b.flag("zero"))
    b.alu("shr", result, top, b.flag("sign"))
    if operation in _LOGIC:
        b.move(0, b.flag("carry"))
        b.move(0, b.flag("overflow"))
        return
    if carry:
        b.alu("lt", result if operation == "add" else a, c, b.flag("carry"))
    # An addition overflows if the sign of the result differs from that of both operands. A subtraction overflows if the
    # sign of the result differs from that of the minuend, and that of the subtrahend does too.
    other = b.alu("xor", c, result) if operation == "add" else b.alu("xor", a, c)
    b.alu("shr", b.alu("and", b.alu("xor", a, result), other), top, b.flag("overflow"))


def condition(b: Builder, code: str) -> Value:
    """Return 1 if the condition holds, else 0."""
    if code not in _TESTS:
        raise b.unsupported("the parity flag")
    value = _holds(b, _TESTS[code])
    return b.alu("xor", value, 1) if code in _NEGATED else value


def _holds(b: Builder, test: str) -> Value:
    if test == "below or equal":
        return b.alu("or", b.flag("carry"), b.flag("zero"))
    if not test.startswith("less"):
        return b.flag(test)
    less = b.alu("xor", b.flag("sign"), b.flag("overflow"))
    return less if test == "less" else b.alu("or", less, b.flag("zero"))
