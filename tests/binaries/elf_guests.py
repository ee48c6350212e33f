"""The ELF files of this folder as programs, and searches of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simaie import Machine, Report, explore
from simaie.binary import BinaryProgram, binary_program

ELF = Path(__file__).parent / "elf"
TARGETS = ("arm", "thumb", "aarch64", "lse", "x86_64", "i386", "riscv64", "mips", "mipsel", "mipsr6", "ppc64le")
#: The checkers of what a program itself promises, whatever the instructions of its scheme do.
JUDGES = ("progress", "guest-fault", "final-check")
#: The threads of each lock of locks.c.
LOCKS = {
    "fas": ["fas", "fas"], "cas": ["cas", "cas"], "dec": ["dec", "dec"], "ticket": ["ticket", "ticket"],
    "mcs": ["mcs", "mcs"], "clh": ["clh:1", "clh:2"], "anderson": ["anderson", "anderson"], "bare": ["bare", "bare"],
}  # fmt: skip


def locks(target: str, lock: str) -> BinaryProgram:
    """Two threads that increment a counter under a lock."""
    return binary_program(ELF / f"locks.{target}.elf", LOCKS[lock], final="check")


def structures(target: str, threads: list[str], final: str | None, **options: Any) -> BinaryProgram:
    return binary_program(ELF / f"structures.{target}.elf", threads, final=final, **options)


def searched(program: BinaryProgram, scheme: str, host: str = "sc", **options: Any) -> Report:
    """Return the report of an exhaustive search."""
    machine = Machine(scheme, host=host)
    given: dict[str, Any] = {"scheduler": "dpor", "executions": 20_000, "checkers": JUDGES, **options}
    return explore(program, machine, **given)
