"""What a file or a command line asks for is bounded before anything is made of it, and only regular files are read."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

import simaie
from simaie import Limits, Machine, Program, Schedule, corpus, explore, ins
from simaie.cli import main
from simaie.errors import InputError, ReplayError, SimaieError, UsageError
from simaie.guest.cut import Cut
from simaie.guest.operands import MAX_ARITY
from simaie.guest.text import parse_program, program_text, read_program
from simaie.host.ram import Ram
from simaie.input_file import read_bounded
from simaie.litmus import LitmusError, load
from simaie.replaying.target import find_target

X = 0x100


# -- files ------------------------------------------------------------------------------------------


def test_no_more_is_read_than_is_allowed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345678")
    assert read_bounded(path, 8) == b"12345678"
    with pytest.raises(OSError, match="larger than 7 bytes"):
        read_bounded(path, 7)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_bounded(link, 8) == b"12345678"


@pytest.fixture(name="odd", params=["pipe", "device", "folder", "socket", "loop", "gone", "nul"])
def fixture_odd(request, tmp_path, monkeypatch):
    """The name of what is no regular file, without its ending."""
    monkeypatch.chdir(tmp_path)
    for ending in (".json", ".guest", ".litmus", ".py", ".txt"):
        path = Path(f"odd{ending}")
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "device":
            path.symlink_to("/dev/zero")
        elif request.param == "folder":
            path.mkdir()
        elif request.param == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
        elif request.param == "loop":
            path.symlink_to(path)
    return "o\0d" if request.param == "nul" else "odd"


def test_only_regular_files_are_read_and_none_is_waited_for(odd):
    began = time.perf_counter()
    with pytest.raises(ReplayError):
        simaie.replay(f"{odd}.json")
    with pytest.raises(InputError):
        read_program(Path(f"{odd}.guest"))
    with pytest.raises(LitmusError):
        load(f"{odd}.litmus")
    with pytest.raises(InputError):
        find_target(f"{odd}.py:program")
    with pytest.raises((InputError, UsageError)):
        explore(corpus.program("swp-against-swp"), checkers=[f"{odd}.py:checker"])
    assert time.perf_counter() - began < 60


@pytest.mark.parametrize("words", [["litmus", "@odd.txt"], ["litmus", "odd.litmus"], ["compare", "odd.litmus"],
                                   ["explore", "odd.guest"], ["show", "odd.json"], ["check", "odd.json"]])  # fmt: skip
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")])
def test_nor_by_a_command(tmp_path, monkeypatch, words, make):
    monkeypatch.chdir(tmp_path)
    make(words[1].removeprefix("@"))
    assert main(words) == 2


@pytest.fixture(name="saved")
def fixture_saved(tmp_path):
    program = corpus.program("swp-against-swp")
    machine = Machine("none", address_bits=12)
    return explore(program, machine, scheduler="random-walk").failures[0].save(tmp_path / "a.json")


def test_a_replay_file_of_many_values_is_refused(saved):
    document = json.loads(saved.read_text())
    document["scheduler"]["profile"] = {"x": "HERE"}
    text = json.dumps(document)
    for many in ("[]," * 2_000_000, '"",' * 4_000_000):
        saved.write_text(text.replace('"HERE"', f"[{many}0]"))
        with pytest.raises(ReplayError):
            simaie.replay(saved)


@pytest.mark.untraced
def test_a_limit_in_a_replay_file_costs_nothing(saved, monkeypatch):
    """Followed as far as it fits, a file whose program never ends is soon over, whatever limit it names."""
    document = json.loads(saved.read_text())
    document["machine"] |= {"steps": 10_000_000, "scheme": "native", "options": {}, "address_bits": None}
    program = parse_program('program "p"\nisa x86\n\nP0\nlabel L\nlock_add 0x100, 1\nbranch L\n')
    document["program"] |= {"corpus": None, "text": program_text(program), "digest": program.digest, "name": "p"}
    saved.write_text(json.dumps(document))
    monkeypatch.setattr("simaie.replaying.player.Limits", lambda: Limits(steps=1_000))
    failure = simaie.replay(saved, mode="best-effort")
    assert failure.trace.ending == "step-limit"
    assert len(failure.trace) == 1_000
    assert failure.machine.limits.steps == 10_000_000


# -- numbers ----------------------------------------------------------------------------------------

HUGE = [10**9, 10**18, 1 << 5000]
HUGE_NAMES = ["1e9", "1e18", "5000 bits"]


@pytest.mark.parametrize("number", HUGE, ids=HUGE_NAMES)
def test_numbers_for_which_something_would_be_made_are_refused(number):
    program = corpus.program("swp-against-swp")
    for make in (
        lambda: Machine(address_bits=number),
        lambda: Limits(steps=number),
        lambda: Limits(threads=number),
        lambda: explore(program, scheduler=("pct", {"depth": number})),
        lambda: explore(program, scheduler=("dfs", {"preemptions": number})),
        lambda: explore(program, scheduler=("dfs", {"delays": number})),
        lambda: Program("p", isa="x86", threads=[[ins("choose", number)]]),
        lambda: Program("p", isa="x86", threads=[[]], watch={X: number}),
        lambda: Program("p", isa="x86", threads=[[]], watch=dict.fromkeys(range(0, 1 << 20, 1024), 1024)),
    ):
        with pytest.raises(UsageError):
            make()


@pytest.mark.parametrize("text", ["1@" + "9" * 30, "=" + "9" * 5000 + "@3", "=2@" + "9" * 5000])
def test_a_schedule_has_no_such_steps(text):
    with pytest.raises(UsageError):
        Schedule.parse(text)


@pytest.mark.parametrize("text", ["0:0-1000000000", "0:" + "9" * 5000 + "-", "9" * 5000])
def test_a_cut_has_no_such_instructions(text):
    with pytest.raises(SimaieError):
        Cut.parse(text)


@pytest.mark.parametrize("words", [
    ["--address-bits", "1000000000"], ["--steps", "1000000000000"], ["--scheduler", "pct:depth=1000000000"],
    ["--scheduler", "dfs:delays=1000000000"], ["--cut", "0:0-1000000000"],
])  # fmt: skip
def test_the_command_line_refuses_them(words, capsys):
    assert main(["explore", "swp-against-swp", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_drawn_programs_have_a_size():
    from simaie.strategies import programs

    for size in ({"vcpus": 10**9}, {"instructions": 10**9}):
        with pytest.raises(UsageError):
            programs("x86", **size)


@pytest.mark.parametrize("scheduler", ["dpor", "dfs", "random-walk"])
def test_the_largest_choices_are_searched_at_once(scheduler):
    program = Program(
        "p", isa="x86", threads=[[ins("choose", MAX_ARITY, into="a"), ins("choose", MAX_ARITY, into="b")]]
    )
    began = time.process_time()
    assert explore(program, scheduler=scheduler, executions=50, checkers=[]).executions == 50
    assert time.process_time() - began < 5


def test_a_vcpu_offers_no_more_either():
    async def guest(cpu):
        await cpu.choose(MAX_ARITY + 1)

    with pytest.raises(SimaieError):
        explore(Program("p", isa="x86", threads=[guest]))


@pytest.mark.untraced
def test_chained_joins_take_time_for_each_and_not_for_each_pair():
    def follower(thread):
        async def follow(cpu):
            await cpu.join(thread)

        return follow

    async def root(cpu):
        async def leaf(cpu):
            await cpu.load(X)

        thread = await cpu.spawn(leaf)
        for _ in range(2_000):
            thread = await cpu.spawn(follower(thread))
        await cpu.join(thread)

    program = Program("chain", isa="x86", threads=[root])
    began = time.process_time()
    report = explore(program, scheduler="random-walk", executions=1, checkers=[])
    assert report.outcomes
    assert time.process_time() - began < 5


@pytest.mark.untraced
@pytest.mark.parametrize("width", [1, 3, 5, 7, 12, 1024])
def test_any_number_of_bytes_can_be_watched(width):
    program = Program("p", isa="x86", threads=[[ins("store", X, 0x01020304)]], watch={X: width})
    (outcome,) = explore(program, checkers=[], executions=2).outcomes
    assert outcome[f"[{X:#x}]"] == 0x01020304 % (1 << 8 * width)


@pytest.mark.parametrize("endian", ["little", "big"])
def test_bytes_are_read_and_written_across_pages(endian):
    ram = Ram(endian)
    data = bytes(range(256)) * 4
    ram.write_bytes(0x1F3, data)
    assert ram.read_bytes(0x1F3, len(data)) == data
    assert ram.read_bytes(0x1F0, 6) == b"\0\0\0\0\1\2"
    assert ram.read_bytes(0x10_0000, 3) == b"\0\0\0"
    ram.write(0x2FF, 16, 1 << 120)
    assert ram.read(0x2FF, 16) == 1 << 120
    assert ram.read_bytes(0x5F0, 8) == data[0x3FD:] + bytes(5)
