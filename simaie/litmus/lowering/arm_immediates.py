"""The constants that the data-processing instructions of both Arm instruction sets can encode.

An assembler also accepts a constant whose negative or complement the opposite instruction can encode (ADD for SUB, MOV
for MVN, AND for BIC), so those are accepted here too.
"""

from __future__ import annotations

from simaie.litmus.instruction import Immediate, Operand, ShiftedImmediate
from simaie.litmus.lowering.builder import Builder, mask
from simaie.litmus.model import Arch

__all__ = ["check_constant"]


def check_constant(b: Builder, operand: Operand, operation: str, bits: int) -> None:
    """Raise LitmusError if `operand` is a constant that the current instruction cannot encode.

    Args:
        b: The builder of the thread.
        operand: The second operand, of any form.
        operation: The operation on it, as `Builder.alu` names it; ``"mov"`` for a move.
        bits: The width of the operation in bits.
    """
    if isinstance(operand, ShiftedImmediate):
        b.within(operand.value, 0, mask(12))
    elif isinstance(operand, Immediate):
        fits = _fits_a32 if b.test.arch is Arch.ARM else _fits_a64
        if not fits(operand.value, operation, bits):
            raise b.out_of_range(operand.value, "a constant that its encoding holds")


def _fits_a32(number: int, operation: str, bits: int) -> bool:
    if not -(1 << 31) <= number < 1 << 32:
        return False
    if operation == "mov" and 0 <= number <= mask(16):
        return True  # as MOVW
    forms = [number]
    if operation in ("add", "sub"):
        forms.append(-number)
    elif operation in ("mov", "and"):
        forms.append(~number)
    return any(_rotated_byte(each & mask(32)) for each in forms)


def _rotated_byte(word: int) -> bool:
    """Whether a word is 8 bits, rotated by an even number of places."""
    return any((word << turn | word >> 32 - turn) & mask(32) < 256 for turn in range(0, 32, 2))


def _fits_a64(number: int, operation: str, bits: int) -> bool:
    if not -(1 << bits - 1) <= number < 1 << bits:
        return False
    if operation in ("add", "sub"):
        size = abs(number)
        return size <= mask(12) or (size & mask(12) == 0 and size <= mask(24))
    word = number & mask(bits)
    if operation == "mov" and any(_one_half_word(each, bits) for each in (word, word ^ mask(bits))):
        return True
    return any(_repeated_run(each, bits) for each in (word, word ^ mask(bits)))


def _one_half_word(word: int, bits: int) -> bool:
    """Whether all set bits lie in one aligned half-word, as in a constant of MOVZ."""
    return any(word & ~(mask(16) << shift) == 0 for shift in range(0, bits, 16))


def _repeated_run(word: int, bits: int) -> bool:
    """Whether a word is a bitmask immediate: a rotated run of ones in an element of 2, 4, .. bits, repeated."""
    if word in (0, mask(bits)):
        return False
    size = next(size for size in (2, 4, 8, 16, 32, 64) if word == _repeat(word & mask(size), size, bits))
    element = word & mask(size)
    changes = element ^ (element >> 1 | (element & 1) << size - 1)
    return changes.bit_count() == 2


def _repeat(element: int, size: int, bits: int) -> int:
    return sum(element << place for place in range(0, bits, size)) & mask(bits)
