"""Mutexes held past an instruction's end are found under every scheme; two at a time where one was promised."""

import pytest
from handmade import Tape, X, found, kinds, run
from scheme_parts import read_modify_write

from simaie.check import judge
from simaie.check.locks import lock_leak, locks_per_vcpu
from simaie.errors import GuestFault
from simaie.host.host import Mutex
from simaie.protocols import Promise
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind, Ending, Fault

ATOMIC, STORE = AccessKind.ATOMIC, AccessKind.STORE
LOCK, OTHER_LOCK = Mutex("lock 0x1000"), Mutex("lock 0x2000")
ONE = frozenset({Promise.ONE_LOCK})


def test_a_lock_released_in_its_instruction_is_clean():
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK).load("0").store("0").unlock("0", LOCK)
    assert not list(lock_leak(tape.trace()))


def test_a_lock_that_is_never_released_is_found():
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK).store("0")
    (finding,) = lock_leak(tape.trace())
    assert (finding.kind, finding.steps, finding.vcpus) == ("lock-leak", (0,), ("0",))


def test_a_lock_released_by_a_later_instruction_is_found():
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK).begin("0", STORE).store("0").unlock("0", LOCK)
    (finding,) = lock_leak(tape.trace())
    assert finding.steps == (0, 2)


@pytest.mark.parametrize("ending", [Ending.DEADLOCK, Ending.LIVELOCK, Ending.STEP_LIMIT, Ending.PRUNED])
def test_an_instruction_that_was_cut_short_is_not_judged(ending):
    tape = Tape().begin("0", ATOMIC, cut=True).lock("0", LOCK)
    assert not list(lock_leak(tape.trace(ending)))


@pytest.mark.parametrize("ending", [Ending.DEADLOCK, Ending.STEP_LIMIT])
def test_a_completed_instruction_is_judged_even_if_the_execution_was_cut_short(ending):
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK)
    assert kinds(lock_leak(tape.trace(ending))) == ["lock-leak"]


def test_an_instruction_that_faulted_is_judged_when_its_vcpu_went_on_or_ended():
    went_on = Tape().begin("0", ATOMIC, cut=True).lock("0", LOCK).begin("0", STORE).store("0")
    ended = Tape().begin("0", ATOMIC, cut=True).lock("0", LOCK)
    assert kinds(lock_leak(went_on.trace(Ending.STEP_LIMIT))) == ["lock-leak"]
    assert kinds(lock_leak(ended.trace(Ending.DEADLOCK, faults=(Fault("0", 1, "page"),)))) == ["lock-leak"]


def test_each_of_several_locks_of_several_vcpus_is_judged_by_itself():
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK).begin("1", ATOMIC).lock("1", OTHER_LOCK).unlock("0", LOCK)
    assert [f.vcpus for f in lock_leak(tape.trace())] == [("1",)]


def test_a_second_lock_is_found_where_one_at_a_time_is_promised():
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK).lock("0", OTHER_LOCK)
    tape.unlock("0", OTHER_LOCK).unlock("0", LOCK)
    (finding,) = locks_per_vcpu(tape.trace(promises=ONE))
    assert (finding.kind, finding.steps, finding.vcpus) == ("locks-per-vcpu", (0, 1), ("0",))
    assert not list(locks_per_vcpu(tape.trace()))


def test_one_lock_after_the_other_or_one_for_each_vcpu_is_clean():
    tape = Tape().begin("0", ATOMIC).lock("0", LOCK).begin("1", ATOMIC).lock("1", OTHER_LOCK)
    tape.unlock("0", LOCK).unlock("1", OTHER_LOCK).lock("0", OTHER_LOCK).unlock("0", OTHER_LOCK)
    assert not list(locks_per_vcpu(tape.trace(promises=ONE)))


class Locking(Scheme):
    """A locked read-modify-write under one mutex, done right."""

    promises = ONE

    def __init__(self, *args):
        super().__init__(*args)
        self.lock = self.host.mutex("global")
        self.second = self.host.mutex("second")

    async def atomic_rmw(self, cpu, address, width, function):
        await self.lock.lock()
        old = await read_modify_write(self, self.pages.resolve(address), width, function)
        await self.lock.unlock()
        return old


class Forgetful(Locking):
    """Does not unlock."""

    async def atomic_rmw(self, cpu, address, width, function):
        await self.lock.lock()
        return await read_modify_write(self, self.pages.resolve(address), width, function)


class LeakyFault(Locking):
    """A fault in mid-instruction leaves the mutex locked."""

    async def atomic_rmw(self, cpu, address, width, function):
        await self.lock.lock()
        raise GuestFault("page", address, "no page")


class Greedy(Locking):
    """Takes two mutexes, always in one order."""

    async def atomic_rmw(self, cpu, address, width, function):
        await self.second.lock()
        old = await super().atomic_rmw(cpu, address, width, function)
        await self.second.unlock()
        return old


async def adder(cpu):
    await cpu.lock_xadd(X, 1)


async def survivor(cpu):
    try:
        await cpu.lock_xadd(X, 1)
    except GuestFault:
        await cpu.store(X, 1)


def test_schemes_that_leak_are_found():
    assert found(lock_leak, [adder], Forgetful, isa="x86", executions=1)
    assert found(lock_leak, [adder, adder], Forgetful, isa="x86", executions=20) == 20
    assert found(lock_leak, [adder], LeakyFault, isa="x86", executions=1)
    assert found(lock_leak, [survivor], LeakyFault, isa="x86", executions=1)


def test_a_scheme_that_takes_two_locks_is_found():
    assert found(locks_per_vcpu, [adder, adder], Greedy, isa="x86", executions=20) == 20
    assert not found(lock_leak, [adder, adder], Greedy, isa="x86", executions=20)


@pytest.mark.parametrize("scheme", [Locking, "native", "global-lock", "aie-rfc", "aie-v2", "cas"])
def test_sound_schemes_are_clean(scheme):
    for seed in range(30):
        trace = run([adder, adder, adder], scheme, isa="x86", seed=seed)
        assert judge(trace, [lock_leak, locks_per_vcpu]) == ()
