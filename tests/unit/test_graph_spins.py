"""Loops that wait for others on hosts of execution graphs: a round in vain is made once, and no outcome is lost."""

from __future__ import annotations

import itertools

import pytest
from graph_programs import shape

import simaie
from simaie import Limits, Machine, Program, ins
from simaie.engine.graph.search import GraphSearch
from simaie.host.graph_reference import GraphScMemory
from simaie.trace import Ending

pytestmark = pytest.mark.untraced

X, Y = 0x1000, 0x1040


def explored(
    threads, scheme, host="armv8", *, scheduler="dpor", isa="x86", steps=300, init=None, watch=None, **options
):
    program = Program("spins", isa=isa, threads=list(threads), init=init or {}, watch=watch or {})
    machine = Machine(scheme, host=host, limits=Limits(steps=steps))
    return simaie.explore(program, machine, scheduler=scheduler, **options)


async def _flag(cpu):
    await cpu.store(X, 1)


async def _polls(cpu):
    while not await cpu.load(X):
        pass


async def _ticket(cpu):
    mine = await cpu.lock_xadd(Y, 1)
    while await cpu.load(X) != mine:
        pass
    await cpu.store(X, mine + 1)


async def _swaps(cpu):
    while await cpu.lock_cmpxchg(X, 1, 2) != 1:
        pass


async def _locks(cpu):
    while await cpu.xchg(X, 1):
        pass
    await cpu.store(X, 0)


@pytest.mark.parametrize("scheme", ["cas", "cas:mapping=fex", "aie-rfc"])
@pytest.mark.parametrize("threads", [(_polls, _flag), (_flag, _polls)])
def test_a_fence_before_the_load_of_a_loop_makes_no_rounds(scheme, threads):
    report = explored(threads, scheme)
    assert (report.verdict, report.complete) == ("holds", True)
    assert report.executions <= 3  # the first round, the second, and a wait


@pytest.mark.parametrize(("threads", "scheme", "count"), [(2 * [_ticket], "cas", 4), (2 * [_locks], "aie-rfc", 20)])
def test_locks_that_guests_make_are_explored_to_the_end(threads, scheme, count):
    report = explored(threads, scheme)
    assert (report.verdict, report.executions) == ("holds", count)


@pytest.mark.parametrize("scheme", ["native", "cas", "aie-rfc"])
def test_a_compare_and_swap_that_fails_for_ever_is_a_livelock(scheme, tmp_path):
    (failure,) = explored([_swaps, _swaps, _flag], scheme).failures
    assert "livelock" in [finding.kind for finding in failure.findings]
    again = simaie.replay(failure.save(tmp_path / "failure.json"), program=failure.program)
    assert again.trace.digest == failure.trace.digest


async def _watches_both(cpu):
    while (seen := await cpu.xchg(X, 1)) == 1 and await cpu.load(Y) == 0:
        pass
    cpu.observe("seen", seen)


async def _is_overwritten(cpu):
    await cpu.store(X, 5)
    cpu.observe("back", await cpu.load(X))
    await cpu.store(X, 7)
    cpu.observe("again", await cpu.load(X))
    await cpu.store(X, 6)


def test_a_round_that_others_noticed_is_followed_by_another():
    """The exchange, not atomic here, takes the 5 back, then the 7; a later round sees the 6."""
    threads = [_watches_both, _is_overwritten]
    graphs = explored(threads, "none", GraphScMemory, init={X: 1}, checkers=(), failures=None)
    steps = explored(threads, "none", "sc", init={X: 1}, checkers=(), failures=None)
    assert {str(each) for each in graphs.outcomes} == {str(each) for each in steps.outcomes}
    assert any((each["0:seen"], each["1:back"], each["1:again"]) == (6, 1, 1) for each in graphs.outcomes)


@pytest.mark.parametrize("scheduler", ["random-walk", "pct"])
def test_other_schedulers_let_a_vcpu_wait_too(scheduler):
    for threads, scheme in ((2 * [_ticket], "cas"), ([_watches_both, _is_overwritten], "aie-rfc")):
        report = explored(threads, scheme, scheduler=scheduler, executions=5, init={X: 0}, failures=None)
        assert report.statistics.truncated == report.statistics.pruned == 0


