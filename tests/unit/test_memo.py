"""The memo: what tells results apart, what identifies cells, what it refuses to remember, and its bounds."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from memo_runs import agree, info, side_by_side
from mutants import PlainInsertion
from simaie_schedulers.random_walk import RandomWalk

import simaie
from simaie import Machine, Program, explore, ins
from simaie.engine.memo import host, memo, node, runner
from simaie.engine.memo.changed_names import VariablesOfGuests
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.quick import make_memo_execution
from simaie.engine.memo.run import Deviation, run_memo
from simaie.engine.memo.shared import SharedState
from simaie.errors import GuestError, NondeterminismError
from simaie.exploration.canonical import trace_digest
from simaie.exploration.engines import MEMO_SWITCH, Engines
from simaie.host.pages import Page
from simaie.machine import Limits
from simaie.schemes.native import Native

X, Y = 0x100, 0x140


def program(*threads: Any, name: str = "test", **options: Any) -> Program:
    options.setdefault("watch", {X: 4, Y: 4})
    return Program(name, isa="x86", threads=list(threads), **options)


async def add(cpu: Any) -> None:
    await cpu.store(X, await cpu.load(X) + 1)


async def locked_add(cpu: Any) -> None:
    await cpu.lock_add(X, 1)


def memo_of(made: Program, machine: Machine, executions: int = 20) -> Memo:
    """The memo after some executions, which are compared with the reference engine's."""
    found = Memo(made, machine, SharedState(made))
    for one, other in side_by_side(made, machine, "random-walk", executions, found):
        assert one.digest == other.digest
    return found


# -- results and identities -------------------------------------------------------------------------------


def test_results_that_code_can_tell_apart_have_different_keys():
    same = [1, True, "1", b"1", (1,), (True,), None, 0, False, 1.0, [1], [1], Page(0), Page(4096)]
    keys = [node.key_of(value) for value in same]
    assert all(a != b for a, b in itertools.combinations(keys, 2))
    assert node.key_of((1, ("a", None))) == node.key_of((1, ("a", None)))
    assert node.key_of(Page(4096)) == node.key_of(Page(4096))


class Flags(Native):
    """A locked instruction stores True or 1 in a cell, by the value; an exception looks which it is."""

    name = "flags"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.flag = self.host.cell("flag", 0)

    async def atomic_rmw(self, cpu: Any, address: int, width: int, function: Any) -> int:
        await self.flag.store(True if cpu.identity else 1)
        return 0

    async def exception(self, cpu: Any, cause: str) -> None:
        if await self.flag.load() is True:
            await self.host.store(Y, 4, 1)


async def looks_at_the_flag(cpu: Any) -> None:
    await cpu.exception()


FLAGS = program(locked_add, locked_add, looks_at_the_flag)


def test_an_edge_knows_the_type_of_its_result():
    agree(FLAGS, Machine(Flags), "random-walk", 40)


def test_a_key_without_the_type_is_noticed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("simaie.engine.memo.execution.key_of", lambda value: value)
    with pytest.raises(AssertionError):
        agree(FLAGS, Machine(Flags), "random-walk", 40)


LOST_ENTRY = program(locked_add, locked_add)


@pytest.mark.untraced
def test_cells_that_racers_make_are_different_ones():
    """The tree publishes by a plain store, so each vCPU locks an entry of its own, and an update can be lost."""
    agree(LOST_ENTRY, Machine(PlainInsertion, address_bits=12), "dfs", 400)
    report = explore(LOST_ENTRY, Machine(PlainInsertion, address_bits=12), scheduler="random-walk", executions=400)
    assert report.failing


def test_cells_known_by_name_alone_are_noticed(monkeypatch: pytest.MonkeyPatch):
    cells: dict[str, Any] = {}

    def by_name(self: Any, name: str, make: Any) -> Any:
        found = cells.setdefault(name, make())
        self._know(found)
        return found

    monkeypatch.setattr(host.MemoHost, "_cell", by_name)
    with pytest.raises(AssertionError):
        agree(LOST_ENTRY, Machine(PlainInsertion, address_bits=12), "dfs", 400)


def test_an_instruction_that_two_futures_share_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """An instruction gets its result in one history; a node is part of many, and some are cut in the midst of it."""
    made, machine = program(locked_add, locked_add), Machine("global-lock", limits=Limits(steps=6))
    agree(made, machine, "random-walk", 40)
    monkeypatch.setattr(runner, "_pending", lambda record: record)
    with pytest.raises(AssertionError):
        agree(made, machine, "random-walk", 40)


