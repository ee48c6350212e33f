"""Generated programs for `exhaustive.explicit_state`, and those of the literature whose traces are counted."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from exhaustive.buffered_state import BufferedState
from exhaustive.explicit_state import ExplicitState, Thread
from simaie.barrier import Barrier
from simaie.op import Cell, Function, Kind, Op
from simaie.prng import Random

Operands = tuple[str, int, int, int]
Body = Generator[Op, Any, Any]

#: Kinds of step by family.
FAMILIES = {
    "plain": ["load", "store", "store", "if odd store", "store seen"],
    "atomics": ["load", "store", "add", "cas", "cas", "if odd store", "xchg"],
    "failing": ["cas", "cas", "load"],
    "readers": ["load", "load", "load", "store", "cas"],
    "widths": ["load2", "store2", "load", "store", "cas", "store seen"],
    "wide atomics": ["load2", "store2", "load", "store", "cas", "cas2"],
    "wide exchanges": ["cas2", "cas2", "cas", "cas", "load", "store2"],
    "locks": ["locked", "locked", "load", "store"],
    "nested locks": ["nested", "locked", "if odd locked", "store"],
    "kept locks": ["lock", "locked", "if odd locked", "load", "store seen"],
    "waits": ["wait", "wait", "store seen", "cas", "load", "if odd store"],
    "wide waits": ["wait2", "wait", "store", "store2", "store seen"],
    "waits for either": ["wait either", "store", "store seen", "add"],
    "locks and waits": ["wait", "locked", "cas", "load", "store seen", "if odd locked"],
    "choices": ["choose", "load", "store", "if odd store"],
    "many choices": ["choose", "choose", "if odd choose", "spawn", "store"],
    "threads": ["spawn", "join", "load", "store"],
    "threads that wait": ["spawn", "join", "join", "locked", "wait"],
    "world": ["stopped", "add2", "store", "load"],
    "world and locks": ["stopped", "locked", "add2", "stop inside"],
    "world and waits": ["stopped", "wait", "store", "add2"],
    "world and choices": ["stopped", "choose", "store", "add2"],
    "world and threads": ["stopped", "spawn", "join", "add2"],
    "long instructions": ["stop", "long", "load", "store"],
    "devices": ["stopped", "add2", "store"],
    "everything": ["stopped", "locked", "wait", "cas", "choose", "add2", "spawn", "join"],
}
#: Families on hosts with store buffers: one for each vCPU, or one for each vCPU and place.
BUFFERED = {
    "tso": ["buffer", "buffer", "load", "load"],
    "tso atomics": ["buffer", "buffer", "load", "cas", "fence"],
    "tso locks": ["buffer", "locked", "load"],
    "tso waits": ["buffer", "buffer", "wait", "load", "cas"],
    "tso world": ["buffer", "stopped", "load", "add2"],
    "pso": ["buffer by place", "buffer by place", "load", "load"],
    "pso atomics": ["buffer by place", "buffer by place", "load", "xchg", "cas"],
    "pso waits": ["buffer by place", "wait", "load", "fence"],
    "pso world": ["buffer by place", "buffer by place", "stop", "load"],
}
FAMILIES |= BUFFERED

#: Families whose accesses overlap in part.
MIXED = {"widths", "wide atomics", "wide exchanges", "waits for either"}


def load(address: int, width: int = 1, note: str = "") -> Op:
    return Op(Kind.LOAD, None, address, width, note=note)


def store(address: int, value: int, width: int = 1, note: str = "") -> Op:
    return Op(Kind.STORE, None, address, width, value, note=note)


def generated(family: str, seed: int, sizes: list[int] | None = None) -> ExplicitState:
    """Program number `seed` of a family; `sizes` are the numbers of steps of its threads."""
    random = Random(seed)
    places = 1 + random.below(3)
    if sizes is None:
        count = 2 + random.below(3)
        sizes = [1 + random.below(6 - count) for _ in range(count)]
    if family in ("devices", "many choices") or family in BUFFERED:
        most = 3 if family in BUFFERED else 2  # they have more interleavings than others
        sizes = [1 + size % most for size in sizes[:2]]
    locks = [Cell("m0"), Cell("m1")]
    threads = [_thread(_steps(random, FAMILIES[family], places, size), locks) for size in sizes]
    devices = []
    if family == "devices":
        devices = [len(threads)]
        threads.append(_device)
    state = BufferedState if family in BUFFERED else ExplicitState
    mixed_sizes = family in MIXED or (family in BUFFERED and "cas" in FAMILIES[family])
    return state(threads, dict.fromkeys(range(4), 0), devices, mixed_sizes=mixed_sizes)


def _steps(random: Random, kinds: list[str], places: int, size: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(size):
        kind = random.choice(kinds)
        if kind == "spawn":
            inner = [k for k in kinds if k not in ("spawn", "join")] or ["load", "store"]
            found.append((kind, _steps(random, inner, places, 1 + random.below(2)), 0, 0))
        else:
            found.append((kind, random.below(places), random.below(3), random.below(places)))
    return found


def _thread(steps: list[Any], locks: list[Cell]) -> Thread:
    def thread() -> Body:
        seen, children = 1, []
        for step in steps:
            if step[0] == "spawn":
                children.append((yield Op(Kind.SPAWN, value=_thread(step[1], locks))))
            elif step[0] == "join":
                if children:
                    yield Op(Kind.JOIN, value=children.pop())
            else:
                seen = (seen * 3 + (yield from _perform(step, seen, locks))) & 0xFF

    return thread


def _device() -> Body:
    value = yield load(1)
    yield store(0, value + 1 & 0xFF)


def _perform(step: Operands, seen: int, locks: list[Cell]) -> Body:
    """One step; returns what it read, 0 if nothing."""
    kind, address, value, other = step
    if kind.startswith("if odd "):
        if not seen & 1:
            return 0
        kind = kind.removeprefix("if odd ")
    even = address & ~1
    match kind:
        case "load":
            return (yield load(address))
        case "load2":
            return (yield load(even, 2))
        case "store":
            yield store(address, value)
        case "store2":
            yield store(even, value, 2)
        case "store seen":
            yield store(address, seen)
        case "cas":
            return (yield Op(Kind.CAS, None, address, 1, other, value))
        case "cas2":
            return (yield Op(Kind.CAS, None, even, 2, other, value * 0x101))
        case "buffer" | "buffer by place":
            key = f"{address:#x}" if kind == "buffer by place" else ""
            yield Op(Kind.BUFFER, value=store(address, value + 1), buffer=key)
        case "fence":
            yield Op(Kind.FENCE, orders=Barrier.ST_LD)
        case "xchg":
            return (yield Op(Kind.EXCHANGE, None, address, 1, value))
        case "add":
            return (yield Op(Kind.FETCH, None, address, 1, function=Function("add", lambda now: now + value & 0xFF)))
        case "add2":  # a guest instruction of two operations
            read = yield load(address)
            yield store(address, read + 1 & 0xFF, note="inside")
        case "long":
            read = yield load(address)
            yield load(other, note="inside")
            yield store(other, read + value, note="inside")
        case "wait":
            return (yield Op(Kind.AWAIT, None, address, 1, function=_parity(value)))
        case "wait2":
            return (yield Op(Kind.AWAIT, None, even, 2, function=_parity(value)))
        case "wait either":
            parts = (load(0), load(1))
            until = Function("until", lambda now: (now[0] + now[1]) & 1 == value & 1)
            return (yield Op(Kind.AWAIT, value=parts, function=until))[0]
        case "choose":
            return (yield Op(Kind.CHOICE, value=1 + value))
        case _:
            return (yield from _critical(kind, address, value, other, seen, locks))
    return 0


def _parity(value: int) -> Function:
    return Function("until", lambda now: now & 1 == value & 1)


def _critical(kind: str, address: int, value: int, other: int, seen: int, locks: list[Cell]) -> Body:
    """A step that takes a lock, or stops the world."""
    mutex, second = locks[address & 1], locks[1 - (address & 1)]
    if kind == "lock":
        yield Op(Kind.LOCK, mutex)
    elif kind == "locked":
        yield Op(Kind.LOCK, mutex)
        read = 0
        if value:
            read = yield load(other)
        else:
            yield store(other, seen & 3)
        yield Op(Kind.UNLOCK, mutex)
        return read
    elif kind == "nested":
        yield Op(Kind.LOCK, mutex)
        yield Op(Kind.LOCK, second)
        yield Op(Kind.UNLOCK, mutex)
        yield Op(Kind.UNLOCK, second)
    elif kind == "stopped":
        yield Op(Kind.BEGIN_EXCLUSIVE)
        read = yield load(address)
        yield store(address, read + 1 & 0xFF)
        yield Op(Kind.END_EXCLUSIVE)
    elif kind == "stop":
        yield Op(Kind.BEGIN_EXCLUSIVE)
        yield Op(Kind.END_EXCLUSIVE)
    elif kind == "stop inside":
        yield Op(Kind.LOCK, mutex)
        yield Op(Kind.BEGIN_EXCLUSIVE)
        yield Op(Kind.END_EXCLUSIVE)
        yield Op(Kind.UNLOCK, mutex)
    else:
        raise AssertionError(kind)
    return 0


# -- the literature ----------------------------------------------------------------------------------


def inc(n: int) -> ExplicitState:
    def thread() -> Body:
        r = yield load(0)
        yield store(0, r + 1)

    return ExplicitState([thread] * n, {0: 0})


def fib(rounds: int) -> ExplicitState:
    def update(target: int) -> Thread:
        def thread() -> Body:
            for _ in range(rounds):
                r = yield load(0)
                s = yield load(1)
                yield store(target, r + s)

        return thread

    return ExplicitState([update(0), update(1)], {0: 1, 1: 1})


def readers(n: int) -> ExplicitState:
    def writer() -> Body:
        yield store(0, 42)

    def reader() -> Body:
        yield load(0)

    return ExplicitState([writer] + [reader] * n, {0: 0})


def lastzero(n: int) -> ExplicitState:
    def update(j: int) -> Thread:
        def thread() -> Body:
            r = yield load(j - 1)
            yield store(j, r + 1)

        return thread

    def search() -> Body:
        i = n
        while (yield load(i)):
            i -= 1

    return ExplicitState([update(j) for j in range(1, n + 1)] + [search], dict.fromkeys(range(n + 1), 0))


def indexer(n: int) -> ExplicitState:
    def insert(t: int) -> Thread:
        def thread() -> Body:
            for i in range(4):
                w = 11 * i + t
                h = 7 * w % 128
                while (yield Op(Kind.CAS, None, h, 1, w, 0)):
                    h = (h + 1) % 128

        return thread

    return ExplicitState([insert(t) for t in range(n)], dict.fromkeys(range(128), 0))
