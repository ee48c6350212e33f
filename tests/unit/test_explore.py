"""Exploring: verdicts that are honest, limits, failures kept, interruption, and what a report says."""

from __future__ import annotations

import gc
import json
import pickle
import warnings
from contextlib import suppress

import pytest

import simaie
from simaie import Limits, Machine, Program, Scheduler, plugins, replay
from simaie.check import DEFAULT
from simaie.errors import GuestError, GuestSpinError, Interrupted, SchedulerError, UnknownNameError, UsageError
from simaie.exploration import engines, kept, statistics
from simaie.exploration.explorer import explore
from simaie.exploration.in_progress import Exploration
from simaie.finding import Verdict
from simaie.host.sc import ScMemory
from simaie.plugins import Spec

X = 0x1000


async def adder(cpu):
    await cpu.add(X, 1)


async def locked_adder(cpu):
    await cpu.lock_add(X, 1)


RACY = Program("racy", isa="x86", threads=[adder, adder], init={X: 0}, final=lambda memory: memory[X] == 2)
SAFE = Program("safe", isa="x86", threads=[locked_adder] * 2, init={X: 0}, final=lambda memory: memory[X] == 2)


def test_a_violation_is_found_with_all_it_takes_to_have_it_again():
    report = explore(RACY, scheduler="random-walk", seed=1, executions=100)
    assert report.verdict == "violated"
    failure = report.failures[0]
    assert failure.index == report.executions - 1, "it stops at the first failure"
    assert [finding.kind for finding in failure.findings] == ["final-check"]
    assert not report.complete


def test_holds_is_said_only_after_everything_was_explored():
    complete = explore(SAFE, scheduler="dfs")
    assert (complete.verdict, complete.complete, complete.executions) == (Verdict.HOLDS, True, 2)
    sampled = explore(SAFE, scheduler="random-walk", executions=50)
    assert (sampled.verdict, sampled.complete, sampled.executions) == (Verdict.INCONCLUSIVE, False, 50)
    cut = explore(SAFE, scheduler="dfs", executions=1)
    assert (cut.verdict, cut.executions) == (Verdict.INCONCLUSIVE, 1)
    bounded = explore(RACY, scheduler="dfs:preemptions=1", failures=None, checkers=())
    assert bounded.verdict == Verdict.INCONCLUSIVE
    assert len({cut.reason, bounded.reason, sampled.reason}) == 3


def test_an_execution_cut_by_a_limit_makes_holds_impossible():
    report = explore(SAFE, Machine(limits=Limits(steps=1)), scheduler="dfs")
    assert (report.verdict, report.statistics.truncated) == (Verdict.INCONCLUSIVE, report.executions)


def test_a_time_limit_ends_the_exploration():
    report = explore(SAFE, executions=10**9, seconds=0.01, scheduler="random-walk")
    assert report.verdict == Verdict.INCONCLUSIVE
    assert report.executions < 10**9


def test_outcomes_are_counted():
    report = explore(RACY, scheduler="dfs", failures=None)
    assert {str(outcome): count for outcome, count in report.outcomes.items()} == {"[0x1000]=1": 4, "[0x1000]=2": 2}
    assert (report.executions, report.failing, report.verdict) == (6, 4, Verdict.VIOLATED)
    assert report.complete, "everything was seen, and some of it fails"


def test_kept_failures_and_distinct_outcomes_are_bounded(monkeypatch):
    """Memory does not grow with the number of executions."""
    monkeypatch.setattr(kept, "MAX_KEPT", 2)
    monkeypatch.setattr(statistics, "MAX_OUTCOMES", 1)
    report = explore(RACY, scheduler="dfs", failures=None)
    assert (len(report.failures), report.failing) == (2, 4)
    assert len(report.outcomes) == 1
    assert not report.statistics.outcomes_complete


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_every_execution_replays_alone_from_seed_and_index(driver):
    all_failing = explore(RACY, seed=3, executions=40, failures=None, driver=driver, scheduler="random-walk").failures
    assert len(all_failing) > 5
    for failure in all_failing:
        alone = Exploration(RACY, Machine(), "random-walk", seed=3, executions=1, seconds=None, failures=1,
                            checkers=(), driver=driver, progress=None, first_index=failure.index)
        alone.run()
        digests = {f.trace.digest for f in alone.kept.first} or {simaie.replay(failure).trace.digest}
        assert digests == {failure.trace.digest}


