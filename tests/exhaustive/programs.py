"""The programs whose numbers of Mazurkiewicz traces are known from the literature, for tests and benchmarks.

Each function makes a program whose every load, store and read-modify-write is one event under the `native` scheme
(those with mutexes: under `Hypercalls`). An assumption that fails ends its thread and leaves ``blocked = 1`` in the
outcome.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from simaie.guest.program import Program
from simaie.op import Order
from simaie.schemes.native import Native

GuestThread = Callable[[Any], Coroutine[Any, Any, None]]

X, Y, Z, W, V = 0x100, 0x104, 0x108, 0x10C, 0x110
A, B, C, D = 0x120, 0x124, 0x128, 0x12C


class Hypercalls(Native):
    """The native scheme, and mutexes and stop-the-world sections that the guest asks for by an exception.

    ``cpu.exception("lock m")`` and ``"unlock m"`` for any name m; ``"stop"`` and ``"go"``; ``"release 256"``, a store
    of 1 with release order.
    """

    constant_attributes = frozenset({"_mutexes"})  # by name, made when first named: no state

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._mutexes: dict[str, Any] = {}

    async def exception(self, cpu: Any, cause: str) -> None:
        """Carry out the hypercall."""
        await self._carry_out(cause)

    def _carry_out(self, cause: str) -> Awaitable[None]:
        if cause == "stop":
            return self.host.begin_exclusive()
        if cause == "go":
            return self.host.end_exclusive()
        what, _, name = cause.partition(" ")
        if what == "release":
            return self.host.store(int(name), 4, 1, Order.RELEASE)
        mutex = self._mutexes.setdefault(name, self.host.mutex(name))
        return mutex.lock() if what == "lock" else mutex.unlock()


def x86(name: str, *threads: GuestThread, init: dict[int, int] | None = None) -> Program:
    """An x86 program of async functions."""
    return Program(name, isa="x86", threads=threads, init=init or {X: 0})


def writer(*stores: tuple[int, int]) -> GuestThread:
    """A thread that performs ``[address] = value`` in order."""

    async def thread(cpu: Any) -> None:
        for address, value in stores:
            await cpu.store(address, value)

    return thread


def reader(*addresses: int) -> GuestThread:
    """A thread that loads in order and observes what it saw."""

    async def thread(cpu: Any) -> None:
        for number, address in enumerate(addresses):
            cpu.observe(f"r{number}", await cpu.load(address))

    return thread


def store_then_load(mine: int, other: int) -> GuestThread:
    """Half of a store-buffering test."""

    async def thread(cpu: Any) -> None:
        await cpu.store(mine, 1)
        cpu.observe("r", await cpu.load(other))

    return thread


def load_then_store(mine: int, other: int) -> GuestThread:
    """Half of a load-buffering test."""

    async def thread(cpu: Any) -> None:
        cpu.observe("r", await cpu.load(mine))
        await cpu.store(other, 1)

    return thread


# -- litmus tests ----------------------------------------------------------------------------------


def sb() -> Program:
    return x86("SB", store_then_load(X, Y), store_then_load(Y, X))


def mp() -> Program:
    return x86("MP", writer((X, 1), (Y, 1)), reader(Y, X))


def lb() -> Program:
    return x86("LB", load_then_store(X, Y), load_then_store(Y, X))


def two_plus_two_w() -> Program:
    return x86("2+2W", writer((X, 1), (Y, 2)), writer((Y, 1), (X, 2)), init={X: 0, Y: 0})


def iriw() -> Program:
    return x86("IRIW", writer((X, 1)), writer((Y, 1)), reader(X, Y), reader(Y, X))


def corr1() -> Program:
    return x86("CoRR1", writer((X, 1)), writer((X, 2)), reader(X, X), reader(X))


# -- counters --------------------------------------------------------------------------------------


def inc(n: int) -> Program:
    async def thread(cpu: Any) -> None:
        r = await cpu.load(X)
        await cpu.store(X, r + 1)

    return x86(f"inc({n})", *[thread] * n)


def ainc(n: int) -> Program:
    async def thread(cpu: Any) -> None:
        await cpu.lock_xadd(X, 1)

    return x86(f"ainc({n})", *[thread] * n)


def binc(n: int) -> Program:
    async def thread(cpu: Any) -> None:
        await cpu.lock_xadd(X, 1)
        await cpu.lock_xadd(Y, 1)

    return x86(f"binc({n})", *[thread] * n, init={X: 0, Y: 0})


def casrot(n: int) -> Program:
    def rotate(i: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            cpu.observe("old", await cpu.lock_cmpxchg(X, i - 1, i))

        return thread

    return x86(f"casrot({n})", *[rotate(i) for i in range(1, n + 1)])


# -- arrays ----------------------------------------------------------------------------------------


def readers(n: int) -> Program:
    return x86(f"readers({n})", writer((X, 42)), *[reader(X)] * n)


def lastzero(n: int) -> Program:
    def cell(i: int) -> int:
        return 0x1000 + 4 * i

    def update(j: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            r = await cpu.load(cell(j - 1))
            await cpu.store(cell(j), r + 1)

        return thread

    async def search(cpu: Any) -> None:
        i = n
        while await cpu.load(cell(i)) != 0:
            i -= 1
        cpu.observe("i", i)

    return x86(f"lastzero({n})", *[update(j) for j in range(1, n + 1)], search)


def indexer(n: int) -> Program:
    def insert(t: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            for i in range(4):
                w = 11 * i + t
                h = 7 * w % 128
                while await cpu.lock_cmpxchg(0x1000 + 4 * h, 0, w) != 0:
                    h = (h + 1) % 128

        return thread

    return x86(f"indexer({n})", *[insert(t) for t in range(n)])


def filesystem(n: int) -> Program:
    """C. Flanagan, P. Godefroid, "Dynamic partial-order reduction for model checking software", POPL 2005, figure 2."""
    inodes, blocks = 32, 26

    def create(t: int) -> GuestThread:
        i = t % inodes

        async def thread(cpu: Any) -> None:
            await cpu.exception(f"lock i{i}")
            if await cpu.load(0x1000 + 4 * i) == 0:
                b = 2 * i % blocks
                while True:
                    await cpu.exception(f"lock b{b}")
                    if await cpu.load(0x2000 + 4 * b) == 0:
                        await cpu.store(0x2000 + 4 * b, 1)
                        await cpu.store(0x1000 + 4 * i, b + 1)
                        await cpu.exception(f"unlock b{b}")
                        break
                    await cpu.exception(f"unlock b{b}")
                    b = (b + 1) % blocks
            await cpu.exception(f"unlock i{i}")

        return thread

    return x86(f"filesystem({n})", *[create(t) for t in range(n)])


def fib_bench(iterations: int, *, checker: bool = True) -> Program:
    def update(target: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            for _ in range(iterations):
                r = await cpu.load(X)
                s = await cpu.load(Y)
                await cpu.store(target, r + s)

        return thread

    threads = [update(X), update(Y)] + ([reader(X, Y)] if checker else [])
    return x86(f"fib_bench({iterations})", *threads, init={X: 1, Y: 1})


# -- mutual exclusion, waits as assumptions --------------------------------------------------------


def dekker() -> Program:
    def side(mine: int, other: int, me: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            await cpu.store(mine, 1)
            if await cpu.load(other) == 0:
                await cpu.store(C, me)
                cpu.observe("s", await cpu.load(C))

        return thread

    return x86("dekker", side(X, Y, 1), side(Y, X, 2))


def peterson() -> Program:
    turn, cs = Z, C

    def side(mine: int, other: int, me: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            await cpu.store(mine, 1)
            await cpu.store(turn, me)
            if await cpu.load(other) == 1 and await cpu.load(turn) == me:
                cpu.observe("blocked", 1)
                return
            await cpu.store(cs, me)
            cpu.observe("t", await cpu.load(cs))
            await cpu.store(mine, 0)

        return thread

    return x86("peterson", side(X, Y, 1), side(Y, X, 2))


def szymanski() -> Program:
    def side(mine: int, other: int, me: int) -> GuestThread:
        async def thread(cpu: Any) -> None:
            cpu.observe("blocked", 1)
            await cpu.store(mine, 1)
            if not await cpu.load(other) < 3:
                return
            await cpu.store(mine, 3)
            if await cpu.load(other) == 1:
                await cpu.store(mine, 2)
                if await cpu.load(other) != 4:
                    return
            await cpu.store(mine, 4)
            if not await cpu.load(other) < 2:
                return
            await cpu.store(C, me)
            await cpu.load(C)
            await cpu.load(C)
            if not await cpu.load(other) < 2 and not await cpu.load(other) > 3:
                return
            await cpu.store(mine, 0)
            cpu.observe("blocked", 0)

        return thread

    return x86("szymanski", side(X, Y, 1), side(Y, X, 2))


# -- where source sets alone explore too much ------------------------------------------------------


def popl14_example() -> Program:
    async def third(cpu: Any) -> None:
        if await cpu.load(Y) == 0:
            await cpu.store(Z, 1)

    async def fourth(cpu: Any) -> None:
        if await cpu.load(Z) == 1 and await cpu.load(Y) == 0:
            await cpu.store(X, 2)

    return x86("POPL'14", writer((X, 1)), writer((Y, 1)), third, fourth)


def combination_lock_1() -> Program:
    async def second(cpu: Any) -> None:
        await cpu.store(X, 1)
        await cpu.store(A, 1)
        if await cpu.load(Y) == 1:
            await cpu.store(W, 1)
            await cpu.store(B, 0)

    async def third(cpu: Any) -> None:
        if await cpu.load(X) == 1:
            await cpu.store(Y, 1)
            await cpu.store(C, 0)
            if await cpu.load(V) == 1:
                await cpu.load(Z)

    async def fourth(cpu: Any) -> None:
        if await cpu.load(W) == 1:
            await cpu.store(V, 1)
            await cpu.store(D, 0)

    return x86("combination_lock_1", writer((Z, 1)), second, third, fourth)


def sleeping_races_6() -> Program:
    async def fourth(cpu: Any) -> None:
        await cpu.load(Y)
        await cpu.store(Z, 1)

    async def fifth(cpu: Any) -> None:
        if await cpu.load(Y) == 1 and await cpu.load(Z) == 1 and await cpu.load(X) == 1:
            await cpu.load(W)

    return x86("sleeping_races_6", writer((W, 1)), writer((X, 1)), writer((Y, 1)), fourth, fifth)
