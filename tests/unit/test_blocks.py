"""Blocks and calls that a guest records: where they begin and end, on both drivers, and what unbalanced ones raise."""

import pytest

import simaie
from simaie import GuestFault, Machine, Program, UsageError
from simaie.block import Block, Call
from simaie.trace import Ending

X = 0x100


def traces(*threads, isa="x86", executions=1, driver="inline", scheme="native", **options):
    program = Program("blocks", isa=isa, threads=list(threads), init={X: 0}, **options)
    seen = []

    def keep(trace):
        seen.append(trace)
        return ()

    simaie.explore(
        program, Machine(scheme), scheduler="random-walk", executions=executions, failures=None, checkers=[keep],
        driver=driver,
    )
    return seen


def shape(block):
    return block.vcpu, block.name, block.first, block.after


async def two_adds(cpu):
    await cpu.load(X)
    async with cpu.atomic("add"):
        value = await cpu.load(X)
        await cpu.store(X, value + 1)
    await cpu.load(X)


async def caller(cpu):
    async with cpu.call("add", 1) as call:
        call.returns(await cpu.lock_xadd(X, 1))


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_block_is_the_instructions_begun_inside_it(driver):
    (trace,) = traces(two_adds, driver=driver)
    assert [shape(block) for block in trace.blocks] == [("0", "add", 1, 3)]
    numbers = [event.instruction.number for event in trace.events]
    assert [trace.blocks[0].holds(number) for number in numbers] == [False, True, True, False]


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_call_has_its_arguments_and_its_result(driver):
    (trace,) = traces(caller, caller, driver=driver)
    assert [(c.vcpu, c.name, c.args, c.completed) for c in trace.calls] == [(v, "add", (1,), True) for v in "01"]
    assert sorted(call.result for call in trace.calls) == [0, 1]


def test_recording_is_no_step_and_both_drivers_have_the_same_digest():
    async def bare(cpu):
        await cpu.lock_xadd(X, 1)

    (plain,) = traces(bare, bare)
    (recorded,) = traces(caller, caller)
    (on_trio,) = traces(caller, caller, driver="trio")
    assert [str(e) for e in recorded.events] == [str(e) for e in plain.events]
    assert recorded.schedule == plain.schedule
    assert on_trio.digest == recorded.digest != plain.digest


def test_a_program_without_blocks_records_none():
    async def bare(cpu):
        await cpu.load(X)

    (trace,) = traces(bare)
    assert trace.blocks == ()
    assert trace.calls == []


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_what_the_end_of_the_execution_cuts_short_stays_open_and_pending(driver):
    async def stuck(cpu):
        async with cpu.call("wait", 7) as call:
            await cpu.wait_until(X, bool)
            call.returns(1)

    (trace,) = traces(stuck, driver=driver)
    assert trace.ending is Ending.LIVELOCK
    (call,) = trace.calls
    assert not call.completed


def test_a_fault_ends_a_block_and_leaves_a_call_pending():
    async def faulting(cpu):
        try:
            async with cpu.call("wild") as call:
                await cpu.load(1 << 60)
                call.returns(0)
        except GuestFault:
            await cpu.load(X)

    (trace,) = traces(faulting)
    (call,) = trace.calls
    assert (call.first, call.after, call.completed) == (0, 1, False)


def test_blocks_nest_and_a_call_may_be_in_a_block():
    async def nested(cpu):
        async with cpu.atomic("outer"), cpu.atomic("inner"), cpu.call("op") as call:
            await cpu.load(X)
            call.returns()

    (trace,) = traces(nested)
    assert [type(block) for block in trace.blocks] == [Block, Block, Call]
    assert {(block.first, block.after) for block in trace.blocks} == {(0, 1)}


async def never_left(cpu):
    await cpu.atomic("open").__aenter__()
    await cpu.load(X)


async def crossed(cpu):
    outer, inner = cpu.atomic("outer"), cpu.atomic("inner")
    await outer.__aenter__()
    await inner.__aenter__()
    await outer.__aexit__(None, None, None)


