"""Explanations for schemes that simaie does not know: by the locks they held, and by what their tests had read."""

from __future__ import annotations

import re

import pytest
import trio

import simaie
from simaie import Machine, Program, Scheme, ins
from simaie.errors import ForeignAwaitError, GuestError, SchemeError
from simaie.show.explain import about_compare, explain

X = 0x100


class Locked(Scheme):
    """Stores take the lock that the locked instruction takes."""

    def __init__(self, host, pages, machine, **options):
        super().__init__(host, pages, machine, **options)
        self.lock = host.mutex("big lock")

    async def store(self, cpu, address, width, value):
        await self.lock.lock()
        await self.host.store(address, width, value)
        await self.lock.unlock()


class Reacquires(Locked):
    """Lets go of the lock between its load and its store."""

    async def atomic_rmw(self, cpu, address, width, function):
        await self.lock.lock()
        old = await self.host.load(address, width)
        await self.lock.unlock()
        await self.lock.lock()
        await self.host.store(address, width, function.apply(old))
        await self.lock.unlock()
        return old


class StopsLate(Scheme):
    """Stops the world only when it has loaded."""

    async def atomic_rmw(self, cpu, address, width, function):
        old = await self.host.load(address, width)
        await self.host.begin_exclusive()
        await self.host.store(address, width, function.apply(old))
        await self.host.end_exclusive()
        return old


class LastMark(Scheme):
    """The last load-linked or store leaves its mark in one tag; a store-conditional asks for its own."""

    def __init__(self, host, pages, machine, **options):
        super().__init__(host, pages, machine, **options)
        self.tag = host.cell("tag", 9)

    async def load_linked(self, cpu, address, width):
        await self.tag.store(int(cpu.name))
        return await self.host.load(address, width)

    async def store(self, cpu, address, width, value):
        await self.tag.store(int(cpu.name))
        await self.host.store(address, width, value)

    async def store_conditional(self, cpu, address, width, value):
        await self.host.begin_exclusive()
        mine = await self.tag.load() == int(cpu.name)
        if mine:
            await self.host.store(address, width, value)
        await self.host.end_exclusive()
        return mine


class Unmarked(LastMark):
    """Stores leave no mark."""

    async def store(self, cpu, address, width, value):
        await self.host.store(address, width, value)


INCREMENT = [ins("lock_inc", X)]
EXCLUSIVE = [ins("ldrex", X, into="r"), ins("strex", X, 7, into="s")]


def failure(scheme, isa, *threads, host="sc"):
    program = Program("p", isa=isa, threads=threads, init={X: 0}, checkers=["llsc-atomicity-value"])
    found = simaie.explore(program, Machine(scheme, host=host), scheduler="dpor", failures=1).failures[0]
    return found.shrink().failure


def told(found):
    return explain(found.trace, found.findings[0])


def steps(text, words):
    """The number of the step in parentheses after `words`."""
    found = re.search(re.escape(words) + r".*?\(step (\d+)\)", text)
    assert found is not None, text
    return int(found[1])


def test_a_lock_that_was_released_and_taken_again_does_not_count_as_held():
    found = failure(Reacquires, "x86", INCREMENT, [ins("store", X, 5)])
    read, foreign, write = found.findings[0].steps
    text = told(found)
    assert read < steps(text, "but released it") < foreign < write
    assert "does not take it" not in text


def test_a_world_that_was_stopped_too_late_is_named():
    found = failure(StopsLate, "x86", INCREMENT, [ins("store", X, 5)])
    read, foreign, _ = found.findings[0].steps
    assert read < foreign < steps(told(found), "stopped the world")
    assert "no lock" not in told(found)


def test_a_stopped_world_protects_what_is_not_serializable():
    """Two loads that the guest calls atomic are cut by a locked instruction that has stopped the world."""

    class Stops(Scheme):
        async def atomic_rmw(self, cpu, address, width, function):
            await self.host.begin_exclusive()
            old = await self.host.load(address, width)
            await self.host.store(address, width, function.apply(old))
            await self.host.end_exclusive()
            return old

    async def reads_twice(cpu):
        async with cpu.atomic("reads twice"):
            await cpu.load(X)
            await cpu.load(X)

    program = Program("p", isa="x86", threads=[INCREMENT, reads_twice], init={X: 0})
    found = simaie.explore(program, Machine(Stops), scheduler="dpor").failures[0]
    (cut,) = found.findings
    assert cut.kind == "atomic-blocks"
    assert "vCPU 0 had stopped the world" in explain(found.trace, cut)


