"""A locked read-modify-write with a foreign write inside is found, and nothing else is."""

from itertools import combinations

import pytest
from handmade import Tape, X, Y, found, kinds, run
from scheme_parts import read_modify_write

from simaie.check import DEFAULT, judge
from simaie.check.rmw import rmw_atomicity
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind, Ending

ATOMIC = AccessKind.ATOMIC


def locked(tape, vcpu="0", **options):
    return tape.begin(vcpu, ATOMIC, "lock xadd", **options)


def test_a_store_between_load_and_store_is_found_with_its_evidence():
    tape = locked(Tape()).load("0").plain_store("1", address=X + 2, width=2).store("0")
    (finding,) = rmw_atomicity(tape.trace())
    assert finding.kind == "rmw-atomicity"
    assert finding.steps == (0, 1, 2)
    assert finding.addresses == (X, X + 2, X)
    assert finding.vcpus == ("0", "1")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_all_places_of_a_foreign_store_only_the_one_inside_is_found(place):
    tape = Tape()
    steps = [lambda: locked(tape).load("0"), lambda: tape.store("0")]
    steps.insert(place, lambda: tape.plain_store("1"))
    for step in steps:
        step()
    assert kinds(rmw_atomicity(tape.trace())) == ["rmw-atomicity"] * (place == 1)


@pytest.mark.parametrize("shift", range(-5, 6))
def test_only_a_write_that_overlaps_counts(shift):
    tape = locked(Tape()).load("0").plain_store("1", address=X + shift, width=2).store("0")
    overlaps = -2 < shift < 4
    assert bool(list(rmw_atomicity(tape.trace()))) is overlaps


def test_every_order_of_two_atomic_instructions_is_found_unless_they_do_not_overlap_in_time():
    for places in combinations(range(4), 2):
        tape = Tape()
        locked(tape, "0")
        locked(tape, "1")
        mine = iter((tape.load, tape.store))
        other = iter((tape.load, tape.store))
        for step in range(4):
            next(mine)("0") if step in places else next(other)("1")
        assert bool(list(rmw_atomicity(tape.trace()))) is (places not in {(0, 1), (2, 3)})


def test_a_foreign_load_inside_is_no_violation():
    tape = locked(Tape()).load("0").begin("1", AccessKind.LOAD).load("1").store("0")
    assert not list(rmw_atomicity(tape.trace()))


def test_an_unlocked_read_modify_write_promises_nothing():
    tape = Tape().begin("0", AccessKind.PLAIN_RMW, "xadd").load("0").plain_store("1").store("0")
    assert not list(rmw_atomicity(tape.trace()))


def test_a_locked_instruction_that_wrote_nothing_is_not_judged():
    tape = locked(Tape(), cut=True).load("0").plain_store("1")
    assert not list(rmw_atomicity(tape.trace(Ending.STEP_LIMIT)))


def test_an_instruction_that_never_completed_is_judged_by_what_it_wrote():
    tape = locked(Tape(), cut=True).load("0").plain_store("1").store("0")
    assert len(list(rmw_atomicity(tape.trace(Ending.STEP_LIMIT)))) == 1


def test_a_retry_after_a_failed_compare_and_swap_is_atomic():
    tape = locked(Tape()).load("0", 0).plain_store("1", 5).cas("0", 0, 1, seen=5).load("0", 5).cas("0", 5, 6, seen=5)
    assert not list(rmw_atomicity(tape.trace()))


def test_a_failed_compare_and_swap_inside_is_a_read():
    tape = locked(Tape()).load("0")
    locked(tape, "1").cas("1", 9, 1, seen=0)
    tape.store("0")
    assert not list(rmw_atomicity(tape.trace()))


def test_either_half_of_a_split_access_is_watched():
    for half in (X, X + 8):
        tape = locked(Tape(), width=16).load("0", width=8).load("0", address=X + 8, width=8)
        tape.plain_store("1", address=half, width=8).store("0", width=8).store("0", address=X + 8, width=8)
        assert [f.steps for f in rmw_atomicity(tape.trace())] == [(0, 2, 4)]


def wide(*order: str) -> list[tuple[int, ...]]:
    """A 16-byte instruction as loads and stores of its halves, "r0 r1 w0 w1", and foreign stores "f0", "f1" to them."""
    tape = locked(Tape(), width=16)
    for what, half in order:
        act = {"r": tape.load, "w": tape.store, "f": tape.plain_store}[what]
        act("1" if what == "f" else "0", address=X + 8 * int(half), width=8)
    return [finding.steps for finding in rmw_atomicity(tape.trace())]


