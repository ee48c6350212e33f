"""Vector instructions: each is held against an oracle, and an access of 16 bytes is two of 8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from simaie.binary.abi import ABIS, Abi
from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall
from simaie.binary.image import Image, Region, Symbol
from simaie.binary.layout import Layout
from simaie.binary.lifter import lifter_for
from simaie.binary.neon import vector_of_arm
from simaie.binary.operations import BY_NUMBER
from simaie.binary.translation import Code
from simaie.binary.vectors import is_vector
from simaie.prng import Random

LINES = [line.split("\t") for line in (Path(__file__).parent / "vectors.txt").read_text().splitlines()]
ABI_OF: dict[str, Abi] = {abi.name: abi for abi in ABIS.values()}
ABI_OF["thumb"] = ABI_OF["arm"]
CODE, BLOCK, STACK, SIZE = 0x10000, 0x30000, 0x40000, 64
#: Instruction set -> the size of its return.
RETURN_SIZES = {"aarch64": 4, "arm": 4, "thumb": 2, "x86-64": 1, "i386": 1}
EDGES = (0, 1, 0x7F, 0x80, 0xFF)


class Traced(Memory):
    """A block of bytes that notes its accesses."""

    def __init__(self, content: bytes) -> None:
        super().__init__(lambda address, width: self.initial(address, width), "little")
        self.content, self.accesses = content, list[tuple[int, int]]()

    def initial(self, address: int, width: int) -> int:
        return int.from_bytes(self.content[address - BLOCK : address - BLOCK + width], "little")

    def get(self, address: int, width: int) -> int:
        self.accesses.append((address - BLOCK, width))
        return super().get(address, width)

    def bytes(self) -> bytes:
        return bytes(self.written.get(BLOCK + at, value) for at, value in enumerate(self.content))


class Translated:
    """Runs functions of one instruction by translation; all are in one program, because a lifter takes long to make."""

    def __init__(self, isa: str, codes: Sequence[bytes]) -> None:
        self._codes, content = dict[bytes, int](), b""
        for code in codes:
            self._codes[code] = CODE + len(content) | (isa == "thumb")
            content += code.ljust(-(-len(code) // 16) * 16, b"\0")
        symbols = {f"f{entry}": Symbol(f"f{entry}", entry, len(code), True) for code, entry in self._codes.items()}
        image = Image("f", content, ABI_OF[isa], [Region(CODE, content, True)], [Region(BLOCK, bytes(SIZE))], symbols)
        self._code, self._layout = Code(image), Layout(image, 0)
        self.accesses: list[tuple[int, int]] = []

    def __call__(self, code: bytes, content: bytes, number: int) -> tuple[bytes, int]:
        memory = Traced(content)
        call = CCall("f", self._codes[code], (BLOCK, number))
        result = run_alone(self._code, self._layout, call, memory, "f")
        self.accesses = memory.accesses
        return memory.bytes(), result


class Oracle:
    """Runs a function of one instruction by Unicorn."""

    def __init__(self, isa: str, unicorn: Any) -> None:
        from unicorn import arm64_const as a
        from unicorn import arm_const as r
        from unicorn import x86_const as x

        self._isa, arm = isa, unicorn.UC_ARCH_ARM
        kind, mode, self._given, self._result, self._stack = {
            "aarch64": (unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM, (a.UC_ARM64_REG_X0, a.UC_ARM64_REG_X1),
                        a.UC_ARM64_REG_X0, None),
            "arm": (arm, unicorn.UC_MODE_ARM, (r.UC_ARM_REG_R0, r.UC_ARM_REG_R1), r.UC_ARM_REG_R0, None),
            "thumb": (arm, unicorn.UC_MODE_THUMB, (r.UC_ARM_REG_R0, r.UC_ARM_REG_R1), r.UC_ARM_REG_R0, None),
            "x86-64": (unicorn.UC_ARCH_X86, unicorn.UC_MODE_64, (x.UC_X86_REG_RDI, x.UC_X86_REG_RSI),
                       x.UC_X86_REG_RAX, None),
            "i386": (unicorn.UC_ARCH_X86, unicorn.UC_MODE_32, (), x.UC_X86_REG_EAX, x.UC_X86_REG_ESP),
        }[isa]  # fmt: skip
        self._cpu = unicorn.Uc(kind, mode)
        self._cpu.mem_map(0, STACK)
        if isa == "aarch64":
            self._cpu.reg_write(a.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # vectors do not trap
        elif kind == arm:
            self._cpu.reg_write(r.UC_ARM_REG_C1_C0_2, 15 << 20)
            self._cpu.reg_write(r.UC_ARM_REG_FPEXC, 1 << 30)

    def __call__(self, code: bytes, content: bytes, number: int) -> tuple[bytes, int]:
        cpu = self._cpu
        cpu.mem_write(CODE, code)
        cpu.mem_write(BLOCK, content)
        for register, value in zip(self._given, (BLOCK, number), strict=False):
            cpu.reg_write(register, value)
        if self._stack is not None:
            cpu.mem_write(STACK - 64, b"".join(word.to_bytes(4, "little") for word in (0, BLOCK, number)))
            cpu.reg_write(self._stack, STACK - 64)
        cpu.emu_start(CODE | (self._isa == "thumb"), CODE + len(code) - RETURN_SIZES[self._isa])
        return bytes(cpu.mem_read(BLOCK, SIZE)), int(cpu.reg_read(self._result))


def drawn(random: Random) -> bytes:
    return bytes(EDGES[random.below(5)] if random.below(3) == 0 else random.below(256) for _ in range(SIZE))


@pytest.mark.parametrize("isa", RETURN_SIZES)
def test_vector_instructions_do_what_an_oracle_does(isa: str) -> None:
    unicorn = pytest.importorskip("unicorn", reason="the oracle, Unicorn, is not installed")
    codes = {bytes.fromhex(code): source for name, code, source in LINES if name == isa}
    ours, theirs, random, found = Translated(isa, list(codes)), Oracle(isa, unicorn), Random(7), []
    for code, source in codes.items():
        for _ in range(4):
            content, number = drawn(random), random.below(1 << 8 * ABI_OF[isa].word)
            if ours(code, content, number) != theirs(code, content, number):
                found.append(source)
    assert list(dict.fromkeys(found)) == []


@pytest.mark.parametrize("isa", ["aarch64", "x86-64"])
def test_an_access_of_16_bytes_is_two_of_8(isa: str) -> None:
    """What both architectures guarantee without an extension."""
    code = bytes.fromhex(next(code for name, code, _ in LINES if name == isa))
    run = Translated(isa, [code])
    run(code, bytes(SIZE), 0)
    assert run.accesses[:4] == [(0, 8), (8, 8), (16, 8), (24, 8)]
    assert {width for _, width in run.accesses} == {8}


@pytest.mark.parametrize(("word", "what"), [(0xF222_0054, "qadd"), (0xF202_0D40, "float add"), (0xF3FB_0740, "cvt")])
def test_a_vector_instruction_that_is_not_modelled_is_left_to_sleigh(word: int, what: str) -> None:
    """And what Sleigh makes of it is an operation without a rule: an error, never a wrong result."""
    lifter = lifter_for(ABI_OF["arm"].language)
    code = word.to_bytes(4, "little")
    assert vector_of_arm(code, lifter.registers, thumb=False) is None
    lifted = lifter.lift(code, 0)
    assert lifted is None or any(op.opcode in ("CALLOTHER", BY_NUMBER) and not is_vector(op.name)
                                 for op in lifted.operations)  # fmt: skip


def test_any_bytes_are_a_vector_instruction_or_none() -> None:
    random, registers = Random(3), lifter_for(ABI_OF["arm"].language).registers
    for _ in range(3_000):
        first = 0xF2 + random.below(3)
        code = (first << 24 | random.below(1 << 24)).to_bytes(4, "little")
        lifted = vector_of_arm(code, registers, thumb=False)
        assert lifted is None or lifted.operations