async def _never_stores(cpu):
    while True:
        await cpu.ldrex(X)
        await cpu.clrex()
        if await cpu.strex(X, 1) == 0:
            break


async def _may_store(cpu):
    while True:
        await cpu.ldrex(X)
        await cpu.str_(X, 1)
        if await cpu.strex(X, 1) == 0:
            break


async def _swaps_both_words(cpu):
    while await cpu.lock_cmpxchg8b(X, 1, 2) != 1:
        pass


async def _upper_word(cpu):
    await cpu.store(X + 4, 1)


def test_a_store_conditional_that_never_stores_is_a_livelock_and_one_that_may_is_none():
    assert explored([_never_stores], "native", isa="arm").failures
    report = explored([_may_store], "native", isa="arm", steps=20)
    assert (report.failures, report.verdict) == ((), "inconclusive")  # the round in which it fails is no wait


async def _adds(cpu):
    while await cpu.strex(X, await cpu.ldrex(X) + 1):
        pass


async def _adds_what_it_keeps(cpu):
    while True:
        seen = await cpu.ldrex(X)
        if await cpu.strex(X, seen + 1) == 0:
            break


@pytest.mark.parametrize(("vcpu", "count"), [(_adds, 12), (_adds_what_it_keeps, 16)])
def test_a_loop_of_exclusives_that_keeps_what_it_read_makes_no_round_in_vain(vcpu, count):
    report = explored(2 * [vcpu], "native", isa="arm", watch={X: 4})
    assert (report.verdict, report.executions) == ("holds", count)
    assert [each[f"[{X:#x}]"] for each in report.outcomes] == [2]


async def _never_ends(cpu):
    while True:
        await cpu.store(X, 1)


def test_a_search_that_is_over_leaves_an_endless_execution_before_its_end():
    asked = itertools.count(1)
    program = Program("endless", isa="riscv", threads=[_never_ends])
    search = GraphSearch(program, Machine("native", host="rvwmo"), lambda: next(asked) > 50)
    assert not search.advance()
    assert (search.exhausted, search.graph, search.steps) == (False, None, 50)


@pytest.mark.parametrize("name", ["LBQ", "IRIW"])
def test_a_search_that_was_left_in_an_execution_goes_on_there(name):
    asked = itertools.count(1)
    leaving = GraphSearch(shape(name), Machine("native", host="armv8"), lambda: next(asked) % 7 == 0)
    whole = GraphSearch(shape(name), Machine("native", host="armv8"))
    left = 0
    while not leaving.exhausted:
        left += not leaving.advance()
    while whole.advance():
        pass
    assert left > 1
    assert leaving.counts.finished == whole.counts.finished > 0


@pytest.mark.parametrize("host", ["armv8", "rvwmo"])
def test_what_is_newest_in_the_order_of_the_program_needs_no_check_for_cycles(monkeypatch, host):
    asked = []
    monkeypatch.setattr("simaie.host.graph.bounds.cyclic", lambda graph, event: asked.append(event))
    report = explored([[ins("store", X, 1), ins("load", X, into="r")] * 3], "native", host, isa="riscv")
    assert (report.executions, asked) == (1, [])


def test_an_atomic_of_several_places_that_fails_for_ever_is_a_livelock():
    (failure,) = explored([_swaps_both_words, _upper_word], "native").failures
    assert [finding.kind for finding in failure.findings] == ["livelock"]


def test_a_failing_execution_that_the_limit_cuts_replays(tmp_path):
    """The lock is not atomic against its plain release: a try takes the release back, and all tries fail then."""
    (failure,) = explored(2 * [_locks], "global-lock", steps=60).failures
    assert failure.trace.ending is Ending.STEP_LIMIT
    again = simaie.replay(failure.save(tmp_path / "failure.json"), program=failure.program)
    assert again.trace.digest == failure.trace.digest