def test_each_half_has_a_window_of_its_own():
    """From its own read to its own write: the other half's accesses do not conflict, so they may come first or last."""
    assert wide("r0", "f1", "r1", "w0", "w1") == wide("f1", "r0", "r1", "w0", "w1") == []
    assert wide("r0", "r1", "w0", "f0", "w1") == wide("r0", "r1", "w0", "w1", "f0") == []
    assert wide("r0", "f0", "r1", "w0", "w1") == [(0, 1, 4)]
    assert wide("r0", "r1", "w0", "f1", "w1") == [(0, 3, 4)]


def test_of_two_foreign_writes_that_do_not_conflict_the_lower_one_is_the_evidence():
    assert wide("r0", "r1", "f0", "f1", "w0", "w1") == [(0, 2, 5)]
    assert wide("r0", "r1", "f1", "f0", "w0", "w1") == [(0, 3, 5)]


def test_the_first_read_of_a_byte_and_its_last_write_count():
    tape = locked(Tape()).load("0").store("0").plain_store("1").store("0")
    assert [finding.steps for finding in rmw_atomicity(tape.trace())] == [(0, 2, 3)]


# -- store buffers -----------------------------------------------------------------------------------------------


def buffered(earlier: bool) -> Tape:
    """vCPU 0 has stored (into its buffer) by an atomic instruction to Y, reads X by another, and buffers its store."""
    tape = Tape()
    if earlier:
        locked(tape, address=Y).buffer("0", address=Y)
    return locked(tape).load("0").buffer("0")


@pytest.mark.parametrize("earlier", [False, True])
def test_a_foreign_write_before_the_drain_is_found_whatever_drains_in_between(earlier):
    tape = buffered(earlier)
    read = len(tape.events) - 2
    tape.plain_store("1")
    if earlier:
        tape.drain("0")
    (finding,) = rmw_atomicity(tape.drain("0").trace())
    assert finding.steps == (read, read + 2, len(tape.events) - 1)


@pytest.mark.parametrize("between", [False, True])
def test_a_read_from_the_own_buffer_read_what_drains_first(between):
    """Memory sees 9, 3, 4 or 3, 9, 4; the instruction has read 3 and writes 4, so only the latter loses the 9."""
    tape = Tape().begin("0", AccessKind.STORE).buffer("0", 3)
    locked(tape).load("0", 3).buffer("0", 4)
    for step in (("0", "1", "0") if between else ("1", "0", "0")):
        tape.drain("0") if step == "0" else tape.plain_store("1", 9)
    findings = list(rmw_atomicity(tape.trace()))
    assert [finding.steps for finding in findings] == ([(1, 4, 5)] if between else [])


def test_only_the_bytes_that_the_own_buffer_answered_are_read_late():
    tape = Tape().begin("0", AccessKind.STORE, width=1).buffer("0", 3, width=1)
    locked(tape).load("0", 3).buffer("0", 4).plain_store("1", 9).drain("0").drain("0")
    (finding,) = rmw_atomicity(tape.trace())
    assert finding.steps == (1, 3, 5)


def test_a_device_is_a_foreign_writer():
    tape = locked(Tape()).load("0").begin("dma0", AccessKind.STORE, "dma-write").store("dma0").store("0")
    (finding,) = rmw_atomicity(tape.trace())
    assert finding.vcpus == ("0", "dma0")


class Torn(Scheme):
    """A locked read-modify-write without any lock."""

    def atomic_rmw(self, cpu, address, width, function):
        return read_modify_write(self, self.pages.resolve(address), width, function)


async def adder(cpu):
    await cpu.lock_xadd(X, 1)
    await cpu.store(Y, 1)
    await cpu.lock_add(X, 1)


async def storer(cpu):
    await cpu.store(X, 7)


async def dma(device):
    await device.dma_write(X, 9)


def test_a_scheme_without_a_lock_is_found():
    assert found(rmw_atomicity, [adder, adder], Torn, isa="x86")
    assert found(rmw_atomicity, [adder, storer], Torn, isa="x86")
    assert found(rmw_atomicity, [adder], Torn, isa="x86", devices=[dma])


def test_the_ideal_scheme_is_clean():
    for seed in range(100):
        assert judge(run([adder, adder, storer], "native", isa="x86", seed=seed, devices=[dma]), DEFAULT) == ()
