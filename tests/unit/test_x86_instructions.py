"""x86: bit strings in memory, and compare-and-exchange of a pair with LOCK and without."""

from __future__ import annotations

import pytest
from runs import execute
from runs import program as made

from simaie import Machine, Program, UsageError, explore, ins

X = 0x1000


def alone(guest, **parts):
    """The trace of one thread under `native`."""
    return execute(made("x86", guest, **parts), Machine())


def result_of(method, *args, init=0, **options):
    """(what one instruction returned, the 16 bytes at X afterwards)."""

    async def guest(cpu):
        cpu.observe("r", await getattr(cpu, method)(X, *args, **options))

    trace = alone(guest, init={X: init}, watch={X: 16})
    return trace.outcome["0:r"], trace.outcome[f"[{X:#x}]"]


@pytest.mark.parametrize("lock", ["", "lock_"])
@pytest.mark.parametrize(
    ("bit", "width", "place"),
    [
        (37, 4, 32 + 5), (31, 4, 31), (64, 4, 64), (18, 2, 16 + 2), (37, 8, 37), (70, 8, 64 + 6),
        (-1, 4, -1), (-33, 4, -33), (0xFFFFFFFF, 4, -1), (0x8000, 2, -0x8000), (-1, 2, -1), ((1 << 64) - 64, 8, -64),
    ],
)  # fmt: skip
def test_a_bit_offset_in_a_register_reaches_other_words(lock, bit, width, place):
    """It is a signed number of bits from the address on; the access is to the word that the bit is in."""

    async def guest(cpu):
        cpu.observe("old", await getattr(cpu, lock + "bts")(0x2000, bit, width=width))
        cpu.observe("new", await cpu.bt(0x2000, bit, width=width))
        cpu.observe("btr", await getattr(cpu, lock + "btr")(0x2000, bit, width=width))
        cpu.observe("btc", await getattr(cpu, lock + "btc")(0x2000, bit, width=width))

    byte = 0x2000 + place // 8
    trace = alone(guest, watch={byte: 1})
    assert trace.outcome.as_dict() == {"0:old": 0, "0:new": 1, "0:btr": 1, "0:btc": 0, f"[{byte:#x}]": 1 << place % 8}
    word = 0x2000 + place // (8 * width) * width
    assert {event.op.location for event in trace.events} == {f"[{word:#x}]/{width}"}


@pytest.mark.parametrize(("bit", "width", "number"), [(37, 4, 5), (32, 4, 0), (255, 8, 63), (-1, 2, 15)])
def test_a_constant_bit_offset_wraps_at_the_width(bit, width, number):
    assert result_of("lock_bts", bit, width=width, immediate=True) == (0, 1 << number)
    assert result_of("bt", bit, width=width, immediate=True, init=(1 << number, width))[0] == 1


def test_bit_instructions_have_no_form_of_a_byte():
    with pytest.raises(UsageError):
        result_of("bts", 1, width=1)


@pytest.mark.parametrize("name", ["cmpxchg8b", "cmpxchg16b"])
@pytest.mark.parametrize(
    ("scheme", "loses"), [("native", True), ("none", True), ("cas", True), ("aie-rfc", True), ("aie-v2", False)]
)
def test_without_lock_two_compare_exchanges_may_both_succeed(name, scheme, loses):
    """AIE's revision V2 locks them, prefix or not; that entries are then made by such an instruction is no finding."""
    wide = 8 if name.endswith("8b") else 16
    program = Program("both", isa="x86", threads=[[ins(name, X, 0, n + 1, into="r")] for n in (0, 1)],
                      init={X: (0, wide)})
    report = explore(program, Machine(scheme, address_bits=16), scheduler="dpor")
    assert (report.verdict, report.complete) == ("holds", True)
    both = any(outcome["0:r"] == outcome["1:r"] == 0 for outcome in report.outcomes)
    assert both is loses
    locked = Program("one", isa="x86", threads=[[ins("lock_" + name, X, 0, n + 1, into="r")] for n in (0, 1)],
                     init={X: (0, wide)})
    report = explore(locked, Machine(scheme, address_bits=16), scheduler="dpor")
    if scheme != "none":
        assert not any(outcome["0:r"] == outcome["1:r"] == 0 for outcome in report.outcomes)
