"""Guests that keep or share Python state, and operations that are never awaited, are errors before a verdict."""

from __future__ import annotations

import gc
import itertools
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import trio
from scheme_parts import read_modify_write
from simaie_schedulers.dpor.search import Dpor

from simaie import Machine, Program, Scheme, explore
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.errors import NeverAwaitedError, NeverAwaitedInstructionError, NondeterminismError
from simaie.exploration.commuted import orders
from simaie.exploration.compare import compare
from simaie.exploration.histories import Histories
from simaie.protocols import ExecutionInfo

X, Y, Z = 0x1000, 0x1004, 0x1008
HERE = Path(__file__)
SCHEDULERS = ("dpor", "dfs", "random-walk")


def program(*threads: Any) -> Program:
    return Program("p", isa="x86", threads=threads, init={X: 0, Y: 0, Z: 0})


def marked(mark: str) -> str:
    """``FILE:LINE`` of the line of this file that ends with the comment `mark`."""
    lines = HERE.read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# <- {mark}")]
    return f"{HERE}:{number}"


async def stores(cpu: Any) -> None:
    await cpu.store(X, 7)


async def loads(cpu: Any) -> None:
    await cpu.load(X)


# -- guests that keep or share state ------------------------------------------------------------------------

_COUNTER = 0


def global_counter() -> list[Any]:
    async def guest(cpu: Any) -> None:
        global _COUNTER
        _COUNTER += 1
        await cpu.store(Y, _COUNTER)

    return [guest, stores]


def default_argument() -> list[Any]:
    async def guest(cpu: Any, kept: list[int] = []) -> None:  # noqa: B006 - what is tested
        kept.append(1)
        await cpu.load(Y + 4 * len(kept))

    return [guest, stores]


def closure_list() -> list[Any]:
    kept: list[int] = []

    async def guest(cpu: Any) -> None:
        kept.append(await cpu.load(Y))
        if len(kept) > 1:
            await cpu.store(Y, 1)

    return [guest, stores]


def only_observed() -> list[Any]:
    kept = itertools.count()

    async def guest(cpu: Any) -> None:
        await cpu.load(Y)
        cpu.observe("r", next(kept))

    return [guest]


def shared_list() -> list[Any]:
    """The list says which of two operations that do not conflict came first."""
    box: list[int] = []

    async def writer(cpu: Any) -> None:
        box.clear()
        await cpu.store(X, 1)
        box.append(1)

    async def reader(cpu: Any) -> None:
        await cpu.load(Y)
        if box:
            await cpu.store(Z, 1)

    return [writer, reader]


def shared_and_observed() -> list[Any]:
    box: list[int] = []

    async def writer(cpu: Any) -> None:
        box.clear()
        await cpu.store(X, 1)
        box.append(1)

    async def reader(cpu: Any) -> None:
        await cpu.load(Y)
        cpu.observe("seen", len(box))

    return [writer, reader]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(
    ("guests", "vcpu"),
    [
        (global_counter, "0"),
        (default_argument, "0"),
        (closure_list, "0"),
        (only_observed, "0"),
        (shared_list, "1"),
        (shared_and_observed, "1"),
    ],
)
def test_guests_that_keep_or_share_state_are_found(guests, vcpu, scheduler):
    with pytest.raises(NondeterminismError) as info:
        explore(program(*guests()), scheduler=scheduler, failures=None, executions=50)
    error = info.value
    assert error.report.verdict == "inconclusive"
    if scheduler != "dfs":  # which may find it first, by what it is offered, and does not say who it was
        assert error.vcpu == vcpu
        assert error.step is not None
        assert error.expected != error.got


@pytest.mark.parametrize("guests", [global_counter, closure_list, shared_list])
def test_a_comparison_finds_them_too(guests):
    with pytest.raises(NondeterminismError):
        compare(program(*guests()), "cas")


def test_dpor_compares_what_was_announced_and_not_chosen():
    """vCPU 1 is not taken again on the path that the second execution repeats, and has announced something else."""
    kept = itertools.count()

    async def another(cpu: Any) -> None:
        await cpu.store(Z + 4 * next(kept), 1)

    async def writes(cpu: Any) -> None:
        await cpu.load(Y)
        await cpu.store(X, 1)

    scheduler, made = Dpor(), program(writes, loads, another)
    run_inline(Execution(made, Machine(), scheduler, ExecutionInfo(0, 0, 3)))
    second = Execution(made, Machine(), scheduler, ExecutionInfo(0, 1, 3))
    with pytest.raises(NondeterminismError) as info:
        run_inline(second)
    error = info.value
    assert (error.vcpu, error.step) == ("2", 0)
    assert (error.expected, error.got) == (f"2: store [{Z:#x}]/4 1", f"2: store [{Z + 4:#x}]/4 1")


