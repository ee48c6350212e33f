"""What the instructions of RISC-V, MIPS and PowerPC compute, against their definitions over the integers."""

from __future__ import annotations

import pytest

from simaie.litmus import parse
from simaie.litmus.lowering import UnsupportedError, lower

from .outcomes import final

PATTERN = 0x0123_4567_89AB_CDEF
TOP = (1 << 64) - 1
EDGES = (0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, TOP)


def signed(value: int, bits: int = 64) -> int:
    value %= 1 << bits
    return value - (1 << bits) if value >> bits - 1 else value


@pytest.mark.parametrize(
    ("rows", "a0"),
    [
        ("li a0,-1", TOP),
        ("lui a0,0x80000", TOP - 0x7FFF_FFFF),
        ("mv a0,a1", PATTERN),
        ("add a0,a1,a2", PATTERN + 4),
        ("addi a0,a1,-1", PATTERN - 1),
        ("addw a0,a1,x0", 0xFFFF_FFFF_89AB_CDEF),
        ("addiw a0,a2,-5", TOP),
        ("sub a0,x0,a2", TOP - 3),
        ("subw a0,x0,a2", TOP - 3),
        ("and a0,a1,a2", 4),
        ("andi a0,a1,-1", PATTERN),
        ("ori a0,x0,-1", TOP),
        ("xor a0,a1,a1", 0),
        ("xori a0,a2,6", 2),
        ("slli a0,a1,4", PATTERN << 4 & TOP),
        ("srl a0,a1,a2", PATTERN >> 4),
        ("srai a0,a3,4", TOP),
        ("sllw a0,a1,a2", 0xFFFF_FFFF_9ABC_DEF0),
        ("srlw a0,a1,a2", 0x089A_BCDE),
        ("sraiw a0,a1,4", 0xFFFF_FFFF_F89A_BCDE),
        ("slt a0,a3,x0", 1),
        ("sltu a0,a3,x0", 0),
        ("sltiu a0,a2,-1", 1),
        ("neg a0,a2", TOP - 3),
        ("not a0,a2", TOP - 4),
        ("seqz a0,a2", 0),
        ("snez a0,a2", 1),
        ("sgtz a0,a3", 0),
        ("sext.w a0,a1", 0xFFFF_FFFF_89AB_CDEF),
        ("zext.h a0,a1", 0xCDEF),
        ("addi x0,a1,1 ;\n mv a0,x0", 0),
        ("ld a0,8(s0)", 0x44_0000_0033),
        ("lw a0,4(s0)", 0x22),
        ("sb a2,1(s0) ;\n lhu a0,0(s0)", 0x411),
        ("sd a3,0(s0) ;\n lw a0,4(s0)", TOP),
        ("sd a3,0(s0) ;\n lwu a0,4(s0)", 0xFFFF_FFFF),
        ("amoadd.d a0,a2,(s0)", 0x22_0000_0011),
        ("amomaxu.w.aqrl x0,a3,(s0) ;\n lw a0,0(s0)", TOP),
        ("amomin.w x0,a3,(s0) ;\n lwu a0,0(s0)", 0xFFFF_FFFF),
        ("lr.w.aq a0,(s0) ;\n sc.w.rl a4,a2,(s1)", 0x11),
        ("lr.w a0,(s1) ;\n sc.w a0,a2,(s0)", 1),
        ("fence ;\n fence rw,w ;\n fence.tso ;\n fence.i ;\n pause ;\n nop", 7),
    ],
)
def test_riscv(rows, a0):
    """a1 is a pattern, a2 is 4, a3 is -1, s0 and s1 point to arrays."""
    init = f"int t[4]={{0x11,0x22,0x33,0x44}}; int u[1]; 0:s0=t; 0:s1=u; uint64_t 0:a0=7; uint64_t 0:a1={PATTERN};"
    assert final(f" {rows} ;", "0:x10;", f"{init} 0:a2=4; int64_t 0:a3=-1;", "RISCV") == {"0:x10": a0}


