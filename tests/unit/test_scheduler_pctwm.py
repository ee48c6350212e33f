"""PCT on hosts of execution graphs is PCTWM: a bug of few communications has a known least probability there."""

from __future__ import annotations

from math import sqrt

import pytest
from graph_programs import SHAPES, load, shape, store
from simaie_schedulers._pctwm import MOST_VISITS
from simaie_schedulers.pct import Pct
from simaie_schedulers.random_walk import RandomWalk

import simaie
from simaie import Machine, Program
from simaie.errors import UsageError
from simaie.exploration.single import explore_index
from simaie.op import Kind
from simaie.protocols import Question

ARM = Machine("native", host="armv8")
#: By shape, the outcome that sequential consistency does not have.
WEAK = {
    "SB": {"0:r": 0, "1:r": 0},
    "MP": {"1:r": 1, "1:s": 0},
    "LB": {"0:r": 1, "1:r": 1},
    "IRIW": {"2:r": 1, "2:s": 0, "3:r": 1, "3:s": 0},
    "2+2W": {"[0x100]": 1, "[0x200]": 1},
    "S": {"1:r": 1, "[0x100]": 2},
}


def explored(program, scheduler, executions, **options):
    return simaie.explore(
        program, ARM, scheduler=scheduler, executions=executions, failures=None, checkers=(), seed=5, **options
    )


def found(name, scheduler, executions):
    """The number of executions with the outcome of `WEAK`."""
    report = explored(shape(name), scheduler, executions)
    return sum(count for outcome, count in report.outcomes.items() if WEAK[name].items() <= outcome.as_dict().items())


def spread(executions, probability):
    """Four standard deviations of the number of finds: exceeded once in fifteen thousand seeds."""
    return 4 * sqrt(executions * probability * (1 - probability))


def test_without_communications_every_execution_buffers_stores():
    """Each vCPU reads only what it knows, in either order of the priorities."""
    assert found("SB", Pct(depth=1), 50) == 50


@pytest.mark.untraced
def test_one_communication_breaks_message_passing_with_one_in_ten():
    """The load of the flag is one of k = 4 accesses, and the sink with probability 1/(k + 1), whichever vCPU is first.
    It reads the newest of h = 2 stores with probability 1/2. The load of the data then reads the initial value."""
    number = found("MP", Pct(depth=2), 400)
    assert abs(number - 400 / 10) <= spread(400, 1 / 10)


@pytest.mark.untraced
def test_two_communications_let_readers_disagree_with_two_in_49():
    """IRIW: of k = 6 accesses, the first loads of both readers are the two sinks, in either order; with h = 1 they read
    the newest store. In each order of the priorities that is one pair of numbers, so 2 of 7 * 7."""
    number = found("IRIW", Pct(depth=3, history=1), 500)
    assert abs(number - 500 * 2 / 49) <= spread(500, 2 / 49)


def test_load_buffering_is_found_since_writes_communicate_and_sinks_that_are_done_again_still_do():
    """Of k = 4 accesses, those of the vCPU that goes second are the sinks: 2 of 5 * 5. The load reads the new store,
    and the store feeds the other load with probability 1/2. Other pairs may lead there, too."""
    assert found("LB", Pct(depth=3, history=1), 300) >= 300 / 25 - spread(300, 1 / 25)


@pytest.mark.parametrize("name", ["2+2W", "S"])
def test_stores_that_take_effect_early_are_found(name):
    """A store that is a sink takes a place other than the newest with probability 1/2: at least 1/(2 * 5 * 5)."""
    assert found(name, Pct(depth=3, history=1), 300) >= 300 / 50 - spread(300, 1 / 50)