def test_values_of_cells_that_stay_from_the_execution_before_are_noticed(monkeypatch: pytest.MonkeyPatch):
    made = program(locked_add, locked_add)
    agree(made, Machine("aie-rfc", address_bits=12), "random-walk", 20)
    monkeypatch.setattr(memo.Memo, "reset", lambda self: None)
    with pytest.raises(AssertionError):
        agree(made, Machine("aie-rfc", address_bits=12), "random-walk", 20)


# -- what a memo cannot remember ------------------------------------------------------------------------------


async def waits_in_a_loop(cpu: Any) -> None:
    for turn in range(3):
        await cpu.wait_until(X, lambda value: value == turn)  # noqa: B023 - the very closure that is tested
        await cpu.store(X, turn + 1)


async def counts_up(cpu: Any) -> None:
    for turn in range(3):
        await cpu.wait_until(X, lambda value: value >= turn)  # noqa: B023 - as above
        await cpu.load(Y)


def test_a_predicate_keeps_the_variables_that_it_had():
    found = memo_of(program(waits_in_a_loop, counts_up, counts_up), Machine(), 60)
    assert not found.given_up


async def waits_by_a_list(cpu: Any) -> None:
    limit = [1]
    await cpu.wait_until(X, lambda value: value >= limit[0])
    limit[0] = 5
    await cpu.store(Y, limit[0])


def test_a_predicate_of_a_list_ends_the_memo():
    found = memo_of(program(waits_by_a_list, add), Machine())
    assert "list" in found.given_up


class Publishes(Native):
    """A locked instruction puts a list into a cell; another one stores what it finds there."""

    name = "publishes"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.place = self.host.cell("place")

    async def atomic_rmw(self, cpu: Any, address: int, width: int, function: Any) -> int:
        held = await self.place.load()
        if held is None:
            await self.place.store([cpu.identity])
        else:
            await self.host.store(Y, 4, held[0] + 1)
        return 0


def test_an_object_of_the_schemes_own_in_a_cell_ends_the_memo():
    found = memo_of(program(locked_add, locked_add), Machine(Publishes))
    assert "list" in found.given_up


class Mutable(Native):
    """A cell begins with a list, which updates change in place."""

    name = "mutable"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lock = self.host.mutex("lock")
        self.seen = self.host.cell("seen", [], self.lock)

    async def atomic_rmw(self, cpu: Any, address: int, width: int, function: Any) -> int:
        await self.lock.lock()
        count: int = await self.seen.update("count", _append)
        await self.host.store(Y, 4, count)
        await self.lock.unlock()
        return 0


def _append(seen: list[int]) -> tuple[list[int], int]:
    seen.append(0)
    return seen, len(seen)


def test_a_cell_that_begins_with_a_list_ends_the_memo():
    found = memo_of(program(locked_add, locked_add), Machine(Mutable))
    assert "list" in found.given_up


async def starts_by_a_variable(cpu: Any) -> None:
    for turn in range(2):

        async def child(other: Any) -> None:
            await other.store(Y, turn)  # noqa: B023 - it sees what the parent has made of it

        await cpu.spawn(child)
        await cpu.load(X)


def test_a_thread_that_uses_a_variable_of_its_parent_ends_the_memo():
    found = memo_of(program(starts_by_a_variable, add), Machine())
    assert "variables of the vCPU that starts it" in found.given_up


async def collects(cpu: Any) -> None:
    results: list[int] = []

    async def child(other: Any) -> None:
        results.append(await other.load(X))

    await cpu.join(await cpu.spawn(child))
    await cpu.store(Y, results[0])


def test_a_list_that_a_thread_hands_back_ends_the_memo():
    """What the parent stores is no function of its own results."""
    found = memo_of(program(collects, add), Machine())
    assert found.given_up


async def looks_whether_it_is_done(cpu: Any) -> None:
    thread = await cpu.spawn(add)
    await cpu.load(Y)
    await cpu.store(Y, int(thread.done))


def test_a_guest_that_looks_at_a_handle_ends_the_memo():
    found = memo_of(program(looks_whether_it_is_done, add), Machine())
    assert "Thread.done" in found.given_up


def test_threads_that_use_constants_do_not_end_the_memo():
    def storing(value: int) -> Any:
        async def stores(cpu: Any) -> None:
            await cpu.store(X, value)

        return stores

    async def parent(cpu: Any) -> None:
        threads = [await cpu.spawn(storing(value)) for value in range(2)]
        for thread in threads:
            await cpu.join(thread)

    assert not memo_of(program(parent, add), Machine()).given_up


