"""Traps and system calls of each instruction set are faults; a conditional trap is one if its condition holds."""

from __future__ import annotations

import pytest

from simaie.binary.abi import ABIS
from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall
from simaie.binary.image import Image, Region, Symbol
from simaie.binary.layout import Layout
from simaie.binary.translation import Code
from simaie.binary.traps import compares
from simaie.errors import InputError

ABI_OF = {abi.name: abi for abi in ABIS.values()}
START = 0x10000
RETURNS = {
    "aarch64": "c0035fd6", "arm": "1eff2fe1", "thumb": "7047", "x86-64": "c3", "i386": "c3", "riscv64": "67800000",
    "mips": "03e0000800000000", "mipsel": "0800e00300000000", "ppc64le": "2000804e",
}  # fmt: skip


def ends(target: str, code: str, *arguments: int) -> str:
    """Return how a function of one instruction ends: the words of its fault, or nothing if it returns."""
    content = bytes.fromhex(code + RETURNS[target])
    entry = START + (target == "thumb")
    function = Symbol("f", entry, len(content), True)
    region = Region(START, content, True)
    image = Image("f", content, ABI_OF["arm" if target == "thumb" else target], [region], [], {"f": function})
    memory = Memory(lambda address, width: 0, image.abi.endian)
    try:
        run_alone(Code(image), Layout(image, 0), CCall("f", entry, arguments), memory, "f")
    except InputError as error:
        return str(error).removeprefix("f faults: ").partition(" (0x10000")[0]
    return ""


@pytest.mark.parametrize(
    ("target", "codes"),
    [
        ("aarch64", "207d20d4 000020d4 00000000 000040d4"),  # brk #0x3e9, brk #0, udf, hlt
        ("arm", "f000f0e7 700020e1"),  # udf, bkpt
        ("thumb", "ffde 00be f0f700a0"),  # udf, bkpt, udf.w
        ("x86-64", "0f0b cc cd03 0fb9c0 0fffc0 f4 f1"),  # ud2, int3 in two lengths, ud1, ud0, hlt, int1
        ("i386", "0f0b cc f4"),
        ("riscv64", "73001000 0290 0000 731000c0"),  # ebreak, c.ebreak, c.unimp, unimp
        ("mips", "0000000d 00000034 7000003f"),  # break, teq $0, $0, sdbbp
        ("mipsel", "0d000000 34000000"),
        ("ppc64le", "0800e07f 0000e00f 0000e00b"),  # trap, twi 31, tdi 31
    ],
)
def test_a_trap_is_a_fault(target, codes):
    assert {code: ends(target, code) for code in codes.split()} == dict.fromkeys(codes.split(), "a trap instruction")


@pytest.mark.parametrize(
    ("target", "codes"),
    [
        ("aarch64", "010000d4"), ("arm", "000000ef"), ("thumb", "00df"), ("x86-64", "0f05 cd80"), ("i386", "cd80 0f34"),
        ("riscv64", "73000000"), ("mips", "0000000c"), ("ppc64le", "02000044"),
    ],
)  # fmt: skip
def test_a_system_call_is_a_fault_with_its_number(target, codes):
    for code in codes.split():
        assert ends(target, code).startswith("system call 0"), code


def test_a_conditional_trap_of_mips_is_a_fault_if_its_condition_holds():
    equal = "34008500"  # teq $4, $5
    assert ends("mipsel", equal, 3, 3) == "a trap instruction"
    assert ends("mipsel", equal, 3, 4) == ""
    assert ends("mipsel", "f4018000", 0) == "division by zero"  # teq $4, $0, 7
    assert ends("mips", "0007000d") == "division by zero"  # break 7


def test_a_conditional_trap_of_power_compares_words_or_doublewords():
    word, double, immediate = "0820837c", "8820837c", "feff830c"  # tw 4, r3, r4; td 4, r3, r4; twi 4, r3, -2
    assert ends("ppc64le", word, 1 << 32 | 7, 7) == "a trap instruction"
    assert ends("ppc64le", double, 1 << 32 | 7, 7) == ""
    assert ends("ppc64le", double, 7, 7) == "a trap instruction"
    assert ends("ppc64le", immediate, (1 << 64) - 2) == "a trap instruction"
    assert ends("ppc64le", immediate, 0xFFFE) == ""


def test_each_relation_of_a_conditional_trap_of_power():
    relations = {16: {(-1, 1)}, 8: {(1, -1)}, 4: {(1, 1)}, 2: {(1, -1)}, 1: {(-1, 1)}}  # less, greater, equal; unsigned
    for condition, hold in relations.items():
        for pair in ((-1, 1), (1, -1), (1, 1)):
            one, other = (value & 0xFFFF_FFFF for value in pair)
            assert compares(condition, one, other, 4) == (pair in hold), (condition, pair)
