"""Relocatable files: linked here, with the verdicts of the linked programs, and without what another file spoils."""

from __future__ import annotations

import elf_oracle
import pytest
from elf_guests import ELF, JUDGES, LOCKS, searched, structures

from simaie import Verdict
from simaie.binary import binary_program

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


def test_thumb_code_of_one_program_does_not_change_that_of_another():
    """Both lie at the same addresses, and Sleigh remembers the IT blocks of the first."""
    case = structures("thumb", ["again:2", "pop:0"], "stack_check", init="stack_setup")
    assert searched(case, "native").verdict is Verdict.VIOLATED
    for name in ("locks", "structures"):
        path = ELF / f"{name}.thumb.elf"
        for function in elf_oracle.image_of(name, "thumb").symbols.values():
            if function.is_function:
                binary_program(path, [function.name]).code.block(function.address)
    thumb, arm = (elf_oracle.translated(elf_oracle.image_of("arithmetic", target)) for target in ("thumb", "arm"))
    for name in elf_oracle.functions(elf_oracle.image_of("arithmetic", "thumb")):
        for a, b in elf_oracle.arguments(6, 6):
            assert thumb(name, a, b) == arm(name, a, b), name