# -- hidden state ------------------------------------------------------------------------------------------------


def verdicts(made: Program, machine: Machine | None = None, **options: Any) -> dict[str, Any]:
    report = explore(made, machine, failures=None, **options)
    return {
        "verdict": report.verdict, "reason": report.reason, "outcomes": report.outcomes, "failing": report.failing,
        "statistics": {**report.as_dict()["statistics"], "seconds": 0, "executions_per_second": 0},
        "digests": [failure.trace.digest for failure in report.failures],
        "signatures": [(group.signature, group.count) for group in report.signatures],
    }  # fmt: skip


def test_a_list_that_guests_share_ends_the_memo_and_is_reported():
    shared: list[int] = []

    async def appends(cpu: Any) -> None:
        await cpu.load(X)
        shared.append(0)
        await cpu.store(X, len(shared))

    with pytest.raises(NondeterminismError):
        explore(program(appends, appends), executions=400, scheduler="random-walk", failures=None)


def test_state_that_is_not_seen_is_noticed_when_a_history_is_fed_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SharedState, "changed", lambda self: "")
    drawn = itertools.count()

    async def draws(cpu: Any) -> None:
        await cpu.load(X)
        await cpu.store(Y, next(drawn))
        await cpu.load(X)

    made = program(draws, add, add)
    found = Memo(made, Machine(), SharedState(made))
    walk = RandomWalk()

    def run_some() -> None:
        for index in range(50):
            run_memo(MemoExecution(found, walk, info(made, index)))

    with pytest.raises(Deviation) as caught:
        run_some()
    assert caught.value.vcpu == "0"
    assert caught.value.step >= 1
    assert caught.value.expected != caught.value.got


def test_an_exploration_calls_it_nondeterminism(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SharedState, "changed", lambda self: "")
    monkeypatch.setattr("simaie.exploration.histories.Histories.observe", lambda *args: None)
    drawn = itertools.count()

    async def draws(cpu: Any) -> None:
        await cpu.load(X)
        await cpu.store(Y, next(drawn))
        await cpu.load(X)

    with pytest.raises(NondeterminismError) as caught:
        explore(program(draws, add, add), executions=400, scheduler="random-walk", failures=None)
    assert caught.value.vcpu == "0"
    assert "store" in caught.value.expected


@pytest.mark.parametrize("scheduler", ["random-walk", "dpor"])
def test_one_in_so_many_executions_runs_on_both_engines(scheduler: str, monkeypatch: pytest.MonkeyPatch):
    """A memo that has learnt something wrong is found out."""
    learn = runner.Runner.advance

    def wrong(self: Any, value: Any) -> Any:
        learnt = learn(self, value)
        if learnt.op is not None and learnt.op.kind.name == "STORE" and learnt.op.value == 2:
            learnt.op = simaie.op.Op(learnt.op.kind, None, learnt.op.address, learnt.op.width, 3)
        return learnt

    monkeypatch.setattr(runner.Runner, "advance", wrong)
    with pytest.raises(NondeterminismError) as caught:
        explore(program(add, add), executions=600, scheduler=scheduler, failures=None)
    error = caught.value
    assert error.vcpu in ("0", "1")
    assert error.step is not None
    assert (str(error.expected).split()[-1], str(error.got).split()[-1]) == ("3", "2")


# -- explorations ---------------------------------------------------------------------------------------------------


@pytest.mark.one_in(2)
@pytest.mark.parametrize("scheduler", ["random-walk", "pct", "surw", "portfolio", "dfs"])
@pytest.mark.parametrize("scheme", ["native", "aie-rfc", "none"])
def test_a_report_says_the_same_with_and_without_the_memo(scheduler: str, scheme: str, monkeypatch: pytest.MonkeyPatch):
    made = program(locked_add, locked_add, add)
    options: dict[str, Any] = {"scheduler": scheduler, "executions": 50}
    machine = Machine(scheme, address_bits=12)
    with_memo = verdicts(made, machine, **options)
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert verdicts(made, machine, **options) == with_memo


@pytest.mark.parametrize("scheme", ["native", "aie-rfc", "none", "cas"])
def test_optimal_dpor_finds_the_same_with_and_without_undo(scheme: str, monkeypatch: pytest.MonkeyPatch):
    """The executions of a class may be others, and come in another order."""

    def found() -> dict[str, Any]:
        report = explore(made, Machine(scheme, address_bits=12), scheduler="dpor", failures=None, executions=2_000)
        kinds = {finding.kind for failure in report.failures for finding in failure.findings}
        return {
            "verdict": report.verdict, "complete": report.complete, "executions": report.executions,
            "outcomes": report.outcomes, "failing": report.failing, "steps": report.statistics.steps,
            "longest": report.statistics.longest, "kinds": kinds,
            "classes": {trace_digest(failure.trace) for failure in report.failures},
        }  # fmt: skip

    made = program(locked_add, add)
    with_undo = found()
    assert with_undo["complete"]
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert found() == with_undo


