"""The arithmetic of P-code that Python lacks: shifts by any amount, and divisions as each processor has them."""

from __future__ import annotations

from collections.abc import Callable

from simaie.errors import GuestFault

__all__ = ["DIVISIONS", "shift_left", "shift_right"]


def shift_left(value: int, amount: int, bits: int) -> int:
    """Return `value << amount`, 0 if the amount is `bits` or more; not wrapped."""
    return value << amount if amount < bits else 0


def shift_right(value: int, amount: int) -> int:
    """Return `value >> amount` of a signed or unsigned value, for any amount."""
    return value >> amount if amount < 1024 else -1 if value < 0 else 0


def _quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def _remainder(a: int, b: int) -> int:
    r = abs(a) % abs(b)
    return -r if a < 0 else r


def _by_zero(a: int, b: int) -> int:
    raise GuestFault("division", 0, "division by zero")


def _zero(a: int, b: int) -> int:
    return 0


def _ones(a: int, b: int) -> int:
    return -1


def _same(a: int, b: int) -> int:
    return a


def _division(rule: Callable[[int, int], int], by_zero: Callable[[int, int], int]) -> Callable[[int, int], int]:
    def divide(a: int, b: int) -> int:
        return rule(a, b) if b else by_zero(a, b)

    return divide


#: Instruction set -> (division, remainder), of signed numbers or of unsigned ones, rounded towards zero. A division by
#: zero: Intel SDM, "DIV": an exception. DDI 0487, "UDIV": 0. RISC-V, volume I, table of M: all ones, and the dividend.
#: MIPS and POWER leave the result open; here it is 0.
DIVISIONS: dict[str, tuple[Callable[[int, int], int], Callable[[int, int], int]]] = {
    isa: (_division(_quotient, quotient), _division(_remainder, remainder))
    for isa, quotient, remainder in (
        ("x86", _by_zero, _by_zero), ("arm", _zero, _zero), ("aarch64", _zero, _zero), ("riscv", _ones, _same),
        ("mips", _zero, _zero), ("ppc", _zero, _zero),
    )
}  # fmt: skip
