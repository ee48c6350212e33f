"""A load that sees part of a store is found where the architecture promises that neither is torn, and only there."""

from itertools import permutations

import pytest
from handmade import Tape, X, Y, kinds

import simaie
from simaie import Machine, Program
from simaie.check import CHECKERS, single_copy, single_copy_atomicity
from simaie.guest.isa import ISAS
from simaie.trace import AccessKind, Ending

LOAD, STORE, ATOMIC = AccessKind.LOAD, AccessKind.STORE, AccessKind.ATOMIC
LOW, HIGH = X, X + 4
single_copy_lse2 = CHECKERS["single-copy-atomicity-lse2"]


def halves(tape, vcpu, write, *, width=8, access=None, cut=False):
    """An instruction of two halves; returns what performs each of them."""
    tape.begin(vcpu, access or (STORE if write else LOAD), "", X, width, cut=cut)
    act = tape.store if write else tape.load
    half = width // 2
    return [lambda: act(vcpu, address=X, width=half), lambda: act(vcpu, address=X + half, width=half)]


def order(picks, isa="x86", **options):
    """A split load "0" and a split store "1", in the order of `picks`."""
    tape = Tape()
    parts = {"0": halves(tape, "0", False, **options), "1": halves(tape, "1", True, **options)}
    for vcpu in picks:
        parts[vcpu].pop(0)()
    return tape.trace(isa=isa)


@pytest.mark.parametrize("picks", sorted(set(permutations("0011"))))
def test_of_all_orders_of_a_split_load_and_a_split_store_the_torn_ones_are_found(picks):
    """Both go low half first: the load is torn if it overtakes the store, or the store overtakes it, in between."""
    reads = [i for i, vcpu in enumerate(picks) if vcpu == "0"]
    writes = [i for i, vcpu in enumerate(picks) if vcpu == "1"]
    seen = {read > write for read, write in zip(reads, writes, strict=True)}
    findings = list(single_copy_atomicity(order(picks)))
    assert len(findings) == (len(seen) == 2)
    for finding in findings:
        assert finding.kind == "single-copy-atomicity"
        assert finding.vcpus == ("0", "1")
        assert set(finding.steps) <= {0, 1, 2, 3}


@pytest.mark.parametrize("split", ["load", "store"])
def test_one_that_is_whole_falls_between_the_halves_of_the_other(split):
    tape = Tape()
    first, second = halves(tape, "0", split == "store")
    first()
    tape.begin("1", STORE if split == "load" else LOAD, width=8)
    (tape.store if split == "load" else tape.load)("1", width=8)
    second()
    (finding,) = single_copy_atomicity(tape.trace(isa="x86"))
    assert finding.steps == (0, 1, 2)
    assert finding.vcpus == (("0", "1") if split == "load" else ("1", "0"))


def test_a_store_across_two_words_is_seen_torn_in_the_second():
    """The load is of the upper half of the store, a half of that at a time."""
    tape = Tape().begin("0", LOAD, address=X + 8).load("0", address=X + 8, width=2)
    tape.begin("1", STORE, address=X + 4, width=8).store("1", address=X + 4, width=8)
    tape.load("0", address=X + 10, width=2)
    (finding,) = single_copy_atomicity(tape.trace(isa="x86"))
    assert finding.steps == (0, 1, 2)


def test_a_store_to_one_half_only_tears_nothing():
    tape = Tape()
    first, second = halves(tape, "0", False)
    first()
    tape.plain_store("1", address=LOW).plain_store("1", address=HIGH)
    second()
    assert not list(single_copy_atomicity(tape.trace(isa="x86")))


def test_two_whole_stores_each_seen_by_half_are_no_tear_of_either():
    """The second store comes after the load's first half and before its second: it is the one that was torn."""
    tape = Tape().begin("1", STORE, width=8).store("1", width=8)
    first, second = halves(tape, "0", False)
    first()
    tape.begin("2", STORE, width=8).store("2", width=8)
    second()
    assert [f.vcpus for f in single_copy_atomicity(tape.trace(isa="x86"))] == [("0", "2")]


def test_the_last_read_of_a_byte_counts():
    tape = Tape().begin("0", ATOMIC, width=8).load("0", width=4).load("0", address=HIGH)
    tape.begin("1", STORE, width=8).store("1", width=8).load("0").load("0", address=HIGH)
    assert not list(single_copy_atomicity(tape.trace(isa="x86")))


