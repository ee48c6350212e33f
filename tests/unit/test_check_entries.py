"""Entries of the modelled module: one for a granule, and only where an atomic access was made."""

import pytest
from handmade import Tape, X, Y, found, run
from scheme_parts import read_modify_write

from simaie.aie.entry import Entry
from simaie.check import judge
from simaie.check.entries import one_entry_per_granule, registered_by_atomics
from simaie.host.host import Host, Mutex
from simaie.op import Function, Kind, Op, Role
from simaie.protocols import Promise
from simaie.schemes.aie_v2 import AieV2
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind

HOST = Host()
REGISTERED = frozenset({Promise.REGISTERED_BY_ATOMICS})
SLOT = "radix/01/00"  # index 0x100: granules of 16 bytes put X there


def slot_at(path):
    return HOST.cell(path, role=Role.SLOT, address=int(path.removeprefix("radix").replace("/", ""), 16))


def publish(tape, vcpu, address=X, slot=SLOT, seen=None):
    return tape.op(vcpu, slot_at(slot).compare_and_swap(None, Entry(HOST, address)), seen)


def strays(tape):
    return [(f.steps, f.addresses, f.vcpus) for f in registered_by_atomics(tape.trace(promises=REGISTERED))]


def test_two_mutexes_for_one_granule_are_found_once():
    twin = [Mutex("lock 0x1000", X), Mutex("lock 0x1000", X)]
    tape = Tape()
    for vcpu, lock in (("0", twin[0]), ("1", twin[1]), ("0", twin[0]), ("1", twin[1])):
        tape.begin(vcpu, AccessKind.ATOMIC).lock(vcpu, lock).unlock(vcpu, lock)
    (finding,) = one_entry_per_granule(tape.trace(promises=REGISTERED))
    assert finding.kind == "one-entry-per-granule"
    assert (finding.steps, finding.addresses, finding.vcpus) == ((0, 2), (0x1000,), ("1", "0"))
    assert not list(one_entry_per_granule(tape.trace()))


def test_a_granule_is_known_by_the_address_of_its_mutex_whatever_the_names():
    tape = Tape()
    for vcpu, lock in (("0", Mutex("mine", X)), ("1", Mutex("yours", X)), ("0", Mutex("lock 0x1000"))):
        tape.begin(vcpu, AccessKind.ATOMIC).lock(vcpu, lock).unlock(vcpu, lock)
    assert [f.steps for f in one_entry_per_granule(tape.trace(promises=REGISTERED))] == [(0, 2)]


def test_one_mutex_for_each_granule_is_clean():
    tape = Tape()
    for lock in (one := Mutex("lock 0x1000", X), Mutex("lock 0x2000", 0x2000), one):
        tape.begin("0", AccessKind.ATOMIC).lock("0", lock).unlock("0", lock)
    assert not list(one_entry_per_granule(tape.trace(promises=REGISTERED)))


@pytest.mark.parametrize(
    ("access", "stray"),
    [
        (AccessKind.ATOMIC, False),
        (AccessKind.LOAD_LINKED, False),
        (AccessKind.STORE_CONDITIONAL, False),
        (AccessKind.STORE, True),
        (AccessKind.LOAD, True),
        (AccessKind.PLAIN_RMW, True),
    ],
)
def test_an_entry_made_by_another_than_an_atomic_access_is_found(access, stray):
    tape = publish(Tape().begin("0", access), "0")
    assert strays(tape) == ([((0,), (X,), ("0",))] if stray else [])
    assert not list(registered_by_atomics(tape.trace()))


@pytest.mark.parametrize("offset", range(-20, 20))
def test_an_entry_for_a_granule_that_the_atomic_access_does_not_touch_is_found(offset):
    tape = publish(Tape().begin("0", AccessKind.ATOMIC, address=X + offset), "0")
    assert bool(strays(tape)) is not (-4 < offset < 16)


def test_an_entry_that_lost_the_race_or_an_inner_node_is_no_registration():
    store = Tape().begin("0", AccessKind.STORE)
    publish(store, "0", seen=Entry(HOST, X))
    store.op("0", HOST.cell("radix/01").compare_and_swap(None, HOST.cell("node radix/01")))
    assert strays(store) == []


def test_a_physical_granule_is_recognised_by_its_place_in_the_page():
    tape = publish(Tape().begin("0", AccessKind.ATOMIC, address=0x7000_0010), "0", X + 0x10, "radix/01/01")
    assert strays(tape) == []


def aliased(setter, test_bit=5):
    word = HOST.cell_of(Role.BITMAP, 0, 0)
    tape = Tape().begin("0", setter)
    tape.op("0", Op(Kind.FETCH, word, function=Function("or 0x20", lambda old: old | 32), bit=5), 0)
    tape.begin("1", AccessKind.STORE).op("1", Op(Kind.LOAD, word, bit=test_bit), 32)
    return publish(tape, "1")


def test_a_plain_store_that_shares_a_bit_with_an_atomic_access_may_make_an_entry():
    assert strays(aliased(AccessKind.ATOMIC)) == []


def test_a_bit_that_no_atomic_access_set_excuses_nothing():
    assert len(strays(aliased(AccessKind.STORE))) == 1
    assert len(strays(aliased(AccessKind.ATOMIC, test_bit=6))) == 1


# -- real executions ------------------------------------------------------------------------------


class EagerStore(AieV2):
    """A plain store registers its granule."""

    async def check(self, cpu, key):
        await self.get_lock(cpu, key)


class Twins(Scheme):
    """Every vCPU makes itself a lock for the granule."""

    promises = REGISTERED

    def enter(self, cpu):
        cpu.local = self.host.mutex(f"lock {X:#x}", X)

    async def atomic_rmw(self, cpu, address, width, function):
        await cpu.local.lock()
        old = await read_modify_write(self, address, width, function)
        await cpu.local.unlock()
        return old


async def adder(cpu):
    await cpu.lock_xadd(X, 1)
    await cpu.lock_xadd(X, 1)


async def storer(cpu):
    await cpu.store(Y, 1)


async def distant(cpu):
    await cpu.store(X + (64 << 2), 1)  # shares its bit with X in a bitmap of 4


def test_a_store_that_registers_is_found():
    assert found(registered_by_atomics, [storer], EagerStore, isa="x86", executions=1)


def test_a_lock_for_each_vcpu_is_found():
    assert found(one_entry_per_granule, [adder, adder], Twins, isa="x86", executions=10) == 10


@pytest.mark.untraced
@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2", "aie-v2:bitmap_bits=2", "aie-v2:bitmap_bits=0"])
def test_the_modelled_schemes_are_clean(scheme):
    for seed in range(50):
        trace = run([adder, adder, storer, distant], scheme, isa="x86", seed=seed)
        assert judge(trace, [one_entry_per_granule, registered_by_atomics]) == ()
