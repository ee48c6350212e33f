"""Schedulers on hosts with store buffers: drains are candidates like any other, and no preemptions."""

from __future__ import annotations

import pytest
from simaie_schedulers.pct import Pct

from simaie import Machine, explore
from simaie.corpus.barriers import litmus
from simaie.op import Kind

RANDOM = ["random-walk", "pct:depth=1", "pct:depth=2", "pos", "urw", "surw", "portfolio", "coverage-guided"]
MP = litmus("mp", "x86", "nothing", "mp")
SB = litmus("sb", "x86", "nothing", "sb")


@pytest.mark.parametrize("scheduler", RANDOM)
def test_every_random_scheduler_finds_store_buffering_on_tso(scheduler):
    report = explore(SB, Machine(host="tso"), scheduler=scheduler, executions=300, seed=1)
    assert report.failures
    assert not explore(SB, Machine(host="sc"), scheduler=scheduler, executions=300, seed=1).failures


@pytest.mark.parametrize("scheduler", RANDOM)
def test_every_random_scheduler_finds_message_passing_broken_on_pso(scheduler):
    assert explore(MP, Machine(host="pso"), scheduler=scheduler, executions=2_000, seed=1).failures
    assert not explore(MP, Machine(host="tso"), scheduler=scheduler, executions=300, seed=1).failures


def test_pct_finds_a_bug_of_depth_one_in_as_many_executions_as_its_bound_says():
    """With n = 4 actors (two vCPUs, two buffers) PCT promises 1/4. SB breaks if the vCPU that goes second is above the
    buffer of the first: one of the six orders of these three, whichever vCPU is first, so 1/3. Of 600 executions that
    is 200 with a standard deviation of 11.5; fewer than 150 would be out by more than four of these."""
    report = explore(SB, Machine(host="tso"), scheduler=Pct(depth=1), executions=600, seed=3, failures=None)
    assert report.failing >= 150


def test_a_seed_replays_on_a_weak_host(tmp_path):
    """Drains are part of the recorded schedule."""
    from simaie import replay

    report = explore(SB, Machine("aie-rfc", host="tso"), executions=300, seed=1)
    failure = report.failures[0]
    drains = [event for event in failure.trace.events if event.actor.endswith("~")]
    assert len(drains) == 2
    assert all(event.op.kind is Kind.STORE and event.instruction is not None for event in drains)
    again = replay(failure.save(tmp_path / "sb.json"), program=SB)
    assert again.trace.digest == failure.trace.digest


def test_the_report_counts_drains_as_no_preemptions():
    report = explore(SB, Machine(host="tso"), scheduler="dfs", coverage=True)
    assert report.statistics.coverage.most_preemptions <= 2
