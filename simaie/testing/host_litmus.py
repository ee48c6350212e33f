"""Litmus tests of two threads on a host memory, run in all executions, with the outcomes that it must not show.

`CLASSIC` are the tests of the literature. Their odd outcome is forbidden if the memory promises, or a fence asks for,
the order that each thread needs. `ALWAYS` are tests whose odd outcome is forbidden on every memory, whatever it
reorders. They depend on ordered accesses (release, sequential consistency), atomics, mutexes and reservations.

Names: J. Alglave, L. Maranget, M. Tautschnig, "Herding cats" (TOPLAS 36(2), 2014).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from simaie.barrier import Barrier
from simaie.host.host import Mutex
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import HostMemory

__all__ = ["ALWAYS", "CLASSIC", "HostTest", "shows"]

Threads = list[list[Op]]
#: Whether an outcome is odd, from the values that the operations of each thread returned (without stores, fences and
#: mutexes), and the final values of X and Y.
Odd = Callable[[list[list[Any]], int, int], bool]

_X, _Y, _Z = 0x100, 0x200, 0x300
_SILENT = frozenset({Kind.STORE, Kind.BUFFER, Kind.FENCE, Kind.LOCK, Kind.UNLOCK})
_LD_LD, _LD_ST, _ST_LD, _ST_ST = Barrier.LD_LD, Barrier.LD_ST, Barrier.ST_LD, Barrier.ST_ST
_INCREMENT = Function("add 1", lambda old: old + 1)
_IS_SET = Function("is 1", lambda value: value == 1)


class HostTest(NamedTuple):
    """A litmus test of two threads.

    Attributes:
        name: The name of the test.
        threads: Makes new operations of each thread, because operations are not used twice.
        odd: Whether an outcome is odd.
        needed: The order between the two accesses of each thread that forbids the odd outcome.
    """

    name: str
    threads: Callable[[], Threads]
    odd: Odd
    needed: tuple[Barrier, Barrier] = (Barrier.NONE, Barrier.NONE)

    def fenced(self, promised: Barrier) -> Callable[[], Threads]:
        """Return the threads with fences for the orders that are needed and not promised."""

        def made() -> Threads:
            found: Threads = []
            for (first, second), order in zip(self.threads(), self.needed, strict=True):
                missing = order & ~promised
                found.append([first, Op(Kind.FENCE, orders=missing), second] if missing else [first, second])
            return found

        return made


def _load(address: int, order: Order = Order.RELAXED) -> Op:
    return Op(Kind.LOAD, None, address, 4, order=order)


def _store(address: int, value: int, order: Order = Order.RELAXED) -> Op:
    return Op(Kind.STORE, None, address, 4, value, order=order)


def _exclusive(value: int) -> list[Op]:
    return [Op(Kind.LOAD_LINKED, None, _X, 4), Op(Kind.STORE_CONDITIONAL, None, _X, 4, value)]


def _both_last_are_0(read: list[list[Any]], x: int, y: int) -> bool:
    return (read[0][-1], read[1][-1]) == (0, 0)


CLASSIC = (
    HostTest(
        "SB",
        lambda: [[_store(_X, 1), _load(_Y)], [_store(_Y, 1), _load(_X)]],
        _both_last_are_0,
        (_ST_LD, _ST_LD),
    ),
    HostTest(
        "MP",
        lambda: [[_store(_X, 1), _store(_Y, 1)], [_load(_Y), _load(_X)]],
        lambda read, x, y: read[1] == [1, 0],
        (_ST_ST, _LD_LD),
    ),
    HostTest(
        "LB",
        lambda: [[_load(_X), _store(_Y, 1)], [_load(_Y), _store(_X, 1)]],
        lambda read, x, y: read == [[1], [1]],
        (_LD_ST, _LD_ST),
    ),
    HostTest(
        "S",
        lambda: [[_store(_X, 2), _store(_Y, 1)], [_load(_Y), _store(_X, 1)]],
        lambda read, x, y: read[1] == [1] and x == 2,
        (_ST_ST, _LD_ST),
    ),
    HostTest(
        "R",
        lambda: [[_store(_X, 1), _store(_Y, 1)], [_store(_Y, 2), _load(_X)]],
        lambda read, x, y: read[1] == [0] and y == 2,
        (_ST_ST, _ST_LD),
    ),
    HostTest(
        "2+2W",
        lambda: [[_store(_X, 1), _store(_Y, 2)], [_store(_Y, 1), _store(_X, 2)]],
        lambda read, x, y: (x, y) == (1, 1),
        (_ST_ST, _ST_ST),
    ),
)


def _locked(mine: int, other: int) -> list[Op]:
    mutex = Mutex("its own")
    return [_store(mine, 1), Op(Kind.LOCK, mutex), Op(Kind.UNLOCK, mutex), _load(other)]


def _exchanged(mine: int, own: int, other: int) -> list[Op]:
    return [_store(mine, 1), Op(Kind.EXCHANGE, None, own, 4, 1, order=Order.SEQ_CST), _load(other)]


def _guarded() -> Threads:
    mutex = Mutex("one for both")
    bodies = [_store(_X, 1), _store(_Y, 1)], [_load(_Y), _load(_X)]
    return [[Op(Kind.LOCK, mutex), *body, Op(Kind.UNLOCK, mutex)] for body in bodies]


def _counted(make: Callable[[], Op]) -> Callable[[], Threads]:
    return lambda: [[make()], [make()]]


ALWAYS = (
    HostTest(
        "SB of sequentially consistent accesses",
        lambda: [
            [_store(_X, 1, Order.SEQ_CST), _load(_Y, Order.SEQ_CST)],
            [_store(_Y, 1, Order.SEQ_CST), _load(_X, Order.SEQ_CST)],
        ],
        _both_last_are_0,
    ),
    HostTest(
        "SB with an atomic exchange between",
        lambda: [_exchanged(_X, _Z, _Y), _exchanged(_Y, _Z + 64, _X)],
        _both_last_are_0,
    ),
    HostTest("SB with a mutex taken between", lambda: [_locked(_X, _Y), _locked(_Y, _X)], _both_last_are_0),
    HostTest(
        "MP by a release and an acquire",
        lambda: [[_store(_X, 1), _store(_Y, 1, Order.RELEASE)], [_load(_Y, Order.ACQUIRE), _load(_X)]],
        lambda read, x, y: read[1] == [1, 0],
    ),
    HostTest(
        "2+2W of releases",
        lambda: [[_store(_X, 1), _store(_Y, 2, Order.RELEASE)], [_store(_Y, 1), _store(_X, 2, Order.RELEASE)]],
        lambda read, x, y: (x, y) == (1, 1),
    ),
    HostTest("two stores under one mutex", _guarded, lambda read, x, y: read[1][0] != read[1][1]),
    HostTest(
        "a store over a part of another",
        lambda: [[_store(_X, 0x01020304), Op(Kind.STORE, None, _X + 1, 1, 5)], []],
        lambda read, x, y: x != 0x01020504,
    ),
    HostTest(
        "a store over all of another",
        lambda: [[Op(Kind.STORE, None, _X + 1, 1, 5), _store(_X, 1)], []],
        lambda read, x, y: x != 1,
    ),
    HostTest(
        "two atomic increments",
        _counted(lambda: Op(Kind.FETCH, None, _X, 4, function=_INCREMENT, order=Order.SEQ_CST)),
        lambda read, x, y: x != 2,
    ),
    HostTest(
        "two compare-and-swaps of one value",
        _counted(lambda: Op(Kind.CAS, None, _X, 4, 1, 0, order=Order.SEQ_CST)),
        lambda read, x, y: read == [[0], [0]],
    ),
    HostTest(
        "two store-conditionals on one reservation",
        lambda: [_exclusive(1), _exclusive(2)],
        lambda read, x, y: read == [[0, 1], [0, 1]],
    ),
    HostTest(
        "a store between a load-linked and its store-conditional",
        lambda: [_exclusive(7), [_store(_X, 5)]],
        lambda read, x, y: read[0] == [0, 1] and x == 7,
    ),
    HostTest(
        "a wait for a store",
        lambda: [[_store(_X, 1)], [Op(Kind.AWAIT, None, _X, 4, function=_IS_SET)]],
        lambda read, x, y: read[1] != [1],
    ),
)


def shows(make_memory: Callable[[], HostMemory], threads: Callable[[], Threads], odd: Odd) -> bool:
    """Run all executions, each from the start, and return whether one ends with the odd outcome."""
    return any(odd(*outcome) for outcome in _outcomes(make_memory, threads))


def _outcomes(
    make_memory: Callable[[], HostMemory], threads: Callable[[], Threads]
) -> Iterator[tuple[list[list[Any]], int, int]]:
    plan: list[tuple[int, int]] = []  # the chosen alternative and the number of alternatives at each step
    while True:
        yield _run(make_memory(), threads(), plan)
        while plan and plan[-1][0] + 1 == plan[-1][1]:
            plan.pop()
        if not plan:
            return
        plan[-1] = (plan[-1][0] + 1, plan[-1][1])


def _run(memory: HostMemory, threads: Threads, plan: list[tuple[int, int]]) -> tuple[list[list[Any]], int, int]:
    left = [[memory.admit(op) for op in thread] for thread in threads]
    read: list[list[Any]] = [[] for _ in threads]
    for step in itertools.count():
        steps: list[tuple[int, str | None]] = [
            (t, None) for t, ops in enumerate(left) if ops and memory.enabled(t, ops[0])
        ]
        steps += [(t, key) for t in range(len(threads)) for key, _ in memory.drains(t)]
        if not steps:
            assert not any(left), f"{left} can never be performed: no thread has a step left"
            break
        if step == len(plan):
            plan.append((0, len(steps)))
        thread, key = steps[plan[step][0]]
        if key is not None:
            memory.drain(thread, key)
            continue
        op = left[thread].pop(0)
        value = memory.perform(thread, op)
        if op.kind not in _SILENT:
            read[thread].append(value)
    return read, memory.read(_X, 4), memory.read(_Y, 4)