def test_a_store_that_was_cut_short_after_its_first_half_is_seen_torn():
    tape = Tape()
    first, _ = halves(tape, "1", True, cut=True)
    first()
    tape.begin("0", LOAD, width=8).load("0", width=8)
    assert kinds(single_copy_atomicity(tape.trace(Ending.STEP_LIMIT, isa="x86"))) == ["single-copy-atomicity"]


def test_a_load_of_what_waits_in_its_own_buffer_does_not_come_before_what_is_never_written():
    """Of the upper half neither store reaches memory: which of them would have come first is left open."""
    tape = Tape().begin("0", STORE, address=HIGH).buffer("0", address=HIGH)
    first, _ = halves(tape, "1", True, cut=True)
    first()
    tape.begin("0", LOAD, width=8).load("0", width=8)
    assert not list(single_copy_atomicity(tape.trace(Ending.STEP_LIMIT, isa="x86")))


def test_a_vcpu_does_not_tear_its_own_accesses():
    tape = Tape()
    first, second = halves(tape, "0", True)
    first()
    tape.begin("0", LOAD, width=8).load("0", width=8)
    second()
    assert not list(single_copy_atomicity(tape.trace(isa="x86")))


# -- the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("isa", "access", "address", "width", "covered"),
    [
        ("x86", LOAD, 0x1000, 8, True),
        ("x86", LOAD, 0x1003, 4, True),  # within a cache line
        ("x86", LOAD, 0x103E, 4, False),  # across two
        ("x86", LOAD, 0x1000, 16, False),
        ("x86", ATOMIC, 0x1000, 16, True),  # CMPXCHG16B
        ("x86", ATOMIC, 0x103E, 4, True),  # a split lock
        ("arm", LOAD, 0x1000, 4, True),
        ("arm", LOAD, 0x1002, 4, False),
        ("arm", LOAD, 0x1000, 8, False),
        ("arm", AccessKind.LOAD_LINKED, 0x1000, 8, True),
        ("arm", AccessKind.STORE_CONDITIONAL, 0x1004, 8, False),
        ("riscv", STORE, 0x1000, 8, True),
        ("riscv", AccessKind.OTHER, 0x1000, 8, False),
    ],
)
def test_what_each_architecture_guarantees(isa, access, address, width, covered):
    assert ISAS[isa].guarantees[""].covers(access, address, width) is covered


WIDEST = {
    ("x86", ""): (8, 16, 16), ("x86", "avx"): (8, 16, 16), ("arm", ""): (4, 8, 8), ("arm", "lpae"): (8, 8, 8),
    ("aarch64", ""): (8, 8, 16), ("aarch64", "lse2"): (16, 16, 16), ("riscv", ""): (8, 8, 16),
    ("riscv_ztso", ""): (8, 8, 16), ("mips", ""): (8, 16, 16), ("ppc", ""): (16, 16, 16), ("sparc", ""): (8, 8, 8),
    ("s390x", ""): (16, 16, 16), ("loongarch", ""): (8, 8, 16), ("alpha", ""): (8, 8, 8), ("m68k", ""): (4, 4, 4),
    ("sh4", ""): (4, 4, 4), ("xtensa", ""): (4, 4, 4), ("openrisc", ""): (4, 4, 4), ("microblaze", ""): (4, 4, 4),
    ("hexagon", ""): (8, 8, 8),
}  # fmt: skip


def test_what_is_the_widest_aligned_access_that_each_architecture_guarantees():
    """Plain, load-linked, and store-conditional, of all widths up to there; each row of each architecture."""
    assert {(isa, row) for isa, cls in ISAS.items() for row in cls.guarantees} == WIDEST.keys()
    for (isa, row), widest in WIDEST.items():
        for access, limit in zip((LOAD, AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL), widest, strict=True):
            for width in (1, 2, 4, 8, 16):
                covered = ISAS[isa].guarantees[row].covers(access, 0x1000, width)
                assert covered is (width <= limit), (isa, row, access, width)


def test_eight_bytes_on_arm_are_promised_to_exclusives_and_with_lpae_to_all():
    torn = "0110"
    assert not list(single_copy_atomicity(order(torn, isa="arm")))
    assert list(single_copy(ISAS["arm"].guarantees["lpae"])(order(torn, isa="arm")))


