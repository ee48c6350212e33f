"""The heap of compiled code: what is freed twice, what is freed and is no block, and where all of it happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elf_guests import ELF, JUDGES, searched

from simaie import Finding, Report, Verdict, explore
from simaie.binary import binary_program
from simaie.errors import InputError

HEAP = ("x86_64", "aarch64", "arm", "thumb", "riscv64", "ppc64le", "mips")
SPREAD = ("x86_64", "thumb", "mips")
USUAL = ("progress", "guest-fault")
ALONE = {"checkers": ["double-free"]}
SOURCE = (Path(__file__).parent / "src" / "heap.c").read_text().splitlines()


def report(target: str, *threads: str, final: str | None = None, **options: Any) -> Report:
    program = binary_program(ELF / f"heap.{target}.so", threads, final=final, init=options.pop("init", None))
    checkers = [*(JUDGES if final else USUAL), "double-free"]
    return searched(program, "native", **{"checkers": checkers, **options})


def finding(found: Report) -> Finding:
    [only] = found.failures[0].findings
    return only


def line(remark: str) -> str:
    """The line of heap.c that has the remark."""
    [number] = [number for number, text in enumerate(SOURCE, 1) if f"/* {remark} */" in text]
    return f"heap.c:{number}"


@pytest.mark.parametrize("target", HEAP)
def test_a_second_free_is_found_with_the_lines_of_all_three_calls(target):
    found = finding(report(target, "twice", **ALONE))
    assert found.kind == "double-free"
    assert [line(remark) in found.message for remark in ("allocated", "freed", "freed again")] == [True] * 3


@pytest.mark.parametrize("target", HEAP)
def test_threads_that_free_the_same_block_are_found_in_some_execution(target):
    found = report(target, "drop", "drop", init="setup", **ALONE)
    assert found.executions > found.failing > 0
    double = finding(found)
    assert double.kind == "double-free"
    assert sorted(double.vcpus) == ["0", "1"]
    assert double.message.count(line("dropped")) == 2  # although the compiler made jumps of these calls
    assert line("allocated by setup") in double.message
    assert [found.failures[0].trace.events[step].instruction.vcpu for step in double.steps] == [*reversed(double.vcpus)]
    assert report(target, "drop_once", "drop_once", init="setup").verdict is Verdict.HOLDS


def test_it_is_found_without_naming_a_checker():
    program = binary_program(ELF / "heap.x86_64.so", ["twice"])
    assert explore(program, scheduler="dpor").failures[0].findings[0].kind == "double-free"
    assert "double-free" in binary_program(ELF / "heap.x86_64.so", ["variable"]).checkers
    assert binary_program(ELF / "position.x86_64.so", ["work"]).checkers == ()


@pytest.mark.parametrize("target", SPREAD)
@pytest.mark.parametrize("at", [16, 3, 63])
def test_a_free_of_the_middle_of_a_block_is_found(target, at):
    found = finding(report(target, f"middle:{at}"))
    assert found.kind == "invalid-free"
    assert f" {at} bytes into the block of 64 bytes " in found.message
    assert line("its middle") in found.message
    assert line("a block of 64 bytes") in found.message
    of_setup = finding(report(target, f"middle_of_shared:{at % 32}", init="setup"))
    assert line("allocated by setup") in of_setup.message


@pytest.mark.parametrize("target", SPREAD)
def test_a_free_of_what_is_no_block_is_found(target):
    for thread in ("variable", "of_the_stack", "overrun"):
        assert finding(report(target, thread)).kind == "invalid-free", thread
    assert "(seen+0)" in finding(report(target, "variable")).message
    assert "was overwritten" in finding(report(target, "overrun")).message


def test_what_was_freed_before_the_threads_began_is_not_freed_again():
    found = finding(report("x86_64", "free_shared", init="setup_freed"))
    assert found.kind == "double-free"
    assert "was freed before the threads began" in found.message


def test_a_wrong_free_of_a_function_that_runs_alone_is_an_error():
    with pytest.raises(InputError, match=r"init twice faults: .* a second time"):
        report("x86_64", "variable", init="twice")
    with pytest.raises(InputError, match="is no block of malloc"):
        report("x86_64", "align", init="middle:16")


@pytest.mark.parametrize("host", ["tso", "pso", "armv8"])
def test_wrong_frees_are_found_on_every_host(host):
    target = "aarch64" if host == "armv8" else "x86_64"
    for thread, kind in (("twice", "double-free"), ("middle:16", "invalid-free"), ("variable", "invalid-free")):
        program = binary_program(ELF / f"heap.{target}.so", [thread])
        assert finding(searched(program, "native", host, **ALONE)).kind == kind


@pytest.mark.parametrize("target", ["x86_64", "arm"])
def test_an_aligned_block_is_aligned(target):
    assert report(target, "align", final="aligned").verdict is Verdict.HOLDS


def test_a_final_check_does_not_allocate_where_init_did():
    assert report("x86_64", "align", init="setup", final="kept").verdict is Verdict.HOLDS
