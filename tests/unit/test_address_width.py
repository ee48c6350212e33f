"""The width of an address follows from the program where its code names every address, unless it is given."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from runs import execute

import simaie
from simaie import Machine, Page, Program, explore, ins
from simaie.exploration.litmus import explore_litmus
from simaie.guest.cut import Cut, without
from simaie.litmus import load
from simaie.litmus.lowering import FORMER_BASE, lower
from simaie.replaying.player import replay

X = 0x100
LITMUS = """X86_64 atomics
{ }
 P0 | P1 ;
 xchgl %eax,(x) | xchgl %eax,(x) ;
 movl (y),%ebx | movl $1,(y) ;
exists (0:rbx=1)
"""


def listed(*items, **given):
    return Program("listed", isa="x86", threads=[list(items)], init={X: 0}, **given)


def width(program, **machine):
    return Machine("aie-rfc", **machine).facts_of(program).address_bits


async def guest(cpu):
    await cpu.lock_inc(X)


@pytest.mark.parametrize(
    ("program", "bits"),
    [
        (listed(ins("lock_inc", X)), 12),
        (listed(ins("mov", 1 << 40, into="r1"), ins("store", X, 1 << 40)), 12),  # no address is so large
        (listed(ins("store", 0xFFC, 1, width=4)), 12),
        (listed(ins("store", 0xFFD, 1, width=4)), 13),
        (listed(ins("store", 0x1_0000, 1)), 17),
        (listed(ins("lock_cmpxchg16b", 0xFF0, 0, 1)), 12),
        (listed(ins("mfence")), 12),
        (listed(ins("load", X), watch={0x2000: 4}), 14),
        (listed(ins("load", X), pages={0x5000: Page(0x8000)}), 16),
        (Program("bytes", isa="x86", threads=[[ins("load", X)]], init={0xFF0: bytes(17)}), 13),
    ],
)
def test_the_smallest_width_that_holds_every_address_is_taken(program, bits):
    assert program.address_bits == bits
    assert width(program) == width(program, full_system=True) == bits


@pytest.mark.parametrize(
    "program",
    [
        Program("a function", isa="x86", threads=[guest], init={X: 0}),
        Program("both", isa="x86", threads=[[ins("load", X)], guest], init={X: 0}),
        Program("a device", isa="x86", threads=[[ins("load", X)]], devices=[guest], init={X: 0}),
        listed(ins("mov", X, into="r1"), ins("load", "r1")),
    ],
    ids=lambda program: program.name,
)
def test_where_an_address_is_not_known_the_width_is_the_usual_one(program):
    assert program.address_bits is None
    assert (width(program), width(program, full_system=True)) == (47, 52)


def test_a_width_that_is_given_is_taken():
    assert width(listed(ins("lock_inc", X)), address_bits=30) == 30


def test_a_program_that_names_more_than_there_is_faults_as_before():
    program = listed(ins("load", 1 << 50))
    assert width(program) == 47
    assert "outside 47 address bits" in execute(program, Machine("aie-rfc")).faults[0].message


def test_a_cut_program_runs_on_the_machine_of_the_whole():
    whole = listed(ins("lock_inc", X), ins("store", 0x10_0000, 1))
    cut = without(whole, [Cut(0, (1,))])
    assert cut.address_bits == whole.address_bits == 21


def test_a_search_of_a_program_as_data_has_a_tree_of_one_level():
    program = Program("xor", isa="x86", threads=[[ins("lock_xadd", X, 1)]] * 2, init={X: 0})
    report = explore(program, Machine("aie-rfc"), scheduler="dpor", failures=None)
    assert (report.executions, report.complete, report.machine.scheme) == (8, True, "aie-rfc")


# -- litmus tests ---------------------------------------------------------------------------------


@pytest.fixture
def litmus(tmp_path):
    path = tmp_path / "atomics.litmus"
    path.write_text(LITMUS, encoding="utf-8")
    return path


def test_the_locations_of_a_litmus_test_fit_into_a_page_on_lines_of_their_own(litmus):
    lowered = lower(load(litmus))
    x, y = lowered.layout.addresses["x"], lowered.layout.addresses["y"]
    assert y - x == 64
    assert lowered.program.address_bits == 12
    assert pickle.loads(pickle.dumps(lowered.program)).address_bits == 12


def test_a_litmus_test_under_aie_has_a_tree_of_one_level(litmus):
    trace = execute(lower(load(litmus)).program, Machine("aie-rfc"))
    assert {event.op.location.count("/") for event in trace.events if "radix" in event.op.location} == {1}


@pytest.mark.parametrize("number", [0xA40, 0xA42, 0xA80, 0xABF])
def test_no_location_lies_where_the_test_has_a_number(litmus, number):
    litmus.write_text(LITMUS.replace("$1", f"${number}").replace("rbx=1", f"rbx={number}"), encoding="utf-8")
    test = load(litmus)
    first, end = lower(test).layout.span
    assert not first <= number < end
    states = explore_litmus(test, Machine("native", host="tso")).states
    assert {held for state in states for _, held in state} == {0, number}


def test_a_large_test_is_laid_out_high(litmus):
    litmus.write_text(LITMUS.replace("{ }", "{ uint64_t t[2000]; }"), encoding="utf-8")
    assert lower(load(litmus)).layout.span[0] == FORMER_BASE


# -- replay files ---------------------------------------------------------------------------------


def failing(program):
    return explore(program, Machine("aie-rfc"), scheduler="random-walk", executions=50).failures[0]


def test_a_replay_file_has_the_width_of_the_machine(tmp_path):
    program = Program("failing", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0}, final=one)
    failure = failing(program)
    file = failure.save(tmp_path / "failure.json")
    assert json.loads(file.read_text(encoding="utf-8"))["machine"]["address_bits"] == 12
    again = replay(file, program=program)
    assert again.trace.digest == failure.trace.digest
    assert again.machine.address_bits == 12


def one(state):
    return state[X] == 1


def test_a_replay_file_without_a_width_is_of_the_usual_one(tmp_path):
    """In older files no width means the instruction set's usual, whatever the program."""
    program = Program("failing", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0}, final=one)
    machine = Machine("aie-rfc", address_bits=47)
    failure = explore(program, machine, scheduler="random-walk", executions=50).failures[0]
    file = failure.save(tmp_path / "failure.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    content["machine"]["address_bits"] = None
    file.write_text(json.dumps(content), encoding="utf-8")
    again = replay(file, program=program)
    assert again.trace.digest == failure.trace.digest
    assert again.machine.address_bits == 47


def test_the_replay_file_of_a_function_needs_no_width(tmp_path):
    program = Program("function", isa="x86", threads=[guest, guest], init={X: 0}, final=one)
    file = failing(program).save(tmp_path / "failure.json")
    assert json.loads(file.read_text(encoding="utf-8"))["machine"]["address_bits"] is None


def test_the_replay_file_of_a_litmus_test_with_its_former_addresses_still_replays(litmus, tmp_path, monkeypatch):
    former = lower(load(litmus), base=FORMER_BASE).program
    former.defined_in = Path(litmus)
    failure = explore(
        former, Machine("aie-rfc", address_bits=47), scheduler="random-walk", executions=5, checkers=[always]
    ).failures[0]
    file = failure.save(tmp_path / "failure.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    content["machine"]["address_bits"] = None
    content["program"]["text"] = None
    file.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr("simaie.replaying.resolving.find_program", lambda name, digest: None)
    assert replay(file, checkers=[always]).trace.digest == failure.trace.digest


def always(trace):
    return [simaie.Finding("always", "it is found")]
