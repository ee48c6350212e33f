"""A guest that never awaits is caught on both drivers; nobody else ever is. Here, and only here, time is wall time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import trio
from simaie_schedulers.round_robin import RoundRobin

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.engine.on_trio.driver import in_trio, run_trio
from simaie.engine.watchdog import Watchdog
from simaie.errors import GuestSpinError, UsageError
from simaie.exploration.explorer import explore
from simaie.guest.program import Program
from simaie.guest.running import Runner
from simaie.machine import Limits, Machine
from simaie.protocols import ExecutionInfo, Offer
from simaie.schemes.native import Native
from simaie.trace import Ending, Trace

X = 0x1000
SECONDS = 0.05


def run(driver: str, *threads: Any, scheduler: Any = None, scheme: Any = "native", seconds: float = SECONDS):
    program = Program("test", isa="arm", threads=threads, init={X: 0})
    with Watchdog(seconds) as watchdog:
        execution = Execution(program, Machine(scheme), scheduler or RoundRobin(), ExecutionInfo(1, 0, len(threads)))
        watchdog.watch(execution)
        if driver == "inline":
            return run_inline(execution)
        return in_trio(run_trio, execution)


both_drivers = pytest.mark.parametrize("driver", ["inline", "trio"])


async def polite(cpu: Any) -> None:
    for _ in range(3):
        await cpu.ldr(X)


async def spins(cpu: Any) -> None:
    await cpu.ldr(X)
    while True:
        pass


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@both_drivers
def test_a_spinning_guest_is_named_with_its_line(driver: str):
    with pytest.raises(GuestSpinError) as caught:
        run(driver, polite, spins, polite)
    assert caught.value.vcpu == "1"
    file, _, line = caught.value.where.rpartition(":")
    first = spins.__code__.co_firstlineno
    assert file == __file__
    assert first < int(line) <= first + 3


@both_drivers
def test_a_guest_cannot_swallow_it_as_an_exception(driver: str):
    async def stubborn(cpu: Any) -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:  # noqa: BLE001, RUF100 - what this test is about
                continue

    with pytest.raises(GuestSpinError):
        run(driver, stubborn)


@both_drivers
def test_a_guest_that_swallows_everything_gets_it_again(driver: str):
    async def very_stubborn(cpu: Any) -> None:
        for _ in range(2):
            try:
                while True:
                    pass
            except BaseException:
                continue
        while True:
            pass

    with pytest.raises(GuestSpinError):
        run(driver, very_stubborn)


def test_a_guest_that_spins_inside_its_own_nursery_is_caught():
    """The group that the nursery makes of it is taken apart again."""

    async def nested(cpu: Any) -> None:
        async with trio.open_nursery():
            while True:
                pass

    with pytest.raises(GuestSpinError):
        run("trio", nested)


@both_drivers
def test_a_scheme_that_spins_is_blamed_on_the_vcpu_that_runs_it(driver: str):
    class Spinning(Native):
        async def clear_exclusive(self, cpu: Any) -> None:
            while True:
                pass

    async def guest(cpu: Any) -> None:
        await cpu.clrex()

    with pytest.raises(GuestSpinError) as caught:
        run(driver, polite, guest, scheme=Spinning)
    assert caught.value.vcpu == "1"


@both_drivers
def test_a_slow_scheduler_is_left_alone(driver: str):
    class Slow(RoundRobin):
        def choose(self, offer: Offer) -> Any:
            if offer.step == 2:
                busy(4 * SECONDS)
            return super().choose(offer)

    assert run(driver, polite, polite, scheduler=Slow()).ending is Ending.FINISHED


@both_drivers
def test_a_slow_judge_is_left_alone(driver: str):
    """What is called at the end of an execution is no guest."""

    class Slow(RoundRobin):
        def finish(self, trace: Trace) -> None:
            busy(4 * SECONDS)

    assert run(driver, polite, polite, scheduler=Slow()).ending is Ending.FINISHED


@both_drivers
def test_a_long_execution_that_takes_steps_is_left_alone(driver: str):
    async def steady(cpu: Any) -> None:
        for _ in range(30):
            await cpu.ldr(X)
            busy(0.02)  # far below the limit each time, so that a busy computer does not matter

    assert run(driver, steady, seconds=0.4).ending is Ending.FINISHED


class Counting(Runner):
    """Runs without a step; for some time if it counts its rounds, else for ever."""

    where, position, in_loop = "the loop", 0, True

    def __init__(self, cpu: Any, counts: bool) -> None:
        self.cpu, self.counts = cpu, counts

    def guest_state(self) -> int:
        return self.rounds

    async def run(self) -> None:
        await self.cpu.ldr(X)
        end = time.perf_counter() + 8 * SECONDS
        while not self.counts or time.perf_counter() < end:
            self.rounds += self.counts


@both_drivers
def test_machine_code_that_counts_its_rounds_towards_a_limit_is_left_alone(driver: str):
    async def counting(cpu: Any) -> None:
        await Counting(cpu, True).run()

    async def idle(cpu: Any) -> None:
        await Counting(cpu, False).run()

    assert run(driver, counting).ending is Ending.FINISHED
    with pytest.raises(GuestSpinError, match="at the loop"):
        run(driver, idle)


def test_nothing_is_left_behind():
    """Once the block is left its thread has ended, and no exception is on its way."""
    with pytest.raises(GuestSpinError):
        run("inline", spins)
    busy(2 * SECONDS)
    assert not [t for t in threading.enumerate() if t.name == "simaie watchdog"]


def test_an_exception_that_passes_through_is_not_touched():
    with pytest.raises(KeyError), Watchdog(SECONDS):
        raise KeyError


def test_the_limit_must_be_positive():
    with pytest.raises(UsageError):
        Watchdog(0)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_limit_without_end_is_one():
    async def guest(cpu: Any) -> None:
        await cpu.store(0x1000, 1)

    with Watchdog(float("inf")) as watchdog:
        watchdog._thread.join(0.05)
        assert watchdog._thread.is_alive()
    machine = Machine(limits=Limits(spin_seconds=float("inf")))
    report = explore(Program("p", isa="arm", threads=[guest]), machine, scheduler="dfs")
    assert report.verdict == "holds"


def test_a_traced_process_goes_on_after_the_watchdog() -> None:
    """Coverage and debuggers trace; in a process of its own, since what went wrong was an interpreter that hangs."""
    code = (
        "import sys; from simaie.engine.watchdog import Watchdog\n"
        "def work(): return sum(range(3))\n"
        "with Watchdog(5.0): pass\n"
        "sys.settrace(lambda *_: None)\n"
        "assert work() == 3"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