def test_a_failing_exploration_is_not_held_up():
    async def fails(cpu: Any) -> None:
        await cpu.load(Y)
        cpu.observe("r", next(kept))
        raise AssertionError

    kept = itertools.count()
    assert explore(program(fails), scheduler="dpor").verdict == "violated"


async def chooses(cpu: Any) -> None:
    value = await cpu.choose(2)
    await cpu.store(X, value)
    child = await cpu.spawn(loads)
    if await cpu.choose(2):
        await cpu.join(child)


async def chooses_of_one_first(cpu: Any) -> None:
    await cpu.choose(1)  # of which a scheduler is not asked
    cpu.observe("chosen", await cpu.choose(3))


async def spins(cpu: Any) -> None:
    while not await cpu.load(X):
        await cpu.pause()
    await cpu.lock_add(Y, 1)


GUESTS = [
    (chooses, chooses), (chooses_of_one_first, chooses_of_one_first), (spins, stores, loads), (loads, loads, stores),
]  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("host", ["sc", "tso"])
@pytest.mark.parametrize("guests", GUESTS)
def test_guests_that_keep_to_operations_pass(guests, host, scheduler):
    report = explore(program(*guests), Machine(host=host), scheduler=scheduler, failures=None, executions=200)
    assert report.verdict in ("holds", "inconclusive")


class MakesLocksLate(Scheme):
    """Its table of locks grows by what any vCPU stores to, and decides nothing."""

    constant_attributes = frozenset({"locks"})

    def __init__(self, host: Any, pages: Any, machine: Any, **options: Any) -> None:
        super().__init__(host, pages, machine, **options)
        self.locks: dict[int, Any] = {}

    async def store(self, cpu: Any, address: int, width: int, value: int) -> None:
        if address not in self.locks:
            self.locks[address] = self.host.mutex(f"lock {address:#x}")
        await self.locks[address].lock()
        await self.host.store(address, width, value)
        await self.locks[address].unlock()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("pauses", [True, False])
def test_a_spin_is_one_whatever_a_table_that_is_declared_constant_has_grown_by(scheduler, pauses):
    async def waits(cpu: Any) -> None:
        while not await cpu.load(X):
            if pauses:
                await cpu.pause()

    async def writes(cpu: Any) -> None:
        for address in (Z, Y, X):
            await cpu.store(address, 1)

    report = explore(program(waits, writes), Machine(MakesLocksLate), scheduler=scheduler, executions=3_000)
    assert report.verdict == ("inconclusive" if scheduler == "random-walk" else "holds")


def test_a_later_thread_with_another_identity_may_do_otherwise():
    """Identities are handed out in the order of spawning, which is no result of the child's."""

    async def child(cpu: Any) -> None:
        await cpu.store(Y, cpu.identity)

    async def parent(cpu: Any) -> None:
        await cpu.join(await cpu.spawn(child))
        await cpu.spawn(child)

    assert explore(program(parent, parent), scheduler="dpor", failures=None).verdict == "holds"


def test_guests_that_await_trio_may_share_its_objects():
    def guests() -> list[Any]:
        times = itertools.count()

        async def sender(cpu: Any) -> None:
            await trio.sleep(1)
            await cpu.store(X, 1)
            next(times)

        return [sender, sender]

    report = explore(program(*guests()), driver="trio", scheduler="random-walk", executions=20)
    assert report.verdict == "inconclusive"


def test_orders_are_equivalent_and_differ():
    trace = run_inline(Execution(program(spins, stores, loads), Machine(), Dpor(), ExecutionInfo(0, 0, 3)))
    original = [event.actor for event in trace.events]
    found = list(orders(trace))
    assert found
    for order in found:
        assert order != original
        assert sorted(order) == sorted(original)


def test_the_table_is_bounded(monkeypatch):
    from simaie.exploration import histories

    monkeypatch.setattr(histories, "_MOST_POINTS", 10)
    table = Histories()
    report = explore(program(loads, stores, spins), scheduler="dfs", failures=None)
    assert report.verdict == "holds"
    assert table._points <= 10


# -- what is never awaited ------------------------------------------------------------------------------------


async def forgets(cpu: Any) -> None:
    await cpu.load(X)
    cpu.store(X, 1)  # <- instruction
    await cpu.load(Y)


async def helper(cpu: Any) -> None:
    await cpu.load(X)


async def forgets_its_own(cpu: Any) -> None:
    helper(cpu)  # <- own helper
    await cpu.load(Y)


async def keeps_it(cpu: Any) -> None:
    value = cpu.load(X)  # <- kept
    if value is not None:
        await cpu.store(Y, 1)


