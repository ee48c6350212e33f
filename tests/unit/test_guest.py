"""What guest code can say: instructions of both ISAs, programs as functions and as data, faults."""

from __future__ import annotations

from typing import Any

import pytest

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.errors import GuestError, GuestFault, UnknownNameError, UsageError
from simaie.guest.code import ins
from simaie.guest.isa import ISAS
from simaie.guest.program import Program
from simaie.host.pages import Page
from simaie.machine import Limits, Machine
from simaie.op import Kind
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Trace

X = 0x1000


class First(Scheduler):
    """Always continues."""

    def choose(self, offer):
        return offer.default


def alone(guest: Any, *, isa: str = "x86", machine: Machine | None = None, **parts: Any) -> Trace:
    """The trace of one thread, by default under `native`."""
    program = Program("alone", isa=isa, threads=[guest], **parts)
    return run_inline(Execution(program, machine or Machine(), First(), ExecutionInfo(0, 0, 1)))


def result_of(method: str, *args: int, isa: str = "x86", init: Any = 0, **options: int) -> tuple[Any, int]:
    """(what one instruction returned, the 16 bytes at X afterwards)."""
    seen = []

    async def guest(cpu):
        seen.append(await getattr(cpu, method)(X, *args, **options))

    trace = alone(guest, isa=isa, init={X: init}, watch={X: 16})
    return seen[0], trace.outcome[f"[{X:#x}]"]


# -- x86 ------------------------------------------------------------------------------------------

# instruction, arguments, memory before, result, memory after (4 bytes), for both forms, plain and LOCK
X86_FORMS = [
    ("xadd", (5,), 10, 10, 15),
    ("add", (5,), 10, 15, 15),
    ("add", (1,), 0xFFFFFFFF, 0, 0),
    ("sub", (3,), 2, 0xFFFFFFFF, 0xFFFFFFFF),
    ("inc", (), 0xFFFFFFFF, 0, 0),
    ("dec", (), 0, 0xFFFFFFFF, 0xFFFFFFFF),
    ("neg", (), 1, 0xFFFFFFFF, 0xFFFFFFFF),
    ("bts", (3,), 0, 0, 8),
    ("btr", (3,), 8, 1, 0),
    ("btc", (0,), 1, 1, 0),
    ("cmpxchg", (10, 7), 10, 10, 7),
    ("cmpxchg", (11, 7), 10, 10, 10),
    ("adc", (2,), 1, 3, 3),
    ("xor", (6,), 12, 10, 10),
    ("sbb", (2,), 1, 0xFFFFFFFF, 0xFFFFFFFF),
]
X86_KEYWORDS = [("and", (6,), 12, 4), ("or", (6,), 12, 14), ("not", (), 0, 0xFFFFFFFF)]


@pytest.mark.parametrize(("name", "args", "before", "result", "after"), X86_FORMS)
def test_x86_read_modify_writes_compute_the_same_with_and_without_lock(name, args, before, result, after):
    assert result_of(name, *args, init=before) == (result, after)
    assert result_of(f"lock_{name}", *args, init=before) == (result, after)


@pytest.mark.parametrize(("name", "args", "before", "after"), X86_KEYWORDS)
def test_x86_logic_instructions(name, args, before, after):
    assert result_of(f"{name}_", *args, init=before) == (after, after)
    assert result_of(f"lock_{name}", *args, init=before) == (after, after)


def test_x86_add_and_subtract_with_carry():
    assert result_of("adc", 2, init=1, carry=1)[1] == 4
    assert result_of("lock_adc", 2, init=1, carry=1)[1] == 4
    assert result_of("sbb", 2, init=5, carry=1)[1] == 2
    assert result_of("lock_sbb", 2, init=5, carry=1)[1] == 2


def test_x86_exchanges():
    assert result_of("xchg", 9, init=4) == (4, 9)
    wide = (1 << 64) + 2
    for lock in ("lock_", ""):
        assert result_of(f"{lock}cmpxchg8b", 5, 7, init=(5, 8)) == (5, 7)
        assert result_of(f"{lock}cmpxchg16b", wide, 3, init=(wide, 16)) == (wide, 3)
        assert result_of(f"{lock}cmpxchg16b", 0, 3, init=(wide, 16)) == (wide, wide)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_widths_wrap_and_leave_the_neighbours_alone(width):
    ones = (1 << 8 * width) - 1
    full = (1 << 128) - 1
    assert result_of("lock_inc", init=(full, 16), width=width) == (0, full - ones)


def test_a_vector_store_is_two_checked_stores_of_eight_bytes():
    async def guest(cpu):
        await cpu.movups(X, (1 << 64) + 2)

    trace = alone(guest, watch={X: 16})
    assert [(e.op.address, e.op.width) for e in trace.events] == [(X, 8), (X + 8, 8)]
    assert trace.outcome[f"[{X:#x}]"] == (1 << 64) + 2