@pytest.mark.untraced
@pytest.mark.parametrize("arch", ["RISCV", "MIPS"])
def test_every_branch(arch):
    """Taken exactly if the comparison holds, at the edges of the ranges."""
    two = {"beq": lambda a, b: a == b, "bne": lambda a, b: a != b}
    one = {"beqz": lambda a: a == 0, "bnez": lambda a: a != 0}
    one |= {"bltz": lambda a: signed(a) < 0, "bgez": lambda a: signed(a) >= 0}
    one |= {"bgtz": lambda a: signed(a) > 0, "blez": lambda a: signed(a) <= 0}
    if arch == "RISCV":
        two |= {"blt": lambda a, b: signed(a) < signed(b), "bge": lambda a, b: signed(a) >= signed(b)}
        two |= {"bgt": lambda a, b: signed(a) > signed(b), "ble": lambda a, b: signed(a) <= signed(b)}
        two |= {"bltu": lambda a, b: a < b, "bgeu": lambda a, b: a >= b}
        two |= {"bgtu": lambda a, b: a > b, "bleu": lambda a, b: a <= b}
    x, y, names = ("x5", "x6", [f"x{n}" for n in range(10, 30)]) if arch == "RISCV" else (
        "$5", "$6", [f"${n}" for n in range(10, 30)])  # fmt: skip
    cells = [f"{name} {x},{y}" for name in two] + [f"{name} {x}" for name in one]
    rows = "".join(f" {cell},L{n} ;\n li {names[n]},1 ;\n L{n}: ;\n" for n, cell in enumerate(cells))
    for a in EDGES:
        for b in EDGES:
            init = f"uint64_t 0:{x}={a}; uint64_t 0:{y}={b};"
            state = final(rows, " ".join(f"0:{name};" for name in names[: len(cells)]), init, arch)
            taken = [state[f"0:{name}"] == 0 for name in names[: len(cells)]]
            assert taken == [holds(a, b) for holds in two.values()] + [holds(a) for holds in one.values()], (a, b)


@pytest.mark.parametrize(
    ("rows", "two"),
    [
        ("li $2,-1", TOP),
        ("lui $2,0x8000", TOP - 0x7FFF_FFFF),
        ("move $2,$3", PATTERN),
        ("addu $2,$3,$0", 0xFFFF_FFFF_89AB_CDEF),
        ("addiu $2,$4,-5", TOP),
        ("addiu $2,1", 8),
        ("daddu $2,$3,$4", PATTERN + 4),
        ("daddiu $2,$3,-1", PATTERN - 1),
        ("subu $2,$0,$4", TOP - 3),
        ("dsubu $2,$0,$4", TOP - 3),
        ("ori $2,$0,65535", 0xFFFF),
        ("andi $2,$3,0xff", 0xEF),
        ("xor $2,$3,$3", 0),
        ("nor $2,$4,$0", TOP - 4),
        ("sll $2,$3,4", 0xFFFF_FFFF_9ABC_DEF0),
        ("srlv $2,$3,$4", 0x089A_BCDE),
        ("sra $2,$3,4", 0xFFFF_FFFF_F89A_BCDE),
        ("dsll $2,$3,4", PATTERN << 4 & TOP),
        ("slt $2,$0,$4", 1),
        ("sltu $2,$4,$0", 0),
        ("ext $2,$3,8,8", 0xCD),
        ("dext $2,$3,36,8", 0x56),
        ("addiu $0,$4,1 ;\n move $2,$0", 0),
        ("lw $2,4($5)", 0x22),
        ("ld $2,0($5)", 0x22_0000_0011),
        ("sb $4,1($5) ;\n lhu $2,0($5)", 0x411),
        ("dsubu $4,$0,$4 ;\n sd $4,0($5) ;\n lw $2,0($5)", TOP - 3),
        ("ll $2,0($5) ;\n sc $4,0($6)", 0x11),
        ("ll $2,0($6) ;\n sc $2,0($5)", 0),
        ("sync ;\n sync 0x10 ;\n pause ;\n nop", 7),
    ],
)
def test_mips(rows, two):
    """$3 is a pattern, $4 is 4, $5 and $6 point to arrays."""
    init = f"int t[4]={{0x11,0x22,0x33,0x44}}; int u[1]; 0:$5=t; 0:$6=u; uint64_t 0:$2=7; uint64_t 0:$3={PATTERN};"
    assert final(f" {rows} ;", "0:$2;", f"{init} 0:$4=4;", "MIPS") == {"0:$2": two}


