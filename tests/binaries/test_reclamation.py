"""Hazard pointers and epochs in C: what frees memory that another thread may still look at."""

from __future__ import annotations

import pytest
from elf_guests import ELF, JUDGES, searched

from simaie import Verdict
from simaie.binary import binary_program

DYNAMIC = ("x86_64", "aarch64", "arm", "thumb", "i386", "riscv64", "ppc64le", "mips")
SPREAD = ("x86_64", "arm", "aarch64")
#: Name -> threads, call before, whether it is right.
CASES = {
    "hazards": (["pop:0", "pop:1"], "stack_setup", True),
    "hazards-carelessly": (["pop_carelessly:0", "pop_carelessly:1"], "stack_setup", False),
    "epochs": (["reader:0", "writer:1"], "shared_setup", True),
    "epochs-carelessly": (["reader_carelessly:0", "writer:1"], "shared_setup", False),
}
#: Those that lack a barrier.
UNORDERED = {
    "hazards-unordered": (["pop_unordered:0", "pop:1"], "stack_setup"),
    "epochs-unordered": (["reader_unordered:0", "writer:1"], "shared_setup"),
}


def verdict(target: str, threads: list[str], init: str, scheme: str = "native", host: str = "sc") -> Verdict:
    program = binary_program(ELF / f"reclamation.{target}.so", threads, init=init, final="reclaimed")
    return searched(program, scheme, host, checkers=[*JUDGES, "use-after-free"], executions=2_000).verdict


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("target", SPREAD)
def test_memory_is_freed_only_when_no_thread_looks_at_it(target, case):
    threads, init, is_right = CASES[case]
    assert verdict(target, threads, init) is (Verdict.HOLDS if is_right else Verdict.VIOLATED)


@pytest.mark.parametrize("case", UNORDERED)
def test_what_lacks_a_barrier_is_right_on_a_strong_machine_only(case):
    threads, init = UNORDERED[case]
    assert verdict("x86_64", threads, init) is Verdict.HOLDS
    assert verdict("x86_64", threads, init, host="tso") is Verdict.VIOLATED
    assert verdict("aarch64", threads, init, "cas:barriers=guest", "pso") is Verdict.VIOLATED


@pytest.mark.parametrize("case", [case for case, (_, _, is_right) in CASES.items() if is_right])
def test_the_barriers_of_the_source_are_enough_on_a_weak_host_if_the_emulator_keeps_them(case):
    threads, init, _ = CASES[case]
    assert verdict("x86_64", threads, init, host="tso") is Verdict.HOLDS
    assert verdict("aarch64", threads, init, "cas:barriers=guest", "pso") is Verdict.HOLDS
    assert verdict("aarch64", threads, init, "cas:barriers=none", "pso") is Verdict.VIOLATED


@pytest.mark.soak
@pytest.mark.parametrize("target", DYNAMIC)
def test_memory_is_freed_in_time_on_every_target(target):
    for case, (threads, init, is_right) in CASES.items():
        assert verdict(target, threads, init) is (Verdict.HOLDS if is_right else Verdict.VIOLATED), case
