"""URW is uniform over interleavings, SURW over those of the interesting events: chi-square tests with fixed seeds."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import msgspec
import pytest
from scheduler_programs import X, Y, actors, increments, independent, loads, make, run, run_all, stores
from simaie_schedulers._places import place_of
from simaie_schedulers._weights import Weights
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.surw import SelectiveRandomWalk, UniformRandomWalk

from simaie.errors import UsageError
from simaie.host.host import Host
from simaie.op import Role
from simaie.prng import Random

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

PRIVATE = 0x8000


def chi_square(tally: Counter[str], cells: int) -> float:
    """How far `tally` is from uniform over `cells`, in standard deviations above what chance gives.

    The statistic has mean ``cells - 1`` and variance twice that; beyond four or five deviations it is not chance.
    """
    expected = tally.total() / cells
    statistic = sum((n - expected) ** 2 / expected for n in tally.values()) + (cells - len(tally)) * expected
    return (statistic - (cells - 1)) / sqrt(2 * (cells - 1))


def tally(program, scheduler, executions: int, show=actors) -> Counter[str]:
    run(program, scheduler)  # the profiling run is not uniform
    return Counter(show(run(program, scheduler, index)) for index in range(1, executions + 1))


@pytest.mark.untraced
def test_urw_is_uniform_over_the_252_interleavings_of_two_threads_of_five():
    assert chi_square(tally(independent(2, 5), UniformRandomWalk(), 252 * 20), 252) < 4


def test_a_plain_random_walk_is_not():
    """To begin with 00000 has probability 1/32, though 1 interleaving of 252 does."""
    assert chi_square(tally(independent(2, 5), RandomWalk(), 252 * 20), 252) > 40


def test_urw_is_uniform_over_threads_of_different_lengths():
    """4 steps against 2 against 1: 7! / (4! 2! 1!) = 105."""
    program = make(stores(X, X, X, X), stores(Y, Y), loads(X))
    assert chi_square(tally(program, UniformRandomWalk(), 105 * 30), 105) < 4


def test_urw_counts_unspawned_children_with_their_parent():
    """Thread 0: spawn, store; its child: store, exit; thread 1: two stores.

    Below the spawn 3 orders of the store against the child's two steps; the 4 steps of both against thread 1's two: 15.
    Being a forest, its 45 linear extensions are equally likely if each root is drawn by the size of its tree.
    """

    async def parent(cpu):
        await cpu.spawn(stores(X))
        await cpu.str_(X, 1)

    def show(trace):
        return ",".join(event.actor for event in trace.events)

    assert chi_square(tally(make(parent, stores(Y, Y)), UniformRandomWalk(), 45 * 60, show), 45) < 4


def uneven():
    """Thirty private stores stand before the three interesting ones of thread 0; thread 1 has only its three."""
    return make(stores(*[PRIVATE] * 30, X, X, X), stores(X, X, X))


def on_x(trace):
    return "".join(event.actor for event in trace.events if event.op.address == X)


@pytest.mark.parametrize("interesting", [None, lambda op: op.address == X], ids=["default", "predicate"])
def test_surw_is_uniform_over_the_interleavings_of_interesting_events(interesting):
    """C(6, 3) = 20 orders of the stores to X, whatever the other events; X is the only place that both touch."""
    assert chi_square(tally(uneven(), SelectiveRandomWalk(interesting), 20 * 50, on_x), 20) < 4


def test_a_plain_random_walk_sees_one_of_these_orders_only():
    assert set(tally(uneven(), RandomWalk(), 20 * 50, on_x)) == {"111000"}


@pytest.mark.untraced
def test_surw_is_uniform_where_interesting_events_and_others_alternate():
    """Every thread is held and set free again and again: 6! / (3! 2! 1!) = 60 orders of the stores to X."""
    program = make(stores(X, PRIVATE, X, PRIVATE, X), stores(PRIVATE, X, Y, PRIVATE, X), stores(Y, Y, X, Y))
    surw = SelectiveRandomWalk(lambda op: op.address == X)
    assert chi_square(tally(program, surw, 60 * 40, on_x), 60) < 4


def test_surw_moves_the_intention_to_children():
    """A spawned thread stores three times to X, its parent privately; against three stores of thread 1: again 20."""

    async def parent(cpu):
        for _ in range(5):
            await cpu.str_(PRIVATE, 1)
        await cpu.spawn(stores(X, X, X))
        await cpu.str_(PRIVATE, 1)

    def show(trace):
        return ",".join(event.actor for event in trace.events if event.op.address == X)

    surw = SelectiveRandomWalk(lambda op: op.address == X)
    assert chi_square(tally(make(parent, stores(X, X, X)), surw, 20 * 50, show), 20) < 4


def test_weights_know_their_total_whatever_happens():
    """An actor without a count, one that runs longer than counted, and a share that its parent has no more."""
    weights = Weights({"0": 1, "0.0": 3, "1": 2})
    assert weights.left == {"0": 4, "1": 2}
    for _ in range(6):
        weights.expect("0")
        weights.ran("0")
    weights.expect("7")
    assert weights.spawned("0") == "0.0"
    assert weights.left == {"0": 0, "0.0": 3, "1": 2, "7": 1}
    assert weights.total == 6


def test_of_those_who_have_nothing_left_none_is_drawn():
    assert Weights({"0": 0}).draw(Random(1)) is None
    drawn = Weights({"0": 0, "1": 1, "2": 3})
    assert Counter(drawn.draw(Random(seed)) for seed in range(400)).keys() == {"1", "2"}


def test_an_interesting_set_that_matches_nothing_is_an_error_when_that_is_known():
    with pytest.raises(UsageError):
        run(increments(2), SelectiveRandomWalk(lambda op: op.address == Y))


def test_surw_by_default_copes_with_programs_that_share_nothing():
    async def idle(cpu):
        await cpu.yield_()

    scheduler = SelectiveRandomWalk()
    assert len({actors(t) for t in run_all(make(idle, idle), scheduler, 20)}) == 2


def test_surw_finishes_when_the_intended_actor_has_fewer_events_than_counted():
    async def moody(cpu):
        for _ in range(4 if await cpu.ldr(Y) else 1):
            await cpu.str_(X, 1)

    program = make(moody, moody, stores(Y, X))
    assert all(t.ending == "finished" for t in run_all(program, SelectiveRandomWalk(), 200))


def test_surw_waits_for_nobody_who_is_blocked():
    async def waiter(cpu):
        await cpu.wait_until(X, lambda value: value == 2)
        await cpu.str_(X, 3)

    async def writer(cpu):
        await cpu.str_(X, 1)
        await cpu.str_(X, 2)

    assert all(t.ending == "finished" for t in run_all(make(waiter, writer), SelectiveRandomWalk(), 100))


@pytest.mark.parametrize("make_scheduler", [UniformRandomWalk, SelectiveRandomWalk])
def test_any_execution_repeats_alone_from_its_profile(make_scheduler):
    """The profile survives a file, in whatever order that holds its keys."""
    program, scheduler = make(stores(X, Y), stores(Y, X), loads(X, Y)), make_scheduler()
    for index in range(50):
        profile = msgspec.json.decode(msgspec.json.encode(scheduler.profile(), order="sorted"))
        original = run(program, scheduler, index)
        alone = make_scheduler()
        alone.restore(profile)
        assert run(program, alone, index).digest == original.digest


def test_what_is_no_predicate_is_refused():
    with pytest.raises(UsageError):
        SelectiveRandomWalk("X")


@pytest.mark.parametrize("make_scheduler", [UniformRandomWalk, SelectiveRandomWalk])
def test_who_spins_without_yielding_does_not_starve_the_owner_of_the_lock(make_scheduler):
    """Test-and-set without a hint: the spinner's next event of D may lie behind the lock that the held one owns."""

    async def locked(cpu):
        while await cpu.swp(Y, 1):
            pass
        await cpu.str_(X, 1)
        await cpu.str_(Y, 0)

    traces = list(run_all(make(locked, locked), make_scheduler(), 300))
    assert all(t.ending == "finished" for t in traces)
    assert max(len(t) for t in traces) < 100


def test_cells_of_a_chunk_are_one_place_with_its_memory_and_others_are_their_own():
    host = Host()
    chunk = [host.load(X + 4, 4), host.mutex("any name", X).lock(), host.cell_of(Role.RESERVATIONS, X).load()]
    assert {place_of(op) for op in chunk} == {f"{X:#x}"}
    assert place_of(host.cell("radix/10", role=Role.SLOT, address=0x10).load()) == "radix/10"
    assert place_of(host.mutex("lock 0x1000").lock()) == "lock 0x1000"
    assert place_of(host.fence()) is None
