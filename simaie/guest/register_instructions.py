"""The instructions of programs as data that only move values between registers, or branch."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["ALU", "ARGUMENTS", "BRANCHES", "COUNTER", "JOIN", "LOCAL", "PAIR"]

#: Prefix of the name of a register that only counts the rounds of a loop in order to cut it.
COUNTER = "..rounds "
#: Prefix of the names of registers that hold 128 bits.
PAIR = ".."
#: The instruction that makes 128 bits of two registers.
JOIN = "reg_join"


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _sign_extend(value: int, bits: int) -> int:
    if not 1 <= bits < 64:
        return value
    half = 1 << bits - 1
    return (value & 2 * half - 1 ^ half) - half


#: ``reg_NAME a, b``: both operands unsigned and of 64 bits, and the result wraps. The result of a shift by 64 or more
#: is 0 (`sar`: the sign). `sext` extends the sign of the lowest `b` bits, for `b` from 1 to 63. The result of a
#: comparison is 0 or 1; `slt` and `sle` compare signed numbers.
ALU: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b if b < 64 else 0,
    "shr": lambda a, b: a >> b,
    "sar": lambda a, b: _signed(a) >> b,
    "sext": _sign_extend,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "slt": lambda a, b: int(_signed(a) < _signed(b)),
    "sle": lambda a, b: int(_signed(a) <= _signed(b)),
}
#: Register instructions: moves, arithmetic, labels and branches. ``reg_join a, b`` is ``a + (b << 64)``. `cbz r label`
#: branches if r is 0, `cbnz` if not; ``select c, a, b`` is a if c is not 0, else b; ``ins("observe", r, into=name)``
#: puts r into the outcome as `name`; `spawn label` starts a thread that runs the same list from the label on, with a
#: copy of the registers, like clone(); `exit` ends the thread.
LOCAL = frozenset({*("reg_" + name for name in ALU), JOIN, "mov", "select", "label", "branch", "cbz", "cbnz",
                   "observe", "spawn", "exit"})  # fmt: skip
#: The number of arguments of each, but those of `ALU`, which have two.
ARGUMENTS = {"mov": 1, "select": 3, "label": 1, "branch": 1, "cbz": 2, "cbnz": 2, "observe": 1, "spawn": 1, "exit": 0}
#: The instructions whose last argument is a label.
BRANCHES = frozenset({"branch", "cbz", "cbnz", "spawn"})
