"""Host operations beyond what a scheme promised, and structures accessed without their lock, are found."""

import pytest
from handmade import Tape, X, found, kinds, run
from scheme_parts import read_modify_write

from simaie.check import judge
from simaie.check.invariants import host_operations, unguarded_update
from simaie.host.host import Host, Mutex
from simaie.op import Kind, Op, Role
from simaie.protocols import Promise
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind

MUTEXES = frozenset({Promise.MUTEXES_ONLY})
GUARD, OTHER = Mutex("lock 0x1000", 0x1000), Mutex("lock 0x2000", 0x2000)
SET = Host().cell_of(Role.RESERVATIONS, 0x1000, (), GUARD)

FORBIDDEN = [
    *(Op(kind, None, X, 4, 1, 0) for kind in (Kind.CAS, Kind.EXCHANGE, Kind.FETCH)),
    *(Op(kind, None, X, 4, 1) for kind in (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL)),
    Op(Kind.BEGIN_EXCLUSIVE),
    Op(Kind.END_EXCLUSIVE),
]
CELL = Host().cell("slot")
ALLOWED = [
    Op(Kind.LOAD, None, X, 4),
    Op(Kind.STORE, None, X, 4, 1),
    CELL.compare_and_swap(None, 1),
    CELL.exchange(1),
    GUARD.lock(),
    GUARD.unlock(),
    Op(Kind.FENCE),
    Op(Kind.PAUSE),
]


@pytest.mark.parametrize("op", FORBIDDEN, ids=str)
def test_a_host_operation_beyond_mutexes_is_found_where_mutexes_are_promised(op):
    tape = Tape().begin("0", AccessKind.ATOMIC).op("0", op, 0)
    (finding,) = host_operations(tape.trace(promises=MUTEXES))
    assert (finding.kind, finding.steps, finding.vcpus) == ("host-operations", (0,), ("0",))
    assert not list(host_operations(tape.trace()))


@pytest.mark.parametrize("op", ALLOWED, ids=str)
def test_mutexes_plain_accesses_and_atomics_on_the_emulators_cells_are_allowed(op):
    assert not list(host_operations(Tape().op("0", op, 0).trace(promises=MUTEXES)))


def update():
    return SET.update("insert 0", lambda members: (members, None))


def test_an_update_under_its_guard_is_clean():
    tape = Tape().lock("0", GUARD).op("0", update()).unlock("0", GUARD)
    assert not list(unguarded_update(tape.trace()))


@pytest.mark.parametrize(
    "tape",
    [
        Tape(),
        Tape().lock("0", OTHER),
        Tape().lock("0", GUARD).unlock("0", GUARD),
    ],
)
def test_an_update_while_the_guard_is_free_is_found(tape):
    before = len(tape.events)
    (finding,) = unguarded_update(tape.op("0", update()).trace())
    assert (finding.kind, finding.steps, finding.vcpus) == ("unguarded-update", (before,), ("0",))


def test_an_update_while_another_holds_the_guard_is_found_and_names_the_holder():
    (finding,) = unguarded_update(Tape().lock("1", GUARD).op("0", update()).trace())
    assert finding.vcpus == ("0", "1")


def test_a_structure_without_a_guard_is_not_judged():
    free = Host().cell("free", ())
    assert not list(unguarded_update(Tape().op("0", free.update("look", lambda v: (v, v))).trace()))


# -- real executions ------------------------------------------------------------------------------


class Boaster(CompareAndSwap):
    """Promises mutexes only, and uses host atomics."""

    promises = MUTEXES


class Counting(Scheme):
    """Counts its atomic instructions under a lock."""

    guarded = True

    def __init__(self, *args):
        super().__init__(*args)
        self.lock = self.host.mutex("lock")
        self.count = self.host.cell("count", 0, self.lock)

    async def atomic_rmw(self, cpu, address, width, function):
        if self.guarded:
            await self.lock.lock()
        old = await read_modify_write(self, address, width, function)
        await self.count.update("count", lambda value: (value + 1, None))
        if self.guarded:
            await self.lock.unlock()
        return old


class Careless(Counting):
    """Counts without the lock."""

    guarded = False


async def adder(cpu):
    await cpu.lock_xadd(X, 1)


async def misaligned(cpu):
    await cpu.lock_xadd(X + 1, 1)


def test_a_scheme_that_breaks_its_promise_is_found():
    aligned = run([adder], Boaster, isa="x86")
    assert kinds(host_operations(aligned)) == ["host-operations"]
    alone = run([misaligned], Boaster, isa="x86")
    assert kinds(host_operations(alone)) == ["host-operations"] * 2  # it stops the world, and starts it


def test_a_scheme_that_forgets_the_guard_is_found():
    assert found(unguarded_update, [adder, adder], Careless, isa="x86", executions=10) == 10


@pytest.mark.parametrize("scheme", [Counting, "native", "cas", "global-lock", "aie-rfc", "aie-v2"])
def test_sound_schemes_are_clean(scheme):
    for seed in range(30):
        trace = run([adder, adder, misaligned], scheme, isa="x86", seed=seed)
        assert judge(trace, [host_operations, unguarded_update]) == ()


def test_the_tiny_sets_of_the_modelled_module_are_updated_under_their_guard():
    async def increment(cpu):
        while await cpu.strex(X, await cpu.ldrex(X) + 1):
            pass

    for seed in range(30):
        trace = run([increment, increment], "aie-rfc", seed=seed)
        assert Kind.UPDATE in trace.kinds
        assert judge(trace, [host_operations, unguarded_update]) == ()
