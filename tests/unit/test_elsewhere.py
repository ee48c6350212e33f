"""What is the same throughout one process shows in another: the order of a set of strings."""

from __future__ import annotations

import subprocess

import pytest

from simaie import Machine, Program, ins
from simaie.errors import NondeterminismError
from simaie.exploration.across_processes import check_across_processes
from simaie.replaying.target import program_of

GUEST = """
from simaie import Program

async def unordered(cpu):
    print("the guest may print")
    for name in {"a", "b", "c", "d", "e", "f"}:
        await cpu.store(0x100 + ord(name) * 16, 1)

async def ordered(cpu):
    print("the guest may print")
    for name in sorted({"a", "b", "c"}):
        await cpu.lock_xadd(0x100 + ord(name) * 16, 1)

bad = Program("bad", isa="x86", threads=[ordered, unordered])
good = Program("good", isa="x86", threads=[ordered, ordered])
first = ord(next(iter({"a", "b", "c", "d", "e", "f"})))
another = Program("another", isa="x86", threads=[ordered], init={0x100: first})
"""


@pytest.fixture(name="guest")
def fixture_guest(tmp_path):
    path = tmp_path / "guest.py"
    path.write_text(GUEST)
    return path


def test_a_guest_that_follows_the_order_of_a_set_of_strings_is_told_so_with_the_step(guest):
    with pytest.raises(NondeterminismError) as caught:
        check_across_processes(program_of(guest, "bad"), Machine(), "dpor")
    assert caught.value.step is not None
    assert caught.value.expected != caught.value.got


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_guest_that_sorts_its_sets_passes(guest, driver):
    check_across_processes(program_of(guest, "good"), Machine("aie-rfc", address_bits=13), seed=3, driver=driver)


def test_a_program_that_is_another_one_there_is_told_so(guest):
    with pytest.raises(NondeterminismError):
        check_across_processes(program_of(guest, "another"), Machine())


def test_a_program_without_code_in_python_needs_no_other_process(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    check_across_processes(Program("data", isa="x86", threads=[[ins("store", 0x100, 1)]], init={0x100: 0}), Machine())