class Forgetful(Scheme):
    """Forgets an await in each kind of access."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lock = self.host.mutex("lock")
        self.cell = self.host.cell("cell", 0)

    async def store(self, cpu, address, width, value):
        await self.lock.lock()
        await self.host.store(address, width, value)
        self.lock.unlock()  # <- unlock

    async def load(self, cpu, address, width):
        if self.cell.load():  # <- truth of an operation
            return 1
        return await self.host.load(address, width)

    async def atomic_rmw(self, cpu, address, width, function):
        self._mark()  # <- coroutine
        return await read_modify_write(self, address, width, function)

    async def _mark(self):
        await self.cell.store(1)

    def cmpxchg(self, cpu, address, width, expected, new):
        self.host.fence()  # <- beside
        return self.host.compare_and_swap(address, width, expected, new)


async def adds(cpu: Any) -> None:
    await cpu.lock_add(X, 1)


async def swaps(cpu: Any) -> None:
    await cpu.lock_cmpxchg(X, 0, 1)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize(
    ("guest", "mark"), [(forgets, "instruction"), (forgets_its_own, "own helper"), (keeps_it, "kept")]
)
def test_an_instruction_that_is_not_awaited_is_the_guests_error(guest, mark, driver, scheduler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one clear error, and no warning beside it
        with pytest.raises(NeverAwaitedInstructionError) as info:
            explore(program(guest, loads), scheduler=scheduler, driver=driver, executions=5)
    assert (info.value.vcpu, info.value.where) == ("0", marked(mark))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(
    ("guest", "mark"),
    [(stores, "unlock"), (loads, "truth of an operation"), (adds, "coroutine"), (swaps, "beside")],
)
def test_an_operation_that_is_not_awaited_is_the_schemes_error(guest, mark, scheduler):
    with pytest.raises(NeverAwaitedError) as info:
        explore(program(guest), Machine(Forgetful), scheduler=scheduler, executions=5)
    assert info.value.where == marked(mark)


def test_an_operation_that_an_order_is_added_to_is_awaited():
    """On a host that takes orders, the access of a release is a copy of the operation that the scheme made."""

    async def releases(cpu: Any) -> None:
        await cpu.stlr(X, await cpu.ldar(X) + 1_000)
        await cpu.ldadd(X, 1_000, order="al")

    released = Program("releases", isa="aarch64", threads=[releases, releases], init={X: 0})
    assert explore(released, Machine("cas", host="armv8"), scheduler="dpor").complete


def test_an_unlock_that_is_not_awaited_is_found_though_the_vcpu_never_ends():
    async def twice(cpu: Any) -> None:
        await cpu.store(X, 1)
        await cpu.store(X, 2)  # waits for the lock for ever

    with pytest.raises(NeverAwaitedError) as info:
        explore(program(twice), Machine(Forgetful), scheduler="dpor")
    assert info.value.where == marked("unlock")


def test_what_an_instruction_that_faults_has_not_awaited_is_no_mistake():
    async def misaligned(cpu: Any) -> None:
        await cpu.ldar(X + 1)

    async def outside(cpu: Any) -> None:
        await cpu.ldr(1 << 60)

    made = Program("p", isa="aarch64", threads=[misaligned, outside, loads_arm], init={X: 0})
    for scheme in ("cas", "native", Plain):
        report = explore(made, Machine(scheme), scheduler="dpor", failures=None)
        assert not report.interrupted


async def loads_arm(cpu: Any) -> None:
    await cpu.ldr(X)


class Plain(Scheme):
    """Of the user's own, and quite usual."""


def test_other_warnings_are_still_shown():
    async def warns(cpu: Any) -> None:
        warnings.warn("mine", UserWarning, stacklevel=1)
        await cpu.load(X)

    with pytest.warns(UserWarning, match="mine"):
        explore(program(warns), scheduler="dpor")


class FreesCycles(Scheme):
    """Makes enough objects in a store for Python to look for cycles to free, which it does not do before."""

    name = "frees-cycles"

    async def store(self, cpu: Any, address: int, width: int, value: int) -> None:
        gc.set_threshold(10, 1, 1)
        made = [[] for _ in range(1_000)]
        await self.host.store(address, width, value + len(made) - 1_000)


def test_a_coroutine_that_earlier_code_has_left_is_no_mistake_of_an_execution():
    """It is in a cycle, which would be freed in the middle of the execution."""

    async def left() -> None:
        """Never runs."""

    thresholds, depth = gc.get_threshold(), sys.get_coroutine_origin_tracking_depth()
    gc.set_threshold(1_000_000)
    sys.set_coroutine_origin_tracking_depth(4)
    cycle: list[Any] = [left()]
    cycle.append(cycle)
    sys.set_coroutine_origin_tracking_depth(depth)
    del cycle
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            report = explore(program(stores, loads), Machine(FreesCycles), scheduler="dpor", failures=None)
        finally:
            gc.set_threshold(*thresholds)
            gc.collect()
    assert report.verdict == "holds"
    assert gc.isenabled()
