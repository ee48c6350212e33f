"""Indivisible sections: nothing steps inside them, and optimal DPOR runs each Mazurkiewicz trace with them once."""

from __future__ import annotations

import pytest
from simaie_schedulers.dfs import DepthFirst

import simaie
from exhaustive.canonical import canonical
from exhaustive.searches import explored, search
from simaie import Machine, Program, Scheme, ins
from simaie.dependence import STOPS_WORLD
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.steps import CannotUndo, MemoSteps
from simaie.errors import SchemeError
from simaie.op import Kind, owner_of

X, Y = 0x100, 0x108


class Transactions(Scheme):
    """A locked instruction is a transaction that may abort first; a load-linked stops the world, as a neighbour."""

    async def atomic_rmw(self, cpu, address, width, function):
        if await self.host.choose(2, "the transaction aborts"):
            return await self.host.load(address, width)
        await self.host.begin_section()
        old = await self.host.load(address, width)
        await self.host.store(address, width, function.apply(old))
        await self.host.end_section()
        return old

    async def load_linked(self, cpu, address, width):
        await self.host.begin_exclusive()
        value = await self.host.load(address, width)
        await self.host.end_exclusive()
        return value

    async def clear_exclusive(self, cpu):
        """Two sections in one instruction, with a step of its own between them."""
        await self.host.begin_section()
        await self.host.end_section()
        await self.host.store(Y, 4, 1)


def add(address=X):
    return ins("swp", address, 1, into="old")


async def dma(device):
    await device.store(X, 9)


async def waiting_dma(device):
    await device.wait_until(X, lambda value: value >= 0)


PROGRAMS = {
    "two transactions": [[add()], [add()]],
    "different words": [[add()], [add(Y)]],
    "a store": [[add()], [ins("str_", X, 5), ins("str_", Y, 5)]],
    "loads": [[add()], [ins("ldr", X, into="a"), ins("ldr", X, into="b")]],
    "a stopped world": [[add()], [ins("ldrex", X, into="a")]],
    "three": [[add()], [ins("ldrex", X, into="a")], [ins("str_", X, 5)]],
    "two sections": [[ins("clrex")], [ins("ldrex", Y, into="a")], [ins("str_", Y, 5)]],
    "one after the other": [[add(), add()], [ins("str_", X, 5)]],
}


def program(name, devices=()):
    return Program(name, isa="arm", threads=PROGRAMS[name], init={X: 0, Y: 0}, devices=devices)


def assert_each_trace_once(prog, machine):
    """DPOR runs exactly the traces that all interleavings have, each once, and wastes no execution."""
    everything = search(prog, DepthFirst(), machine, limit=60_000)
    assert everything is not None
    traces, scheduler = explored(prog, machine)
    found = [canonical(trace) for trace in traces]
    assert len(found) == len(set(found))
    assert set(found) == {canonical(trace) for trace in everything}
    wasted = {name: scheduler.statistics[name] for name in ("sleep_set_blocked", "redundant", "infeasible")}
    assert not any(wasted.values()), wasted
    for trace in everything:
        assert_nothing_inside(trace)
    return len(traces)


def assert_nothing_inside(trace):
    inside = None
    for event in trace.events:
        if event.op.kind is Kind.END_SECTION:
            assert inside == event.actor
            inside = None
        elif inside is not None:
            assert owner_of(event.actor) == inside or event.op.kind is Kind.CHOICE
        elif event.op.kind is Kind.BEGIN_SECTION:
            inside = event.actor


