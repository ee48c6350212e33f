"""Explorations in several processes have the report of one process, whatever happens to the workers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from simaie_schedulers.coverage_guided import CoverageGuided
from simaie_schedulers.random_walk import RandomWalk

from simaie import Machine, Program, Report, explore
from simaie.errors import GuestError, Interrupted, NondeterminismError, UsageError
from simaie.exploration.in_progress import Exploration
from simaie.exploration.ranges import Ranges
from simaie.exploration.workers import Pool
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler

#: What depends on the time, or on the processes themselves.
_OTHER = ("seconds", "executions_per_second", "engine_note", "processes", "processes_note")
X, Y = 0x40, 0x80


async def adder(cpu: Any) -> None:
    for _ in range(2):
        await cpu.store(X, await cpu.load(X) + 1)


async def waiter(cpu: Any) -> None:
    while not await cpu.load(Y):
        await cpu.pause()


async def waker(cpu: Any) -> None:
    await cpu.add(X, 1)
    await cpu.store(Y, 1)


LOST = Program("lost", isa="x86", threads=[adder] * 3, watch={X: 4}, final=lambda state: state[X] > 3)
SPINNING = Program("spinning", isa="x86", threads=[waiter, waker, waiter], watch={X: 4})
STRATEGIES = ["random-walk", "pct:depth=2", "pos", "urw", "surw", "portfolio"]


def facts(report: Report) -> dict[str, Any]:
    """Everything that does not depend on time and processes."""
    found = report.as_dict()
    found["statistics"] = {name: value for name, value in found["statistics"].items() if name not in _OTHER}
    return found | {"kept": [kept(failure) for failure in report.kept]}


def kept(failure: Any) -> tuple[Any, ...]:
    return failure.seed, failure.index, failure.trace.digest, dict(failure.profile), failure.scheduler


def explored(program: Program, jobs: int, **options: Any) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """The facts of an exploration, and the failures that it told in their order."""
    told: list[tuple[Any, ...]] = []
    report = explore(program, jobs=jobs, found=lambda failure: told.append(kept(failure)), **options)
    assert report.statistics.processes == jobs
    return facts(report), told


@pytest.mark.untraced
@pytest.mark.one_in(4)
@pytest.mark.parametrize("scheduler", STRATEGIES)
@pytest.mark.parametrize("failures", [1, 3, None])
def test_a_sample_is_the_same_with_any_number_of_processes(scheduler: str, failures: int | None) -> None:
    options = {"scheduler": scheduler, "failures": failures, "executions": 300, "coverage": failures != 3, "seed": 5}
    one = explored(LOST, 1, **options)
    assert one[1]
    assert explored(LOST, 2 + (failures is None), **options) == one


@pytest.mark.untraced
@pytest.mark.parametrize("scheduler", ["pct", "portfolio"])
def test_what_a_scheduler_learns_reaches_all_processes(scheduler: str) -> None:
    """The longest execution is found late, so that workers have begun with another length."""
    options = {"scheduler": scheduler, "executions": 1500, "coverage": True}
    assert explored(SPINNING, 3, **options) == explored(SPINNING, 1, **options)


@pytest.mark.untraced
@pytest.mark.parametrize("size", [8, 40])
def test_executions_after_the_last_failure_do_not_count(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other executions of its piece may have run after it in a worker."""
    monkeypatch.setattr(Ranges, "_adapt", lambda self, explored: setattr(self, "_size", size))
    for failures in (20, 21):
        options = {"scheduler": "pct:depth=2", "executions": 600, "failures": failures}
        assert explored(LOST, 2, **options) == explored(LOST, 1, **options)


def test_the_driver_and_the_determinism_check_change_nothing() -> None:
    options = {"executions": 300, "failures": 2, "scheduler": "portfolio"}
    for more in ({"driver": "trio"}, {"check_determinism": True}):
        assert explored(LOST, 2, **options, **more) == explored(LOST, 1, **options, **more)


# -- what cannot be split ------------------------------------------------------------------------------


class Counting(RandomWalk):
    """A scheduler with a state of its own: every other execution takes the last candidate."""

    executions = 0

    def start(self, info: ExecutionInfo) -> None:
        super().start(info)
        self.executions += 1

    def choose(self, offer: Offer) -> Candidate:
        return offer.candidates[-1] if self.executions % 2 else super().choose(offer)


@pytest.mark.untraced
@pytest.mark.parametrize("scheduler", [Counting, CoverageGuided, "dfs", "round-robin"])
def test_what_cannot_be_split_runs_in_one_process(scheduler: type[Scheduler] | str) -> None:
    options = {"executions": 300, "failures": None}
    one, two = (explore(LOST, scheduler=scheduler, jobs=jobs, **options) for jobs in (1, 2))
    assert facts(one) == facts(two)
    assert (one.statistics.processes_note, two.statistics.processes) == ("", 1)
    assert two.statistics.processes_note


@pytest.mark.parametrize("jobs", [0, -1, True, 1.5, "many", None])
def test_the_number_of_jobs_is_checked(jobs: Any) -> None:
    with pytest.raises(UsageError, match="jobs"):
        explore(LOST, jobs=jobs)


def test_auto_is_one_process_for_each_core() -> None:
    report = explore(LOST, jobs="auto", executions=10)
    assert report.statistics.processes == len(os.sched_getaffinity(0))