def test_native_performs_every_locked_instruction_as_one_operation():
    """Plain read-modify-writes are two, since they promise nothing."""

    async def guest(cpu):
        await cpu.lock_add(X, 1)
        await cpu.lock_cmpxchg(X, 1, 2)
        await cpu.lock_cmpxchg16b(X, 2, 3)
        await cpu.add(X, 1)
        await cpu.mfence()
        await cpu.pause()

    kinds = [event.op.kind for event in alone(guest).events]
    assert kinds == [Kind.FETCH, Kind.CAS, Kind.CAS, Kind.LOAD, Kind.STORE, Kind.FENCE, Kind.PAUSE]


# -- Arm ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "width"), [("b", 1), ("h", 2), ("", 4), ("d", 8)])
def test_arm_exclusives_in_every_width(suffix, width):
    async def guest(cpu):
        load = getattr(cpu, f"ldrex{suffix}")
        store = getattr(cpu, f"strex{suffix}")
        old = await load(X)
        cpu.observe("first", await store(X, old + 1))
        cpu.observe("second", await store(X, 9))

    full = (1 << 128) - 1
    trace = alone(guest, isa="arm", init={X: (full, 16)})
    assert trace.outcome["0:first"] == 0
    assert trace.outcome["0:second"] == 1, "a store-conditional without a reservation fails"
    assert trace.outcome[f"[{X:#x}]"] == full - ((1 << 8 * width) - 1)


def test_arm_clrex_gives_up_the_reservation():
    async def guest(cpu):
        await cpu.ldrex(X)
        await cpu.clrex()
        cpu.observe("failed", await cpu.strex(X, 1))

    assert alone(guest, isa="arm").outcome["0:failed"] == 1


def test_arm_swaps_plain_accesses_and_hints():
    async def guest(cpu):
        cpu.observe("old", await cpu.swp(X, 0x1234))
        cpu.observe("byte", await cpu.swpb(X, 0xFF))
        cpu.observe("half", await cpu.ldr(X, width=2))
        await cpu.str_(X, 1)
        await cpu.dmb()
        await cpu.wfe()
        await cpu.yield_()

    outcome = alone(guest, isa="arm", init={X: 3}).outcome.as_dict()
    assert outcome == {"0:old": 3, "0:byte": 0x34, "0:half": 0x12FF, f"[{X:#x}]": 1}


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("isa", "method", "args", "cause"),
    [
        ("arm", "ldrex", (X + 1,), "alignment"),
        ("arm", "strex", (X + 2, 1), "alignment"),
        ("arm", "swp", (X + 1, 1), "alignment"),
        ("arm", "load", (1 << 32,), "address"),
        ("arm", "store", ((1 << 32) - 2, 1), "address"),
        ("x86", "cmpxchg16b", (X + 8, 0, 1), "alignment"),
        ("x86", "lock_add", (-4, 1), "address"),
    ],
)
def test_what_the_isa_forbids_is_a_guest_fault(isa, method, args, cause):
    """It is modelled: the guest may handle it, as an operating system would."""

    async def guest(cpu):
        try:
            await getattr(cpu, method)(*args)
        except GuestFault as fault:
            causes.append(fault.cause)

    causes: list[str] = []
    trace = alone(guest, isa=isa)
    assert causes == [cause]
    assert trace.faults == ()


def test_an_unhandled_fault_ends_its_vcpu_and_is_recorded():
    async def guest(cpu):
        await cpu.store(X, 1)
        await cpu.ldrex(X + 1)
        await cpu.store(X, 2)

    trace = alone(guest, isa="arm", init={X: 0})
    assert [(fault.vcpu, fault.step, fault.kind) for fault in trace.faults] == [("0", 2, "fault")]
    assert trace.outcome[f"[{X:#x}]"] == 1


def test_x86_allows_unaligned_locked_accesses():
    async def guest(cpu):
        cpu.observe("new", await cpu.lock_add(X + 1, 1))

    assert alone(guest).outcome["0:new"] == 1


def test_page_faults_come_from_the_page_table_in_both_steps():
    pages = {0x7000: Page(0x1000, writable=False)}

    async def guest(cpu):
        cpu.observe("read", await cpu.load(0x7000))
        try:
            await cpu.store(0x7000, 1)
        except GuestFault as fault:
            cpu.observe("at", fault.address)
        await cpu.map_page(0x7000, Page(0x1000))
        await cpu.store(0x7000, 4)

    trace = alone(guest, machine=Machine(full_system=True), pages=pages, init={X: 8})
    assert trace.outcome.as_dict() == {"0:at": 0x7000, "0:read": 8, f"[{X:#x}]": 4}


def test_in_user_mode_the_mapping_stays_as_it_is():
    """Else an exhaustive search would not know that accesses depend on it."""

    async def guest(cpu):
        await cpu.map_page(0x7000, Page(0x1000))

    with pytest.raises(UsageError, match=r"full_system=True"):
        alone(guest)


