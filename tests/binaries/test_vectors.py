"""Vector instructions: each is held against an oracle, and an access of 16 bytes is two of 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simaie.binary.abi import ABIS, Abi
from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall
from simaie.binary.image import Image, Region, Symbol
from simaie.binary.layout import Layout
from simaie.binary.translation import Code
from simaie.prng import Random

LINES = [line.split("\t") for line in (Path(__file__).parent / "vectors.txt").read_text().splitlines()]
ABI_OF: dict[str, Abi] = {abi.name: abi for abi in ABIS.values()}
CODE, BLOCK, STACK, SIZE = 0x10000, 0x20000, 0x40000, 64
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


def translated(isa: str, code: bytes) -> Any:
    abi = ABI_OF[isa]
    function = Symbol("f", CODE, len(code), True)
    image = Image("f", code, abi, [Region(CODE, code, True)], [Region(BLOCK, bytes(SIZE))], {"f": function})
    made, layout = Code(image), Layout(image, 0)

    def run(content: bytes, number: int) -> tuple[bytes, int]:
        memory = Traced(content)
        result = run_alone(made, layout, CCall("f", CODE, (BLOCK, number)), memory, "f")
        run.accesses = memory.accesses  # type: ignore[attr-defined]  # for the test of widths
        return memory.bytes(), result

    return run


def by_unicorn(isa: str, unicorn: Any) -> Any:
    from unicorn import arm64_const as a
    from unicorn import x86_const as x

    arm = isa == "aarch64"
    cpu = unicorn.Uc(*((unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM) if arm else
                       (unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)))  # fmt: skip
    cpu.mem_map(0, STACK)
    if arm:
        cpu.reg_write(a.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # vectors do not trap

    def run(code: bytes, content: bytes, number: int) -> tuple[bytes, int]:
        cpu.mem_write(CODE, code)
        cpu.mem_write(BLOCK, content)
        first, second, result = (
            (a.UC_ARM64_REG_X0, a.UC_ARM64_REG_X1, a.UC_ARM64_REG_X0) if arm else
            (x.UC_X86_REG_RDI, x.UC_X86_REG_RSI, x.UC_X86_REG_RAX)
        )  # fmt: skip
        cpu.reg_write(first, BLOCK)
        cpu.reg_write(second, number)
        cpu.emu_start(CODE, CODE + len(code) - (4 if arm else 1))
        return bytes(cpu.mem_read(BLOCK, SIZE)), int(cpu.reg_read(result))

    return run


def drawn(random: Random) -> bytes:
    return bytes(EDGES[random.below(5)] if random.below(3) == 0 else random.below(256) for _ in range(SIZE))


@pytest.mark.parametrize("isa", ["aarch64", "x86-64"])
def test_vector_instructions_do_what_an_oracle_does(isa: str) -> None:
    unicorn = pytest.importorskip("unicorn", reason="the oracle, Unicorn, is not installed")
    theirs, random, found = by_unicorn(isa, unicorn), Random(7), []
    for _, code, source in (line for line in LINES if line[0] == isa):
        ours = translated(isa, bytes.fromhex(code))
        for _ in range(4):
            content, number = drawn(random), random.below(1 << 64)
            if ours(content, number) != theirs(bytes.fromhex(code), content, number):
                found.append(source)
    assert list(dict.fromkeys(found)) == []


@pytest.mark.parametrize("isa", ["aarch64", "x86-64"])
def test_an_access_of_16_bytes_is_two_of_8(isa: str) -> None:
    """What both architectures guarantee without an extension."""
    run = translated(isa, bytes.fromhex(next(code for name, code, _ in LINES if name == isa)))
    run(bytes(SIZE), 0)
    assert run.accesses[:4] == [(0, 8), (8, 8), (16, 8), (24, 8)]
    assert {width for _, width in run.accesses} == {8}
