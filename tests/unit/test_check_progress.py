"""An execution that stands still says who waits for what, who has it, and in which cycle."""

from handmade import Tape, X, Y, found, kinds, run
from scheme_parts import read_modify_write

from simaie.check import judge
from simaie.check.progress import progress, waits
from simaie.guest.cpu import Thread
from simaie.host.host import Mutex
from simaie.op import Function, Kind, Op
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind, Ending

ATOMIC = AccessKind.ATOMIC
A, B = Mutex("lock a"), Mutex("lock b")


def crossed():
    tape = Tape().begin("0", ATOMIC, cut=True).lock("0", A).begin("1", ATOMIC, cut=True).lock("1", B)
    return tape.trace(Ending.DEADLOCK, waiting={"0": B.lock(), "1": A.lock()})


def test_a_cycle_of_locks_is_a_deadlock_with_both_locks_as_evidence():
    (finding,) = progress(crossed())
    assert finding.kind == "deadlock"
    assert finding.steps == (0, 1)
    assert finding.vcpus == ("0", "1")


def test_each_waiter_names_its_lock_and_the_holder():
    first, second = waits(crossed())
    assert (first.vcpu, first.what, first.holders, first.step) == ("0", "lock b", ("1",), 1)
    assert (second.vcpu, second.what, second.holders, second.step) == ("1", "lock a", ("0",), 0)


def test_those_of_the_cycle_come_first():
    tape = Tape().lock("1", A).lock("2", B)
    trace = tape.trace(Ending.DEADLOCK, waiting={"0": A.lock(), "1": B.lock(), "2": A.lock()})
    (finding,) = progress(trace)
    assert finding.vcpus == ("1", "2", "0")


def test_a_cycle_of_three_is_given_in_the_order_of_waiting():
    c = Mutex("lock c")
    tape = Tape().lock("0", A).lock("1", B).lock("2", c)
    trace = tape.trace(Ending.DEADLOCK, waiting={"0": c.lock(), "1": A.lock(), "2": B.lock()})
    (finding,) = progress(trace)
    assert finding.vcpus == ("0", "2", "1")  # 0 waits for 2, 2 for 1, 1 for 0


def test_a_lock_leaked_by_a_vcpu_that_ended_is_a_deadlock_without_a_cycle():
    trace = Tape().lock("0", A).trace(Ending.DEADLOCK, waiting={"1": A.lock()})
    (finding,) = progress(trace)
    assert (finding.vcpus, finding.steps) == (("1",), (0,))
    assert waits(trace)[0].holders == ("0",)


def test_an_unlocked_mutex_has_no_holder():
    trace = Tape().lock("0", A).unlock("0", A).trace(Ending.DEADLOCK, waiting={"1": A.lock()})
    assert waits(trace)[0].holders == ()


def test_a_spin_that_nobody_can_end_is_a_livelock_at_its_address():
    spin = Op(Kind.AWAIT, None, X, 4, function=Function("until set", bool))
    trace = Tape().plain_store("1", 0).trace(Ending.LIVELOCK, waiting={"0": spin})
    (finding,) = progress(trace)
    assert (finding.kind, finding.addresses, finding.steps) == ("livelock", (X,), (0,))


def test_who_joins_waits_for_the_thread():
    join = Op(Kind.JOIN, value=Thread("0.0"))
    trace = Tape().lock("0", A).trace(Ending.DEADLOCK, waiting={"0": join, "0.0": A.lock()})
    assert [wait.holders for wait in waits(trace)] == [("0.0",), ("0",)]
    assert next(iter(progress(trace))).vcpus == ("0", "0.0")


def test_who_stops_the_world_waits_for_those_inside_an_instruction():
    tape = Tape().begin("0", ATOMIC, cut=True).load("0").begin("2", ATOMIC).load("2")
    trace = tape.trace(Ending.DEADLOCK, waiting={"0": A.lock(), "1": Op(Kind.BEGIN_EXCLUSIVE), "2": A.lock()})
    assert waits(trace)[1].holders == ("0",)


def test_a_stopped_world_holds_up_everybody_else():
    tape = Tape().begin("0", ATOMIC, cut=True).op("0", Op(Kind.BEGIN_EXCLUSIVE))
    trace = tape.trace(Ending.DEADLOCK, waiting={"0": A.lock(), "1": Op(Kind.LOAD, None, X, 4)})
    assert [wait.holders for wait in waits(trace)] == [(), ("0",)]


def test_other_endings_are_not_standing_still():
    for ending in set(Ending) - {Ending.DEADLOCK, Ending.LIVELOCK, Ending.LASSO}:
        assert not list(progress(Tape().lock("0", A).trace(ending, waiting={"1": A.lock()})))


class Crossing(Scheme):
    """Locks its own granule, then the other one."""

    def __init__(self, *args):
        super().__init__(*args)
        self.locks = {X: self.host.mutex("lock x"), Y: self.host.mutex("lock y")}

    async def atomic_rmw(self, cpu, address, width, function):
        first, second = self.locks[address], self.locks[X + Y - address]
        await first.lock()
        await second.lock()
        old = await read_modify_write(self, address, width, function)
        await second.unlock()
        await first.unlock()
        return old


async def at_x(cpu):
    await cpu.lock_xadd(X, 1)


async def at_y(cpu):
    await cpu.lock_xadd(Y, 1)


async def spinner(cpu):
    await cpu.wait_until(X, lambda value: value == 99)


def test_a_scheme_with_crossed_locks_is_found():
    assert found(progress, [at_x, at_y], Crossing, isa="x86")
    assert not found(progress, [at_x, at_x], Crossing, isa="x86")


def test_a_guest_that_waits_for_what_never_comes_is_found_in_every_execution():
    for seed in range(10):
        assert kinds(progress(run([spinner, at_x], "native", isa="x86", seed=seed))) == ["livelock"]


def test_guests_that_get_on_are_clean():
    for seed in range(30):
        assert judge(run([at_x, at_y], "native", isa="x86", seed=seed), [progress]) == ()
