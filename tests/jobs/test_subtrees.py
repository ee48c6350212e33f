"""DPOR in several processes: the executions of one process, in its order, whatever happens to the workers."""

from __future__ import annotations

import os
from typing import Any

import pytest

from simaie import Machine, Program, explore
from simaie.errors import GuestError, Interrupted, SchedulerError
from simaie.exploration import coverage, making, part, subtrees
from simaie.exploration.probes import InterleavingProbe
from simaie.exploration.subtrees import Subtrees
from simaie.protocols import Offer

from .test_ranges import X, adder, explored, facts, kill_workers

EVERY = {"scheduler": "dpor", "executions": 100_000, "failures": None}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give away everything soon, so that small searches have many parts; returns the executions of each."""
    taken: list[int] = []
    take_in = Subtrees._take_in

    def counted(self: Subtrees, undone: Any, branch: Any) -> Any:
        before = self._exploration.statistics.executions
        yield from take_in(self, undone, branch)
        taken.append(self._exploration.statistics.executions - before)

    monkeypatch.setattr(subtrees, "_FIRST", 3)
    monkeypatch.setattr(subtrees, "_STRIDE", 1)
    monkeypatch.setattr(subtrees, "_LEAST", 4)
    monkeypatch.setattr(Subtrees, "_size", lambda self, branch: 7)
    monkeypatch.setattr(Subtrees, "_take_in", counted)
    monkeypatch.setattr(making, "STEPS_BEFORE_PROBES", 40)  # the workers wait for the probes
    monkeypatch.setattr(coverage, "PROBES", 2)
    return taken


async def once(cpu: Any) -> None:
    await cpu.store(X, await cpu.load(X) + 1)


async def locked(cpu: Any) -> None:
    await cpu.lock_add(X, 1)
    await cpu.store(X + 8, await cpu.load(X))


async def parent(cpu: Any) -> None:
    child = await cpu.spawn(locked)
    await once(cpu)
    await cpu.join(child)


async def late_parent(cpu: Any) -> None:
    if await cpu.load(X) == 2:
        await cpu.spawn(locked)
    await cpu.store(X, 7)


async def mixed(cpu: Any) -> None:
    if await cpu.load(X) == 4:
        await cpu.lock_cmpxchg(X, 4, 5, width=8)
        await cpu.store(X + 4, 1)


#: 576 executions, with failures in the first branch and in later ones.
LOST = Program("lost", isa="x86", threads=[once] * 4, watch={X: 4}, final=lambda state: state[X] > 1)
PROGRAMS = {
    "violated": (LOST, "native"),
    "few": (Program("few", isa="x86", threads=[adder, adder], watch={X: 4}), "native"),
    "locked": (Program("locked", isa="x86", threads=[locked, once, once], watch={X: 4}), "aie-rfc"),
    "cas": (Program("cas", isa="x86", threads=[locked, adder, locked], watch={X: 4}), "cas"),
    "spawned": (Program("spawned", isa="x86", threads=[parent, adder], watch={X: 4}), "native"),
    "spawned late": (Program("late", isa="x86", threads=[late_parent, late_parent, adder], watch={X: 4}), "native"),
}


@pytest.mark.untraced
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_execution_comes_in_the_order_of_one_process(name: str, small_parts: list[int]) -> None:
    program, scheme = PROGRAMS[name]
    options = {**EVERY, "machine": Machine(scheme, address_bits=12), "coverage": True}
    assert explored(program, 2, **options) == explored(program, 1, **options)
    if name != "few":
        assert sum(small_parts) > 10


def test_store_buffers_have_the_same_numbers_in_every_process(small_parts: list[int]) -> None:
    program = Program("buffers", isa="x86", threads=[parent, once], watch={X: 4})
    options = {**EVERY, "machine": Machine(host="tso"), "coverage": True}
    assert explored(program, 2, **options) == explored(program, 1, **options)
    assert sum(small_parts) > 10


@pytest.mark.parametrize("failures", [1, 2, 100])
@pytest.mark.parametrize("executions", [100_000, 73])
def test_a_limit_ends_the_search_where_it_would_end(failures: int, executions: int, small_parts: list[int]) -> None:
    """The failures come late, so that workers find them."""
    options = {**EVERY, "failures": failures, "executions": executions}
    assert explored(LOST, 3, **options) == explored(LOST, 1, **options)
    assert sum(small_parts) > 5 or failures == 1


@pytest.mark.untraced
def test_executions_after_the_last_failure_do_not_count(
    monkeypatch: pytest.MonkeyPatch, small_parts: list[int]
) -> None:
    """Other executions of its part may have run after it in a worker."""
    monkeypatch.setattr(Subtrees, "_size", lambda self, branch: 23)
    for failures in (47, 50):
        options = {**EVERY, "failures": failures}
        assert explored(LOST, 2, **options) == explored(LOST, 1, **options)
    assert sum(small_parts) > 10


@pytest.mark.untraced
def test_a_worker_that_dies_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch, small_parts: list[int]) -> None:
    one = explored(LOST, 1, **EVERY)
    killed = kill_workers(monkeypatch)
    assert explored(LOST, 2, **EVERY) == one
    assert len(killed) == 3
    assert sum(small_parts) > 10


@pytest.mark.untraced
def test_what_workers_cannot_do_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part.Part, "stretch", lambda self, piece: os._exit(1))
    monkeypatch.setattr(subtrees, "_LEAST", 100)
    assert explored(LOST, 2, **EVERY) == explored(LOST, 1, **EVERY)


@pytest.mark.untraced
def test_ctrl_c_keeps_the_executions_in_order(monkeypatch: pytest.MonkeyPatch, small_parts: list[int]) -> None:
    attend = Subtrees.attend

    def interrupted(self: Subtrees) -> Any:
        if sum(small_parts) > 50:
            raise KeyboardInterrupt
        return (yield from attend(self))

    monkeypatch.setattr(Subtrees, "attend", interrupted)
    with pytest.raises(Interrupted) as caught:
        explore(LOST, jobs=2, **EVERY)
    report = caught.value.report
    found, whole = facts(report), facts(explore(LOST, **{**EVERY, "executions": report.executions}))
    assert {name for name in whole if whole[name] != found[name]} == {"interrupted"}


@pytest.mark.untraced
def test_an_error_of_a_guest_is_that_of_one_process() -> None:
    """It ends the search by undo, which then begins anew without it, and without workers."""

    async def wrong(cpu: Any) -> None:
        if [await cpu.load(X) for _ in range(4)] == [0, 1, 1, 2]:
            raise ValueError("rare")

    program = Program("wrong", isa="x86", threads=[adder, adder, wrong], watch={X: 4})
    ends = []
    for jobs in (1, 2):
        with pytest.raises(GuestError, match="rare") as caught:
            explore(program, jobs=jobs, **EVERY)
        ends.append((str(caught.value), caught.value.__notes__, facts(caught.value.report)))
    assert ends[0] == ends[1]


def test_accesses_that_overlap_in_part_end_the_search_by_undo() -> None:
    """It was not made for them, so that the search begins anew in one process."""
    program = Program("mixed", isa="x86", threads=[mixed, adder, adder], watch={X: 4})
    one, two = (explore(program, jobs=jobs, coverage=True, **EVERY) for jobs in (1, 2))
    assert facts(one) == facts(two)
    assert "some of its bytes" in two.statistics.processes_note
    assert two.statistics.coverage is not None
    assert two.statistics.coverage.traced == two.executions, "what came before is not counted twice"


def test_a_search_that_becomes_long_in_the_end_is_probed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    program = PROGRAMS["spawned"][0]
    steps = explore(program, **EVERY).statistics.steps
    monkeypatch.setattr(making, "STEPS_BEFORE_PROBES", steps)  # the last execution makes it long
    monkeypatch.setattr(coverage, "PROBES", 10)
    one, two = (explored(program, jobs, coverage=True, **EVERY) for jobs in (1, 2))
    assert one == two
    assert len(one[0]["statistics"]["coverage"]["sizes"]) == 2


def test_an_error_in_a_probe_comes_after_as_many_executions_as_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers could take the search beyond the moment at which one process is probed."""
    monkeypatch.setattr(Subtrees, "attend", lambda self: pytest.fail("the team was asked before the probes"))

    def broken(self: InterleavingProbe, offer: Offer) -> None:
        raise SchedulerError("broken")

    monkeypatch.setattr(InterleavingProbe, "choose", broken)
    monkeypatch.setattr(making, "STEPS_BEFORE_PROBES", 1_000)
    ends = []
    for jobs in (1, 2):
        with pytest.raises(SchedulerError, match="broken") as caught:
            explore(LOST, jobs=jobs, coverage=True, **EVERY)
        ends.append((caught.value.__notes__, facts(caught.value.report)))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("options", [{"check_determinism": True}, {"machine": Machine(host="pso")}, {"driver": "trio"}])
def test_a_search_without_undo_runs_in_one_process(options: dict[str, Any]) -> None:
    program = PROGRAMS["few"][0]
    one, two = (explore(program, jobs=jobs, **EVERY, **options) for jobs in (1, 2))
    assert facts(one) == facts(two)
    assert two.statistics.processes == 1
    assert two.statistics.processes_note