@pytest.mark.parametrize("host", ["sc", "tso"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_each_trace_with_sections_is_run_once(name, host):
    assert_each_trace_once(program(name), Machine(Transactions, host=host, address_bits=12))


@pytest.mark.parametrize("device", [dma, waiting_dma])
@pytest.mark.parametrize("name", ["two transactions", "a stopped world"])
def test_a_device_stops_in_a_section_but_not_in_a_stopped_world(name, device):
    assert_each_trace_once(program(name, devices=[device]), Machine(Transactions, address_bits=12))


class Sections(Transactions):
    """A plain store is a section, of devices too."""

    async def store(self, cpu, address, width, value):
        await self.host.begin_section()
        await self.host.store(address, width, value)
        await self.host.end_section()


class Alone(Transactions):
    """A plain store stops the world, of devices too."""

    async def store(self, cpu, address, width, value):
        await self.host.begin_exclusive()
        await self.host.store(address, width, value)
        await self.host.end_exclusive()


async def dma_past_the_scheme(device):
    await device.dma_write(Y, 1)


@pytest.mark.parametrize("scheme", [Sections, Alone])
@pytest.mark.parametrize("name", ["two transactions", "a stopped world"])
def test_a_device_stops_no_stopped_world(name, scheme):
    for devices in ([dma], [dma, dma_past_the_scheme]):
        assert_each_trace_once(program(name, devices=devices), Machine(scheme, address_bits=12))


def test_two_transactions_on_one_word_lose_no_update_and_others_on_no_word_commute():
    """By their choices: two orders if both commit, two for each way in which one aborts, one if both abort."""
    assert assert_each_trace_once(program("two transactions"), Machine(Transactions, address_bits=12)) == 2 + 2 * 2 + 1


def test_a_section_waits_for_the_buffers_of_its_own_vcpu_only():
    stores = [ins("str_", Y, 5), add()]
    prog = Program("buffered", isa="arm", threads=[stores, [ins("str_", X, 7)]], init={X: 0, Y: 0})
    machine = Machine(Transactions, host="tso", address_bits=12)
    traces, _ = explored(prog, machine)
    pending = {entered_before_begin(trace) for trace in traces}
    assert (0, True) in pending
    assert (0, False) in pending
    assert not any(own for own, _ in pending)


def entered_before_begin(trace):
    """Return the number of vCPU 0's buffered stores at the begin of its section, and whether vCPU 1 has some then."""
    waiting = {"0": 0, "1": 0}
    for event in trace.events:
        if event.op.kind is Kind.BEGIN_SECTION:
            break
        if event.op.kind is Kind.BUFFER:
            waiting[event.actor] += 1
        elif owner_of(event.actor) != event.actor:
            waiting[owner_of(event.actor)] -= 1
    return waiting["0"], waiting["1"] > 0


class Nested(Transactions):
    """A section in a section, or ended as something else."""

    async def load_linked(self, cpu, address, width):
        await self.host.begin_section()
        await self.host.begin_section()
        return 0

    async def clear_exclusive(self, cpu):
        await self.host.begin_section()
        await self.host.end_exclusive()


@pytest.mark.parametrize(("code", "words"), [([ins("ldrex", X)], "already stopped"), ([ins("clrex")], "does not own")])
def test_a_section_is_not_nested_and_ends_as_it_began(code, words):
    prog = Program("nested", isa="arm", threads=[code], init={X: 0})
    with pytest.raises(SchemeError, match=words):
        simaie.explore(prog, Machine(Nested, address_bits=12), scheduler="dpor")


@pytest.mark.parametrize("scheme", ["hst-htm:aborts=true", "pst"])
def test_a_published_scheme_with_sections_is_searched_exactly(scheme):
    pair = [ins("ldrex", X, into="a"), ins("strex", X, 1, into="f")]
    prog = Program("pair", isa="arm", threads=[pair, [ins("str_", X, 5)]], init={X: 0})
    assert_each_trace_once(prog, Machine(scheme, address_bits=12))


def test_sections_stop_the_world():
    assert {Kind.BEGIN_SECTION, Kind.END_SECTION} <= STOPS_WORLD


def test_a_search_by_undo_leaves_sections_to_the_other_one():
    stores = Program("stores", isa="arm", threads=[[ins("str_", X, 5)], [ins("str_", X, 6)]], init={X: 0})
    state = MemoSteps(Memo(stores, Machine(Sections, address_bits=12), SharedState(stores)))
    with pytest.raises(CannotUndo, match="indivisible section"):
        state.begin()
