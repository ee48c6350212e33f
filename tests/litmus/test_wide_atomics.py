"""Atomics of two registers, the accesses of Armv8, the carry, and labels as values, in litmus tests."""

from __future__ import annotations

import re

import pytest

from simaie.exploration.litmus import explore_litmus
from simaie.litmus import parse
from simaie.litmus.lowering import UnsupportedError, lower

from .outcomes import final

LOW, HIGH = 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210
TOP = (1 << 64) - 1
WIDE = f"uint128_t x={HIGH << 64 | LOW}; 0:X1=x; uint64_t 0:X5={LOW}; uint64_t 0:X6={HIGH}; uint64_t 0:X7=7;"
WORDS = f"uint64_t x={HIGH}; 0:X1=x;"


def found(arch: str, code: str, names: list[str], init: str, bits: int) -> list[dict[str, int]]:
    """All final values of the registers; of several if a store-conditional may fail."""
    rows = "".join(f" {each.strip()} ;\n" for each in code.split(" ; "))
    typed = "".join(f"uint{bits}_t 0:{name};" for name in names if f"0:{name}=" not in init)
    wanted = " ".join(f"0:{name};" for name in names)
    result = explore_litmus(parse(f"{arch} t\n{{{init}{typed}}}\n P0;\n{rows}\nlocations [{wanted}]\n"))
    assert result.complete
    assert len(result.states) == 1 or re.search(r"ST\w*X", code)
    return [{name: int(dict(state)[f"0:{name}"]) & (1 << bits) - 1 for name in names} for state in result.states]


@pytest.mark.parametrize(("code", "shown"), [
    ("LDXP X2,X3,[X1]", {"X2": LOW, "X3": HIGH}),
    ("LDAXP X2,X3,[X1]", {"X2": LOW, "X3": HIGH}),
    ("LDIAPP X2,X3,[X1]", {"X2": LOW, "X3": HIGH}),
    ("LDXP X2,X3,[X1] ; STXP W4,X3,X2,[X1] ; LDP X8,X9,[X1]", {"X4": 0, "X8": HIGH, "X9": LOW}),
    ("LDXP X2,X3,[X1] ; CLREX ; STLXP W4,X3,X2,[X1] ; LDP X8,X9,[X1]", {"X4": 1, "X8": LOW, "X9": HIGH}),
    ("STILP X6,X7,[X1] ; LDP X8,X9,[X1]", {"X8": HIGH, "X9": 7}),
    ("MOV X4,X5 ; MOV X8,X7 ; CASP X4,X5,X8,X9,[X1] ; LDP X2,X3,[X1]", {"X2": LOW, "X3": HIGH}),
    ("MOV X4,X5 ; MOV X5,X6 ; CASPAL X4,X5,X6,X7,[X1] ; LDP X2,X3,[X1]",
     {"X4": LOW, "X5": HIGH, "X2": HIGH, "X3": 7}),
    ("SWPP X6,X7,[X1] ; LDP X2,X3,[X1]", {"X6": LOW, "X7": HIGH, "X2": HIGH, "X3": 7}),
    ("LDSETPAL X7,X6,[X1] ; LDP X2,X3,[X1]", {"X7": LOW, "X6": HIGH, "X2": LOW | 7, "X3": HIGH}),
    ("LDCLRPA X5,X7,[X1] ; LDP X2,X3,[X1]", {"X5": LOW, "X7": HIGH, "X2": 0, "X3": HIGH & ~7}),
    ("LDAPUR X2,[X1,#8] ; STLUR X7,[X1] ; LDLAR X3,[X1]", {"X2": HIGH, "X3": 7}),
    ("STLLR X7,[X1] ; LDAPUR X2,[X1]", {"X2": 7}),
])  # fmt: skip
def test_pairs_of_aarch64(code, shown):
    assert shown in found("AArch64", code, list(shown), WIDE, 64)