@pytest.mark.parametrize(
    ("rows", "r3"),
    [
        ("li r3,-1", TOP),
        ("lis r3,0x10", 0x10_0000),
        ("mr r3,r4", PATTERN),
        ("addi r3,r4,-1", PATTERN - 1),
        ("addi r3,r0,5", 5),
        ("addis r3,r5,1", 0x1_0004),
        ("subf r3,r5,r4", PATTERN - 4),
        ("sub r3,r5,r4", 4 - PATTERN & TOP),
        ("and r3,r4,r5", 4),
        ("andi. r3,r4,0xff", 0xEF),
        ("ori r3,r5,3", 7),
        ("oris r3,r5,1", 0x1_0004),
        ("xor r3,r4,r4", 0),
        ("nor r3,r5,r5", TOP - 4),
        ("nand r3,r5,r5", TOP - 4),
        ("neg r3,r5", TOP - 3),
        ("not r3,r5", TOP - 4),
        ("extsw r3,r4", 0xFFFF_FFFF_89AB_CDEF),
        ("extsb r3,r4", TOP - 0x10),
        ("rlwinm r3,r4,4,0,31", 0x9ABC_DEF8),
        ("rlwinm r3,r4,8,24,31", 0x89),
        ("rlwinm r3,r4,0,16,23", 0xCD00),
        ("lwz r3,4(r6)", 0x22),
        ("ldx r3,r6,r8", 0x44_0000_0033),
        ("lwzx r3,r0,r6", 0x11),
        ("stb r5,1(r6) ;\n lhz r3,0(r6)", 0x411),
        ("neg r5,r5 ;\n stwx r5,r8,r6 ;\n lwa r3,8(r6)", TOP - 3),
        ("neg r5,r5 ;\n sthx r5,r0,r6 ;\n lha r3,0(r6)", TOP - 3),
        ("lwarx r3,r0,r6 ;\n stwcx. r5,r0,r7", 0x11),
        ("lwarx r5,r0,r7 ;\n stwcx. r5,r0,r6 ;\n bne L ;\n li r3,1 ;\n L:", 7),
        ("stwcx. r5,r0,r6 ;\n beq L ;\n li r3,1 ;\n L:", 1),
        ("subf. r3,r4,r4 ;\n beq L ;\n li r3,1 ;\n L:", 0),
        ("add. r3,r5,r5 ;\n bgt L ;\n li r3,1 ;\n L:", 8),
        ("cmpw cr1,r4,r5 ;\n cmpwi r5,4 ;\n blt cr1,L ;\n li r3,1 ;\n L:", 7),
        ("sync ;\n hwsync ;\n lwsync ;\n eieio ;\n isync ;\n nop", 7),
    ],
)
def test_ppc(rows, r3):
    """r4 is a pattern, r5 is 4, r6 and r7 point to arrays, r8 is 8, and r0 must not count as a base."""
    init = f"int t[4]={{0x11,0x22,0x33,0x44}}; int u[1]; 0:r6=t; 0:r7=u; uint64_t 0:r3=7; uint64_t 0:r4={PATTERN};"
    init += "0:r5=4; 0:r8=8; 0:r0=64;"
    assert final(f" {rows} ;", "0:r3;", init, "PPC") == {"0:r3": r3}


COMPARISONS = {
    "cmpw": lambda a, b: (signed(a, 32), signed(b, 32)),
    "cmpd": lambda a, b: (signed(a), signed(b)),
    "cmplw": lambda a, b: (a % (1 << 32), b % (1 << 32)),
    "cmpld": lambda a, b: (a, b),
}


@pytest.mark.parametrize("instruction", COMPARISONS)
def test_every_condition_of_ppc(instruction):
    """After each comparison, at the edges of the ranges."""
    codes = ["lt", "ge", "gt", "le", "eq", "ne"]
    rows = "".join(f" b{code} L{n} ;\n li r{10 + n},1 ;\n L{n}: ;\n" for n, code in enumerate(codes))
    for a in EDGES:
        for b in EDGES:
            init = f"uint64_t 0:r4={a}; uint64_t 0:r5={b};"
            wanted = " ".join(f"0:r{10 + n};" for n in range(6))
            state = final(f" {instruction} r4,r5 ;\n{rows}", wanted, init, "PPC")
            one, other = COMPARISONS[instruction](a, b)
            holds = [one < other, one >= other, one > other, one <= other, one == other, one != other]
            assert [state[f"0:r{10 + n}"] == 0 for n in range(6)] == holds, (a, b)


@pytest.mark.parametrize(
    ("arch", "cell"),
    [
        ("RISCV", "jal x1,L"), ("RISCV", "ret"), ("RISCV", "add x1,x2"), ("RISCV", "amoadd.q x1,x2,(x3)"),
        ("RISCV", "fence x,w"), ("RISCV", "lw x1,x2"), ("RISCV", "csrr x1,x2"), ("RISCV", "lbu.aq x1,0(x2)"),
        ("MIPS", "jr $31"), ("MIPS", "bal L"), ("MIPS", "dext $2,$3,60,8"), ("MIPS", "teq $2,$3"), ("MIPS", "sync $3"),
        ("PPC", "blr"), ("PPC", "bdnz L"), ("PPC", "mflr r3"), ("PPC", "rlwinm r3,r4,0,31,0"), ("PPC", "bso L"),
        ("PPC", "addi r3,cr1,1"), ("PPC", "dcbf r3,r4"),
    ],
)  # fmt: skip
def test_what_is_not_simulated_is_refused_where_it_stands(arch, cell):
    """With line and column, and the instruction as written."""
    with pytest.raises(UnsupportedError) as caught:
        lower(parse(f"{arch} t\n{{}}\n P0 | P1 ;\n L: nop | L: nop ;\n nop | {cell} ;\n", "t.litmus"))
    assert (caught.value.line, caught.value.column) == (5, 8)
    assert cell.split()[0] in caught.value.problem
