"""In each dialect a constant that its instruction cannot hold is an error at its place, and one that fits is not."""

from __future__ import annotations

import pytest

from simaie.litmus import LitmusError, parse
from simaie.litmus.lowering import lower

from .outcomes import final

#: Architecture, an instruction with a hole, the constants that fit at the ends of the range, those beyond.
RANGES: list[tuple[str, str, list[int], list[int]]] = [
    ("MIPS", "daddiu $2,$3,{}", [-32768, 32767], [-32769, 32768, 65535]),
    ("MIPS", "addiu $2,$3,{}", [-32768, 32767], [-32769, 65535]),
    ("MIPS", "slti $2,$3,{}", [-32768, 32767], [32768]),
    ("MIPS", "sltiu $2,$3,{}", [-32768, 32767], [32768]),
    ("MIPS", "ori $2,$3,{}", [0, 65535], [-1, 65536]),
    ("MIPS", "lui $2,{}", [0, 65535], [-1, 65536]),
    ("MIPS", "li $2,{}", [-(1 << 31), (1 << 32) - 1], [1 << 32]),
    ("MIPS", "dli $2,{}", [-(1 << 63), (1 << 64) - 1], [1 << 64]),
    ("MIPS", "sll $2,$3,{}", [0, 31], [-1, 32]),
    ("MIPS", "dsrl $2,$3,{}", [0, 63], [64]),
    ("MIPS", "lw $2,{}($3)", [-32768, 32767], [-32769, 32768]),
    ("MIPS", "sync {}", [0, 31], [32]),
    ("RISCV", "addi x5,x6,{}", [-2048, 2047], [-2049, 2048, 4095]),
    ("RISCV", "sltiu x5,x6,{}", [-2048, 2047], [2048]),
    ("RISCV", "slli x5,x6,{}", [0, 63], [-1, 64]),
    ("RISCV", "srliw x5,x6,{}", [0, 31], [32]),
    ("RISCV", "lui x5,{}", [0, 0xFFFFF], [-1, 0x100000]),
    ("RISCV", "li x5,{}", [-(1 << 63), (1 << 64) - 1], [1 << 64]),
    ("RISCV", "lw x5,{}(x6)", [-2048, 2047], [-2049, 2048]),
    ("RISCV", "sd x5,{}(x6)", [-2048, 2047], [2048]),
    ("PPC", "addi r1,r2,{}", [-32768, 32767], [-32769, 65535]),
    ("PPC", "addis r1,r2,{}", [-32768, 65535], [65536]),
    ("PPC", "subi r1,r2,{}", [-32767, 32768], [-32768]),
    ("PPC", "ori r1,r2,{}", [0, 65535], [-1, 65536]),
    ("PPC", "li r1,{}", [-32768, 32767], [65535]),
    ("PPC", "cmpwi r1,{}", [-32768, 32767], [65535]),
    ("PPC", "cmplwi r1,{}", [0, 65535], [-1]),
    ("PPC", "lwz r1,{}(r2)", [-32768, 32767], [32768]),
    ("PPC", "ld r1,{}(r2)", [-32768, 32764], [2, 32768]),
    ("ARM", "mov r0,#{}", [0, 65535, 0xFF000000, -1, 0xFFFFFF00], [65537, 1 << 32]),
    ("ARM", "add r0,r1,#{}", [0, 255, 0x3FC00, -255, 0xF000000F], [257, 0x101, -257]),
    ("ARM", "and r0,r1,#{}", [0xFF, 0xFFFFFF00], [0x101]),
    ("ARM", "cmp r0,#{}", [-1, 255], [257]),
    ("ARM", "movw r0,#{}", [0, 65535], [-1, 65536]),
    ("ARM", "lsl r0,r1,#{}", [0, 31], [-1, 32]),
    ("ARM", "lsr r0,r1,#{}", [1, 32], [33]),
    ("ARM", "add r0,r1,r2,lsl #{}", [0, 31], [32]),
    ("ARM", "ldr r0,[r1,#{}]", [-4095, 4095], [-4096, 4096]),
    ("ARM", "ldrh r0,[r1,#{}]", [-255, 255], [256]),
    ("ARM", "ldrsb r0,[r1,#{}]", [-255, 255], [256]),
    ("ARM", "ldrex r0,[r1,#{}]", [0], [4]),
    ("AArch64", "add x0,x1,#{}", [0, 4095, 4096, 0xFFF000, -4095], [4097, 0x1000000, -4097]),
    ("AArch64", "cmp w0,#{}", [0, 4095], [5000]),
    ("AArch64", "and x0,x1,#{}", [1, 6, 0x5555555555555555, 0xFFFFFFFF00000000], [0, 5, (1 << 64) - 1, 1 << 64]),
    ("AArch64", "eor w0,w1,#{}", [1, 0xFFFF0000], [5, 1 << 32]),
    ("AArch64", "mov w0,#{}", [0, 65535, 0x10000, -1, -65536, 0xFFFFFFFF], [0x12345, 1 << 32]),
    ("AArch64", "mov x0,#{}", [0, 0xFFFF000000000000, -1, 0x3FFFC], [0x12345, 1 << 64]),
    ("AArch64", "movz x0,#{}", [0, 65535], [-1, 65536]),
    ("AArch64", "movz x0,#1,lsl #{}", [0, 48], [3, 64]),
    ("AArch64", "lsl w0,w1,#{}", [0, 31], [32]),
    ("AArch64", "asr x0,x1,#{}", [0, 63], [64]),
    ("AArch64", "add x0,x1,x2,lsl #{}", [0, 63], [64]),
    ("AArch64", "add x0,x1,w2,sxtw #{}", [0, 4], [5]),
    ("AArch64", "ldr w0,[x1,#{}]", [-256, 255, 16380], [-257, 257, 16384]),
    ("AArch64", "ldr x0,[x1,#{}]!", [-256, 255], [256, -257]),
    ("AArch64", "ldrb w0,[x1],#{}", [-256, 255], [256]),
    ("AArch64", "ldur x0,[x1,#{}]", [-256, 255], [256]),
    ("AArch64", "ldrsw x0,[x1,#{}]", [-256, 16380], [16384]),
    ("AArch64", "stp x0,x2,[x1,#{}]", [-512, 504], [4, 512]),
    ("AArch64", "ldp w0,w2,[x1],#{}", [-256, 252], [2, 256]),
    ("AArch64", "ldar w0,[x1,#{}]", [0], [4]),
    ("AArch64", "stxr w2,w0,[x1,#{}]", [0], [4]),
    ("AArch64", "tbz w0,#{},L", [0, 31], [-1, 32]),
    ("AArch64", "ubfx x0,x1,#{},#1", [0, 63], [64]),
    ("X86_64", "addl ${},%eax", [-(1 << 31), (1 << 32) - 1], [1 << 32, -(1 << 31) - 1]),
    ("X86_64", "addq ${},%rax", [-(1 << 31), (1 << 31) - 1, (1 << 64) - 1], [1 << 31, (1 << 32) - 1, -(1 << 31) - 1]),
    ("X86_64", "movq ${},%rax", [-(1 << 63), (1 << 64) - 1], [1 << 64]),
    ("X86_64", "movq ${},(x)", [-(1 << 31), (1 << 31) - 1], [1 << 31]),
    ("X86_64", "movb ${},(x)", [-128, 255], [256, -129]),
    ("X86_64", "movw ${},%ax", [-32768, 65535], [65536]),
    ("X86_64", "shll ${},%eax", [0, 31, 255], [256]),
    ("X86_64", "btsl ${},(x)", [-128, 255], [256]),
    ("X86_64", "movl {}(%rax),%ebx", [-(1 << 31), (1 << 31) - 1], [1 << 31]),
    ("X86", "MOV [x],${}", [-(1 << 31), (1 << 32) - 1], [1 << 32]),
]