def test_the_memo_follows_most_executions_and_can_be_switched_off(monkeypatch: pytest.MonkeyPatch):
    def followed() -> int:
        engines = Engines(made, Machine())
        walk = RandomWalk()
        for index in range(600):
            engines.run(engines.make(walk, index), index)
        engines.close()
        return engines.followed

    made = program([ins("load", X, into="r1"), ins("store", X, 1)], [ins("store", X, 2)])
    assert followed() > 550
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert followed() == 0


def test_a_memo_with_too_many_nodes_begins_anew():
    made = program(add, add, add)
    engines = Engines(made, Machine(), most_nodes=10)
    walk = RandomWalk()
    digests = {engines.run(engines.make(walk, index), index).digest for index in range(200)}
    engines.close()
    assert engines.rebuilt > 5
    assert "10 nodes" in engines.note
    unlimited = explore(made, executions=200, scheduler="random-walk", failures=None)
    assert len(digests) > 20
    assert unlimited.executions == 200


def test_a_report_says_that_the_memo_reached_its_limit(monkeypatch: pytest.MonkeyPatch):
    made = program(add, add, add)

    def note() -> str:
        return explore(made, executions=200, scheduler="random-walk", failures=None).statistics.engine_note

    assert not note()
    monkeypatch.setattr(Engines.__init__, "__kwdefaults__", {**Engines.__init__.__kwdefaults__, "most_nodes": 10})
    assert "10 nodes" in note()


def test_a_report_says_that_the_memo_of_a_search_by_undo_reached_its_limit(monkeypatch: pytest.MonkeyPatch):
    """The search goes on with another memo: three vCPUs of a load and a store are 36 classes."""
    made = program(add, add, add)
    monkeypatch.setattr(Engines.__init__, "__kwdefaults__", {**Engines.__init__.__kwdefaults__, "most_nodes": 10})
    report = explore(made, scheduler="dpor", failures=None)
    assert (report.executions, report.complete) == (36, True)
    assert "10 nodes" in report.statistics.engine_note


@pytest.mark.untraced
def test_a_memo_to_which_most_steps_are_new_is_given_up():
    async def draws(cpu: Any) -> None:
        for _ in range(12):
            await cpu.choose(1_000)

    engines = Engines(program(draws, draws), Machine())
    walk = RandomWalk()
    for index in range(1_200):
        engines.run(engines.make(walk, index), index)
    engines.close()
    assert "were new" in engines.why_given_up
    assert engines.why_given_up in engines.note
    assert engines.followed < 1_100


def test_a_guest_that_raises_late_is_blamed_as_by_the_reference_engine(monkeypatch: pytest.MonkeyPatch):
    async def raises(cpu: Any) -> None:
        if await cpu.load(X) == 3:
            raise ValueError("three")

    made = program(raises, add, add, add)

    def message() -> str:
        with pytest.raises(GuestError) as caught:
            explore(made, executions=4_000, scheduler="random-walk", seed=5, failures=None)
        return f"{caught.value} {caught.value.__notes__} {caught.value.vcpu} {caught.value.where}"

    with_memo = message()
    monkeypatch.setenv(MEMO_SWITCH, "0")
    assert message() == with_memo


def test_failures_are_the_reference_engines(monkeypatch: pytest.MonkeyPatch):
    """What is kept of a failing execution was run again."""
    runs: list[Any] = []
    again = simaie.exploration.engines.reference
    monkeypatch.setattr("simaie.exploration.engines.reference", lambda *args: runs.append(args) or again(*args))
    made = program(add, add, final=lambda final: final.read(X) == 2)
    report = explore(made, executions=300, scheduler="random-walk", failures=None)
    assert len(runs) > 50
    assert report.failures[-1].index > 16


_count = 0


class _Holder:
    count = 0


async def assigns_a_global(cpu: Any) -> None:
    global _count
    _count += await cpu.load(X) + 1


async def assigns_an_attribute(cpu: Any) -> None:
    _Holder.count += await cpu.load(X) + 1


def _variable() -> Any:
    count = 0

    async def assigns_a_variable(cpu: Any) -> None:
        nonlocal count
        count += await cpu.load(X) + 1

    return assigns_a_variable


