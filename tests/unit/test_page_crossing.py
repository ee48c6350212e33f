"""An access across two pages: each part is translated by its own page, and a fault leaves nothing half done."""

from __future__ import annotations

import pytest
from runs import every, execute, steps

from simaie import Machine, Page, Program, explore
from simaie.errors import GuestFault
from simaie.trace import Ending

SCHEMES = ["native", "none", "cas", "aie-rfc", "aie-v2", "global-lock"]
#: The second page lies before the first in RAM, or right behind it; its entry forbids any access, or writes.
APART = {0x4000: Page(0x9000), 0x5000: Page(0x2000)}
ADJACENT = {0x4000: Page(0x1000), 0x5000: Page(0x2000)}
SECOND_ABSENT = {0x4000: Page(0x9000), 0x5000: Page(0x2000, present=False)}
SECOND_READ_ONLY = {0x4000: Page(0x9000), 0x5000: Page(0x2000, writable=False)}
FIRST, SECOND = 0x9FFC, 0x2000  # where the halves of 8 bytes at 0x4FFC are, in RAM
AT, OLD, NEW, FILL = 0x4FFC, 0x0807060504030201, 0x1817161514131211, 0xAAAAAAAA

everywhere = pytest.mark.parametrize(("scheme", "word"), [(s, w) for s in SCHEMES for w in (32, 64)])


async def loads(cpu):
    cpu.observe("r", await cpu.load(AT, width=8))


async def stores(cpu):
    await cpu.store(AT, NEW, width=8)


async def adds(cpu):
    cpu.observe("r", await cpu.lock_xadd(AT, NEW - OLD, width=8))


async def compares(cpu):
    cpu.observe("r", await cpu.lock_cmpxchg(AT, OLD, NEW, width=8))


async def adds_unlocked(cpu):
    cpu.observe("r", await cpu.xadd(AT, NEW - OLD, width=8))


async def waits(cpu):
    cpu.observe("r", await cpu.wait_until(AT, lambda value: value == OLD, width=8))


WRITING = [stores, adds, compares, adds_unlocked]


def guests(*threads, pages=APART):
    """A program that watches the halves, and the words that an access by its first byte alone would hit."""
    places = {FIRST: OLD & 0xFFFFFFFF, SECOND: OLD >> 32, FIRST + 4: FILL, SECOND - 4: FILL}
    init = {address: (value, 4) for address, value in places.items()}
    return Program("pages", isa="x86", threads=list(threads), init=init, pages=pages, watch=dict.fromkeys(places, 4))


def machine(scheme, word=64, **options):
    return Machine(scheme, **{"full_system": True, "host_word": word, "address_bits": 16, **options})


@pytest.mark.one_in(2)
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("first", range(1, 8))
def test_the_page_may_end_behind_any_byte_of_an_access(scheme, host, first):
    """Then its parts are of widths that no access has."""
    end, second, value = 0xA000, 0x2000, NEW & (1 << 8 * first) - 1

    async def moves(cpu):
        at = 0x5000 - first
        cpu.observe("old", await cpu.lock_xadd(at, NEW - OLD, width=8))
        await cpu.store(at, await cpu.load(at, width=8), width=8)
        cpu.observe("new", await cpu.load(at, width=8))

    image = OLD.to_bytes(8, "little")
    prog = Program(
        "anywhere", isa="x86", threads=[moves], init={end - first: image[:first], second: image[first:]}, pages=APART,
        watch={end - first: first, second: 8 - first},
    )  # fmt: skip
    seen = execute(prog, machine(scheme, host=host)).outcome.as_dict()
    assert seen == {"0:old": OLD, "0:new": NEW, f"[{end - first:#x}]": value, f"[{second:#x}]": NEW >> 8 * first}



def ram(trace):
    """The access's 8 bytes, and the two words that it must leave alone."""
    halves = trace.outcome[f"[{FIRST:#x}]"] | trace.outcome[f"[{SECOND:#x}]"] << 32
    return halves, trace.outcome[f"[{FIRST + 4:#x}]"], trace.outcome[f"[{SECOND - 4:#x}]"]


@pytest.mark.one_in(2)
@everywhere
@pytest.mark.parametrize("guest", [loads, waits, *WRITING])
@pytest.mark.parametrize("full_system", [True, False])
def test_each_half_is_on_its_own_page(guest, scheme, word, full_system):
    trace = execute(guests(guest), machine(scheme, word, full_system=full_system))
    assert trace.ending is Ending.FINISHED
    assert not trace.faults
    assert ram(trace) == (NEW if guest in WRITING else OLD, FILL, FILL)
    assert guest is stores or trace.outcome["0:r"] == OLD


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_bytes_lie_as_the_machine_orders_them(scheme):
    """On a big-endian machine the first page has the high half."""
    prog = Program("pages", isa="x86", threads=[stores], pages=APART, watch={FIRST: 4, SECOND: 4})
    trace = execute(prog, machine(scheme, endian="big"))
    assert (trace.outcome[f"[{FIRST:#x}]"], trace.outcome[f"[{SECOND:#x}]"]) == (NEW >> 32, NEW & 0xFFFFFFFF)


