"""The conformance suite for host memories.

It checks the laws of every memory model, whatever it reorders. A vCPU alone sees its own accesses in program order. No
other vCPU sees a store before it has drained. An operation that carries a barrier waits for the vCPU's own buffers, and
stopping the world waits for all buffers. All executions of the classic litmus tests keep the orders that
`HostMemory.order` promises, and those that a fence asks for. Ordered accesses, atomics, mutexes and reservations work
on every memory, and a vCPU can sleep until it loses a reservation. Passing proves nothing about what a memory should
reorder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from simaie.errors import SchemeError
from simaie.host.host import Host
from simaie.host.ram import Endian
from simaie.host.sc import ScMemory
from simaie.op import Function, Kind, Op, Order
from simaie.prng import Random
from simaie.protocols import HostMemory
from simaie.testing.host_litmus import ALWAYS, CLASSIC, HostTest, shows
from simaie.testing.host_waiting import check_update, check_waiting, check_watching, waits_for_own_stores

__all__ = ["check_host_memory"]

HostMemoryFactory = Callable[[Endian], HostMemory]

_X = 0x100
_PLACES = [(_X + offset, width) for width in (1, 2, 4, 8) for offset in range(0, 16, max(width, 2))]
_ACTORS = ("first", "second")
_ANYTHING = Function("anything", lambda value: True)


def check_host_memory(factory: HostMemoryFactory, *, rounds: int = 60) -> None:
    """Check that host memories keep the contract of `HostMemory`.

    Args:
        factory: Makes a new memory for a byte order at each call.
        rounds: The number of random sequences of operations.

    Raises:
        AssertionError: The memory breaks the contract; the message says what was promised and what happened.
    """
    try:
        _check(factory, rounds)
    except SchemeError as error:
        raise AssertionError(f"the memory enables an operation that it then refuses: {error}") from error


def _check(factory: HostMemoryFactory, rounds: int) -> None:
    for seed in range(rounds):
        endian: Endian = "big" if seed % 2 else "little"
        _check_together(factory(endian), Random(seed))
        _check_alone(factory(endian), ScMemory(endian), Random(seed))
    check_waiting(partial(factory, "little"))
    check_update(factory("little"))
    check_watching(factory("little"))
    for test in CLASSIC:
        _check_order(factory, test)
    for test in ALWAYS:
        odd = shows(partial(factory, "little"), test.threads, test.odd)
        assert not odd, f"{test.name} shows an outcome that no memory may show"


# --- one vCPU, and two ------------------------------------------------------------------------------


def _check_alone(memory: HostMemory, reference: ScMemory, random: Random) -> None:
    """Check that a vCPU alone cannot distinguish the memory from a sequentially consistent one."""
    me, cell = _ACTORS[0], Host().cell("cell", 0)
    twin = Host().cell("twin", 0)
    for _ in range(40):
        op = memory.admit(_random_op(random, cell))
        while not memory.enabled(me, op):
            assert _drain_any(memory, me, random), f"{op} is disabled, and nothing is left to drain"
        plain = op.value if op.kind is Kind.BUFFER else op
        expected = reference.perform(me, _on(plain, twin))
        got = memory.perform(me, op)
        assert got == expected, f"{plain} of a vCPU alone returned {got!r}, but program order demands {expected!r}"
        if random.below(3) == 0:
            _drain_any(memory, me, random)
    while _drain_any(memory, me, random):
        pass
    assert cell.value == twin.value, f"{cell.name} ends as {cell.value!r}, but program order demands {twin.value!r}"
    for address in range(_X, _X + 32):
        left, right = memory.read(address, 1), reference.read(address, 1)
        assert left == right, f"the byte at {address:#x} ends as {left}, but program order demands {right}"


def _check_together(memory: HostMemory, random: Random) -> None:
    """Check that no other vCPU sees a store before it drains, and that operations with a barrier wait for drains."""
    cell, stop = Host().cell("cell", 0), Op(Kind.BEGIN_EXCLUSIVE)
    for _ in range(60):
        me, other = _ACTORS if random.below(2) else _ACTORS[::-1]
        pending = {actor: list(memory.drains(actor)) for actor in _ACTORS}
        assert memory.enabled(me, stop) == (not any(pending.values())), "the world stops when all buffers are empty"
        op = memory.admit(_random_op(random, cell))
        if waits_for_own_stores(op) and pending[me]:
            assert not memory.enabled(me, op), f"{op} does not wait for the vCPU's own buffered stores"
            _drain_any(memory, me, random)
            assert list(memory.drains(other)) == pending[other], "a drain changed the buffers of another vCPU"
            continue
        assert memory.enabled(me, op), f"{op} is disabled, although it waits for nothing"
        seen = _peek(memory, other)
        memory.perform(me, op)
        if op.kind is Kind.BUFFER:
            assert _peek(memory, other) == seen, f"{op} was seen by another vCPU before it drained"
            assert list(memory.drains(me)), f"{op} left nothing to drain"


def _peek(memory: HostMemory, actor: str) -> list[Any]:
    return [memory.perform(actor, Op(Kind.LOAD, None, address, 8)) for address in range(_X, _X + 24, 8)]


def _random_op(random: Random, cell: Any) -> Op:
    address, width = random.choice(_PLACES)
    value = random.below(1 << 8 * width)
    host = Host()
    made = [
        Op(Kind.LOAD, None, address, width),
        Op(Kind.STORE, None, address, width, value),
        Op(Kind.STORE, None, address, width, value),
        Op(Kind.STORE, None, address, width, value, order=Order.RELEASE),
        Op(Kind.STORE, None, address, width, value, order=Order.SEQ_CST),
        Op(Kind.LOAD, None, address, width, order=Order.SEQ_CST),
        host.exchange(address, width, value),
        host.compare_and_swap(address, width, 0, value),
        host.fetch(address, width, Function("add 1", lambda old: old + 1)),
        host.fence("full"),
        host.fence("st-st"),
        Op(Kind.LOAD, cell),
        Op(Kind.STORE, cell, value=value),
        Op(Kind.CAS, cell, value=value, expected=0),
        Op(Kind.EXCHANGE, cell, value=value),
        Op(Kind.AWAIT, None, address, width, function=_ANYTHING),
        Op(Kind.LOAD_LINKED, None, address, width),
        Op(Kind.STORE_CONDITIONAL, None, address, width, value),
        Op(Kind.CLEAR_RESERVATION),
    ]
    chosen: Op = random.choice(made if random.below(2) else made[1:3])  # type: ignore[assignment]  # the host port says "awaitable"; it makes operations
    return chosen


def _on(op: Op, cell: Any) -> Op:
    return op if op.cell is None else Op(op.kind, cell, value=op.value, expected=op.expected)


def _drain_any(memory: HostMemory, actor: str, random: Random) -> bool:
    ready = list(memory.drains(actor))
    if ready:
        keys = [key for key, _ in ready]
        assert len(set(keys)) == len(keys), f"two stores of one buffer are offered to drain at once: {keys}"
        memory.drain(actor, random.choice(keys))
    return bool(ready)


# --- orders -----------------------------------------------------------------------------------------


def _check_order(factory: HostMemoryFactory, test: HostTest) -> None:
    made = partial(factory, "little")
    promised, needed = made().order, test.needed[0] | test.needed[1]
    if needed in promised:
        odd = shows(made, test.threads, test.odd)
        assert not odd, f"the memory promises {needed.text}, but {test.name} shows that it does not keep it"
    odd = shows(made, test.fenced(promised), test.odd)
    assert not odd, f"{test.name} shows its odd outcome in spite of the fences that forbid it"