def test_a_mark_that_was_overwritten_is_told_with_who_overwrote_it():
    found = failure(LastMark, "arm", EXCLUSIVE, [ins("str_", X, 1)])
    text, events = told(found), found.trace.events
    mark, over = steps(text, "had marked it"), steps(text, "overwrote the mark")
    assert mark < over
    assert (events[mark].actor, events[over].actor) == ("1", "0")
    assert events[mark].op.cell is events[over].op.cell


def test_a_mark_that_waited_in_a_store_buffer_is_told_with_since_when():
    """One storer suffices there: the load-linked's own mark waits while its load goes ahead."""
    found = failure(LastMark, "arm", EXCLUSIVE, [ins("str_", X, 1)], host="tso")
    text = told(found)
    over = steps(text, "overwrote the mark")
    since = re.search(r"waited in the store buffer since step (\d+)", text)
    assert since is not None
    assert int(since[1]) < found.findings[0].steps[0] < over  # before the load that it should have preceded


def test_a_store_that_leaves_no_mark_is_told_so():
    found = failure(Unmarked, "arm", EXCLUSIVE, [ins("str_", X, 1)])
    assert "leaves no mark" in told(found)
    assert steps(told(found), "tested tag") > found.findings[0].steps[1]


def test_a_write_that_changes_nothing_is_called_value_preserving():
    thread = [ins("str_", X, 0)]
    program = Program("p", isa="arm", threads=[EXCLUSIVE, thread], init={X: 0}, checkers=["llsc-atomicity-strict"])
    found = simaie.explore(program, Machine(Unmarked), scheduler="dpor", failures=1).failures[0]
    assert "value-preserving" in told(found)
    assert "lost" not in told(found)


def test_a_failure_whose_outcome_may_be_allowed_says_that_a_comparison_may_hold():
    found = failure(Unmarked, "arm", EXCLUSIVE, [ins("str_", X, 1)])
    assert about_compare(found.trace, found.findings)
    refused = Program("p", isa="x86", threads=[INCREMENT], init={X: 0}, final=lambda memory: memory[X] == 7)
    report = simaie.explore(refused, Machine("native"), scheduler="dpor")
    rejected = report.failures[0]
    assert about_compare(rejected.trace, rejected.findings) == ""


def test_a_rejected_outcome_is_never_said_to_hold_whichever_checkers_judge():
    thread = [ins("str_", X, 1)]
    program = Program("p", isa="arm", threads=[EXCLUSIVE, thread], init={X: 0}, final=lambda memory: False)
    report = simaie.explore(program, Machine(Unmarked), scheduler="dpor", failures=None)
    found = next(f for f in report.failures if "llsc-atomicity" in {finding.kind for finding in f.findings})
    judged = simaie.replay(found, checkers=["llsc-atomicity"])
    assert judged.findings
    assert {finding.kind for finding in judged.findings} == {"llsc-atomicity"}
    assert about_compare(judged.trace, judged.findings) == ""


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_an_exception_of_a_scheme_is_blamed_on_its_method_and_line(driver):
    class Raises(Scheme):
        async def load(self, cpu, address, width):
            return {}["missing"]

    program = Program("p", isa="x86", threads=[[ins("load", X)]])
    with pytest.raises(SchemeError) as caught:
        simaie.explore(program, Machine(Raises), executions=1, driver=driver)
    assert "Raises.load" in str(caught.value)
    line = Raises.load.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}" in str(caught.value)


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_method_with_the_wrong_parameters_is_the_schemes_mistake(driver):
    class LacksTheWidth(Scheme):
        async def load(self, cpu, address):
            return 0

    program = Program("p", isa="x86", threads=[[ins("load", X)]])
    with pytest.raises(SchemeError, match=r"LacksTheWidth\.load must take"):
        simaie.explore(program, Machine(LacksTheWidth), executions=1, driver=driver)


def test_a_group_of_exceptions_names_each_of_them():
    async def thread(cpu):
        async def fail(error):
            raise error

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, ValueError("one"))
            nursery.start_soon(fail, KeyError("two"))

    with pytest.raises(GuestError) as caught:
        simaie.explore(Program("p", isa="x86", threads=[thread]), Machine("native"), executions=1, driver="trio")
    assert "ValueError: one" in str(caught.value)
    assert "KeyError: 'two'" in str(caught.value)


@pytest.mark.parametrize("call", [lambda: trio.sleep(1), trio.lowlevel.checkpoint], ids=["sleep", "checkpoint"])
def test_a_guest_that_calls_trio_on_the_inline_driver_is_told_which_driver_to_use(call):
    async def thread(cpu):
        await call()

    with pytest.raises(ForeignAwaitError) as caught:
        simaie.explore(Program("p", isa="x86", threads=[thread]), Machine("native"), executions=1)
    assert 'driver="trio"' in str(caught.value)
    assert caught.value.where.startswith(__file__)
