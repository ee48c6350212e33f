"""RAM, the host port, the page table, and sequentially consistent memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

import pytest

from simaie.errors import GuestFault, SchemeError
from simaie.host.host import Host, join_words, split_words
from simaie.host.pages import PAGE_SIZE, Page, PageTable
from simaie.host.ram import Ram
from simaie.host.sc import ScMemory
from simaie.op import Function, Kind, Op

WIDTHS = (1, 2, 4, 8, 16)


def run(awaitable: Awaitable[Any], memory: ScMemory, actor: str = "me") -> tuple[Any, list[Op]]:
    """Drive an awaitable against `memory`; its result, and the operations that it made."""
    ops: list[Op] = []
    iterator = awaitable.__await__()
    value = None
    try:
        while True:
            op = iterator.send(value)
            ops.append(op)
            value = memory.perform(actor, op)
    except StopIteration as stop:
        return stop.value, ops


@pytest.mark.parametrize(("endian", "width"), [*itertools.product(["little", "big"], WIDTHS)])
def test_ram_is_bytes_in_the_given_order_at_every_offset_across_a_page(endian, width):
    """A write is seen byte by byte and by every narrower read, also where it crosses a page."""
    value = int.from_bytes(bytes(range(1, width + 1)), "big")
    for address in range(PAGE_SIZE - 17, PAGE_SIZE + 2):
        ram = Ram(endian)
        ram.write(address, width, value | 1 << 8 * width)
        assert ram.read(address, width) == value, "the excess bits are dropped"
        assert ram.read_bytes(address, width) == value.to_bytes(width, endian)
        assert ram.read(address - 1, 1) == 0
        assert ram.read(address + width, 1) == 0


def test_ram_that_was_never_written_reads_as_zero():
    assert Ram().read(0x1234_5678, 8) == 0
    assert Ram().read_bytes(5, 3) == b"\0\0\0"


@pytest.mark.parametrize("word", [4, 8])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_an_access_wider_than_the_host_word_is_one_operation_a_word_lowest_address_first(word, endian):
    memory = ScMemory(endian)
    host = Host(word=word, endian=endian)
    value = 0x0102030405060708090A0B0C0D0E0F10
    for width in WIDTHS:
        expected = value & ((1 << 8 * width) - 1)
        _, stores = run(host.store(0x100, width, expected), memory)
        got, loads = run(host.load(0x100, width), memory)
        assert got == expected == memory.read(0x100, width)
        steps = max(1, width // word)
        assert [op.address for op in stores] == [0x100 + i * word for i in range(steps)]
        assert [op.address for op in loads] == [0x100 + i * word for i in range(steps)]
        assert {op.width for op in loads} == {min(width, word)}


@pytest.mark.parametrize("endian", ["little", "big"])
def test_splitting_and_joining_words_are_inverse(endian):
    value = 0xFEDCBA98765432100123456789ABCDEF
    assert join_words(split_words(value, 16, 4, endian), 4, endian) == value


def test_cells_have_loads_stores_and_host_atomics():
    memory, cell = ScMemory(), Host().cell("c", 1)
    assert run(cell.load(), memory)[0] == 1
    assert run(cell.compare_and_swap(2, 9), memory)[0] == 1
    assert cell.value == 1, "the comparison failed"
    assert run(cell.compare_and_swap(1, 2), memory)[0] == 1
    assert run(cell.exchange(5), memory)[0] == 2
    assert run(cell.fetch(Function("add 3", lambda old: old + 3)), memory)[0] == 5
    assert run(cell.update("drop", lambda old: (None, old)), memory)[0] == 8
    run(cell.store(4), memory)
    assert cell.value == 4


def test_ram_has_host_atomics_too():
    memory, host = ScMemory(), Host()
    assert run(host.compare_and_swap(0, 4, 0, 7), memory)[0] == 0
    assert run(host.compare_and_swap(0, 4, 0, 9), memory)[0] == 7
    assert run(host.exchange(0, 4, 3), memory)[0] == 7
    assert run(host.fetch(0, 4, Function("double", lambda old: 2 * old)), memory)[0] == 3
    assert memory.read(0, 4) == 6


def test_a_mutex_is_free_or_owned_and_only_its_owner_unlocks_it():
    memory, mutex = ScMemory(), Host().mutex("m")
    lock = Op(Kind.LOCK, mutex)
    assert memory.enabled("a", lock)
    memory.perform("a", lock)
    assert not memory.enabled("b", lock)
    with pytest.raises(SchemeError):
        memory.perform("b", Op(Kind.UNLOCK, mutex))
    memory.perform("a", Op(Kind.UNLOCK, mutex))
    assert memory.enabled("b", lock)


def test_the_ideal_monitor_falls_to_foreign_stores_to_the_reserved_bytes_only():
    """Every way to store, at every distance from the reservation."""
    for address, width in [(0, 4), (4, 4), (7, 1), (8, 4), (12, 4), (0, 16)]:
        memory = ScMemory()
        memory.perform("a", Op(Kind.LOAD_LINKED, None, 4, 4))
        memory.perform("b", Op(Kind.STORE, None, address, width, 0))
        overlaps = address < 8 and address + width > 4
        assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 4, 4, 1)) == (0 if overlaps else 1)


@pytest.mark.parametrize(("needed", "stored"), [(None, 0), ((0, 8), 0), ((0, 4), 1), ((4, 4), 0), ((0, 16), 0)])
def test_a_store_conditional_finds_untouched_what_it_asks_for_else_all_that_was_reserved(needed, stored):
    memory = ScMemory()
    memory.perform("a", Op(Kind.LOAD_LINKED, None, 0, 8))
    memory.perform("b", Op(Kind.STORE, None, 4, 2, 1))
    assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 0, 4, 1, needed)) == stored


def test_a_load_linked_may_reserve_more_than_it_loads():
    memory = ScMemory()
    memory.perform("a", Op(Kind.LOAD_LINKED, None, 4, 4, expected=(0, 16)))
    memory.perform("b", Op(Kind.STORE, None, 12, 4, 1))
    assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 0, 4, 1, (0, 8))) == 1
    assert memory.read(0, 4) == 1


def test_an_own_store_keeps_the_ideal_reservation_and_a_second_conditional_has_none():
    memory = ScMemory()
    memory.perform("a", Op(Kind.LOAD_LINKED, None, 0, 4))
    memory.perform("a", Op(Kind.STORE, None, 0, 4, 3))
    assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 0, 4, 1)) == 1
    assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 0, 4, 2)) == 0
    assert memory.read(0, 4) == 1


def test_clearing_and_atomics_break_the_ideal_reservation():
    for breaking in (Op(Kind.FETCH, None, 0, 4, function=Function("same", lambda old: old)),
                     Op(Kind.EXCHANGE, None, 0, 4, 0)):
        memory = ScMemory()
        memory.perform("a", Op(Kind.LOAD_LINKED, None, 0, 4))
        memory.perform("b", breaking)
        assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 0, 4, 1)) == 0
    memory = ScMemory()
    memory.perform("a", Op(Kind.LOAD_LINKED, None, 0, 4))
    memory.perform("a", Op(Kind.CLEAR_RESERVATION))
    assert memory.perform("a", Op(Kind.STORE_CONDITIONAL, None, 0, 4, 1)) == 0


def test_an_await_is_enabled_while_its_predicate_holds():
    memory = ScMemory()
    op = Op(Kind.AWAIT, None, 0, 4, function=Function("is 1", lambda value: value == 1))
    assert not memory.enabled("a", op)
    memory.perform("b", Op(Kind.STORE, None, 0, 4, 1))
    assert memory.enabled("a", op)
    assert memory.perform("a", op) == 1


def test_an_operation_that_is_not_the_memorys_business_is_refused():
    with pytest.raises(SchemeError):
        ScMemory().perform("a", Op(Kind.SPAWN))


def test_translation_is_one_step_and_may_fault():
    memory, host = ScMemory(), Host()
    table = PageTable(host, {0x7000: Page(0x1000), 0x8000: Page(0x1000, writable=False),
                             0x9000: Page(0, present=False)})
    got, ops = run(table.translate(0x7010, write=True), memory)
    assert got == 0x1010
    assert [op.kind for op in ops] == [Kind.LOAD]
    assert run(table.translate(0x8004, write=False), memory)[0] == 0x1004
    assert run(table.translate(0x5004, write=True), memory)[0] == 0x5004, "a page without an entry maps to itself"
    for address, write, cause in [(0x8000, True, "permission"), (0x9000, False, "page")]:
        with pytest.raises(GuestFault) as caught:
            run(table.translate(address, write=write), memory)
        assert (caught.value.cause, caught.value.address) == (cause, address)


def test_an_entry_can_be_replaced_by_one_step():
    memory, host = ScMemory(), Host()
    table = PageTable(host, {})
    assert table.is_identity
    run(table.set(0x2000, Page(0x4000)), memory)
    assert table.resolve(0x2008) == 0x4008
    assert not table.is_identity


def test_awaiting_an_operation_outside_of_simaie_fails_loudly():
    """Asyncio refuses what it did not expect, so a guest cannot run under it by mistake."""

    async def guest() -> None:
        await Host().load(0, 4)

    with pytest.raises(RuntimeError):
        asyncio.run(guest())
