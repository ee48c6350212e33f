"""The lockless radix tree: its shape, its steps, and that all racers end with one entry."""

from __future__ import annotations

import pytest
from runs import X, every, execute, program, scripted, small, steps

from simaie.aie.entry import Entry
from simaie.aie.radix_tree import RadixTree, levels_for
from simaie.errors import UsageError
from simaie.host.host import Host
from simaie.machine import Machine
from simaie.op import Kind


@pytest.mark.parametrize(
    ("address_bits", "levels"),
    [(52, 6), (47, 6), (32, 4), (40, 5), (14, 1), (15, 2)],
    ids=["x86-64 full system", "x86-64 user", "i386", "Arm full system", "8 index bits", "9 index bits"],
)
def test_levels_of_the_documented_machines_with_64_byte_granules(address_bits, levels):
    assert levels_for(address_bits - 6) == levels
    tree = RadixTree(Host(), address_bits - 6, lambda index: Entry(Host(), index))
    assert tree.levels == levels


@pytest.mark.parametrize("scheme", ["aie-rfc:granule=64", "aie-v2"])
@pytest.mark.parametrize(("address_bits", "levels"), [(52, 6), (47, 6), (32, 4), (40, 5), (12, 1)])
def test_a_first_look_up_reads_and_fills_one_slot_on_each_level(scheme, address_bits, levels):
    async def thread(cpu):
        await cpu.lock_inc(X)

    trace = execute(program("x86", thread), Machine(scheme, address_bits=address_bits))
    slots = [step for step in steps(trace) if "radix" in step]
    assert [step.split()[0] for step in slots] == ["load", "cas"] * levels


def test_the_most_significant_bits_of_the_index_come_first_and_name_the_slots():
    async def thread(cpu):
        await cpu.lock_inc(0x12345640)  # granule number 0x12345640 >> 6 = 0x48d159, of 26 bits

    trace = execute(program("x86", thread), Machine("aie-v2", address_bits=32))
    slots = ["radix/00", "radix/00/48", "radix/00/48/d1", "radix/00/48/d1/59"]
    walk = [f"{kind} {slot}" for slot in slots for kind in ("load", "cas")]
    assert steps(trace)[:9] == [*walk, "lock lock 0x12345640"]


def test_a_second_look_up_only_reads():
    async def thread(cpu):
        await cpu.lock_inc(X)
        await cpu.lock_inc(X + 4)

    trace = execute(program("x86", thread), Machine("aie-rfc", address_bits=32))
    (_, first), (_, second) = trace.instructions
    kinds = [trace.events[i].op.kind for i in second if "radix" in trace.events[i].op.location]
    assert kinds == [Kind.LOAD] * 4
    assert len(first) == len(second) + 4


def test_a_look_up_that_must_not_allocate_stops_at_the_first_empty_slot():
    async def thread(cpu):
        await cpu.lock_inc(X)
        await cpu.store(X + 0x100000, 1)  # granule number 0x10004: another subtree below radix/00

    trace = execute(program("x86", thread), Machine("aie-rfc", address_bits=32))
    _, indices = trace.instructions[1]
    assert steps(trace)[indices[0] :] == ["load radix/00", "load radix/00/01", "store [0x100040]/4"]


async def increment(cpu):
    await cpu.lock_xadd(X, 1)


def both() -> object:
    return program("x86", increment, increment, final=lambda end: end[X] == 2)


@pytest.mark.parametrize(("order", "winner"), [(["0", "1", "0", "1"], "0"), (["0", "1", "1", "0"], "1")])
def test_of_two_that_found_the_slot_empty_one_publishes_and_the_other_adopts(order, winner):
    trace = scripted(both(), small("aie-rfc"), order)
    inserted = [event for event in trace.events if event.op.kind is Kind.CAS]
    assert [event.actor for event in inserted if event.wrote] == [winner]
    published = next(event.op.value for event in inserted if event.wrote)
    assert [event.value for event in inserted if not event.wrote] == [published]
    assert {event.op.cell for event in trace.events if event.op.kind is Kind.LOCK} == {published.lock}
    assert trace.accepted


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
def test_in_no_interleaving_do_two_locks_serve_one_granule(scheme):
    races = 0
    for trace in every(both(), small(scheme)):
        assert len({event.op.cell for event in trace.events if event.op.kind is Kind.LOCK}) == 1
        assert trace.accepted
        races += sum(event.op.kind is Kind.CAS and not event.wrote for event in trace.events)
    assert races > 0


@pytest.mark.untraced
def test_racers_for_two_granules_publish_each_inner_node_once():
    async def near(cpu):
        await cpu.lock_inc(X)

    async def far(cpu):
        await cpu.lock_inc(X + 64 * 256)

    for trace in every(program("x86", near, far), Machine("aie-rfc:granule=64", address_bits=16), preemptions=3):
        locks = {event.op.location for event in trace.events if event.op.kind is Kind.LOCK}
        assert locks == {f"lock {X:#x}", f"lock {X + 64 * 256:#x}"}
        roots = [e for e in trace.events if e.op.location == "radix/00" and e.op.kind is Kind.CAS]
        assert sum(e.wrote for e in roots) <= 1


def test_an_index_that_does_not_fit_is_refused():
    tree = RadixTree(Host(), 8, lambda index: Entry(Host(), index))
    with pytest.raises(UsageError):
        tree.find(0x100, allocate=True).send(None)
    with pytest.raises(UsageError):
        RadixTree(Host(), 0, lambda index: Entry(Host(), index))
