"""The conformance suite for host memories.

Checked are the laws that every memory model has, whatever it reorders: a vCPU alone sees its own accesses in program
order; nobody sees a store before it has drained; what carries a barrier waits for the vCPU's own buffers, and stopping
the world for everybody's; and the orders that `HostMemory.order` promises are kept by the classic litmus tests, in all
executions, as are those that a fence asks for. To pass proves nothing about what a memory should reorder.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simaie.barrier import Barrier
from simaie.host.host import Host
from simaie.host.ram import Endian
from simaie.host.sc import ScMemory
from simaie.op import Function, Kind, Op, Order, waits_for_drain
from simaie.prng import Random
from simaie.protocols import HostMemory

__all__ = ["check_host_memory"]

HostMemoryFactory = Callable[[Endian], HostMemory]
Step = tuple[int, str | None]  # a thread's next operation, or the drain of one of its buffers

_X, _Y = 0x100, 0x200
_PLACES = [(_X + offset, width) for width in (1, 2, 4, 8) for offset in range(0, 16, max(width, 2))]
_ACTORS = ("first", "second")


def check_host_memory(factory: HostMemoryFactory, *, rounds: int = 60) -> None:
    """Check that memories keep the contract of `HostMemory`; ``factory(endian)`` makes a new one at each call.

    rounds: of the random sequences of operations. Raises AssertionError on the first breach.
    """
    for seed in range(rounds):
        endian: Endian = "big" if seed % 2 else "little"
        _check_together(factory(endian), Random(seed))
        _check_alone(factory(endian), ScMemory(endian), Random(seed))
    for name, threads, needed in _litmus():
        _check_order(factory, name, threads, needed)


# --- one vCPU, and two ------------------------------------------------------------------------------


def _check_alone(memory: HostMemory, reference: ScMemory, random: Random) -> None:
    """A vCPU alone cannot tell the memory from a sequentially consistent one."""
    me, cell = _ACTORS[0], Host().cell("cell", 0)
    twin = Host().cell("twin", 0)
    for _ in range(40):
        op = memory.admit(_random_op(random, cell))
        while not memory.enabled(me, op):
            assert _drain_any(memory, me, random), f"{op} is disabled, and nothing is left to drain"
        plain = op.value if op.kind is Kind.BUFFER else op
        expected = reference.perform(me, _on(plain, twin))
        got = memory.perform(me, op)
        assert got == expected, f"{plain} of a vCPU alone gave {got!r} where program order gives {expected!r}"
        if random.below(3) == 0:
            _drain_any(memory, me, random)
    while _drain_any(memory, me, random):
        pass
    assert cell.value == twin.value, f"{cell.name} ends as {cell.value!r}, in program order as {twin.value!r}"
    for address in range(_X, _X + 32):
        left, right = memory.read(address, 1), reference.read(address, 1)
        assert left == right, f"the byte at {address:#x} ends as {left}, in program order as {right}"


def _check_together(memory: HostMemory, random: Random) -> None:
    """A store is seen by nobody else before it drains, and what carries a barrier waits for that."""
    cell, stop = Host().cell("cell", 0), Op(Kind.BEGIN_EXCLUSIVE)
    for _ in range(60):
        me, other = _ACTORS if random.below(2) else _ACTORS[::-1]
        pending = {actor: list(memory.drains(actor)) for actor in _ACTORS}
        assert memory.enabled(me, stop) == (not any(pending.values())), "the world stops when all buffers are empty"
        op = memory.admit(_random_op(random, cell))
        if waits_for_drain(op) and pending[me]:
            assert not memory.enabled(me, op), f"{op} does not wait for the vCPU's own buffered stores"
            _drain_any(memory, me, random)
            continue
        assert memory.enabled(me, op), f"{op} is disabled, though it waits for nothing"
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
    ]
    chosen: Op = random.choice(made)  # type: ignore[assignment]  # the host port says "awaitable"; it makes operations
    return chosen


def _on(op: Op, cell: Any) -> Op:
    return op if op.cell is None else Op(op.kind, cell, value=op.value)


def _drain_any(memory: HostMemory, actor: str, random: Random) -> bool:
    ready = list(memory.drains(actor))
    if ready:
        keys = [key for key, _ in ready]
        assert len(set(keys)) == len(keys), f"two stores of one buffer are offered to drain at once: {keys}"
        memory.drain(actor, random.choice(keys))
    return bool(ready)


# --- orders -----------------------------------------------------------------------------------------


def _load(address: int) -> Op:
    return Op(Kind.LOAD, None, address, 4)


def _store(address: int, value: int) -> Op:
    return Op(Kind.STORE, None, address, 4, value)


Litmus = tuple[str, tuple[tuple[Op, Op], tuple[Op, Op]], tuple[Barrier, Barrier]]


def _litmus() -> Iterator[Litmus]:
    """The tests of two threads of two accesses: the order that each thread needs for the odd outcome not to show."""
    ld_ld, ld_st, st_ld, st_st = Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST
    yield "SB", ((_store(_X, 1), _load(_Y)), (_store(_Y, 1), _load(_X))), (st_ld, st_ld)
    yield "MP", ((_store(_X, 1), _store(_Y, 1)), (_load(_Y), _load(_X))), (st_st, ld_ld)
    yield "LB", ((_load(_X), _store(_Y, 1)), (_load(_Y), _store(_X, 1))), (ld_st, ld_st)
    yield "S", ((_store(_X, 2), _store(_Y, 1)), (_load(_Y), _store(_X, 1))), (st_st, ld_st)
    yield "R", ((_store(_X, 1), _store(_Y, 1)), (_store(_Y, 2), _load(_X))), (st_st, st_ld)
    yield "2+2W", ((_store(_X, 1), _store(_Y, 2)), (_store(_Y, 1), _store(_X, 2))), (st_st, st_st)


#: What shows that the two threads cannot be interleaved: the values loaded, by thread, and what is left in X and Y.
_ODD: dict[str, Callable[[list[list[int]], int, int], bool]] = {
    "SB": lambda read, x, y: read == [[0], [0]],
    "MP": lambda read, x, y: read[1] == [1, 0],
    "LB": lambda read, x, y: read == [[1], [1]],
    "S": lambda read, x, y: read[1] == [1] and x == 2,
    "R": lambda read, x, y: read[1] == [0] and y == 2,
    "2+2W": lambda read, x, y: (x, y) == (1, 1),
}


def _check_order(
    factory: HostMemoryFactory, name: str, threads: tuple[tuple[Op, Op], tuple[Op, Op]], needed: tuple[Barrier, Barrier]
) -> None:
    promised = factory("little").order
    bare: list[Sequence[Op]] = [*threads]
    odd = _shows(factory, bare, _ODD[name])
    if needed[0] | needed[1] in promised:
        assert not odd, f"the memory promises {(needed[0] | needed[1]).text}, but {name} shows that it does not keep it"
    fenced: list[Sequence[Op]] = []
    for (first, second), order in zip(threads, needed, strict=True):
        missing = order & ~promised
        fenced.append((first, Op(Kind.FENCE, note=missing.text), second) if missing else (first, second))
    assert not _shows(factory, fenced, _ODD[name]), (
        f"{name} shows its odd outcome in spite of the fences that forbid it"
    )


def _shows(
    factory: HostMemoryFactory, threads: list[Sequence[Op]], odd: Callable[[list[list[int]], int, int], bool]
) -> bool:
    """Whether any execution ends with the odd outcome; all are run, each from the start."""
    return any(odd(*outcome) for outcome in _outcomes(factory, threads))


def _outcomes(factory: HostMemoryFactory, threads: list[Sequence[Op]]) -> Iterator[tuple[list[list[int]], int, int]]:
    plan: list[tuple[int, int]] = []  # which of how many alternatives was taken at each step
    while True:
        yield _run(factory("little"), threads, plan)
        while plan and plan[-1][0] + 1 == plan[-1][1]:
            plan.pop()
        if not plan:
            return
        plan[-1] = (plan[-1][0] + 1, plan[-1][1])


def _run(
    memory: HostMemory, threads: list[Sequence[Op]], plan: list[tuple[int, int]]
) -> tuple[list[list[int]], int, int]:
    left = [[memory.admit(op) for op in thread] for thread in threads]
    read: list[list[int]] = [[] for _ in threads]
    for step in itertools.count():
        steps: list[Step] = [(t, None) for t, ops in enumerate(left) if ops and memory.enabled(t, ops[0])]
        steps += [(t, key) for t in range(len(threads)) for key, _ in memory.drains(t)]
        if not steps:
            assert not any(left), f"{left} can never be performed: nobody has a step left"
            break
        if step == len(plan):
            plan.append((0, len(steps)))
        thread, key = steps[plan[step][0]]
        if key is not None:
            memory.drain(thread, key)
            continue
        op = left[thread].pop(0)
        value = memory.perform(thread, op)
        if op.kind is Kind.LOAD:
            read[thread].append(value)
    return read, memory.read(_X, 4), memory.read(_Y, 4)
