"""Whole programs: main with its arguments, threads that it creates and joins, mutexes, the status that it returns."""

from __future__ import annotations

import pytest
from elf_guests import ELF, searched

from simaie import Machine, UsageError, Verdict, explore
from simaie.binary import BinaryProgram, binary_program
from simaie.cli import main
from simaie.errors import InputError, UnknownNameError

JUDGES = ("progress", "guest-fault")


def whole(target: str, *arguments: str) -> BinaryProgram:
    return binary_program(ELF / f"whole.{target}.so", main=arguments)


@pytest.mark.parametrize("target", ["x86_64", "arm"])
def test_a_counter_under_a_lock_of_the_library_or_of_its_own(target):
    for lock in ("mutex", "spin"):
        assert searched(whole(target, "2", "1", lock), "native", checkers=JUDGES).verdict is Verdict.HOLDS
    lost = searched(whole(target, "2", "1", "none"), "native", checkers=JUDGES)
    assert [str(finding) for finding in lost.failures[0].findings] == ["assertion: vCPU 0: main returns 1"]


def test_its_own_lock_breaks_under_the_rfc_and_the_mutex_of_the_library_does_not():
    assert searched(whole("arm", "2", "1", "spin"), "aie-rfc", checkers=JUDGES).verdict is Verdict.VIOLATED
    assert searched(whole("arm", "2", "1", "mutex"), "aie-rfc", checkers=JUDGES).verdict is Verdict.HOLDS


def test_a_wrong_number_of_arguments_is_the_programs_own_affair():
    [finding] = searched(whole("x86_64", "2"), "native", checkers=JUDGES).failures[0].findings
    assert "exits with status 2, at whole.c:" in finding.message


@pytest.mark.parametrize("target", ["x86_64", "aarch64", "arm"])
def test_an_executable_has_copies_of_the_streams_of_a_shared_library(target):
    program = binary_program(ELF / f"copies.{target}.elf", main=[])
    assert searched(program, "native", checkers=JUDGES).verdict is Verdict.HOLDS


def test_another_variable_of_a_library_is_named():
    with pytest.raises(InputError, match=r"the variable 'optind' of a shared library.* -static"):
        binary_program(ELF / "copies.unknown.elf", main=[])
    program = binary_program(ELF / "copies.unknown.so", main=[])
    [finding] = searched(program, "native", checkers=JUDGES).failures[0].findings
    assert "'optind', which copies.unknown.so does not define" in finding.message
    assert "copies.c:" in finding.message


def test_threads_and_main_exclude_each_other_and_one_is_needed():
    path = ELF / "whole.x86_64.so"
    with pytest.raises(UsageError):
        binary_program(path, ["main"], main=[])
    with pytest.raises(UsageError):
        binary_program(path)
    with pytest.raises(UnknownNameError, match="main"):
        binary_program(ELF / "locks.arm.elf", main=[])


def test_the_command_line_runs_a_whole_program():
    path = str(ELF / "whole.x86_64.so")
    judged = ["--scheduler", "dpor", "--checker", "progress", "--checker", "guest-fault"]
    assert main(["explore", path, "--main", "2 1 mutex", *judged]) == 0
    assert main(["explore", path, "--main", "2 1 'none'", *judged]) == 1
    assert main(["explore", path, "--main", "'"]) == 2


def test_its_failure_replays_and_its_memo_is_exact(tmp_path, monkeypatch):
    import simaie

    def digests() -> list[str]:
        program = whole("arm", "2", "2", "none")
        report = explore(program, Machine("native"), scheduler="random-walk", executions=60, failures=None)
        return [failure.trace.digest for failure in report.failures]

    found = digests()
    monkeypatch.setenv("SIMAIE_MEMO", "0")
    assert digests() == found
    failure = explore(whole("arm", "2", "2", "none"), Machine("native"), scheduler="dpor").failures[0]
    assert simaie.replay(failure.save(tmp_path / "failure.json")).trace.digest == failure.trace.digest