@pytest.mark.parametrize(("code", "shown"), [
    ("LDXP W2,W3,[X1]", {"X2": HIGH & 0xFFFF_FFFF, "X3": HIGH >> 32}),
    ("LDR X5,[X1] ; UBFM X2,X5,#8,#23 ; UBFM X3,X5,#60,#3", {"X2": HIGH >> 8 & 0xFFFF, "X3": (HIGH & 0xF) << 4}),
    ("LDR X5,[X1] ; SBFM X2,X5,#56,#63 ; REV X3,X5", {"X2": (1 << 64) - 2, "X3": 0x1032_5476_98BA_DCFE}),
    ("LDR X5,[X1] ; REV16 X2,X5 ; REV32 X3,X5", {"X2": 0xDCFE_98BA_5476_1032, "X3": 0x98BA_DCFE_1032_5476}),
    ("LDR X5,[X1] ; REV W2,W5 ; REV16 W3,W5", {"X2": 0x1032_5476, "X3": 0x5476_1032}),
    ("MOV X2,#5 ; SUBS X3,X2,#5 ; MRS X3,NZCV", {"X3": 0b0110 << 28}),
    ("MOV X2,#5 ; SUBS X3,X2,#6 ; MRS X3,NZCV", {"X3": 0b1000 << 28}),
])  # fmt: skip
def test_fields_bytes_and_flags_of_aarch64(code, shown):
    assert shown in found("AArch64", code, list(shown), WORDS, 64)


@pytest.mark.parametrize(("code", "shown"), [
    ("LDA R2,[R1] ; LDAB R3,[R1] ; LDAH R4,[R1]", {"R2": 0x11223344, "R3": 0x44, "R4": 0x3344}),
    ("STL R5,[R1] ; LDR R2,[R1]", {"R2": 7}),
    ("LDAEX R2,[R1] ; STLEX R3,R5,[R1] ; LDR R4,[R1]", {"R2": 0x11223344, "R3": 0, "R4": 7}),
    ("LDAEXB R2,[R1] ; STLEXB R3,R5,[R1] ; STLEXH R4,R5,[R1]", {"R2": 0x44, "R3": 0, "R4": 1}),
    ("LDAEXD R2,R3,[R1] ; STLEXD R4,R3,R2,[R1] ; LDREXD R6,R7,[R1]",
     {"R2": 0x11223344, "R3": 5, "R4": 0, "R6": 5, "R7": 0x11223344}),
])  # fmt: skip
def test_acquire_and_release_of_a32(code, shown):
    assert shown in found("ARM", code, list(shown), f"uint64_t x={5 << 32 | 0x11223344}; 0:R1=x; 0:R5=7;", 32)


@pytest.mark.parametrize("lock", ["", "lock "])
@pytest.mark.parametrize(("width", "suffix", "rax", "rcx"), [(32, "l", "eax", "ecx"), (64, "q", "rax", "rcx")])
def test_an_addition_and_a_subtraction_with_the_carry(lock, width, suffix, rax, rcx):
    """In memory and in a register, with the carry in and out, and the overflow; at the edges."""
    top = (1 << width) - 1
    half = 1 << width - 1
    for name, sign in (("adc", 1), ("sbb", -1)):
        for a in (0, 1, half - 1, half, top):
            for b in (0, 1, half - 1, half, top):
                for carry in (0, 1):
                    target = "(x)" if lock else f"%{rax}"
                    rows = (
                        f" btl $0,%edx ;\n {lock}{name}{suffix} %{rcx},{target} ;\n setc %bl ;\n seto %sil ;\n"
                        + f" mov{suffix} (x),%{rax} ;\n" * bool(lock)
                    )
                    values = {"rax": 0 if lock else a, "rcx": b, "rdx": carry, "rbx": 0, "rsi": 0}
                    init = f"uint64_t x={a};" + "".join(f"uint64_t 0:{r}={v};" for r, v in values.items())
                    state = final(rows, "0:rax; 0:rbx; 0:rsi;", init, "X86_64")
                    exact = a + sign * (b + carry)
                    signed = [value - (1 << width) if value >> width - 1 else value for value in (a, b)]
                    whole = signed[0] + sign * (signed[1] + carry)
                    expected = exact & top, int(not 0 <= exact <= top), int(not -half <= whole < half)
                    assert (state["0:rax"] & top, state["0:rbx"], state["0:rsi"]) == expected, (name, a, b, carry)


