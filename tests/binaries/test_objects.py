"""Relocatable files: linked here, with the verdicts of the linked programs, and without what another file spoils."""

from __future__ import annotations

from collections.abc import Callable

import elf_oracle
import pytest
from elf_guests import ELF, JUDGES, LOCKS, searched

from simaie import Verdict
from simaie.binary import binary_program
from simaie.binary.abi import ABIS
from simaie.binary.image import Image, Region, Symbol

OBJECTS = ("x86_64", "aarch64", "arm", "thumb", "i386", "riscv64", "ppc64le", "mips")


@pytest.mark.parametrize("target", OBJECTS)
def test_an_object_file_has_the_verdicts_of_the_linked_program(target):
    for lock in ("fas", "dec", "mcs", "anderson", "bare"):
        program = binary_program(ELF / f"locks.{target}.o", LOCKS[lock], final="check")
        wanted = Verdict.VIOLATED if lock == "bare" else Verdict.HOLDS
        assert searched(program, "native").verdict is wanted, lock


@pytest.mark.parametrize("target", ["x86_64", "thumb", "ppc64le"])
def test_functions_that_an_object_file_lacks_are_run_here(target):
    path = ELF / f"hooks.{target}.o"
    found = searched(
        binary_program(path, ["pop", "pop"], init="setup", final="always"), "native",
        checkers=(*JUDGES, "use-after-free"),
    )  # fmt: skip
    [finding] = found.failures[0].findings
    assert finding.kind == "use-after-free"
    assert "hooks.c:" in finding.message
    cleared = binary_program(path, ["clear"], final="cleared")
    assert searched(cleared, "native").verdict is Verdict.HOLDS


def thumb_function(code: str) -> Callable[[str, int, int], int]:
    """Return a function of Thumb code at an address that is always the same."""
    region, data = Region(0x10000, bytes.fromhex(code), True), Region(0x20000, bytes(16))
    symbols = {"f": Symbol("f", 0x10001, len(region.content), True)}
    return elf_oracle.translated(Image("f", region.content, ABIS["EM_ARM", 32, "little"], [region], [data], symbols))


def test_thumb_code_of_one_program_does_not_change_that_of_another():
    """Both lie at the same address, and Sleigh remembers the IT block of the first."""
    conditional = thumb_function("08bf 0120 7047")  # it eq; moveq r0, #1; bx lr
    plain = thumb_function("0220 0130 7047")  # movs r0, #2; adds r0, #1; bx lr
    assert conditional("f", 5, 0) == 5
    assert plain("f", 5, 0) == 3
