"""Indirect functions: a resolver chooses the code, and is never taken for it."""

from __future__ import annotations

import pytest
from elf_guests import ELF, JUDGES, searched

from simaie import Verdict
from simaie.binary import binary_program

FILES = ("indirect.x86_64.so", "indirect.thumb.so", "indirect.ppc64le.so", "indirect.aarch64.o")


@pytest.mark.parametrize("file", FILES)
def test_the_code_that_its_resolver_chooses_is_run(file):
    for calls in (["work", "work"], ["add", "add"], ["add", "work"]):
        assert searched(binary_program(ELF / file, calls, final="check"), "native").verdict is Verdict.HOLDS
    for calls in (["work"], ["add", "add add"]):
        assert searched(binary_program(ELF / file, calls, final="check"), "native").verdict is Verdict.VIOLATED


@pytest.mark.parametrize("file", FILES)
def test_a_function_that_is_run_here_needs_no_resolver(file):
    program = binary_program(ELF / file, ["copy:3"], final="copied")
    assert searched(program, "native", checkers=JUDGES).verdict is Verdict.HOLDS


@pytest.mark.parametrize("file", FILES)
def test_a_resolver_that_fails_is_a_fault_that_names_the_function(file):
    found = searched(binary_program(ELF / file, ["ask"]), "native", checkers=["guest-fault"])
    [finding] = found.failures[0].findings
    assert "a call of 'nothing', for which no code can be chosen" in finding.message
    assert "indirect.c:" in finding.message