class Interrupting(Scheduler):
    """Presses Ctrl-C in the middle of its third execution."""

    def __init__(self):
        self.executions = 0

    def start(self, info):
        self.executions += 1

    def choose(self, offer):
        if self.executions == 3:
            raise KeyboardInterrupt
        return offer.candidates[-1 if self.executions == 2 else 0]


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_ctrl_c_keeps_what_was_found(driver):
    with pytest.raises(Interrupted) as caught:
        explore(RACY, scheduler=Interrupting(), driver=driver, failures=None)
    report = caught.value.report
    assert report.interrupted
    assert not report.complete
    assert report.executions == 2
    assert report.verdict == Verdict.INCONCLUSIVE


def test_an_interrupt_ends_a_loop_over_programs_too():
    """It is a KeyboardInterrupt, not an error, and can be handed to another process with its report."""
    done = []

    def loop():
        for program in (SAFE, RACY, SAFE):
            with suppress(Exception):
                done.append(explore(program, scheduler=Interrupting() if program is RACY else "dfs"))

    with pytest.raises(KeyboardInterrupt) as caught:
        loop()
    assert [report.program for report in done] == [SAFE]
    assert isinstance(caught.value, simaie.Interrupted)
    again = pickle.loads(pickle.dumps(Interrupted("a search", 7)))
    assert (again.report, str(again)) == (7, str(Interrupted("a search", 7)))


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_failures_are_told_when_they_are_found(driver, tmp_path):
    """Those that the report keeps; with the driver trio too they can be saved there and then."""
    told = []

    def found(failure):
        told.append((failure.index, exploration.statistics.executions))
        assert replay(failure.save_in(tmp_path), program=RACY).findings == failure.findings

    exploration = Exploration(
        RACY, Machine(), "random-walk", seed=1, executions=40, seconds=None, failures=None, checkers=DEFAULT,
        driver=driver, progress=None, found=found,
    )  # fmt: skip
    report = exploration.run()
    assert report.kept
    assert [index for index, _ in told] == [failure.index for failure in report.kept]
    assert all(index + 1 == executions for index, executions in told)
    assert len(list(tmp_path.iterdir())) == len(told)


def test_a_failure_is_told_though_the_interrupt_comes_before_it_could_be():
    told = []

    def found(failure):
        told.append(failure.index)
        if len(told) == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        explore(RACY, scheduler="dfs", failures=None, found=found)
    assert len(told) == 2
    assert len(set(told)) == 1
    assert len(caught.value.report.failures) == 1


def test_a_guest_that_raises_ends_it_with_one_error_that_carries_the_report():
    async def sometimes(cpu):
        if await cpu.load(X):
            raise ValueError("unlucky")

    program = Program("raises", isa="x86", threads=[sometimes, locked_adder], init={X: 0})
    with pytest.raises(GuestError) as caught:
        explore(program, seed=2, executions=100, scheduler="random-walk")
    report = caught.value.report
    assert report.executions >= 1
    assert report.verdict == Verdict.INCONCLUSIVE
    assert any("seed 2" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_guest_that_spins_without_an_operation_is_caught_with_its_line(driver):
    async def spins(cpu):
        await cpu.load(X)
        while True:
            pass

    program = Program("spins", isa="x86", threads=[locked_adder, spins])
    with pytest.raises(GuestSpinError) as caught:
        explore(program, Machine(limits=Limits(spin_seconds=0.2)), driver=driver)
    assert caught.value.vcpu == "1"
    assert caught.value.where.startswith(__file__)


@pytest.mark.parametrize("options", [{}, {"coverage": True}, {"check_determinism": True}])
def test_a_scheduler_that_breaks_its_contract_is_named_through_whatever_wraps_it(options):
    class Careless(Scheduler):
        def choose(self, offer):
            return "the first"

    with pytest.raises(SchedulerError, match="Careless"):
        explore(SAFE, scheduler=Careless(), **options)


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize("method", ["start", "choose", "choose_value", "finish", "profile"])
def test_a_scheduler_that_raises_is_named_with_the_line_and_what_was_found_is_kept(method, driver):
    class Raises(Scheduler):
        executions = 0

        def do(self, name, result=None):
            if (name, self.executions) == (method, 2):
                raise KeyError("oops")
            return result

        def start(self, info):
            self.do("start")

        def choose(self, offer):
            return self.do("choose", offer.candidates[0])

        def choose_value(self, offer, arity):
            return self.do("choose_value", 0)

        def finish(self, trace):
            self.do("finish")
            self.executions += 1

        def profile(self):
            return self.do("profile", {})

    async def chooses(cpu):
        await cpu.choose(2)
        await cpu.load(X)

    program = Program("chooses", isa="x86", threads=[chooses], init={X: 0})
    with pytest.raises(SchedulerError, match=rf"Raises\.{method} raised KeyError.*{__file__}") as caught:
        explore(program, scheduler=Raises(), driver=driver)
    assert caught.value.report.executions == 2


def test_an_interrupt_while_an_execution_is_being_made_leaves_nothing_that_python_warns_about():
    """The guests' coroutines are there when the memory is asked, and have not begun."""

    class Impatient(ScMemory):
        @property
        def buffers_stores(self):
            raise KeyboardInterrupt

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(Interrupted) as caught:
            explore(RACY, Machine(host=Impatient))
        gc.collect()
    assert caught.value.report.interrupted
    assert not warned


def test_an_interrupt_between_making_an_execution_and_its_first_step_leaves_no_warning_either(monkeypatch):
    """The execution is a cycle of objects, which Python frees later."""

    def interrupted(execution):
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "run_inline", interrupted)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(Interrupted):
            explore(RACY)
        gc.collect()
    assert not warned


