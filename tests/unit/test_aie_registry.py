"""The bitmap and the order in which a granule is found, locked and announced."""

from __future__ import annotations

import pytest
from runs import X, execute, program, small, steps

from simaie.aie.bitmap import Bitmap
from simaie.aie.entry import Entry
from simaie.aie.registry import BitmapRegistry, Registry
from simaie.errors import UsageError
from simaie.host.host import Host
from simaie.host.sc import ScMemory
from simaie.op import Kind


def finish(coroutine, memory):
    """Run a coroutine alone; returns its operations and its result."""
    ops, answer = [], None
    while True:
        try:
            op = coroutine.send(answer)
        except StopIteration as stop:
            return ops, stop.value
        ops.append(op)
        answer = memory.perform("0", op)


@pytest.mark.parametrize("word", [8, 4])
@pytest.mark.parametrize("index_bits", [0, 1, 2, 8])
def test_a_bit_is_set_for_exactly_the_granules_that_share_it(word, index_bits):
    memory = ScMemory()
    for granule in range(40):
        bitmap = Bitmap(Host(word=word), index_bits)
        ops, _ = finish(bitmap.set(granule), memory)
        assert [op.kind for op in ops] == [Kind.FETCH]
        for other in range(80):
            ops, found = finish(bitmap.test(other), memory)
            assert [op.kind for op in ops] == [Kind.LOAD]
            assert found is (granule % 2**index_bits == other % 2**index_bits)


def test_the_operations_say_which_bit_they_are_about():
    bitmap = Bitmap(Host(word=8), 21)
    (op,), _ = finish(bitmap.test(0x12 * 64 + 5 + (1 << 21)), ScMemory())
    assert (op.location, op.bit) == ("bitmap 0x12", 0x12 * 64 + 5)


def test_a_set_bit_leaves_its_neighbours_alone():
    memory, bitmap = ScMemory(), Bitmap(Host(), 6)
    for granule in (3, 5, 3, 63):
        finish(bitmap.set(granule), memory)
    assert [granule for granule in range(64) if finish(bitmap.test(granule), memory)[1]] == [3, 5, 63]


def test_a_granule_is_found_then_locked_then_announced_and_announced_once():
    async def thread(cpu):
        await cpu.lock_inc(X)
        await cpu.lock_inc(X)

    trace = execute(program("x86", thread), small("aie-v2"))
    locking = [step for step in steps(trace) if "[" not in step]
    assert locking == [
        "load radix/01",
        "cas radix/01",
        "lock lock 0x40",
        "load bm_set 0x40",
        "fetch bitmap 0x0",
        "store bm_set 0x40",
        "unlock lock 0x40",
        "load radix/01",
        "lock lock 0x40",
        "load bm_set 0x40",
        "unlock lock 0x40",
    ]


@pytest.mark.parametrize("granule", [0, -16, 3, 24, 16.0, True + 2, "16", None, 1 << 12])
def test_a_granule_must_be_a_power_of_two_below_the_address_space(granule):
    with pytest.raises(UsageError):
        Registry(Host(), address_bits=12, granule=granule, make_entry=Entry)


@pytest.mark.parametrize("bitmap_bits", [-1, 33, 1.5, None, "many"])
def test_bitmap_bits_must_be_a_sane_integer(bitmap_bits):
    with pytest.raises(UsageError):
        BitmapRegistry(Host(), address_bits=12, granule=64, bitmap_bits=bitmap_bits)
