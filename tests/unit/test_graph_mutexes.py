"""Mutexes on hosts of execution graphs: vCPUs that wait make no graphs of their own, and none is lost."""

from __future__ import annotations

import pytest
from graph_enumeration import all_revisits, graphs_of, key_of
from graph_programs import X, Y, increments, load, store, xadd

from simaie import Machine, Program
from simaie.host.graph_reference import GraphScMemory
from simaie.prng import Random
from simaie.schemes.cas import CompareAndSwap


def test_vcpus_that_wait_for_a_mutex_make_no_graphs_of_their_own():
    for count, orders in ((2, 2), (3, 6), (4, 24)):
        search, found = graphs_of(increments(count), Machine("global-lock", host="armv8"))
        assert (len(found), search.counts.blocked, search.counts.dead) == (orders, 0, 0)


A, B, AB, BA = 0x300, 0x340, 0x380, 0x3C0


class TwoLocks(CompareAndSwap):
    """Locked instructions take one or two mutexes, by their address, and access other places."""

    name = "two-locks"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        a, b = self.host.mutex("a"), self.host.mutex("b")
        self.locks = {A: (a,), B: (b,), AB: (a, b), BA: (b, a)}

    async def atomic_rmw(self, cpu, address, width, function):
        for lock in self.locks[address]:
            await lock.lock()
        value = await self.host.load(X, 4)
        await self.host.store(Y, 4, function.apply(value))
        for lock in reversed(self.locks[address]):
            await lock.unlock()
        return value


#: The graphs that a search finds in which vCPUs that wait are no different from others, for programs of `TwoLocks`.
LOCKED = [
    ([[store(X), xadd(AB)], [xadd(BA)]], 4),
    ([[xadd(B)], [store(X), xadd(AB)], [xadd(AB)]], 12),
    ([[load(Y, "r"), xadd(A)], [xadd(A), load(X, "s")]], 3),
    ([[xadd(AB)], [xadd(AB), store(X)], [xadd(B)]], 12),
    ([[xadd(AB)], [xadd(BA)], [xadd(A)]], 8),
    ([[xadd(A)], [xadd(A), xadd(AB)], [xadd(B)]], 12),
    ([[xadd(AB), xadd(A)], [xadd(A)], [xadd(B), xadd(A)]], 30),
    ([[xadd(B), load(Y, "r")], [xadd(AB)], [store(X, 3)]], 9),
]


@pytest.mark.parametrize("number", range(len(LOCKED)))
@pytest.mark.parametrize("host", ["armv8", "rvwmo", GraphScMemory])
def test_nested_mutexes_lose_no_graph_and_no_deadlock(number, host):
    threads, count = LOCKED[number]
    search, found = graphs_of(Program("locks", isa="x86", threads=threads), Machine(TwoLocks, host=host))
    assert (len(found), len({key_of(graph) for graph in found})) == (count, count)
    assert not search.counts.blocked


# -- generated programs --------------------------------------------------------------------------------------


def generated(seed):
    """The program of a seed: two or three vCPUs that take mutexes, nested too, and access what these do not protect."""
    random = Random(seed)
    count = 2 + random.below(2)
    threads = []
    for vcpu in range(count):
        threads.append([])
        for number in range(1 + random.below(2 if count == 3 else 3)):
            locked = random.choice((A, B, AB, BA))
            other = random.choice((store(random.choice((X, Y)), vcpu + 1), load(random.choice((X, Y)), f"r{number}")))
            threads[-1].append(random.choice((xadd(locked, f"q{number}"), xadd(locked, f"q{number}"), other)))
    return Program(f"locks{seed}", isa="x86", threads=threads)


def compared(seeds, host, monkeypatch):
    """Compare with a search that revisits everywhere; each graph comes once, and no way leads nowhere."""
    for seed in seeds:
        search, found = graphs_of(generated(seed), Machine(TwoLocks, host=host))
        keys = {key_of(graph) for graph in found}
        assert len(keys) == len(found), seed
        assert (search.counts.blocked, search.counts.dead) == (0, 0), seed
        if len(found) < 40:
            assert all_revisits(generated(seed), Machine(TwoLocks, host=host), monkeypatch) == keys, seed


@pytest.mark.untraced
@pytest.mark.parametrize("host", ["armv8", "rvwmo"])
def test_generated_programs_of_mutexes_lose_no_graph_and_have_none_twice(host, monkeypatch):
    compared(range(12), host, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("host", ["armv8", "rvwmo"])
def test_many_programs_of_mutexes_lose_no_graph_and_have_none_twice(host, monkeypatch):
    compared(range(100, 700), host, monkeypatch)
