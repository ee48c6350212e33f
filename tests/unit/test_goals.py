"""Goals of guests: ``cpu.sometimes`` and ``cpu.reachable`` are counted in every search, and reports name the others."""

from __future__ import annotations

import dataclasses
import json

import pytest
from msgspec.structs import replace

import simaie
from simaie import Machine, Program, plugins
from simaie.errors import UsageError
from simaie.exploration.estimates import Interval
from simaie.exploration.examples import MOST_SWITCHES, score_of
from simaie.exploration.probes import SizeEstimate
from simaie.replaying.run import run
from simaie.show.report_view import report_view
from simaie.show.trace_json import trace_document

X = 0x1000


async def _adds(cpu):
    tries, again = 0, True
    while again:
        tries += 1
        old = await cpu.ldrex(X)
        again = await cpu.strex(X, old + 1)
    cpu.sometimes("retried", tries > 1)
    cpu.sometimes("three tries", tries == 3)
    if old == 7:
        cpu.reachable("seven")


def _made(*threads, **more):
    return Program("goals", isa="arm", threads=threads or (_adds, _adds), init={X: 0}, **more)


def _explored(program, scheduler="dpor", **options):
    return simaie.explore(program, Machine("cas"), scheduler=scheduler, **options)


def _script(schedule):
    return plugins.resolve(plugins.SCHEDULERS, "scripted")(schedule)


def test_names_that_are_written_out_are_known_before_a_run():
    """The names are in the code of the program, also in functions that it calls; others are declared."""

    async def computes(cpu):
        cpu.reachable("".join(["a", "b"]))
        await _adds(cpu)

    assert _made().goals == ("retried", "three tries", "seven")
    assert _made(computes, goals=["ab"]).goals == ("ab", "retried", "three tries", "seven")


def test_a_complete_search_counts_the_goals():
    """Of the four traces of two loops, one vCPU tries twice in two, and none tries three times."""
    report = _explored(_made())
    counts = {goal.name: (goal.happened, goal.reached) for goal in report.goals}
    assert report.complete
    assert counts == {"retried": (2, 4), "three tries": (0, 4), "seven": (0, 0)}
    assert [goal.name for goal in report.unmet_goals] == ["three tries", "seven"]
    assert json.loads(json.dumps(report.as_dict()["goals"][1]))["reached"] == 4


@pytest.mark.parametrize("scheduler", ["dpor", "dfs", "random-walk"])
def test_the_first_execution_replays(scheduler):
    """The schedule of a goal leads to an execution in which it happens."""
    goal = _explored(_made(), scheduler, executions=40).goals[0]
    script = ("scripted", {"schedule": goal.schedule.text})
    again = _explored(_made(), script, executions=1).goals[0]
    assert again.happened == 1
    assert goal.execution is not None


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_both_drivers_record_the_goals(driver):
    """The trace of one execution has the goals, and so has its JSON."""
    trace = run(_made(), Machine("cas"), _script("1@1"), driver=driver)
    assert trace.goals == {"retried": True, "three tries": False}
    assert trace_document(trace)["goals"] == {"retried": True, "three tries": False}


def test_the_memo_counts_as_the_reference_engine_does():
    """The trio driver, which has no memo, counts the same in the same executions."""
    reports = [_explored(_made(), "random-walk", executions=60, driver=driver) for driver in ("inline", "trio")]
    assert reports[0].goals == reports[1].goals


def test_graphs_have_goals():
    """On a host of execution graphs a goal happens if a weak outcome is there."""

    async def one(cpu):
        await cpu.str_(X, 1)
        value = await cpu.ldr(X + 16)
        cpu.sometimes("both old", value == 0 and cpu.name == "0")

    program = _made(one)
    report = simaie.explore(program, Machine(host="armv8"), scheduler="dpor")
    assert [(goal.happened, goal.schedule) for goal in report.goals] == [(1, None)]


def test_a_condition_orders_nothing():
    """On a weak host a condition adds no control dependency: load buffering stays possible."""

    def side(mine, other):
        async def thread(cpu):
            seen = await cpu.ldr(mine)
            cpu.sometimes("seen", seen == 1)
            await cpu.str_(other, 1)
            cpu.observe("seen", seen)

        return thread

    program = _made(side(X, X + 16), side(X + 16, X))
    report = simaie.explore(program, Machine(host="armv8"), scheduler="dpor")
    assert {"0:seen": 1, "1:seen": 1} in [
        {name: value for name, value in outcome.items if name[0] != "["} for outcome in report.outcomes
    ]