@pytest.mark.parametrize("lock", ["", "lock "])
@pytest.mark.parametrize("same", [False, True])
def test_a_compare_and_exchange_of_two_registers_of_x86(lock, same):
    expected = f"uint64_t 0:rax={LOW if same else 1}; uint64_t 0:rdx={HIGH};"
    init = f"uint128_t x={HIGH << 64 | LOW}; {expected} 0:rbx=3; 0:rcx=4;"
    rows = f" {lock}cmpxchg16b (x) ;\n sete %sil ;\n movq (x),%rdi ;\n movq 8(x),%r8 ;\n"
    rows = rows.replace("8(x)", "8(%r9)")
    wanted = "0:rax; 0:rdx; 0:rsi; 0:rdi; 0:r8;"
    state = final(rows, wanted, init + " 0:r9=x; 0:rsi=0; uint64_t 0:rdi; uint64_t 0:r8;", "X86_64")
    assert (state["0:rax"] & TOP, state["0:rdx"] & TOP, state["0:rsi"]) == (LOW, HIGH, int(same))
    assert (state["0:rdi"] & TOP, state["0:r8"] & TOP) == ((3, 4) if same else (LOW, HIGH))
    init = "uint64_t x=0x200000001; 0:EAX=1; 0:EDX=2; 0:EBX=3; 0:ECX=4;"
    state = final(f" {lock.upper()}CMPXCHG8B [x] ;\n", "x; 0:EAX; 0:EDX;", init, "X86")
    assert (state["x"], state["0:EAX"], state["0:EDX"]) == (4 << 32 | 3, 1, 2)


@pytest.mark.parametrize(("suffix", "before", "after"), [("w", 5, 6), ("d.aqrl", 5, 6), ("b", 5, 6), ("w", 4, 4)])
def test_a_compare_and_swap_of_risc_v(suffix, before, after):
    rows = f" amocas.{suffix} a0,a1,(a2) ;\n"
    state = final(rows, "x; 0:x10;", f"uint64_t x={before}; 0:x10=5; 0:x11=6; 0:x12=x;", "RISCV")
    assert (state["x"], state["0:x10"]) == (after, before)


def test_a_compare_and_swap_of_four_registers_of_risc_v():
    init = f"uint128_t x={HIGH << 64 | LOW}; uint64_t 0:x10={LOW}; uint64_t 0:x11={HIGH}; 0:x12=3; 0:x13=4; 0:x14=x;"
    rows = " amocas.q a0,a2,(a4) ;\n ld x5,0(a4) ;\n ld x6,8(a4) ;\n"
    state = final(rows, "0:x10; 0:x11; 0:x5; 0:x6;", init, "RISCV")
    assert [state[f"0:{name}"] & TOP for name in ("x10", "x11", "x5", "x6")] == [LOW, HIGH, 3, 4]
    with pytest.raises(UnsupportedError, match="begins with an even one"):
        lower(parse("RISCV t\n{}\n P0 ;\n amocas.q a1,a2,(a4) ;\nexists (x=0)\n", "t.litmus"))


def test_a_label_is_a_value_of_a_register():
    text = (
        'AArch64 t\n{ 0:X2=label:"P1:M"; }\n P0 | P1 ;\n ADR X0,L | M: NOP ;\n L: NOP | ADR X0,M ;\n'
        'exists (0:X0=label:"P0:L" /\\ 0:X2=label:"P1:M" /\\ 1:X0=0:X2)\n'
    )
    result = explore_litmus(parse(text, "t.litmus"))
    (state,) = result.states
    assert dict(state)["0:X0"] == 'label:"P0:L"'
    assert result.verdict.observation == "Always"


def test_an_instruction_is_no_value():
    with pytest.raises(UnsupportedError, match="unsupported value"):
        lower(parse('AArch64 t\n{}\n P0 ;\n NOP ;\nexists (0:X0=instr:"NOP")\n', "t.litmus"))