def quarters(picks, isa, access):
    """A load "0" of 16 bytes and a store "1", both in words, in the order of `picks`."""
    tape = Tape().begin("0", access, width=16).begin("1", AccessKind.ATOMIC if access is not LOAD else STORE, width=16)
    left = {"0": [X, X + 4, X + 8, X + 12], "1": [X, X + 4, X + 8, X + 12]}
    for vcpu in picks:
        (tape.load if vcpu == "0" else tape.store)(vcpu, address=left[vcpu].pop(0), width=4)
    return tape.trace(isa=isa)


def test_of_a_pair_each_doubleword_is_judged_by_itself():
    """Torn between the doublewords, LDXP is what AArch64 allows; torn within one it is not; with LSE2 neither is."""
    linked = AccessKind.LOAD_LINKED
    between, within = "00111100", "01111000"
    assert not list(single_copy_atomicity(quarters(between, "aarch64", linked)))
    assert kinds(single_copy_atomicity(quarters(within, "aarch64", linked))) == ["single-copy-atomicity"]
    assert list(single_copy_lse2(quarters(between, "aarch64", linked)))


def test_a_plain_access_of_two_words_is_judged_word_by_word_on_armv7():
    """In bytes, each word has to be whole."""
    tape = Tape().begin("0", LOAD, width=8).begin("1", STORE, width=8)
    tape.load("0", width=2).store("1", width=8).load("0", address=X + 2, width=2).load("0", address=HIGH, width=4)
    assert kinds(single_copy_atomicity(tape.trace(isa="arm"))) == ["single-copy-atomicity"]


def test_a_vector_access_of_x86_is_not_judged_at_all():
    assert not list(single_copy_atomicity(quarters("01111000", "x86", LOAD)))


def test_an_unknown_instruction_set_is_not_judged():
    assert not list(single_copy_atomicity(order("0110", isa="pdp11")))


# -- guests under schemes ----------------------------------------------------------------------------------


def explore(threads, isa, scheme="native", **machine):
    program = Program("wide", isa=isa, threads=threads, init={Y: (0, 8), Y + 8: (0, 8)})
    checkers = [single_copy_atomicity]
    return simaie.explore(program, Machine(scheme, address_bits=14, **machine), scheduler="dfs:preemptions=2",
                          checkers=checkers)


async def stores(cpu):
    await cpu.store(Y, (1 << 64) - 1, width=8)


async def loads(cpu):
    await cpu.load(Y, width=8)


async def swaps(cpu):
    await cpu.lock_cmpxchg16b(Y, 0, (1 << 128) - 1)


async def exclusive(cpu):
    await cpu.strex(Y, await cpu.ldrex(Y, width=8) + (1 << 32) + 1, width=8)


def test_eight_bytes_tear_on_a_host_of_32_bits():
    assert explore([stores, loads], "x86", "none", host_word=32).verdict == "violated"
    assert not explore([stores, loads], "x86", "none").failing
    assert not explore([stores, loads], "x86", "native", host_word=32).failing


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2", "cas"])
def test_sixteen_bytes_are_whole_to_locked_instructions_and_torn_to_nobody_who_was_promised_more(scheme):
    assert not explore([swaps, swaps], "x86", scheme).failing
    assert not explore([swaps, loads], "x86", scheme).failing
    assert explore([swaps, swaps], "x86", "none").failing


def test_double_word_exclusives_are_whole_under_the_lock_of_their_granule():
    assert not explore([exclusive, exclusive], "arm", "aie-rfc", host_word=32).failing
    assert explore([exclusive, exclusive], "arm", "none", host_word=32).failing


# -- store buffers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drains_first", [False, True])
def test_a_half_that_the_own_buffer_answers_was_read_before_what_follows_the_drain_only(drains_first):
    """vCPU 0 stores the low half, loads both, the high one after vCPU 1 has stored both.

    If the low half drains last it has the newer value of the two: the load saw one state of memory that there was.
    """
    tape = Tape().begin("0", STORE, width=4).buffer("0")
    low, high = halves(tape, "0", write=False)
    low()
    if drains_first:
        tape.drain("0")
    tape.plain_store("1", width=8)
    high()
    if not drains_first:
        tape.drain("0")
    assert kinds(single_copy_atomicity(tape.trace(isa="x86"))) == ["single-copy-atomicity"] * drains_first
