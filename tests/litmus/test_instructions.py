"""Instructions of each dialect."""

from __future__ import annotations

import pytest

from simaie.litmus import (
    Arch,
    ConditionCode,
    FenceOption,
    Immediate,
    Instruction,
    LabelRef,
    Memory,
    Operand,
    Register,
    RegisterList,
    Shift,
    ShiftedImmediate,
    ShiftedRegister,
    Symbol,
    SymbolicRegister,
)

from .samples import with_parts

X0, X1, W2 = Register("X0", 64), Register("X1", 64), Register("X2", 32)
R0, R1, R2, R3 = (Register(f"R{n}", 32) for n in range(4))
EAX, EBX = Register("EAX", 32), Register("EBX", 32)
RAX, RBX = Register("rax", 64), Register("rbx", 64)


def read(arch: str, cell: str) -> Instruction:
    """Read one instruction, under a label L that it may jump to."""
    instruction = with_parts(arch=arch, rows=f"L: {cell};").threads[0].statements[0].instruction
    assert instruction is not None
    return instruction


@pytest.mark.parametrize(
    ("arch", "cell", "operands"),
    [
        ("AArch64", "LDR X0,[X1]", (X0, Memory(X1))),
        ("AArch64", "LDR X0,[X1,#8]!", (X0, Memory(X1, 8, writeback="pre"))),
        ("AArch64", "LDR X0,[X1],#-8", (X0, Memory(X1, -8, writeback="post"))),
        ("AArch64", "LDR X0,[X1,W2,SXTW #2]", (X0, Memory(X1, index=W2, shift=Shift("sxtw", 2)))),
        ("AArch64", "CAS W2,WZR,[X1]", (W2, Register("XZR", 32), Memory(X1))),
        ("AArch64", "ADD X0,X1,W2,SXTW", (X0, X1, ShiftedRegister(W2, Shift("sxtw")))),
        ("AArch64", "MOVK X0,#1,LSL #16", (X0, ShiftedImmediate(1, Shift("lsl", 16)))),
        ("AArch64", "CSET w2, MI", (W2, ConditionCode("mi"))),
        ("AArch64", "DMB SY", (FenceOption("sy"),)),
        ("AArch64", "TBZ X0,#1,L", (X0, Immediate(1), LabelRef("L"))),
        ("AArch64", "MRS X0,NZCV", (X0, Symbol("NZCV"))),
        ("ARM", "LDR R1,[R0,-R2]", (R1, Memory(R0, index=R2, index_negative=True))),
        ("ARM", "LDR R1,[R0,R2,LSL #1]", (R1, Memory(R0, index=R2, shift=Shift("lsl", 1)))),
        ("ARM", "STREX %T0,R1,[%x0]", (SymbolicRegister("T0"), R1, Memory(SymbolicRegister("x0")))),
        ("ARM", "LDM R0!,{R1-R3}", (Memory(R0, writeback="post"), RegisterList((R1, R2, R3)))),
        ("ARM", "mov r1,2", (R1, Immediate(2))),
        ("ARM", "ADD R0,R1,R2,LSL R3", (R0, R1, ShiftedRegister(R2, Shift("lsl", R3)))),
        ("X86", "MOV [x],$1", (Memory(Symbol("x")), Immediate(1))),
        ("X86", "mov AH,[EBX+EAX*4-8]", (Register("EAX", 8, 8), Memory(EBX, -8, EAX, scale=4))),
        ("X86", "MOV EAX,$x", (EAX, Symbol("x"))),
        ("X86", "JMP L", (LabelRef("L"),)),
        ("X86_64", "movq $x,%rax", (Symbol("x"), RAX)),
        ("X86_64", "movq x,%rax", (Memory(Symbol("x")), RAX)),
        ("X86_64", "movq x(%rip),%rax", (Memory(Symbol("x")), RAX)),
        ("X86_64", "movq 4(%rax,%rbx,2),%rbx", (Memory(RAX, 4, RBX, scale=2), RBX)),
        ("X86_64", "movl (,%rbx),%r8d", (Memory(None, index=RBX), Register("r8", 32))),
        ("RISCV", "sw a0,-4(sp)", (Register("x10", 64), Memory(Register("x2", 64), -4))),
        ("RISCV", "fence rw,w", (FenceOption("rw"), FenceOption("w"))),
        ("MIPS", "sc $t0,0(%x0)", (Register("$8", 64), Memory(SymbolicRegister("x0")))),
        ("PPC", "bne cr0,L", (Register("cr0", 4), LabelRef("L"))),
        ("PPC", "frobnicate r1,4(r2),zz", (Register("r1", 64), Memory(Register("r2", 64), 4), Symbol("zz"))),
    ],
)  # fmt: skip
def test_operands(arch: str, cell: str, operands: tuple[Operand, ...]) -> None:
    """Each form of an operand."""
    assert read(arch, cell).operands == operands


