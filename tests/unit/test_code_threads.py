"""Threads of programs as data: a list starts others from its labels on, and ends where it exits."""

from __future__ import annotations

import pytest

from simaie import Machine, Program, explore, ins
from simaie.errors import UsageError
from simaie.guest.code import Ins
from simaie.guest.text import parse_program, program_text

X = 0x100
SMALL = {"address_bits": 12}


def inherited(*dead: Ins) -> Program:
    """vCPU 0 starts two threads, one after the other; one reserves, the other stores conditionally."""
    code = [ins("spawn", "owner"), ins("spawn", "heir"), ins("exit"), *dead,
            ins("label", "owner"), ins("ldrex", X, into="r0"), ins("exit"),
            ins("label", "heir"), ins("strex", X, 7, into="r1")]  # fmt: skip
    return Program("inherited", isa="arm", threads=[code, [ins("dmb")]], init={X: 0})


def test_a_spawned_thread_has_a_copy_of_the_registers_and_a_thread_ends_where_it_exits() -> None:
    code = [ins("mov", 3, into="a"), ins("spawn", "child"), ins("mov", 4, into="a"), ins("exit"),
            ins("mov", 5, into="never"),
            ins("label", "child"), ins("reg_add", "a", 1, into="b")]  # fmt: skip
    report = explore(Program("copies", isa="arm", threads=[code]), scheduler="dpor", failures=None)
    assert report.complete
    assert [outcome.as_dict() for outcome in report.outcomes] == [{"0:a": 4, "0.0:b": 4}]


@pytest.mark.parametrize("scheme", ["native", "cas"])
def test_dpor_finds_what_dfs_finds_of_spawned_lists(scheme: str) -> None:
    every = [explore(inherited(), Machine(scheme), scheduler=name, failures=None) for name in ("dpor", "dfs")]
    assert all(report.complete for report in every)
    assert {*every[0].outcomes} == {*every[1].outcomes}


def test_spawned_lists_run_alike_on_both_drivers() -> None:
    first, second = (
        explore(inherited(), Machine("aie-rfc"), executions=200, seed=3, driver=driver) for driver in ("inline", "trio")
    )
    assert first.failures[0].trace.digest == second.failures[0].trace.digest


def test_a_spawned_thread_inherits_the_reservation_of_one_that_has_exited() -> None:
    """Row 30 of the AIE design, as data: the identity of the thread that exited is used again."""
    report = explore(inherited(), Machine("aie-rfc", **SMALL), scheduler="dpor")
    assert [finding.kind for finding in report.failures[0].findings] == ["llsc-atomicity"]


def test_what_is_left_of_a_shrunk_list_has_no_instruction_that_never_ran() -> None:
    program = inherited(*[ins("ldr", X, into="dead")] * 4)
    small = explore(program, Machine("aie-rfc", **SMALL), scheduler="dpor").failures[0].shrink().failure.program
    left = [[item.name for item in thread] for thread in small.threads]
    assert left == [["spawn", "spawn", "exit", "label", "ldrex", "exit", "label", "strex"], []]


def test_a_spawning_list_has_a_text() -> None:
    assert parse_program(program_text(inherited())).digest == inherited().digest


@pytest.mark.parametrize("item", [ins("spawn", "nowhere"), ins("spawn"), ins("exit", 1)])
def test_a_spawn_names_a_label_and_an_exit_nothing(item: Ins) -> None:
    with pytest.raises(UsageError):
        Program("wrong", isa="arm", threads=[[item]])
