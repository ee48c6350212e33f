"""Functions of an ELF file run by Unicorn, which is QEMU, and by the translation: the same arguments, both results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall
from simaie.binary.elf import load_image
from simaie.binary.image import Image
from simaie.binary.layout import Layout
from simaie.binary.translation import code_of
from simaie.prng import Random

ELF = Path(__file__).parent / "elf"
_INT = 0xFFFF_FFFF
_EDGES = (0, 1, 2, 31, 32, 63, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)
_STACK_TOP = 0x20_0000
_RETURN = _STACK_TOP - 0x10  # where a function returns to: Unicorn stops before it executes anything there


def image_of(program: str, target: str) -> Image:
    path = ELF / f"{program}.{target}.elf"
    return load_image(path.name, path.read_bytes())


def functions(image: Image) -> list[str]:
    return sorted(name for name, symbol in image.symbols.items() if symbol.is_function and name.startswith("f_"))


def arguments(seed: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of 32-bit numbers, some of them at edges."""
    draw = Random(seed)
    for _ in range(count):
        yield _number(draw), _number(draw)


def _number(draw: Random) -> int:
    return _EDGES[draw.below(len(_EDGES))] if draw.below(3) == 0 else draw.below(1 << 32)


def translated(image: Image) -> Callable[[str, int, int], int]:
    """Return a function that runs a function of the image by translation."""
    code, layout = code_of(image), Layout(image, 0)
    memory = Memory(image.initial, image.abi.endian)

    def call(name: str, a: int, b: int) -> int:
        given = tuple(_extended(image, value) for value in (a, b))
        return run_alone(code, layout, CCall(name, image.symbols[name].address, given), memory, name) & _INT

    return call


def _extended(image: Image, value: int) -> int:
    """Return an unsigned int as its ABI passes it in a wide register."""
    signed = image.abi.isa in ("riscv", "mips")
    return value - (1 << 32) if signed and value >> 31 else value


def by_unicorn(image: Image, unicorn: Any) -> Callable[[str, int, int], int]:
    """Return a function that runs a function of the image by Unicorn."""
    machine = _Machine(image, unicorn)
    return machine.call


class _Machine:
    def __init__(self, image: Image, unicorn: Any) -> None:
        self._image = image
        abi = image.abi
        names = _registers(unicorn)[abi.name]
        self._stack, self._link, self._arguments, self._result, self._presets = names
        thumb = any(symbol.address & 1 for symbol in image.symbols.values() if symbol.is_function)
        arch, mode = _modes(unicorn)[abi.name]
        if abi.isa == "arm" and thumb:
            mode |= unicorn.UC_MODE_THUMB
        self._cpu = unicorn.Uc(arch, mode)
        if abi.name == "mipsr6":
            self._cpu.ctl_set_cpu_model(unicorn.mips_const.UC_CPU_MIPS32_MIPS32R6_GENERIC)
        self._cpu.mem_map(0, _STACK_TOP)
        for region in (*image.constants, *image.writable):
            self._cpu.mem_write(region.start, region.content)

    def call(self, name: str, a: int, b: int) -> int:
        abi, cpu = self._image.abi, self._cpu
        entry = self._image.symbols[name].address
        stack = _STACK_TOP - 0x100
        given = [_extended(self._image, value) & (1 << 8 * abi.word) - 1 for value in (a, b)]
        if self._link is None:
            words = [_RETURN, *([] if self._arguments else given)]
            stack -= abi.word
            cpu.mem_write(stack, b"".join(word.to_bytes(abi.word, "little") for word in words))
        else:
            cpu.reg_write(self._link, _RETURN)
        for register, value in zip(self._arguments, given, strict=False):
            cpu.reg_write(register, value)
        for register, symbol in self._presets:
            value = entry if symbol == "" else self._image.symbols[symbol].address
            cpu.reg_write(register, value)
        cpu.reg_write(self._stack, stack)
        cpu.emu_start(entry, _RETURN)
        return int(cpu.reg_read(self._result)) & _INT


def _modes(u: Any) -> dict[str, tuple[int, int]]:
    return {
        "arm": (u.UC_ARCH_ARM, u.UC_MODE_ARM),
        "aarch64": (u.UC_ARCH_ARM64, u.UC_MODE_ARM),
        "x86-64": (u.UC_ARCH_X86, u.UC_MODE_64),
        "i386": (u.UC_ARCH_X86, u.UC_MODE_32),
        "riscv64": (u.UC_ARCH_RISCV, u.UC_MODE_RISCV64),
        "mips": (u.UC_ARCH_MIPS, u.UC_MODE_MIPS32 | u.UC_MODE_BIG_ENDIAN),
        "mipsel": (u.UC_ARCH_MIPS, u.UC_MODE_MIPS32 | u.UC_MODE_LITTLE_ENDIAN),
        "mipsr6": (u.UC_ARCH_MIPS, u.UC_MODE_MIPS32 | u.UC_MODE_BIG_ENDIAN),
    }


def _registers(u: Any) -> dict[str, tuple[Any, ...]]:
    """ABI -> stack pointer, link register, arguments, result, and registers with the address of a symbol."""
    from unicorn import arm64_const, arm_const, mips_const, riscv_const, x86_const

    a, r, w = arm_const, riscv_const, x86_const
    mips = (
        mips_const.UC_MIPS_REG_SP, mips_const.UC_MIPS_REG_RA, (mips_const.UC_MIPS_REG_A0, mips_const.UC_MIPS_REG_A1),
        mips_const.UC_MIPS_REG_V0, ((mips_const.UC_MIPS_REG_GP, "_gp"), (mips_const.UC_MIPS_REG_T9, "")),
    )  # fmt: skip
    return {
        "arm": (a.UC_ARM_REG_SP, a.UC_ARM_REG_LR, (a.UC_ARM_REG_R0, a.UC_ARM_REG_R1), a.UC_ARM_REG_R0, ()),
        "aarch64": (
            arm64_const.UC_ARM64_REG_SP, arm64_const.UC_ARM64_REG_LR,
            (arm64_const.UC_ARM64_REG_X0, arm64_const.UC_ARM64_REG_X1), arm64_const.UC_ARM64_REG_X0, (),
        ),
        "x86-64": (w.UC_X86_REG_RSP, None, (w.UC_X86_REG_RDI, w.UC_X86_REG_RSI), w.UC_X86_REG_RAX, ()),
        "i386": (w.UC_X86_REG_ESP, None, (), w.UC_X86_REG_EAX, ()),
        "riscv64": (
            r.UC_RISCV_REG_SP, r.UC_RISCV_REG_RA, (r.UC_RISCV_REG_A0, r.UC_RISCV_REG_A1), r.UC_RISCV_REG_A0,
            ((r.UC_RISCV_REG_GP, "__global_pointer$"),),
        ),
        "mips": mips,
        "mipsel": mips,
        "mipsr6": mips,
    }  # fmt: skip
