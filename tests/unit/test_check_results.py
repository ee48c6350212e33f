"""What an instruction returned and left: lies of a scheme are found, and nothing that is true."""

from __future__ import annotations

import pytest
from handmade import Tape, kinds
from lying_schemes import LIARS, ODD, RestsOnAnEarlierRead, X
from runs import every, execute, program, small
from simaie_schedulers.random_walk import RandomWalk

from simaie import Machine, Program
from simaie.check import DEFAULT, judge
from simaie.check.results import instruction_results
from simaie.guest.code import ins
from simaie.guest.forms import SPAWN, kinds_of, table_of, widths_of
from simaie.host.pages import Page
from simaie.op import Function, Kind, Op
from simaie.prng import Random
from simaie.schemes.native import Native
from simaie.trace import AccessKind

HOSTS = ("sc", "tso", "pso")
INITIAL = {X: 0x11223344}


def named(shown):
    return f"{shown.scheme.__name__}-{shown.guest.__name__}"


def executions(shown, host="sc", endian="little"):
    prog = program(shown.isa, shown.guest, init=INITIAL)
    return list(every(prog, small(shown.scheme, host=host, endian=endian)))


def test_it_is_a_default_checker():
    assert instruction_results in DEFAULT


@pytest.mark.one_in(2)
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("shown", LIARS, ids=named)
def test_a_scheme_that_lies_is_found_in_every_execution(shown, host):
    for trace in executions(shown, host):
        assert "instruction-results" in kinds(judge(trace)), [str(event) for event in trace.events]


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("shown", ODD, ids=named)
def test_an_unusual_scheme_that_does_what_is_asked_is_not_found(shown, host, endian):
    for trace in executions(shown, host, endian):
        assert not list(instruction_results(trace)), [str(event) for event in trace.events]


def test_a_read_that_is_not_the_one_under_the_write_does_not_count():
    """The lost store falls before the second load, so nothing comes between that and the store."""

    async def adding(cpu):
        await cpu.lock_xadd(X, 5)

    async def storing(cpu):
        await cpu.store(X, 1)

    prog = program("x86", adding, storing)
    found = [set(kinds(judge(trace))) for trace in every(prog, small(RestsOnAnEarlierRead))]
    assert {"instruction-results"} in found


# -- where the guest's page table puts things ----------------------------------------------------------


class ForgetsToTranslate(Native):
    """Takes guest addresses for places in RAM."""

    def load(self, cpu, address, width):
        return self.host.load(address, width)

    def store(self, cpu, address, width, value):
        return self.host.store(address, width, value)


MOVED = {0x1000: Page(0x5000), 0x2000: Page(0x3000)}


async def storing_far(cpu):
    await cpu.store(0x1010, 3)


async def loading_far(cpu):
    await cpu.load(0x2020)


@pytest.mark.parametrize("full_system", [True, False])
@pytest.mark.parametrize("guest", [storing_far, loading_far])
def test_an_access_to_another_frame_than_that_of_its_page_is_found(guest, full_system):
    prog = Program("moved", isa="x86", threads=[guest], pages=MOVED)
    assert not list(instruction_results(execute(prog, Machine("native", full_system=full_system))))
    trace = execute(prog, Machine(ForgetsToTranslate, full_system=full_system))
    assert kinds(instruction_results(trace)) == ["instruction-results"]


def test_a_page_that_moves_may_be_in_any_of_its_frames():
    async def moving(cpu):
        await cpu.map_page(0x1000, Page(0x7000))

    prog = Program("moved", isa="x86", threads=[storing_far, moving], pages=MOVED)
    for trace in every(prog, Machine(full_system=True)):
        assert not list(instruction_results(trace))


# -- rules, operation by operation ---------------------------------------------------------------------


def asked(access, effect, result, *ops, width=4, endian="little"):
    """The findings on one instruction with these operations, each (kind, address, width, stored, seen)."""
    tape = Tape().begin("0", access, width=width)
    instruction = tape._open["0"]
    instruction.effect, instruction.result = effect, result
    for kind, address, size, stored, seen in ops:
        expected = seen if kind is Kind.CAS else None
        tape.op("0", Op(kind, None, 0x1000 + address, size, stored, expected), seen)
    return list(instruction_results(tape.trace(endian=endian, silent=[instruction])))


