"""Instructions as values: what every assembly dialect is read into.

The reader knows the shape of an instruction, never its meaning: `frobnicate X0,[X1]` is an instruction as
any other, and whether it can be run is for the semantics to say. What a dialect writes inside the mnemonic
although it is a field of its own (the condition of `MOVTEQ`, the width of `cmpxchgl`, the `.aq.rl` of
RISC-V) is split off here, once.
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
    """A register, or the part of it that the operand names: `W3` is 32 bits of `X3`, `%ah` 8 bits of `rax`
    at 8.

    `name` is that of the whole register, spelt as herd7 prints it (`a0` is `x10`, `$t0` is `$8`).
    """

    name: str
    bits: int
    shift: int = 0


class SymbolicRegister(msgspec.Struct, frozen=True, tag=True):
    """`%x0`: a register whose number the tool is free to choose; `name` has no `%`."""

    name: str


class Immediate(msgspec.Struct, frozen=True, tag=True):
    """A constant, as written: it may be negative or too wide for its instruction."""

    value: int


class Symbol(msgspec.Struct, frozen=True, tag=True):
    """The address of a memory location, or a word (an option, a system register) that no rule knows."""

    name: str


class LabelRef(msgspec.Struct, frozen=True, tag=True):
    """The target of a branch: a label of the same thread."""

    name: str


class Shift(msgspec.Struct, frozen=True, tag=True):
    """A shift or extension: `LSL #2`, `SXTW`; `amount` may be a register on Arm."""

    kind: str
    amount: int | Register | SymbolicRegister = 0


class ShiftedRegister(msgspec.Struct, frozen=True, tag=True):
    """`X2, LSR #1`, `W2, SXTW`."""

    register: Register | SymbolicRegister
    shift: Shift


class ShiftedImmediate(msgspec.Struct, frozen=True, tag=True):
    """`#1, LSL #16`."""

    value: int
    shift: Shift


class RegisterList(msgspec.Struct, frozen=True, tag=True):
    """`{R1, R2}`, as `LDM` has it."""

    registers: tuple[Register | SymbolicRegister, ...]


class Memory(msgspec.Struct, frozen=True, tag=True):
    """A memory operand: base + displacement + index (negated, scaled, shifted or extended).

    `writeback` is "pre" for `[X1,#8]!` and "post" for `[X1],#8`; the base is `None` only in x86's
    `4(,%rax,2)`.
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
    """What a fence orders: the `SY` of `DMB SY`, the `rw` of `fence rw,w`, the stype of `sync 0x10`."""

    option: str


Operand: TypeAlias = (
    Register | SymbolicRegister | Immediate | Symbol | LabelRef | ShiftedRegister | ShiftedImmediate
    | RegisterList | Memory | ConditionCode | FenceOption
)  # fmt: skip


class Instruction(msgspec.Struct, frozen=True):
    """One instruction.

    `mnemonic` is lower case and bare; `written` is lower case and whole, prefixes included (`lock addl`,
    `b.eq`). `width` is in bits, and `None` where the dialect leaves it to the operands. `condition` is that
    of `MOVEQ`, `B.NE`, x86's `jne` and PowerPC's `bne` (whose mnemonics are `mov`, `b`, `j` and `b`), but
    not of `bne x5,x6,L`, which compares.
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