def _appending() -> Any:
    seen: list[int] = []

    async def appends(cpu: Any) -> None:
        seen.append(await cpu.load(X))

    return appends


async def computes_a_name(cpu: Any) -> None:
    setattr(_Holder, "co" + "unt", _Holder.count + await cpu.load(X) + 1)


@pytest.mark.parametrize("guest", [assigns_a_global, assigns_an_attribute, _variable(), _appending(), computes_a_name])
def test_every_way_to_change_what_guests_share_is_seen(guest: Any):
    made = program(guest, add)
    shared = SharedState(made)
    assert not shared.changed()
    found = Memo(made, Machine(), shared)
    run_memo(MemoExecution(found, RandomWalk(), info(made, 0)))
    found.close()
    assert shared.changed()
    assert found.given_up


def test_what_guests_share_and_change_is_named():
    made = program(_variable(), _appending(), _appending())
    variables = VariablesOfGuests(made.vcpu_code)
    assert not variables.changed()
    made.vcpu_code[2].__closure__[0].cell_contents.append(1)
    assert variables.changed() == "'seen', which the code of vCPU 2 uses"
    seen = made.vcpu_code[2]
    both = VariablesOfGuests([seen, add, seen])
    seen.__closure__[0].cell_contents.append(1)
    assert both.changed() == "'seen', which the code of vCPUs 0 and 2 uses"


def test_guests_that_assign_only_their_own_variables_are_not_read_again(monkeypatch: pytest.MonkeyPatch):
    shared = SharedState(program(add, waits_in_a_loop))
    monkeypatch.setattr(SharedState, "_read", lambda self: pytest.fail("it cannot have changed"))
    assert not shared.changed()


# -- executions that are begun again ----------------------------------------------------------------------------------


class First(RandomWalk):
    """It derives from a scheduler that draws uniformly, and does not draw."""

    def choose(self, offer: Any) -> Any:
        return offer.candidates[0]


def test_a_scheduler_that_derives_from_a_uniform_one_is_asked():
    agree(program(add, add, add), Machine(), First, 10)


class Keeps(RandomWalk):
    """A scheduler of a third party that keeps the candidates it has seen."""

    seen: list[Any] = []  # noqa: RUF012 - the test reads it

    def choose(self, offer: Any) -> Any:
        Keeps.seen.append(offer.candidates[0])
        return super().choose(offer)


def test_a_scheduler_of_a_third_party_gets_new_candidates_for_each_execution():
    Keeps.seen.clear()
    agree(program(add), Machine(), Keeps, 10)
    assert len({id(candidate) for candidate in Keeps.seen}) == 20


def test_the_first_offer_is_as_empty_as_in_the_first_execution():
    """A scheduler sees it where a vCPU begins with a local choice."""

    async def chooses(cpu: Any) -> None:
        if await cpu.choose(2):
            await cpu.store(X, 1)

    agree(program(chooses, add), Machine(), "dfs", 20)


async def fails_to_store_and_chooses(cpu: Any) -> None:
    for value in range(3):
        await cpu.strex(X, value)
        await cpu.choose(2)
        await cpu.load(Y)


def test_a_local_choice_does_not_end_the_yielding_after_a_failed_store_conditional():
    made = Program("test", isa="arm", threads=[fails_to_store_and_chooses] * 3)
    for scheduler in ("urw", "surw", "pct", "pos"):
        agree(made, Machine(), scheduler, 20)


def test_a_final_check_is_asked_after_each_execution():
    asked: list[int] = []
    made = program(add, add, final=lambda final: asked.append(final.read(X)) is None)
    explore(made, executions=300, scheduler="random-walk", failures=None)
    assert len(asked) >= 300
    assert set(asked) == {1, 2}


def test_what_an_execution_leaves_in_ram_is_noticed(monkeypatch: pytest.MonkeyPatch):
    made = program(add, locked_add, add)
    agree(made, Machine(), "random-walk", 30)
    monkeypatch.setattr(memo.Memo, "reset", lambda self: None)
    with pytest.raises(AssertionError):
        agree(made, Machine(), "random-walk", 30)


def test_executions_of_the_same_steps_share_their_trace():
    made = program(add, add)
    found, walk, before = Memo(made, Machine(), SharedState(made)), RandomWalk(), None
    traces = []
    for index in range(40):
        before = make_memo_execution(found, walk, info(made, index), before)
        traces.append(run_memo(before))
    known = traces[20:]  # in which no edge was missing
    assert len({id(trace) for trace in known}) == len({trace.digest for trace in known}) == 6
    found.close()
