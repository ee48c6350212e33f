"""Programs with parts left out: how a cut is written, and what is left of lists and of functions."""

from __future__ import annotations

import pytest
import trio

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.errors import UsageError
from simaie.guest.cut import FINAL_CHECK, Cut, without
from simaie.op import Kind
from simaie.replaying.run import run
from simaie.replaying.shrink.turns import InTurns
from simaie.trace import Ending

X, Y = 0x100, 0x200


async def counts(cpu):
    """Stores 0, 1, 2, ... to X, and says where it came to."""
    for value in range(6):
        cpu.observe("before", value)
        await cpu.store(X, value)
        cpu.observe("after", value)


async def idle(cpu):
    await cpu.load(Y)


FUNCTIONS = Program("functions", isa="x86", threads=[counts, idle], init={X: 99, Y: 0})
LISTS = Program(
    "lists", isa="x86", init={X: 99}, threads=[[ins("store", X, value) for value in range(6)], [ins("load", Y)]]
)


def stored(program: Program, *cuts: Cut, driver="inline") -> list[int]:
    """What is stored to X, in order."""
    trace = run(without(program, cuts), Machine(), InTurns([], ()), driver=driver)
    return [event.op.value for event in trace.events if event.op.kind is Kind.STORE]


# -- how it is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (Cut(0), "0"),
        (Cut(1, (0, 3)), "1:0+3"),
        (Cut(1, (0, 1, 2, 7)), "1:0-2+7"),
        (Cut(2, (), 4), "2:4-"),
        (Cut(2, (1, 2), 4), "2:1-2+4-"),
        (FINAL_CHECK, "final"),
    ],
)
def test_a_cut_reads_as_it_is_written(cut, text):
    assert str(cut) == text
    assert Cut.parse(text) == cut


@pytest.mark.parametrize(("text", "same"), [("0:3+4-", "0:3-"), ("0:0-", "0"), ("0:1+1", "0:1"), ("0:2-+5-", "0:2-")])
def test_what_can_be_written_in_two_ways_is_read_as_one(text, same):
    assert str(Cut.parse(text)) == same


@pytest.mark.parametrize("text", ["", "x", "1:", "1:a", "1:2,3", "0:3-1", "0:-1", "0:1-99999999999"])
def test_what_is_no_cut_is_refused(text):
    with pytest.raises(UsageError):
        Cut.parse(text)


@pytest.mark.parametrize("cut", [Cut(4), Cut(-2), Cut(0, (6,)), Cut(0, (-1,))], ids=str)
def test_a_cut_of_what_is_not_there_is_refused(cut):
    with pytest.raises(UsageError):
        without(LISTS, [cut])


# -- what is left --------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [FUNCTIONS, LISTS], ids=lambda p: p.name)
@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (Cut(0), []),
        (Cut(0, (0, 2)), [1, 3, 4, 5]),
        (Cut(0, (), 2), [0, 1]),
        (Cut(0, (1,), 4), [0, 2, 3]),
        (Cut(1), [0, 1, 2, 3, 4, 5]),
    ],
    ids=str,
)
def test_of_a_list_and_of_a_function_the_same_is_left(program, driver, cut, left):
    assert stored(program, cut, driver=driver) == left


def test_a_function_ends_before_the_first_instruction_that_is_gone():
    trace = run(without(FUNCTIONS, [Cut(0, (), 2)]), Machine(), InTurns([], ()))
    assert (trace.outcome["0:before"], trace.outcome["0:after"]) == (2, 1)
    assert trace.ending is Ending.FINISHED


def test_an_instruction_that_is_left_out_returns_0():
    async def reads(cpu):
        cpu.observe("seen", await cpu.load(X))

    program = Program("reads", isa="x86", threads=[reads, idle], init={X: 99})
    assert run(without(program, [Cut(0, (0,))]), Machine(), InTurns([], ())).outcome["0:seen"] == 0


def test_a_guest_cannot_keep_its_end_from_coming():
    async def stubborn(cpu):
        try:
            await cpu.store(X, 1)
            await cpu.store(X, 2)
        except Exception:
            await cpu.store(X, 3)
        finally:
            await cpu.store(X, 4)

    program = Program("stubborn", isa="x86", threads=[stubborn, idle])
    assert stored(program, Cut(0, (), 1)) == [1]


def test_it_ends_inside_a_nursery_too():
    async def nursing(cpu):
        async with trio.open_nursery():
            await counts(cpu)

    program = Program("nursing", isa="x86", threads=[nursing, idle])
    assert stored(program, Cut(0, (), 2), driver="trio") == [0, 1]


def test_a_call_that_the_end_comes_into_stays_pending():
    async def pops(cpu):
        async with cpu.call("pop") as call:
            await cpu.load(X)
            call.returns(await cpu.load(Y))

    program = Program("pops", isa="x86", threads=[pops, idle])
    (call,) = run(without(program, [Cut(0, (), 1)]), Machine(), InTurns([], ())).calls
    assert not call.completed


def test_a_cut_function_comes_back_from_its_file(tmp_path):
    program = corpus.program("first-registration-window")
    machine = Machine("aie-rfc", address_bits=12)
    cut = without(program, [FINAL_CHECK, Cut(0, (), 1)])
    failure = simaie.explore(cut, machine, scheduler="random-walk").failures[0]
    again = simaie.replay(failure.save(tmp_path / "cut.json"))
    assert again.program.cuts == cut.cuts
    assert again.trace.digest == failure.trace.digest


def test_a_cut_program_has_an_identity_of_its_own():
    assert len({without(FUNCTIONS, [cut]).digest for cut in (Cut(0), Cut(0, (1,)), Cut(0, (), 1), Cut(1))}) == 4
    assert without(without(FUNCTIONS, [Cut(0)]), [Cut(1)]).cuts == (Cut(1),)
