"""Instructions as values, the common form of every assembly dialect.

The reader knows the shape of an instruction, never its meaning: `frobnicate X0,[X1]` is an instruction like any other,
and the semantics decides whether it can be run. Some dialects write fields inside the mnemonic (the condition of
`MOVTEQ`, the width of `cmpxchgl`, the `.aq.rl` of RISC-V); these are split off here, once.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from simaie.litmus.source import Position

__all__ = [
    "ConditionCode", "FenceOption", "Immediate", "Instruction", "LabelRef", "Memory", "Operand",
    "Register", "RegisterList", "Shift", "ShiftedImmediate", "ShiftedRegister", "Symbol",
    "SymbolicRegister", "Writeback",
]  # fmt: skip

Writeback: TypeAlias = Literal["none", "pre", "post"]


class Register(msgspec.Struct, frozen=True, tag=True):
    """A register, or the part that the operand names: `W3` is 32 bits of `X3`, `%ah` is bits 8 to 15 of `rax`.

    Attributes:
        name: The whole register, spelt as herd7 prints it (`a0` is `x10`, `$t0` is `$8`).
        bits: Width of the part in bits.
        shift: Position of its lowest bit.
    """

    name: str
    bits: int
    shift: int = 0


class SymbolicRegister(msgspec.Struct, frozen=True, tag=True):
    """A register whose number the tool may choose, as in `%x0`; `name` has no `%`."""

    name: str


class Immediate(msgspec.Struct, frozen=True, tag=True):
    """A constant, as written: it may be negative or too wide for its instruction."""

    value: int


class Symbol(msgspec.Struct, frozen=True, tag=True):
    """The address of a memory location, or an unknown word (an option, a system register)."""

    name: str


class LabelRef(msgspec.Struct, frozen=True, tag=True):
    """The target of a branch: a label of the same thread."""

    name: str


class Shift(msgspec.Struct, frozen=True, tag=True):
    """A shift or extension: `LSL #2`, `SXTW`; `amount` may be a register on Arm."""

    kind: str
    amount: int | Register | SymbolicRegister = 0


class ShiftedRegister(msgspec.Struct, frozen=True, tag=True):
    """A shifted or extended register, as in `X2, LSR #1` or `W2, SXTW`."""

    register: Register | SymbolicRegister
    shift: Shift


class ShiftedImmediate(msgspec.Struct, frozen=True, tag=True):
    """A shifted constant, as in `#1, LSL #16`."""

    value: int
    shift: Shift


class RegisterList(msgspec.Struct, frozen=True, tag=True):
    """A list of registers, as the `{R1, R2}` of `LDM`."""

    registers: tuple[Register | SymbolicRegister, ...]


class Memory(msgspec.Struct, frozen=True, tag=True):
    """A memory operand: base + displacement + index (negated, scaled, shifted or extended).

    Attributes:
        base: The base; None only in x86's `4(,%rax,2)`.
        displacement: The constant offset in bytes.
        index: The index register, or None.
        shift: Shift or extension of the index, or None.
        scale: Factor of the index.
        index_negative: Whether the index is subtracted.
        writeback: "pre" for `[X1,#8]!`, "post" for `[X1],#8`.
    """

    base: Register | SymbolicRegister | Symbol | None
    displacement: int = 0
    index: Register | SymbolicRegister | None = None
    shift: Shift | None = None
    scale: int = 1
    index_negative: bool = False
    writeback: Writeback = "none"


class ConditionCode(msgspec.Struct, frozen=True, tag=True):
    """A condition code as an operand: the `EQ` of `CSEL W0,W1,W2,EQ`."""

    code: str


class FenceOption(msgspec.Struct, frozen=True, tag=True):
    """The option of a fence: the `SY` of `DMB SY`, the `rw` of `fence rw,w`, the stype of `sync 0x10`."""

    option: str


Operand: TypeAlias = (
    Register | SymbolicRegister | Immediate | Symbol | LabelRef | ShiftedRegister | ShiftedImmediate
    | RegisterList | Memory | ConditionCode | FenceOption
)  # fmt: skip


class Instruction(msgspec.Struct, frozen=True):
    """One instruction.

    Attributes:
        mnemonic: The bare mnemonic in lower case.
        operands: The operands, in the order of the dialect.
        position: Position in the file.
        written: The whole mnemonic in lower case, with prefixes (`lock addl`, `b.eq`).
        prefixes: The prefixes, such as `lock`.
        condition: The condition of `MOVEQ`, `B.NE`, x86's `jne` and PowerPC's `bne` (whose mnemonics are `mov`, `b`,
            `j` and `b`); None for `bne x5,x6,L`, which compares.
        width: Width in bits; None if the dialect leaves it to the operands.
        acquire: Whether it has acquire order.
        release: Whether it has release order.
    """

    mnemonic: str
    operands: tuple[Operand, ...]
    position: Position
    written: str
    prefixes: tuple[str, ...] = ()
    condition: str | None = None
    width: int | None = None
    acquire: bool = False
    release: bool = False