def lowered(arch: str, instruction: str) -> None:
    lower(parse(f"{arch} t\n{{x=0;}}\n P0;\n L: {instruction};\n"))


@pytest.mark.parametrize(("arch", "hole", "good", "bad"), RANGES, ids=[f"{row[0]} {row[1]}" for row in RANGES])
def test_constants_fit_or_are_refused(arch: str, hole: str, good: list[int], bad: list[int]) -> None:
    for number in good:
        lowered(arch, hole.format(number))
    for number in bad:
        with pytest.raises(LitmusError, match="does not fit") as caught:
            lowered(arch, hole.format(number))
        assert (caught.value.line, caught.value.column) == (4, 2)
        assert str(number) in caught.value.problem
        assert caught.value.expected


def test_a_constant_of_power_is_no_operand_where_registers_are_asked() -> None:
    """An assembler reads a bare number there as a register."""
    with pytest.raises(LitmusError):
        lowered("PPC", "add r1,r2,5")


@pytest.mark.parametrize(
    ("arch", "rows", "register", "value"),
    [
        ("MIPS", "daddiu $2,$0,-1", "0:$2", (1 << 64) - 1),
        ("PPC", "lis r1,65535", "0:r1", (1 << 64) - (1 << 16)),
        ("PPC", "li r2,0; addis r1,r2,32768", "0:r1", (1 << 64) - (1 << 31)),
        ("RISCV", "lui x5,0x80000", "0:x5", (1 << 64) - (1 << 31)),
    ],
)
def test_constants_with_a_sign_are_extended(arch: str, rows: str, register: str, value: int) -> None:
    lines = "\n".join(f" {each.strip()} ;" for each in rows.split(";"))
    assert final(lines, f"{register};", f"uint64_t {register}=0;", arch) == {register: value}