@everywhere
@pytest.mark.parametrize("guest", WRITING)
@pytest.mark.parametrize(("pages", "cause"), [(SECOND_ABSENT, "page"), (SECOND_READ_ONLY, "permission")])
def test_a_fault_of_the_second_page_comes_before_any_byte_is_written(guest, scheme, word, pages, cause):
    """It names the second page, and everything that the instruction held is let go."""

    async def thread(cpu):
        with pytest.raises(GuestFault) as caught:
            await guest(cpu)
        cpu.observe("at", caught.value.address)
        cpu.observe("as expected", caught.value.cause == cause)
        await cpu.lock_xadd(0x4F00, 1)  # nothing is locked, and the world goes on

    trace = execute(guests(thread, pages=pages), machine(scheme, word))
    assert trace.ending is Ending.FINISHED
    assert (trace.outcome["0:at"], trace.outcome["0:as expected"]) == (0x5000, 1)
    assert ram(trace) == (OLD, FILL, FILL)


@everywhere
@pytest.mark.parametrize("guest", [loads, waits])
def test_what_only_reads_faults_on_an_absent_second_page_and_not_on_a_read_only_one(guest, scheme, word):
    absent = execute(guests(guest, pages=SECOND_ABSENT), machine(scheme, word))
    assert [fault.kind for fault in absent.faults] == ["fault"]
    assert execute(guests(guest, pages=SECOND_READ_ONLY), machine(scheme, word)).outcome["0:r"] == OLD


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_vector_store_of_two_halves_writes_neither_if_the_second_page_is_absent(scheme):
    async def thread(cpu):
        with pytest.raises(GuestFault):
            await cpu.movups(0x4FF8, (1 << 128) - 1)

    trace = execute(guests(thread, pages=SECOND_ABSENT), machine(scheme))
    assert trace.outcome[f"[{FIRST:#x}]"] == OLD & 0xFFFFFFFF


def test_pages_whose_frames_follow_each_other_are_no_boundary_in_ram():
    """Two looks at the page table, then one access for what the emulator makes one access of."""
    prog = Program("pages", isa="x86", threads=[stores, adds], pages=ADJACENT, watch={0x1FFC: 8})
    trace = execute(prog, machine("none"))
    assert steps(trace, "0") == ["load pte 0x4000", "load pte 0x5000", "store [0x1ffc]/8"]
    assert steps(execute(prog, machine("native")), "1")[:3] == [
        "load pte 0x4000", "load pte 0x5000", "begin_exclusive"
    ]  # fmt: skip


# -- several vCPUs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "granule"), [("aie-rfc", 16), ("aie-v2", 64)])
def test_only_the_lock_of_the_first_granule_is_taken(scheme, granule):
    trace = execute(guests(adds), machine(scheme))
    locks = [event.op.cell.name for event in trace.events if event.op.kind.name == "LOCK"]
    assert locks == [f"lock {FIRST // granule * granule:#x}"]
    assert steps(trace)[:2] == ["load pte 0x4000", "load pte 0x5000"]


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
def test_an_instruction_on_the_second_page_is_not_kept_out(scheme):
    """A lock of its own granule does not exclude the instruction that crosses into it: its update is lost."""

    async def other(cpu):
        await cpu.lock_xadd(0x5000, 1)

    report = explore(guests(adds, other), machine(scheme), scheduler="dfs:preemptions=1", checkers=["rmw-atomicity"])
    assert report.verdict == "violated"


def test_locked_instructions_across_pages_are_atomic_under_native():
    async def adds_one(cpu):
        await cpu.lock_xadd(AT, 1 << 32 | 1, width=8)

    async def adds_high(cpu):
        await cpu.lock_xadd(0x5000, 1)

    prog = guests(adds_one, adds_one, adds_high)
    for host in ("sc", "tso"):
        report = explore(prog, machine("native", host=host), scheduler="dpor")
        assert (report.verdict, report.complete) == ("holds", True)
        assert {dict(outcome.items)[f"[{SECOND:#x}]"] for outcome in report.outcomes} == {(OLD >> 32) + 3}


@pytest.mark.parametrize("scheme", ["native", "none"])
def test_a_wait_ends_when_both_halves_are_there(scheme):
    async def waits_for_new(cpu):
        cpu.observe("r", await cpu.wait_until(AT, lambda value: value == NEW, width=8))

    found = list(every(guests(stores, waits_for_new), machine(scheme), preemptions=1))
    assert all(trace.ending is Ending.FINISHED and trace.outcome["1:r"] == NEW for trace in found)