LOAD, STORE = Kind.LOAD, Kind.STORE
ADD = Function("add 1", lambda old: old + 1 & 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("access", "effect", "result", "ops"),
    [
        (AccessKind.LOAD, None, 0x0201, [(LOAD, 0, 1, None, 1), (LOAD, 1, 1, None, 2), (LOAD, 2, 2, None, 0)]),
        (AccessKind.LOAD, None, 0x0A00, [(LOAD, -2, 4, None, 0x0A000000), (LOAD, 1, 4, None, 10)]),
        (AccessKind.LOAD, None, 4, [(LOAD, 0, 4, None, 4), (LOAD, 0, 4, None, 5)]),
        (AccessKind.STORE, 0x0201, None, [(STORE, 1, 1, 2, None), (STORE, 0, 1, 1, None), (STORE, 2, 2, 0, None)]),
        (AccessKind.STORE, -1, None, [(STORE, 0, 4, 0xFFFFFFFF, None)]),
        (AccessKind.ATOMIC, ADD, 4, [(LOAD, 0, 4, None, 4), (STORE, 0, 4, 5, None)]),
        (AccessKind.ATOMIC, ADD, 4, [(LOAD, 0, 4, None, 4), (STORE, 0, 1, 5, None)]),
        (AccessKind.ATOMIC, ADD, 4, [(LOAD, 0, 4, None, 3), (LOAD, 0, 4, None, 4), (STORE, 0, 4, 5, None)]),
        (AccessKind.ATOMIC, (4, 6), 5, [(LOAD, 0, 4, None, 5)]),
        (AccessKind.ATOMIC, (4, 6), 5, [(LOAD, 0, 4, None, 5), (STORE, 0, 4, 5, None)]),
        (AccessKind.STORE_CONDITIONAL, 5, False, []),
        (AccessKind.STORE_CONDITIONAL, 5, False, [(Kind.STORE_CONDITIONAL, 0, 4, 5, 0)]),
        (AccessKind.STORE_CONDITIONAL, 5, True, [(Kind.CAS, 0, 4, 5, 5)]),
        (AccessKind.LOAD, None, 4, [(Kind.CAS, 0, 4, 4, 4)]),
    ],
)  # fmt: skip
def test_what_was_asked_is_no_finding(access, effect, result, ops):
    assert not asked(access, effect, result, *ops)


@pytest.mark.parametrize(
    ("access", "effect", "result", "ops"),
    [
        (AccessKind.LOAD, None, 0x0102, [(LOAD, 0, 1, None, 1), (LOAD, 1, 1, None, 2), (LOAD, 2, 2, None, 0)]),
        (AccessKind.LOAD, None, 4, []),
        (AccessKind.LOAD, None, 4, [(LOAD, 0, 2, None, 4)]),
        (AccessKind.LOAD, None, 4, [(LOAD, 0, 4, None, 4), (STORE, 0, 4, 5, None)]),
        (AccessKind.LOAD_LINKED, None, 4, [(LOAD, 0, 4, None, 5)]),
        (AccessKind.STORE, 5, None, []),
        (AccessKind.STORE, 5, None, [(LOAD, 0, 4, None, 5)]),  # what is there already is not stored
        (AccessKind.STORE, 5, None, [(STORE, 0, 4, 5, None), (STORE, 3, 1, 5, None)]),
        (AccessKind.STORE, 5, None, [(STORE, 1, 4, 0, None), (STORE, 0, 4, 5, None)]),
        (AccessKind.STORE, 5, None, [(STORE, 0, 8, 5, None)]),
        (AccessKind.ATOMIC, ADD, 4, [(LOAD, 0, 4, None, 4), (STORE, 0, 1, 6, None)]),
        (AccessKind.ATOMIC, ADD, 4, [(LOAD, 0, 4, None, 4), (LOAD, 0, 4, None, 3), (STORE, 0, 4, 5, None)]),
        (AccessKind.ATOMIC, ADD, 4, [(STORE, 0, 4, 5, None)]),
        (AccessKind.ATOMIC, ADD, 4, []),
        (AccessKind.ATOMIC, (4, 6), 5, [(LOAD, 0, 4, None, 5), (STORE, 0, 4, 6, None)]),
        (AccessKind.ATOMIC, (4, 6), 4, [(LOAD, 0, 4, None, 4)]),
        (AccessKind.PLAIN_RMW, ADD, 4, [(LOAD, 0, 4, None, 4)]),
        (AccessKind.STORE_CONDITIONAL, 5, True, []),
        (AccessKind.STORE_CONDITIONAL, 5, True, [(LOAD, 0, 4, None, 5)]),
        (AccessKind.STORE_CONDITIONAL, 5, True, [(Kind.STORE_CONDITIONAL, 0, 4, 5, 0)]),
        (AccessKind.STORE_CONDITIONAL, 5, False, [(Kind.STORE_CONDITIONAL, 0, 4, 5, 1)]),
        (AccessKind.STORE_CONDITIONAL, 5, False, [(STORE, 0, 4, 5, None)]),
        (AccessKind.STORE_CONDITIONAL, 5, False, [(STORE, 0, 2, 5, None), (STORE, 2, 2, 0, None)]),
        (AccessKind.ATOMIC, (4, 6), 4, [(Kind.CAS, 0, 4, 7, 4)]),
    ],
)  # fmt: skip
def test_anything_else_is_a_finding(access, effect, result, ops):
    (finding,) = asked(access, effect, result, *ops)
    assert (finding.kind, finding.vcpus) == ("instruction-results", ("0",))
    assert len(finding.steps) == len(ops)


