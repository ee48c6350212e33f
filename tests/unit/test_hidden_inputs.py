"""What a vCPU does may depend on the results of its operations only: a clock, a random number or a dict is found."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from simaie import Machine, Program, explore
from simaie.errors import EscapedStateError, NondeterminismError, SimaieError
from simaie.schemes.native import Native

X, Y, Z = 0x100, 0x140, 0x180
TABLE: dict[int, int] = {}
_ticks = itertools.count()


def clock() -> int:
    """A value that is another one each time, as a clock is."""
    return time.perf_counter_ns() + next(_ticks) & 0xFFFF


def dice() -> int:
    """A value that is another one most times."""
    return random.getrandbits(16)  # not of `simaie.prng`, as guests may have it


def table() -> int:
    """A value of a dict that the callers share."""
    TABLE[0] = TABLE.get(0, 0) + 1
    return TABLE[0]


SOURCES = [clock, dice, table]


def program(source: Callable[[], int]) -> Program:
    async def guest(cpu: Any) -> None:
        await cpu.load(X)
        await cpu.store(Y, source())
        await cpu.lock_add(X, 1)

    async def other(cpu: Any) -> None:
        await cpu.load(X)
        await cpu.store(Z, 1)

    return Program("hidden input", isa="x86", threads=[guest, other], init={X: 0, Y: 0, Z: 0})


@pytest.mark.parametrize("scheduler", ["random-walk", "pct", "dpor"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_guest_with_a_hidden_input_is_named(source: Callable[[], int], scheduler: str) -> None:
    with pytest.raises(NondeterminismError) as caught:
        explore(program(source), Machine(), scheduler=scheduler, executions=300, failures=None)
    error = caught.value
    assert error.vcpu == "0"
    assert error.step is not None
    assert error.step >= 1
    assert "store" in str(error.expected)
    assert error.expected != error.got


@pytest.mark.parametrize("scheduler", ["random-walk", "dpor"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_scheme_with_a_hidden_input_is_named(source: Callable[[], int], scheduler: str) -> None:
    """State that the scheme keeps outside of cells is refused as such where it is seen, else as what vCPUs do."""

    class Hidden(Native):
        async def atomic_rmw(self, cpu: Any, address: int, width: int, function: Any) -> int:
            await self.store(cpu, Y, 4, source())
            return await super().atomic_rmw(cpu, address, width, function)

    async def adds(cpu: Any) -> None:
        await cpu.lock_add(X, 1)

    made = Program("hidden input", isa="x86", threads=[adds, adds], init={X: 0, Y: 0})
    with pytest.raises(SimaieError) as caught:
        explore(made, Machine(Hidden), scheduler=scheduler, executions=300, failures=None)
    error = caught.value
    assert isinstance(error, NondeterminismError | EscapedStateError)
    if isinstance(error, NondeterminismError):
        assert error.vcpu in ("0", "1")
        assert error.step is not None
        assert error.expected != error.got