# -- programs -------------------------------------------------------------------------------------


def test_a_program_as_data_runs_with_registers_labels_and_branches():
    """An LL/SC increment as a list of instructions; the registers written are the outcome."""
    code = [
        ins("label", "again"),
        ins("ldrex", X, into="r1"),
        ins("reg_add", "r1", 1, into="r2"),
        ins("strex", X, "r2", into="r3"),
        ins("cbnz", "r3", "again"),
        ins("mov", 7, into="r4"),
        ins("branch", "end"),
        ins("mov", 8, into="r4"),
        ins("label", "end"),
        ins("cbz", "r4", "again"),
        ins("store", X + 4, "r4", width=2),
    ]
    trace = alone(code, isa="arm", init={X: 4, X + 4: 0})
    assert trace.outcome.as_dict() == {
        "0:r1": 4, "0:r2": 5, "0:r3": 0, "0:r4": 7, f"[{X:#x}]": 5, f"[{X + 4:#x}]": 7,
    }


ALU = [("sub", 2), ("and", 1), ("or", 7), ("xor", 6), ("eq", 0), ("ne", 1), ("lt", 0)]


@pytest.mark.parametrize(("name", "result"), ALU)
def test_register_arithmetic(name, result):
    assert alone([ins(f"reg_{name}", 5, 3, into="r")]).outcome["0:r"] == result


@pytest.mark.parametrize(
    "code",
    [
        [ins("ldrxe", X)],
        [ins("label", "a"), ins("label", "a")],
        [ins("label", 3)],
        [ins("branch", "nowhere")],
        ["ldrex"],
    ],
)
def test_a_malformed_list_of_instructions_is_refused_when_the_program_is_made(code):
    with pytest.raises(UsageError):
        Program("bad", isa="arm", threads=[code])


def test_a_loop_that_never_touches_memory_is_stopped():
    with pytest.raises(GuestError) as caught:
        alone([ins("label", "a"), ins("branch", "a")])
    assert caught.value.vcpu == "0"


def test_an_instruction_as_data_reads_like_one():
    assert str(ins("strex", 0x1000, "r2", into="r3", width=2)) == "r3 = strex 0x1000, r2, width=2"


async def fine(cpu):
    await cpu.load(X)


def not_async(cpu):
    return None


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"threads": []},
        {"threads": [not_async]},
        {"threads": [3]},
        {"devices": [not_async]},
        {"isa": "z80"},
        {"init": {-1: 0}},
        {"init": {X: (1, 3)}},
        {"init": {X: "one"}},
        {"pages": {0x1001: Page(0)}},
    ],
)
def test_a_program_that_cannot_be_is_refused_with_a_usage_error(change):
    parts = {"name": "p", "isa": "x86", "threads": [fine]} | change
    with pytest.raises(UsageError):
        Program(parts.pop("name"), **parts)


def test_an_unknown_instruction_names_what_there_is():
    async def guest(cpu):
        await cpu.lock_xaad(X, 1)

    with pytest.raises(UnknownNameError) as caught:
        alone(guest)
    assert "lock_xadd" in caught.value.known


@pytest.mark.parametrize("isa", sorted(ISAS))
def test_every_isa_lists_its_instructions(isa):
    names = ISAS[isa].instruction_names()
    assert {"load", "store", "spawn", "observe"} <= set(names)
    assert "leave" not in names


def test_a_wrong_width_is_the_callers_mistake():
    async def guest(cpu):
        await cpu.ldrex(X, width=3)

    with pytest.raises(UsageError):
        alone(guest, isa="arm")


def test_choose_needs_an_alternative():
    async def guest(cpu):
        await cpu.choose(0)

    with pytest.raises(UsageError):
        alone(guest)


def test_initial_values_may_be_bytes_and_only_numbers_are_watched():
    trace = alone(fine, init={X: b"\x01\x02\x03\x04", X + 8: (5, 8)})
    assert trace.outcome.as_dict() == {f"[{X + 8:#x}]": 5}
    assert trace.events[0].value == 0x04030201


def test_the_program_digest_tells_changes_of_code_memory_and_closures():
    def program(value, **parts):
        async def guest(cpu):
            await cpu.store(X, value)

        return Program("p", isa="x86", threads=[guest], **parts).digest

    assert program(1) == program(1)
    assert len({program(1), program(2), program(1, init={X: 1}), program(1, watch={X: 4})}) == 4


def test_big_endian_guests_see_their_bytes_in_order():
    async def guest(cpu):
        await cpu.store(X, 0x01020304)
        cpu.observe("first byte", await cpu.load(X, width=1))

    assert alone(guest, isa="arm", machine=Machine(endian="big")).outcome["0:first byte"] == 1


def test_limits_must_be_positive():
    for bad in ({"steps": 0}, {"threads": -1}, {"spin_seconds": 0}, {"steps": True}, {"steps": "9"}):
        with pytest.raises(UsageError):
            Limits(**bad)