@pytest.mark.parametrize(
    ("arch", "cell", "fields"),
    [
        ("AArch64", "B.NE L", {"mnemonic": "b", "condition": "ne", "written": "b.ne"}),
        ("AArch64", "LDAXR X0,[X1]", {"mnemonic": "ldaxr", "condition": None}),
        ("ARM", "MOVTEQ R1,#1", {"mnemonic": "movt", "condition": "eq"}),
        ("ARM", "BLT L", {"mnemonic": "b", "condition": "lt"}),
        ("ARM", "TEQ R1,#1", {"mnemonic": "teq", "condition": None}),
        ("ARM", "ADDSNE R1,R1,#1", {"mnemonic": "adds", "condition": "ne"}),
        ("X86", "LOCK INC [x]", {"mnemonic": "inc", "prefixes": ("lock",), "written": "lock inc"}),
        ("X86_64", "lock cmpxchgl %ecx,(x)", {"mnemonic": "cmpxchg", "width": 32, "prefixes": ("lock",)}),
        ("X86_64", "shl 2,%eax", {"mnemonic": "shl", "width": None}),
        ("X86_64", "cmovneq %rax,%rbx", {"mnemonic": "cmov", "condition": "ne", "width": 64}),
        ("X86_64", "jne L", {"mnemonic": "j", "condition": "ne", "width": None}),
        ("RISCV", "amoor.d.aqrl a0,a1,(a2)",
         {"mnemonic": "amoor", "width": 64, "acquire": True, "release": True}),
        ("RISCV", "lw.aq a0,0(a2)", {"mnemonic": "lw", "width": None, "acquire": True, "release": False}),
        ("RISCV", "sext.w a0,a1", {"mnemonic": "sext.w", "width": None}),
        ("RISCV", "bne a0,a1,L", {"mnemonic": "bne", "condition": None}),
        ("PPC", "stwcx. r1,r0,r2", {"mnemonic": "stwcx."}),
        ("PPC", "beq L", {"mnemonic": "b", "condition": "eq"}),
    ],
)  # fmt: skip
def test_mnemonic(arch: str, cell: str, fields: dict[str, object]) -> None:
    """What is written in the mnemonic, as fields."""
    instruction = read(arch, cell)
    assert {name: getattr(instruction, name) for name in fields} == fields


def test_words_that_are_also_keywords_may_be_labels() -> None:
    """A label may be spelt as a condition code, a barrier or a register."""
    for arch, row in (
        ("AArch64", "LE: B LE"),
        ("AArch64", "dmb: NOP"),
        ("RISCV", "x1: nop"),
        ("ARM", "SP: NOP"),
    ):
        assert with_parts(arch=arch, rows=f"{row};").threads[0].statements[0].labels


@pytest.mark.parametrize("arch", list(Arch))
def test_every_register_can_be_written(arch: Arch) -> None:
    """The grammar of a dialect knows each spelling of each register."""
    from simaie.litmus.registers import registers_of

    sigil = {Arch.X86_64: "%", Arch.MIPS: "$"}.get(arch, "")
    for name, register in registers_of(arch).items():
        assert read(arch, f"frob {sigil}{name}").operands == (register,)