async def never_entered(cpu):
    await cpu.atomic("closed").__aexit__(None, None, None)


async def entered_twice(cpu):
    block = cpu.atomic("again")
    async with block:
        pass
    async with block:
        pass


async def call_in_call(cpu):
    async with cpu.call("outer"), cpu.call("inner"):
        pass


async def no_result(cpu):
    async with cpu.call("pop"):
        await cpu.load(X)


async def two_results(cpu):
    async with cpu.call("pop") as call:
        call.returns(1)
        call.returns(2)


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize(
    "thread", [never_left, crossed, never_entered, entered_twice, call_in_call, no_result, two_results]
)
def test_what_is_unbalanced_is_one_error_that_names_the_vcpu_and_the_block(thread, driver):
    with pytest.raises(UsageError, match=r"vCPU 0"):
        traces(thread, driver=driver)


def test_blocks_are_no_instructions_of_programs_as_data():
    with pytest.raises(UsageError):
        Program("data", isa="x86", threads=[[simaie.ins("atomic", X)]])


# -- ordered calls: both ends are steps ------------------------------------------------------------------


def flag_program(*, ordered):
    """A register whose write is announced before it is done: the reader that comes after the call finds nothing."""

    async def writer(cpu):
        async with cpu.call("write", 1, ordered=ordered) as call:
            await cpu.store(0x200, 1)
            call.returns()
        await cpu.store(0x100, 1)

    async def reader(cpu):
        async with cpu.call("read", ordered=ordered) as call:
            await cpu.load(0x300)
            call.returns(await cpu.load(0x100))

    return simaie.Program("late-write", isa="x86", threads=[writer, reader], checkers=["linearizable-register"])


@pytest.mark.parametrize("scheme", ["native", "aie-rfc", "aie-v2", "cas", "global-lock", "none"])
@pytest.mark.parametrize("host", ["sc", "tso"])
def test_dpor_tells_apart_which_ordered_call_was_over_before_which_began(scheme, host):
    machine = simaie.Machine(scheme, host=host, address_bits=12)
    report = simaie.explore(flag_program(ordered=True), machine, scheduler="dpor")
    assert report.verdict == "violated"
    assert {finding.kind for finding in report.failures[0].findings} == {"linearizability"}


def test_the_ends_of_ordered_calls_are_steps_and_those_of_others_are_not():
    counts = {}
    for ordered in (False, True):
        program, seen = flag_program(ordered=ordered), []
        simaie.explore(program, scheduler="dfs", executions=1, checkers=[lambda trace, to=seen: to.append(trace) or ()])
        counts[ordered] = len(seen[0])
        assert [call.ordered for call in seen[0].calls] == [ordered, ordered]
    assert counts[True] == counts[False] + 4


def test_dpor_proves_nothing_of_calls_that_are_not_all_ordered():
    async def caller(cpu):
        async with cpu.call("read") as call:
            call.returns(await cpu.load(0x100))

    program = simaie.Program("reads", isa="arm", threads=[caller, caller], checkers=["linearizable-register"])
    report = simaie.explore(program, scheduler="dpor")
    assert report.verdict == "inconclusive"
    assert "ordered" in report.reason


def test_dpor_with_ordered_calls_finds_what_dfs_finds_without():
    def program(ordered):
        async def caller(cpu):
            async with cpu.call("increment", ordered=ordered) as call:
                await cpu.store(0x100, await cpu.load(0x100) + 1)
                call.returns()
            async with cpu.call("read", ordered=ordered) as call:
                call.returns(await cpu.load(0x100))

        return simaie.Program("count", isa="x86", threads=[caller, caller], checkers=["linearizable-counter"])

    def outcomes(report):
        return {tuple((call.vcpu, str(call)) for call in failure.trace.calls) for failure in report.failures}

    everything = simaie.explore(program(False), scheduler="dfs", failures=None)
    fewer = simaie.explore(program(True), scheduler="dpor", failures=None)
    assert outcomes(fewer) == outcomes(everything) != set()