def test_a_scheduler_that_cannot_say_whether_it_is_through_is_named_too():
    class Undecided(Scheduler):
        @property
        def exhausted(self):
            raise KeyError("oops")

        def choose(self, offer):
            return offer.default

    with pytest.raises(SchedulerError, match=r"Undecided\.exhausted"):
        explore(SAFE, scheduler=Undecided)


def test_a_predicate_that_raises_is_the_schedulers_mistake():
    with pytest.raises(SchedulerError, match="KeyError"):
        explore(SAFE, scheduler=("surw", {"interesting": lambda op: {}["oops"]}))


def test_a_class_of_schedulers_stands_for_a_new_one():
    walk = plugins.resolve(plugins.SCHEDULERS, "random-walk")
    outcomes = [explore(SAFE, scheduler=one, executions=50).outcomes for one in (walk, walk(), "random-walk")]
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_a_scheduler_that_gives_up_everything_is_told_so():
    """The commonest mistake: a `choose` without its `return`."""

    class Forgetful(Scheduler):
        def choose(self, offer):
            offer.candidates[0]

    report = explore(SAFE, scheduler=Forgetful, executions=5)
    assert report.verdict == "inconclusive"
    assert "None" in report.reason


def test_progress_is_told_of_the_exploration_and_at_the_end():
    seen = []
    explore(SAFE, scheduler="dfs", progress=lambda exploration: seen.append(exploration.report().executions))
    assert seen[-1] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"executions": 0},
        {"executions": -1},
        {"executions": 1.5},
        {"seed": "7"},
        {"seconds": 0},
        {"failures": 0},
        {"driver": "asyncio"},
        {"scheduler": "random-wlak"},
        {"scheduler": "dfs:depth=3"},
        {"scheduler": 3},
        {"scheduler": object},
        {"scheduler": "pos:fair=maybe"},
        {"scheduler": "scripted"},
        {"scheduler": "dpor:memory_limit=1.5"},
    ],
)
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(UsageError):
        explore(SAFE, **arguments)


def test_only_programs_are_explored():
    with pytest.raises(UsageError):
        explore("safe")  # type: ignore[arg-type]  # the mistake under test


def test_a_report_is_plain_data_too():
    report = explore(RACY, scheduler="dfs", failures=None)
    data = json.loads(json.dumps(report.as_dict()))
    assert data["verdict"] == "violated"
    assert data["executions"] == 6
    assert sum(item["count"] for item in data["outcomes"]) == 6
    assert len(data["failures"]) == 4
    assert data["statistics"]["longest"] == 4
    assert data["statistics"]["executions_per_second"] > 0


def test_a_scheduler_is_a_name_a_name_with_options_or_an_object():
    for choice in ("dfs", "dfs:preemptions=none", ("dfs", {"preemptions": None}), Spec("dfs")):
        assert explore(SAFE, scheduler=choice).verdict == Verdict.HOLDS
    assert explore(SAFE, scheduler=Interrupting(), executions=2).executions == 2


def test_specifications_read_numbers_words_and_text():
    spec = Spec.of("s:a=1,b=0x10,c=true,d=none,e=1.5,f-g=text")
    assert spec.options == {"a": 1, "b": 16, "c": True, "d": None, "e": 1.5, "f_g": "text"}
    assert Spec.of(str(spec)) == spec
    for bad in ("s:a", "s:1=2", 5):
        with pytest.raises(UsageError):
            Spec.of(bad)


def test_unknown_names_say_what_is_known():
    with pytest.raises(UnknownNameError) as caught:
        explore(SAFE, scheduler="dsf")
    assert "dfs" in caught.value.known


def test_the_facade_has_what_it_lists_and_nothing_else():
    for name in simaie.__all__:
        assert getattr(simaie, name) is not None
    assert set(simaie.__all__) <= set(dir(simaie))
    with pytest.raises(AttributeError):
        simaie.nonsense  # noqa: B018 - the access is what is tested