# -- what happens to workers -----------------------------------------------------------------------------


def kill_workers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the next three workers that are waited for killed; return the list of their process numbers."""
    killed: list[int] = []
    hear = Pool.hear

    def heard(self: Pool[Any, Any], seconds: float | None = None) -> None:
        hear(self, seconds)
        if len(killed) < 3 and self._workers:
            process = self._workers[0].process
            killed.append(process.pid)
            process.kill()

    monkeypatch.setattr(Pool, "hear", heard)
    return killed


@pytest.mark.untraced
def test_a_worker_that_dies_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"executions": 600, "failures": 200, "scheduler": "portfolio"}
    one = explored(LOST, 1, **options)
    killed = kill_workers(monkeypatch)
    assert explored(LOST, 2, **options) == one
    assert len(killed) == 3


def test_executions_at_which_all_workers_die_run_here() -> None:
    here = os.getpid()

    async def deadly(cpu: Any) -> None:
        if os.getpid() != here:
            os._exit(1)
        await adder(cpu)

    program = Program("deadly", isa="x86", threads=[deadly, adder], watch={X: 4}, final=lambda state: state[X] > 1)
    options: dict[str, Any] = {"executions": 200, "failures": None, "scheduler": "pos"}
    assert explored(program, 2, **options) == explored(program, 1, **options)


@pytest.mark.untraced
def test_ctrl_c_keeps_the_executions_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The executions that are kept are the first ones, without a gap."""
    attend = Ranges.attend
    calls = []

    def interrupted(self: Ranges) -> Any:
        calls.append(self)
        if len(calls) == 70:
            raise KeyboardInterrupt
        return (yield from attend(self))

    monkeypatch.setattr(Ranges, "attend", interrupted)
    options: dict[str, Any] = {"failures": None, "scheduler": "portfolio", "coverage": True}
    with pytest.raises(Interrupted) as caught:
        explore(LOST, jobs=2, executions=100_000, **options)
    report = caught.value.report
    assert 64 < report.executions < 100_000
    found, whole = facts(report), facts(explore(LOST, executions=report.executions, **options))
    differing = {name for name in whole if whole[name] != found[name]}
    assert differing == {"interrupted"}


def test_an_error_of_a_guest_is_that_of_one_process() -> None:
    async def wrong(cpu: Any) -> None:
        if [await cpu.load(X) for _ in range(9)] == [0, 0, 1, 1, 1, 1, 2, 2, 2]:
            raise ValueError("rare")

    program = Program("wrong", isa="x86", threads=[adder, wrong], watch={X: 4})
    ends = []
    for jobs in (1, 2):
        with pytest.raises(GuestError, match="rare") as caught:
            explore(program, jobs=jobs, scheduler="random-walk", seed=1)
        ends.append((str(caught.value), caught.value.__notes__, facts(caught.value.report)))
    assert ends[0] == ends[1]
    assert ends[0][2]["executions"] > 64


def test_an_error_that_only_workers_meet_is_no_result() -> None:
    here = os.getpid()

    async def elsewhere(cpu: Any) -> None:
        await adder(cpu)
        if os.getpid() != here:
            raise ValueError("elsewhere")

    with pytest.raises(NondeterminismError, match="elsewhere"):
        explore(Program("elsewhere", isa="x86", threads=[elsewhere, adder]), jobs=2, scheduler="pos", executions=500)


def test_a_failure_that_is_none_here_is_no_result() -> None:
    here = os.getpid()

    async def elsewhere(cpu: Any) -> None:
        await cpu.store(X, os.getpid() != here)

    program = Program("elsewhere", isa="x86", threads=[elsewhere, adder], final=lambda state: os.getpid() == here)
    with pytest.raises(NondeterminismError):
        explore(program, jobs=2, scheduler="pos", executions=500)


def test_a_limit_of_time_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over when workers have contributed executions, however slow the machine is."""
    monkeypatch.setattr(Exploration, "is_out_of_time", lambda self: self.statistics.executions > 64)
    report = explore(LOST, jobs=2, scheduler="pos", failures=None, executions=10**9, seconds=0.5)
    assert report.executions > 64
    assert report.statistics.seconds < 20


@pytest.mark.untraced
def test_user_files_reach_the_workers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from simaie.schemes.native import Native\n\n\nclass Mine(Native):\n    '''Native under another name.'''\n\n"
        "    name = 'mine'\n"
    )
    machine = Machine(f"{tmp_path / 'mine.py'}:Mine")
    options: dict[str, Any] = {"machine": machine, "executions": 400, "failures": None}
    assert explored(LOST, 2, **options) == explored(LOST, 1, **options)


def test_the_profile_is_restored_at_any_time() -> None:
    """As `Scheduler.by_profile` promises: also an earlier profile, after a later one."""
    from simaie import plugins

    for name in plugins.names(plugins.SCHEDULERS):
        kind = plugins.resolve(plugins.SCHEDULERS, name)
        if not vars(kind).get("by_profile"):
            continue
        made = kind()
        first: Mapping[str, Any] = made.profile()
        explore(LOST, scheduler=made, executions=20, failures=None)
        later = made.profile()
        made.restore(first)
        assert made.profile() == first
        made.restore(later)
        assert made.profile() == later