def test_a_failed_compare_and_swap_that_read_1_is_no_success():
    tape = Tape().begin("0", AccessKind.STORE_CONDITIONAL)
    instruction = tape._open["0"]
    instruction.effect, instruction.result = 5, True
    tape.op("0", Op(Kind.CAS, None, instruction.address, 4, 5, 0), 1)
    assert kinds(instruction_results(tape.trace())) == ["instruction-results"]


def test_bytes_lie_in_the_order_of_the_machine():
    halves = [(LOAD, 0, 2, None, 1), (LOAD, 2, 2, None, 2)]
    assert not asked(AccessKind.LOAD, None, 0x00020001, *halves, endian="little")
    assert not asked(AccessKind.LOAD, None, 0x00010002, *halves, endian="big")
    assert asked(AccessKind.LOAD, None, 0x00020001, *halves, endian="big")


def test_an_instruction_that_does_not_know_what_it_is_asked_is_not_judged():
    assert not asked(AccessKind.STORE, None, None)
    assert not asked(AccessKind.STORE_CONDITIONAL, None, True)
    assert not asked(AccessKind.LOAD, None, None)


def test_the_identity_of_an_execution_does_not_depend_on_what_was_asked():
    tape = Tape().begin("0", AccessKind.STORE).store("0", 5)
    before = tape.trace().digest
    tape._open["0"].effect = 5
    assert tape.trace(silent=[tape._open["0"]]).digest == before


# -- nothing is found where nothing is wrong -------------------------------------------------------------

SCHEMES = {"x86": ("native", "none", "cas", "global-lock", "aie-rfc", "aie-v2")}
LLSC = ("native", "native:spurious_failures=true", "none", "cas", "aie-rfc")
ISAS = ("x86", "arm", "aarch64", "riscv", "mips", "ppc")


WIDE = 0x0102030405060708090A0B0C0D0E0F10
#: What the table of drawn programs lacks, by instruction set.
OTHERS = {
    "x86": (
        (ins("movups", 0x1001, WIDE),),
        (ins("lock_bts", 0x1003, 9), ins("neg", 0x1004, width=2)),
        (ins("cmpxchg16b", 0x1000, 0, WIDE), ins("cmpxchg8b", 0x1005, 0, 5)),
        (ins("lock_not", 0x1000, width=8), ins("sbb", 0x1002, 1, carry=1)),
    ),
    "aarch64": (
        (ins("ldxp", 0x1000, into="r"), ins("stxp", 0x1000, WIDE, into="s")),
        (ins("ldaxp", 0x1000, width=4), ins("stlxp", 0x1000, 7, width=4), ins("stxp", 0x1000, 7, width=4)),
        (ins("casp", 0x1000, 0, WIDE, order="al"), ins("casp", 0x1000, 0, 3, width=4)),
        (ins("ldsmin", 0x1000, -3, width=1), ins("stumax", 0x1004, 9), ins("ldclr", 0x1002, 0xFF, width=2)),
        (ins("ldrsb", 0x1003), ins("stlr", 0x1004, 5)),
    ),
    "arm": ((ins("ldrex", 0x1000, width=8), ins("strex", 0x1000, WIDE, width=8)), (ins("swp", 0x1001, 3, width=1),)),
    "riscv": ((ins("amomax", 0x1000, -1, width=8, aq=1), ins("amominu", 0x1004, 1, rl=1), ins("lb", 0x1000, aq=1)),),
}


def any_program(isa, random):
    """Accesses of all widths about one place, aligned or not, perhaps across a page."""
    base = random.choice((0x1000, 0x1FF8, 0x1FFA))
    table = table_of(isa, [k for k in kinds_of(isa) if k != SPAWN], [base, base + 4, base + 1], widths_of(isa))
    threads = [
        [item for _ in range(1 + random.below(4)) for item in random.choice(table)]
        for _ in range(1 + random.below(3))
    ]
    for thread in threads:
        thread += random.choice(OTHERS.get(isa, ((),)))
    pages = {0x1000: Page(0x5000), 0x2000: Page(0x6000)} if random.choice((False, True)) else {}
    return Program("any", isa=isa, threads=threads, init={base: random.below(1 << 32)}, pages=pages)


def any_machine(schemes, random):
    return Machine(
        random.choice(schemes),
        host=random.choice(HOSTS),
        host_word=random.choice((32, 64)),
        endian=random.choice(("little", "big")),
        full_system=random.choice((False, True)),
    )


def judged(isa, seed):
    random = Random(seed)
    prog, machine = any_program(isa, random), any_machine(SCHEMES.get(isa, LLSC), random)
    trace = execute(prog, machine, RandomWalk())
    assert not list(instruction_results(trace)), (seed, machine, [str(event) for event in trace.events])


@pytest.mark.untraced
@pytest.mark.parametrize("isa", ISAS)
def test_no_scheme_of_simaie_is_found(isa):
    for seed in range(60):
        judged(isa, seed)


@pytest.mark.soak
@pytest.mark.parametrize("isa", ISAS)
def test_no_scheme_of_simaie_is_found_in_many_programs(isa):
    for seed in range(5_000):
        judged(isa, seed)
