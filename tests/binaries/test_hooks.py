"""What compiled code says to simaie, and what is run here in place of a C library: simaie.h, assertions, the heap."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from elf_guests import ELF, JUDGES, searched

from simaie import Report, Verdict
from simaie.binary import binary_program
from simaie.errors import UnmodelledCodeError

DYNAMIC = ("x86_64", "aarch64", "arm", "thumb", "i386", "riscv64", "ppc64le", "mips")
SPREAD = ("i386", "thumb", "ppc64le")


def report(target: str, *threads: str, final: str = "always", checker: str = "", **options: Any) -> Report:
    program = binary_program(ELF / f"hooks.{target}.so", list(threads), final=final, **options)
    return searched(program, "native", checkers=(*JUDGES, *([checker] if checker else [])))


def message(found: Report) -> str:
    [finding] = found.failures[0].findings
    return f"{finding.kind}: {finding.message}"


@pytest.mark.parametrize("target", DYNAMIC)
def test_a_shared_object_calls_through_tables_and_hooks(target):
    for work, verdict in (("work", Verdict.HOLDS), ("careless", Verdict.VIOLATED)):
        program = binary_program(ELF / f"position.{target}.so", [work, work], final="check")
        assert searched(program, "native").verdict is verdict
    assert [str(outcome) for outcome in report(target, "choose observe:1").outcomes] == [
        "0:seen=1", "0:seen=2", "0:seen=3"
    ]  # fmt: skip


@pytest.mark.parametrize("target", SPREAD)
def test_an_assertion_is_a_finding_with_its_line(target):
    assert message(report(target, "fails")).endswith("assertion 'sum == 7' failed")
    assert "hooks.c:" in message(report(target, "fails"))
    assert message(report(target, "aborts")).startswith("assertion: ")


def test_a_function_that_no_file_defines_is_a_fault_that_names_it():
    assert "'getpid'" in message(report("x86_64", "asks"))


@pytest.mark.parametrize("target", SPREAD)
def test_an_access_to_a_freed_block_is_found(target):
    options: dict[str, Any] = {"init": "setup", "checker": "use-after-free"}
    assert message(report(target, "pop", "pop", **options)).startswith("use-after-free: ")
    assert report(target, "pop_keeping", "pop_keeping", **options).verdict is Verdict.HOLDS


def test_the_checker_belongs_to_programs_that_allocate():
    assert "use-after-free" in binary_program(ELF / "hooks.x86_64.so", ["pop"]).checkers
    assert binary_program(ELF / "position.x86_64.so", ["work"]).checkers == ()


@pytest.mark.parametrize("target", SPREAD)
def test_a_wrong_free_is_found(target):
    for calls, kind in (("free_twice", "double-free"), ("free_variable", "invalid-free")):
        assert message(report(target, calls, checker="double-free")).startswith(f"{kind}: ")
    assert report(target, "free_nothing", checker="double-free").verdict is Verdict.HOLDS


@pytest.mark.parametrize("target", SPREAD)
def test_memory_functions_that_the_file_lacks_are_run_here(target):
    assert report(target, "clear", final="cleared").verdict is Verdict.HOLDS


@pytest.mark.parametrize("target", ["x86_64", "arm"])
def test_calls_of_compiled_code_are_judged(target):
    good = report(target, "push_recorded:1 pop_recorded", "push_recorded:2", checker="linearizable-stack")
    assert good.verdict is Verdict.HOLDS
    calls = "push_carelessly:1 pop_recorded pop_recorded", "push_carelessly:2"
    assert message(report(target, *calls, checker="linearizable-stack")).startswith("linearizability: ")


def test_a_block_that_is_meant_to_be_atomic_is_judged():
    found = report("x86_64", "add_atomically", "add_atomically", checker="serializability")
    assert message(found).startswith("serializability: ")


@pytest.mark.parametrize("host", ["sc", "tso"])
def test_executions_in_which_an_assumption_is_false_are_left_out(host):
    """Also those in which another thread waits for what then never happens."""
    for threads in (["writer", "reader"], ["writer", "reader", "waiter"]):
        program = binary_program(ELF / "assume.x86_64.so", threads, final="check", watch=["seen_and_more"])
        found = searched(program, "native", host)
        assert found.verdict is Verdict.HOLDS
        assert [outcome.items[0][1] for outcome in found.outcomes] == [2]
        assert found.statistics.pruned > 0


def test_an_assumption_needs_a_host_without_graphs():
    program = binary_program(ELF / "assume.x86_64.so", ["reader"])
    with pytest.raises(UnmodelledCodeError, match="simaie_assume"):
        searched(program, "native", "armv8")


@pytest.mark.parametrize(("target", "host"), [("x86_64", "sc"), ("aarch64", "armv8")])
def test_goals_of_compiled_code_are_counted(target, host):
    program = binary_program(ELF / f"goals.{target}.so", ["writer", "reader"], goals=["never"])
    found = searched(program, "native", host, checkers=("guest-fault",))
    counts = {goal.name: (goal.happened, goal.reached) for goal in found.goals}
    assert found.complete
    assert found.executions == 2
    assert counts == {"never": (0, 0), "set": (1, 2), "two": (0, 2), "late": (1, 1)}
    assert pickle.loads(pickle.dumps(program)).goals == ("never",)