def test_a_goal_is_no_step():
    """A guest with goals has the same executions as one without."""

    async def bare(cpu):
        await cpu.ldr(X)

    async def stating(cpu):
        await cpu.ldr(X)
        cpu.reachable("here")

    first, second = (run(_made(thread), Machine("cas"), _script("")) for thread in (bare, stating))
    assert first.digest == second.digest


def test_several_processes_count_the_same():
    """A worker's executions are counted as this process counts them, with the same first execution and example."""
    one, two = (_explored(_made(), "random-walk", executions=300, jobs=jobs) for jobs in (1, 2))
    assert one.goals == two.goals
    assert one.example_schedule == two.example_schedule


def test_wrong_goals_are_refused():
    """A name is a text, a condition is a truth value, and nothing else."""

    async def unawaited(cpu):
        cpu.sometimes("x", [])

    async def nameless(cpu):
        cpu.reachable("")

    with pytest.raises(UsageError, match="the condition of the goal 'x'"):
        _explored(_made(unawaited))
    for wrong in (1, ""):
        with pytest.raises(UsageError, match="a goal of program"):
            _made(goals=[wrong])
    with pytest.raises(UsageError, match="a goal needs a name"):
        _explored(_made(nameless))


def test_the_report_shows_unmet_goals():
    """Each goal that never happened has a line of its own; met goals are only counted."""
    report = _explored(_made())
    lines = [line.plain for line in report_view(report)]
    assert sum("never happened" in line for line in lines) == len(report.unmet_goals)


# -- examples ----------------------------------------------------------------------------------------


def test_a_pass_has_an_example(tmp_path):
    """Of the executions without a failure it is the first with the most switches, and it is saved as a failure is."""
    report = _explored(_made(), "random-walk", executions=40)
    example = report.example
    assert example.trace.schedule == report.example_schedule
    assert example.trace.deviations == 3
    again = simaie.replay(example.save(tmp_path / "example.json"), program=report.program)
    assert (again.trace.digest, again.findings) == (example.trace.digest, ())


def test_more_switches_make_a_better_example_up_to_a_limit():
    """Beyond the limit an execution is the harder to read the more it switches."""
    ranked = [MOST_SWITCHES + 9, MOST_SWITCHES + 1, 0, 1, MOST_SWITCHES]
    assert sorted(ranked, key=score_of) == ranked


def test_an_execution_that_fails_is_no_example():
    """If all executions fail, there is no example."""
    report = _explored(_made(final=lambda state: False), failures=None)
    assert (report.failing, report.example) == (4, None)


# -- what was not seen -------------------------------------------------------------------------------


def test_coverage_says_for_how_long_nothing_was_new():
    """The last new trace of the sample came in execution 6 of 60."""
    coverage = _explored(_made(), "random-walk", executions=60, coverage=True).statistics.coverage
    assert (coverage.traced, coverage.traces, coverage.since_new) == (60, 4, 54)


def test_pct_says_beyond_which_depth_it_did_not_look():
    """The reason of a pass names the depth."""
    assert "depth more than 2" in _explored(_made(), "pct:depth=2", executions=5).reason
    assert "depth more than 2" in _explored(_made(), "pct:depth=2", executions=10**9, seconds=0.01).reason


def test_an_unfinished_dpor_estimates_what_is_left():
    """Two of an estimated 32 executions ran, two in a second: 30 are left, in 15 seconds; if there are 50, in 24."""
    report = _explored(_made(), "dpor", executions=2, coverage=True)
    size = SizeEstimate("traces", Interval(32, 20, 50), 9, 9, 0)
    figures = report.statistics
    figures = replace(figures, coverage=replace(figures.coverage, sizes=(size,)), executions_per_second=2.0)
    unfinished = dataclasses.replace(report, statistics=figures)
    assert (unfinished.executions_left, unfinished.seconds_left, unfinished.most_seconds_left) == (30, 15, 24)
    shown = unfinished.as_dict()
    assert (shown["executions_left"], shown["seconds_left"]) == (30, 15)
    for other in ({"complete": True}, {"scheduler": "dfs"}, {"failing": 1}, {"statistics": report.statistics}):
        assert dataclasses.replace(unfinished, **other).executions_left is None
    html = unfinished._repr_html_()
    assert "32 traces in all" in html
