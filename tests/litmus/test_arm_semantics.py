"""What the instructions of both Arm instruction sets compute, against their definitions over the integers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simaie.litmus import parse
from simaie.litmus.lowering import UnsupportedError, lower

from .outcomes import final

CODES = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"]
OPPOSITES = dict(zip(CODES[::2], CODES[1::2], strict=True))
#: 64 bits that are all different nibbles.
PATTERN = 0x0123_4567_89AB_CDEF
TOP = (1 << 64) - 1


def edges(bits: int) -> tuple[int, ...]:
    half = 1 << bits - 1
    return 0, 1, 2, half - 1, half, half + 1, 2 * half - 1


def conditions(a: int, b: int, operation: str, bits: int, before: tuple[bool, bool]) -> dict[str, bool]:
    """The conditions after ``a operation b``; a logical operation leaves carry and overflow as `before`."""

    def signed(value: int) -> int:
        return value - (1 << bits) if value >> bits - 1 else value

    exact: dict[str, Callable[[int, int], int]] = {
        "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "and": lambda x, y: x & y, "xor": lambda x, y: x ^ y,
    }  # fmt: skip
    result = exact[operation](a, b) % (1 << bits)
    carry, overflow = before
    if operation in ("add", "sub"):
        carry = a + b >= 1 << bits if operation == "add" else a >= b
        overflow = exact[operation](signed(a), signed(b)) != signed(result)
    negative, zero = bool(result >> bits - 1), result == 0
    holds = {"eq": zero, "cs": carry, "mi": negative, "vs": overflow, "hi": carry and not zero}
    holds |= {"ge": negative == overflow, "gt": negative == overflow and not zero}
    return holds | {OPPOSITES[code]: not held for code, held in holds.items()}


@pytest.mark.parametrize("width", ["W", "X"])
@pytest.mark.parametrize(
    ("instruction", "operation"),
    [
        ("CMP {0}1,{0}2", "sub"),
        ("SUBS {0}1,{0}1,{0}2", "sub"),
        ("CMN {0}1,{0}2", "add"),
        ("ADDS {0}2,{0}1,{0}2", "add"),
        ("TST {0}1,{0}2", "and"),
        ("ANDS {0}3,{0}1,{0}2", "and"),
    ],
)
def test_every_condition_after_every_arithmetic_instruction_of_aarch64(instruction, operation, width):
    """CSET shows all 14 conditions, at the edges of the signed and unsigned ranges."""
    bits = 64 if width == "X" else 32
    shown = "".join(f" CSET W{n},{code.upper()} ;\n" for n, code in enumerate(CODES, 10))
    wanted = " ".join(f"0:X{n};" for n, _ in enumerate(CODES, 10))
    for a in edges(bits):
        for b in edges(bits):
            init = f"uint64_t 0:X1={a}; uint64_t 0:X2={b};"
            state = final(f" {instruction.format(width)} ;\n{shown}", wanted, init, "AArch64")
            found = {code: bool(state[f"0:X{n}"]) for n, code in enumerate(CODES, 10)}
            assert found == conditions(a, b, operation, bits, (False, False)), (a, b)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("instruction", "operation"),
    [
        ("CMP R1,R2", "sub"),
        ("SUBS R1,R2", "sub"),
        ("ADDS R3,R1,R2", "add"),
        ("CMN R1,R2", "add"),
        ("TST R1,R2", "and"),
        ("TEQ R1,R2", "xor"),
    ],
)
def test_every_condition_after_every_arithmetic_instruction_of_arm(instruction, operation):
    """Conditional moves show all 14; what is logical leaves the carry and the overflow of the comparison before it."""
    shown = "".join(f" MOV R5,#0 ;\n MOV{code} R5,#1 ;\n STR R5,[R4,#{4 * n}] ;\n" for n, code in enumerate(CODES))
    for a in edges(32):
        for b in edges(32):
            init = f"int t[14]; 0:R4=t; uint32_t 0:R1={a}; uint32_t 0:R2={b}; 0:R9=0x80000000; 0:R10=1;"
            state = final(f" CMP R9,R10 ;\n {instruction} ;\n{shown}", "t;", init, "ARM")
            found = dict(zip(CODES, (value == "1" for value in str(state["t"]).strip("{}").split(",")), strict=True))
            assert found == conditions(a, b, operation, 32, (True, True)), (a, b)


@pytest.mark.parametrize(
    ("rows", "x0"),
    [
        ("MOV W0,W1", 0x89AB_CDEF),
        ("MOV X0,X1", PATTERN),
        ("MOV X0,#-1", TOP),
        ("MOVZ X0,#1,LSL #48", 1 << 48),
        ("MOVN W0,#0", 0xFFFF_FFFF),
        ("MOVN X0,#0", TOP),
        ("MOVK X1,#0x1111,LSL #16 ;\n MOV X0,X1", 0x0123_4567_1111_CDEF),
        ("MOVK W1,#0x1111 ;\n MOV X0,X1", 0x89AB_1111),
        ("ADD X0,X1,W2,SXTW", PATTERN - 1),
        ("ADD X0,X1,W2,UXTB #4", PATTERN + 0xFF0),
        ("ADD W0,W2,#1", 0),
        ("ADD X0,X2,#1", 1 << 32),
        ("ADD X0,XZR,X1,LSL #4", PATTERN << 4 & TOP),
        ("SUB W0,WZR,W1,ASR #28", 8),
        ("SUB X0,X1,X1", 0),
        ("AND X0,X1,#0xFF", 0xEF),
        ("ORR W0,W1,W2", 0xFFFF_FFFF),
        ("EOR X0,X1,X2", 0x0123_4567_7654_3210),
        ("BIC X0,X1,X2", 0x0123_4567_0000_0000),
        ("ORN X0,X2,X1", 0xFEDC_BA98_FFFF_FFFF),
        ("EON W0,W1,W1", 0xFFFF_FFFF),
        ("MVN W0,W1", 0x7654_3210),
        ("NEG X0,X2", TOP - 0xFFFF_FFFE),
        ("LSL W0,W1,#4", 0x9ABC_DEF0),
        ("LSR X0,X1,#60", 0),
        ("ASR W0,W1,#28", 0xFFFF_FFF8),
        ("LSL X0,X1,X2", 1 << 63),
        ("MUL W0,W1,W1", 0x89AB_CDEF**2 & 0xFFFF_FFFF),
        ("MADD X0,X2,X2,X1", (PATTERN + 0xFFFF_FFFF**2) & TOP),
        ("MSUB W0,W2,W2,W1", 0x89AB_CDEE),
        ("SXTB X0,W1", TOP - 0x10),
        ("SXTH W0,W1", 0xFFFF_CDEF),
        ("SXTW X0,W1", 0xFFFF_FFFF_89AB_CDEF),
        ("UXTB W0,W1", 0xEF),
        ("UBFX X0,X1,#8,#8", 0xCD),
        ("SBFX W0,W1,#8,#8", 0xFFFF_FFCD),
        ("CMP X1,X2 ;\n CSEL X0,X1,X2,HI", PATTERN),
        ("CMP X1,X2 ;\n CSINC W0,W1,W2,LS", 0),
        ("CMP X1,X2 ;\n CSINV X0,X1,X2,LO", 0xFFFF_FFFF_0000_0000),
        ("CMP X1,X2 ;\n CSNEG W0,W1,W2,EQ", 1),
        ("CMP X1,X2 ;\n CINC W0,W2,NE", 0),
        ("CMP X1,X2 ;\n CINC W0,W2,EQ", 0xFFFF_FFFF),
        ("CMP X1,X2 ;\n CSETM X0,HS", TOP),
        ("TBZ X1,#4,L ;\n MOV X0,#1 ;\n L:", 7),
        ("TBNZ X1,#4,L ;\n MOV X0,#1 ;\n L:", 1),
        ("CBZ W3,L ;\n MOV X0,#1 ;\n L:", 7),
        ("CBNZ X3,L ;\n MOV X0,#1 ;\n L:", 7),
        ("CMP W3,#0 ;\n B.NE L ;\n MOV X0,#1 ;\n L: NOP", 1),
    ],
)
def test_registers_of_aarch64(rows, x0):
    """Writes of 32 bits clear the rest; X3 has a high half only."""
    init = f"uint64_t 0:X0=7; uint64_t 0:X1={PATTERN}; uint64_t 0:X2=0xffffffff; uint64_t 0:X3={1 << 32};"
    assert final(f" {rows} ;", "0:X0;", init, "AArch64") == {"0:X0": x0}


T = [0x11, 0x22, 0x33, 0x44]


@pytest.mark.parametrize(
    ("rows", "x0", "x1"),
    [
        ("LDR W0,[X1]", 0x11, 0),
        ("LDR X0,[X1]", 0x22_0000_0011, 0),
        ("LDUR W0,[X1,#4]", 0x22, 0),
        ("LDRB W0,[X1,#4]", 0x22, 0),
        ("LDRSH X0,[X1,#6]", 0, 0),
        ("LDR W0,[X1,#8]!", 0x33, 8),
        ("LDR W0,[X1],#8", 0x11, 8),
        ("LDR W0,[X1,X2]", 0x22, 0),
        ("LDR W0,[X1,W3,SXTW #2] ;\n", 0x11, 4),
        ("LDR W0,[X1,X2,LSL #1]", 0x33, 0),
        ("LDP W0,W4,[X1,#8]", 0x33, 0),
        ("LDP W4,W0,[X1],#8", 0x22, 8),
        ("LDP X0,X4,[X1]", 0x22_0000_0011, 0),
        ("STP W2,W2,[X1,#4]! ;\n LDR X0,[X1]", 0x4_0000_0004, 4),
        ("STRB W2,[X1] ;\n LDR W0,[X1]", 4, 0),
        ("STR X2,[X1],#8 ;\n LDR W0,[X1]", 0x33, 8),
        ("LDXP W4,W0,[X1]", 0x22, 0),
        ("MOV W4,#0x11 ;\n MOV W5,#0x22 ;\n CASP W4,W5,W2,W3,[X1] ;\n LDR X0,[X1]", 0xFFFF_FFFF_0000_0004, 0),
        ("SWPALB W2,W0,[X1]", 0x11, 0),
        ("LDADDL X2,X4,[X1] ;\n LDR X0,[X1]", 0x22_0000_0015, 0),
        ("STSMAX W3,[X1] ;\n LDR W0,[X1]", 0x11, 0),
        ("STUMAXL W3,[X1] ;\n LDR W0,[X1]", 0xFFFF_FFFF, 0),
        ("CASA W0,W2,[X1]", 0x11, 0),
        ("LDAPRH W0,[X1]", 0x11, 0),
        ("STLR W2,[X1] ;\n LDAR W0,[X1]", 4, 0),
    ],
)
def test_addresses_of_aarch64(rows, x0, x1):
    """x1: how far the base has moved. W3 is -1, X2 is 4."""
    base = "0:X1=t[1]; " if "SXTW" in rows else "0:X1=t; "
    init = f"int t[4]={{{','.join(map(str, T))}}}; {base} uint64_t 0:X2=4; uint64_t 0:X3=0xffffffff; uint64_t 0:X0=7;"
    where = "t" if x1 == 0 else f"t[{x1 // 4}]"
    assert final(f" {rows} ;", "0:X0; 0:X1;", init, "AArch64") == {"0:X0": x0, "0:X1": where}


@pytest.mark.parametrize(
    ("rows", "r0", "r1"),
    [
        ("LDR R0,[R1,#4]", 0x22, 0),
        ("LDR R0,[R1],#4", 0x11, 4),
        ("LDR R0,[R1,R2]!", 0x22, 4),
        ("LDR R0,R1", 0x11, 0),
        ("LDRH R0,[R1,#4]", 0x22, 0),
        ("LDR R0,[R1,R2,LSL #1]", 0x33, 0),
        ("ADD R1,R1,#8 ;\n LDR R0,[R1,-R2]!", 0x22, 4),
        ("LDMIA R1!,{R0,R3}", 0x11, 8),
        ("LDM R1,{R3,R0}", 0x11, 0),
        ("ADD R1,R1,#8 ;\n LDMDB R1!,{R0,R3}", 0x11, 0),
        ("ADD R1,R1,#8 ;\n LDMDA R1!,{R0,R3}", 0x22, 0),
        ("STMIB R1!,{R1,R2} ;\n LDR R0,[R1]", 4, 8),
        ("LDRD R0,R3,[R1,#8]", 0x33, 0),
        ("STRD R2,R2,[R1] ;\n LDR R0,[R1,#4]", 4, 0),
        ("LDREXD R3,R0,[R1]", 0x22, 0),
        ("LDREX R3,[R1] ;\n STREX R0,R2,[R1] ;\n STREX R0,R2,[R1]", 1, 0),
        ("SWP R0,R2,[R1]", 0x11, 0),
        ("MOVW R0,#0x1234 ;\n MOVT R0,#0x5678", 0x5678_1234, 0),
        ("RSB R0,R2,#1", -3, 0),
        ("MVN R0,R2,LSL #28", -0x4000_0001, 0),
        ("MOV R0,R2,ROR #3", -0x8000_0000, 0),
        ("CMP R2,#4 ;\n MOVNE R0,#1 ;\n ADDEQ R0,R0,#2", 9, 0),
        ("CMP R2,#5 ;\n STRLT R2,[R1] ;\n LDRLT R0,[R1]", 4, 0),
    ],
)
def test_registers_and_addresses_of_arm(rows, r0, r1):
    """r1: how far the base has moved."""
    init = f"int t[4]={{{','.join(map(str, T))}}}; 0:R1=t; 0:R2=4; 0:R0=7;"
    where = "t" if r1 == 0 else f"t[{r1 // 4}]"
    assert final(f" {rows} ;", "0:R0; 0:R1;", init, "ARM") == {"0:R0": r0, "0:R1": where}


@pytest.mark.parametrize(
    ("arch", "cell"),
    [
        ("ARM", "BX LR"), ("ARM", "LDR PC,[R1]"), ("ARM", "PUSH {R1}"), ("ARM", "DMB NEAR"),
        ("ARM", "ADD R1"), ("ARM", "LDM R1,R2"), ("ARM", "LDAH R1,R2,[R3]"), ("ARM", "ADD R0,R1,R2,LSL R3"),
        ("AArch64", "SWPP W0,W1,[X2]"), ("AArch64", "LDIAPP X0,[X4]"), ("AArch64", "RET"),
        ("AArch64", "DMB"), ("AArch64", "STADDA W0,[X1]"),
        ("AArch64", "LDR W0,W1,W2"),
        ("AArch64", "MRS X0,TPIDR_EL0"), ("AArch64", "SVC #0"),
    ],
)  # fmt: skip
def test_what_is_not_simulated_is_refused_where_it_stands(arch, cell):
    """With line and column, and the instruction as written."""
    with pytest.raises(UnsupportedError) as caught:
        lower(parse(f"{arch} t\n{{}}\n P0 | P1 ;\n L: NOP | L: NOP ;\n NOP | {cell} ;\n", "t.litmus"))
    assert (caught.value.line, caught.value.column) == (5, 8)
    assert cell.split()[0].lower() in caught.value.problem