def test_it_finds_what_needs_many_stale_reads_where_a_random_walk_does_not():
    """Store buffering of 10 places on either side. Without sinks all loads read the initial values, always. By chance
    each load does that with probability 1/2, if the store is there: for one vCPU or the other most of them are."""
    places = [[0x100 + 8 * n for n in range(10)], [0x200 + 8 * n for n in range(10)]]
    threads = [
        [store(place) for place in own] + [load(place, f"r{n}") for n, place in enumerate(others)]
        for own, others in (places, places[::-1])
    ]
    program = Program("stale", isa="x86", threads=threads, final=lambda final: any(final.registers.values()))
    options = {"executions": 20, "failures": None, "seed": 5}
    assert simaie.explore(program, ARM, scheduler=Pct(depth=1), **options).failing == 20
    assert not simaie.explore(program, ARM, scheduler=RandomWalk(), **options).failing


def test_the_number_of_accesses_is_learnt_and_an_execution_replays_alone_from_it():
    scheduler = Pct(depth=3)
    explored(shape("LB"), scheduler, 30)
    assert scheduler.profile() == {"longest": 4}
    program = Program("MP", isa="x86", threads=SHAPES["MP"], final=lambda final: final.registers["1:r"] == 0)
    (failure,) = simaie.explore(program, ARM, scheduler="pct:depth=2", executions=300, seed=2).failures
    alone = explore_index(program, ARM, scheduler="pct:depth=2", seed=2, index=failure.index)
    assert alone.failures[0].trace.digest == failure.trace.digest
    assert all(type(choice.value) is int for choice in failure.trace.schedule.choices)


async def counting(cpu):
    rounds = 0
    while not await cpu.load(0x100):
        rounds += 1


async def releasing(cpu):
    await cpu.store(0x100, 1)


def test_a_vcpu_that_waits_in_a_loop_of_its_own_is_not_left_alone_for_long():
    """Its rounds differ by a count, so that nothing but the scheduler ends the loop."""
    program = Program("counts", isa="x86", threads=[counting, releasing], watch={0x100: 4})
    report = explored(program, Pct(depth=1), 6)
    assert not report.statistics.truncated
    assert report.statistics.steps < 6 * (MOST_VISITS + 20)


def test_both_drivers_and_several_processes_run_the_same_executions():
    reports = [
        explored(shape("MP"), "pct:depth=2", 25, **options) for options in ({}, {"driver": "trio"}, {"jobs": 2})
    ]
    assert reports[0].outcomes == reports[1].outcomes == reports[2].outcomes


class Asking(RandomWalk):
    """Notes what is asked."""

    def __init__(self):
        self.asked, self.choosers = set(), set()

    def choose(self, offer):
        assert set(offer.numbers) == ({each.name for each in offer.candidates} if self.graphs else set())
        return super().choose(offer)

    def start(self, info):
        self.graphs = info.has_graphs
        super().start(info)

    def choose_value(self, offer, arity):
        if offer.question is not Question.LOCAL:
            kind = Kind.LOAD if offer.question is Question.READ else Kind.STORE
            assert offer.running.op.kind is kind
        else:
            self.choosers.add(offer.chooser)
        self.asked.add(offer.question)
        return super().choose_value(offer, arity)


async def chooser(cpu):
    cpu.observe("c", await cpu.choose(2))


@pytest.mark.parametrize("host", ["sc", "armv8"])
def test_a_scheduler_knows_what_a_value_decides(host):
    """A store is asked for its place where another one is in it, a load for its store, a choice for itself."""
    program = Program("asks", isa="x86", threads=[*SHAPES["2+2W"], *SHAPES["MP"], chooser, chooser])
    scheduler = Asking()
    simaie.explore(program, Machine("native", host=host), scheduler=scheduler, executions=20, checkers=())
    assert scheduler.asked == (set(Question) if host == "armv8" else {Question.LOCAL})
    assert scheduler.choosers == {"4", "5"}


@pytest.mark.parametrize("history", [0, -1, 1.5])
def test_the_history_is_at_least_one_store(history):
    with pytest.raises(UsageError, match="history"):
        Pct(history=history)
