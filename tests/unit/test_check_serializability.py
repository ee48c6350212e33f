"""Transactions that others cut into are found with the cycle, and nothing else is."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
from atomicity_clocks import first_violation
from exhaustive.generated import under_scheme
from generated_traces import MIXED, PLACES, all_pairs_cycle, interleaved, threads
from handmade import Tape, X, Y, found, run
from hypothesis import given, settings
from hypothesis import strategies as st

import simaie
from simaie import Machine, Program
from simaie.block import Block
from simaie.check.conflict_graph import components, conflict_graph, short_cycle
from simaie.check.serializability import atomic_blocks, serializability
from simaie.check.transactions import Units, transactions
from simaie.host.host import Mutex
from simaie.trace import AccessKind

ATOMIC, PLAIN = AccessKind.ATOMIC, AccessKind.PLAIN_RMW
LINKED, CONDITIONAL = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL


def act(tape, vcpu, letter, address=X):
    return (tape.load if letter == "R" else tape.store)(vcpu, address=address)


# -- the eight interleavings at one location -----------------------------------------------------------


@pytest.mark.parametrize("first", "RW")
@pytest.mark.parametrize("remote", "RW")
@pytest.mark.parametrize("second", "RW")
def test_the_interleavings_at_one_location_are_judged_and_labelled(first, remote, second):
    tape = act(Tape().begin("0", PLAIN, "add"), "0", first)
    act(tape.begin("1", AccessKind.OTHER, "other"), "1", remote)
    act(tape, "0", second)
    findings = list(serializability(tape.trace()))
    pattern = f"{first}-{remote}-{second}"
    conflicts = "W" in first + remote and "W" in remote + second
    assert bool(findings) is conflicts
    if findings:
        (finding,) = findings
        labelled = [p for p in ("R-W-R", "W-W-R", "R-W-W", "W-R-W") if p in finding.message]
        assert labelled == ([pattern] if pattern != "W-W-W" else [])
        assert finding.steps == (0, 1, 2)
        assert finding.addresses == (X, X, X)
        assert finding.vcpus == ("0", "1")


def test_of_the_patterns_in_a_transaction_the_first_with_a_label_is_shown():
    """W-W-W, which has no label, then W-W-R, then R-W-R."""
    tape = Tape().begin("0", PLAIN).store("0").plain_store("1").store("0").plain_store("1").load("0")
    tape.plain_store("1").load("0")
    (finding,) = serializability(tape.trace())
    assert finding.steps == (2, 3, 4)


def test_a_write_before_two_reads_and_a_write_is_found_between_the_writes():
    """W-R-W with a local read in between: no two neighbours alone are unserializable."""
    tape = Tape().begin("0", PLAIN).store("0").begin("1", AccessKind.LOAD).load("1").load("0").store("0")
    (finding,) = serializability(tape.trace())
    assert "W-R-W" in finding.message
    assert finding.steps == (0, 1, 3)


def test_a_cycle_is_looked_for_among_the_given_transactions_only():
    """Though a shorter one leads through another."""
    graph = [{1: (0, 1), 3: (0, 3)}, {2: (1, 2)}, {0: (2, 0)}, {0: (3, 0)}]
    found = SimpleNamespace(all=[SimpleNamespace(interrupted=True)] * 4)
    assert short_cycle(graph, [0, 1, 2], found) == [0, 1, 2]
    assert short_cycle(graph, [0, 1, 2, 3], found) == [0, 3]


# -- what is a transaction --------------------------------------------------------------------------------


def sequence(store_inside: bool) -> Tape:
    tape = Tape().begin("0", LINKED, "ldrex").load("0")
    if store_inside:
        tape.plain_store("1")
    return tape.begin("0", CONDITIONAL, "strex").store("0")


def test_a_load_linked_and_its_store_conditional_are_one_transaction():
    assert not list(serializability(sequence(False).trace()))
    (finding,) = serializability(sequence(True).trace())
    assert "R-W-W" in finding.message
    assert finding.vcpus == ("0", "1")


def test_a_store_conditional_that_did_not_store_makes_no_transaction():
    tape = Tape().begin("0", LINKED, "ldrex").load("0").plain_store("1").begin("0", CONDITIONAL, "strex").load("0")
    assert not list(serializability(tape.trace()))


def test_other_instructions_between_the_two_are_transactions_of_their_own():
    """T reads X; its vCPU reads Y; another writes Y, then reads X; T writes X. No architecture orders Y with X."""
    tape = Tape().begin("0", LINKED, "ldrex").load("0").begin("0", AccessKind.LOAD, "ldr", Y).load("0", address=Y)
    tape.plain_store("1", address=Y).begin("1", AccessKind.LOAD, "ldr").load("1")
    tape.begin("0", CONDITIONAL, "strex").store("0")
    trace = tape.trace()
    assert not list(serializability(trace))
    block = tape.trace(blocks=(Block("0", "attempt", 0, 3),))
    assert len(list(serializability(block))) == 1


@pytest.mark.parametrize("alias", [X, Y])
def test_those_that_touch_the_same_bytes_belong_to_the_sequence_by_whatever_guest_address(alias):
    tape = Tape().begin("0", LINKED, "ldrex").load("0").begin("0", AccessKind.STORE, "str", alias).store("0", 5)
    tape.begin("1", AccessKind.LOAD, "ldr").load("1").begin("0", CONDITIONAL, "strex").store("0")
    (finding,) = serializability(tape.trace())
    assert "W-R-W" in finding.message
    assert finding.steps == (1, 2, 3)


def blocked(name="block", vcpu="0", **fields):
    """Two loads of vCPU 0 with a store of vCPU 1 in between."""
    tape = Tape().begin("0", AccessKind.LOAD).load("0").plain_store("1").begin("0", AccessKind.LOAD).load("0")
    return tape.trace(**fields)


def test_a_block_of_the_guest_is_a_transaction():
    assert not list(serializability(blocked()))
    for checker in (serializability, atomic_blocks):
        (finding,) = checker(blocked(blocks=(Block("0", "pair", 0, 2),)))
        assert "pair" in finding.message
        assert finding.kind == ("atomic-blocks" if checker is atomic_blocks else "serializability")


def test_a_block_that_never_ended_reaches_to_the_end():
    assert len(list(atomic_blocks(blocked(blocks=(Block("0", "open", 0),))))) == 1


def test_of_nested_blocks_the_outermost_counts():
    blocks = (Block("0", "outer", 0, 2), Block("0", "inner", 1, 2))
    (finding,) = atomic_blocks(blocked(blocks=blocks))
    assert "outer" in finding.message


def test_a_block_of_another_vcpu_or_of_other_instructions_changes_nothing():
    for block in (Block("1", "b", 0, 1), Block("0", "b", 0, 1), Block("0", "b", 1, 2), Block("0", "b", 2, 4)):
        assert not list(atomic_blocks(blocked(blocks=(block,))))


def test_only_blocks_are_judged_as_blocks():
    tape = Tape().begin("0", PLAIN).load("0").plain_store("1").store("0").begin("1", AccessKind.LOAD).load("1")
    assert not list(atomic_blocks(tape.trace(blocks=(Block("1", "b", 0, 1),))))
    assert len(list(serializability(tape.trace()))) == 1


def test_the_emulators_own_cells_are_no_guest_data():
    a = Mutex("lock a")
    tape = Tape().begin("0", ATOMIC).lock("0", a).unlock("0", a).begin("1", ATOMIC).lock("1", a).unlock("1", a)
    tape.begin("0", ATOMIC).load("0")
    assert not list(serializability(tape.trace()))


# -- cycles ---------------------------------------------------------------------------------------------------


def test_a_cycle_over_two_locations_names_both_operations_of_each_edge():
    tape = Tape().begin("0", PLAIN).store("0").begin("1", PLAIN).load("1").store("1", address=Y).load("0", address=Y)
    (finding,) = serializability(tape.trace())
    assert finding.steps == (0, 1, 2, 3)
    assert set(finding.vcpus) == {"0", "1"}


def test_a_cycle_may_go_through_the_order_within_another_vcpu():
    """T writes X; another reads X, then in its next instruction writes Y; T reads Y."""
    tape = Tape().begin("0", PLAIN).store("0").begin("1", AccessKind.LOAD).load("1")
    tape.plain_store("1", address=Y).load("0", address=Y)
    (finding,) = serializability(tape.trace())
    assert finding.vcpus == ("0", "1", "1")


def test_the_shortest_cycle_is_preferred():
    """T meets vCPU 1 in two steps, and vCPUs 1, 2, 3 in a chain of writes."""
    tape = Tape().begin("0", PLAIN).store("0")
    for vcpu in "123":
        tape.plain_store(vcpu)
    tape.load("0")
    (finding,) = serializability(tape.trace())
    assert len(finding.vcpus) == 2


def test_every_knot_of_cycles_is_one_finding():
    tape = Tape()
    for address in (X, Y):
        tape.begin("0", PLAIN).load("0", address=address).plain_store("1", address=address).store("0", address=address)
    assert [f.addresses[0] for f in serializability(tape.trace())] == [X, Y]


@pytest.mark.parametrize("rounds", [1, 40])
def test_long_histories_need_no_recursion(rounds):
    tape = Tape().begin("0", PLAIN).store("0", address=X)
    for number in range(rounds * 50):
        at = X + 8 * number
        tape.begin("1", PLAIN).load("1", address=at).store("1", address=at + 8)
    tape.load("0", address=X + 8 * rounds * 50)
    assert len(list(serializability(tape.trace()))) == 1


# -- against the definition, and against vector clocks ----------------------------------------------------------


def verdicts(trace, units):
    """By definition, by the graph, by the findings, by vector clocks."""
    grouped = transactions(trace, units)
    by_graph = bool(components(conflict_graph(grouped)))
    checker = serializability if units is Units.INSTRUCTIONS else atomic_blocks
    by_clocks = first_violation(grouped) is not None
    return all_pairs_cycle(grouped), by_graph, bool(list(checker(trace))), by_clocks


PICKS = st.lists(st.integers(0, 5), max_size=40)
BLOCKS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 3)), max_size=3)


@pytest.mark.untraced
@settings(max_examples=150, deadline=None, derandomize=True)
@given(threads(PLACES), PICKS, BLOCKS)
def test_all_algorithms_agree_with_the_definition_on_generated_traces(code, picks, blocks):
    trace = interleaved(code, picks, blocks)
    assert len(set(verdicts(trace, Units.INSTRUCTIONS))) == 1
    if trace.blocks:
        assert len(set(verdicts(trace, Units.BLOCKS))) == 1


@pytest.mark.untraced
@settings(max_examples=80, deadline=None, derandomize=True)
@given(threads(MIXED), PICKS, BLOCKS)
def test_all_algorithms_agree_where_accesses_of_several_sizes_overlap(code, picks, blocks):
    assert len(set(verdicts(interleaved(code, picks, blocks), Units.INSTRUCTIONS))) == 1


@pytest.mark.untraced
@settings(max_examples=150, deadline=None, derandomize=True)
@given(threads(PLACES), PICKS, BLOCKS)
def test_the_evidence_is_a_cycle(code, picks, blocks):
    trace = interleaved(code, picks, blocks)
    grouped = transactions(trace)
    of_step = {access.step: number for access, number in zip(grouped.accesses, grouped.of, strict=True)}
    for finding in serializability(trace):
        involved = {of_step[step] for step in finding.steps}
        assert len(involved) >= 2
        assert {grouped.all[number].vcpu for number in involved} == set(finding.vcpus)
        assert any(grouped.all[number].interrupted for number in involved)
        assert all(a < b for a, b in pairwise(finding.steps))


@pytest.mark.untraced
@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 150), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize(("isa", "scheme"), [("x86", "none"), ("x86", "aie-v2"), ("arm", "none"), ("arm", "aie-rfc")])
def test_both_algorithms_agree_on_random_walks_of_random_programs(isa, scheme, seeds):
    seen = set()
    for seed in seeds:
        program = under_scheme(isa, seed, (4, 4, 3))
        trace = run(program.threads, scheme, isa=isa, seed=seed)
        verdict = verdicts(trace, Units.INSTRUCTIONS)
        assert len(set(verdict)) == 1, f"seed {seed}"
        seen.add(verdict[0])
    assert True in seen


# -- guests under schemes --------------------------------------------------------------------------------------


async def locked_adder(cpu):
    await cpu.lock_add(X, 1)
    await cpu.lock_add(Y, 1)


async def plain_adder(cpu):
    await cpu.add(X, 1)


async def llsc_adder(cpu):
    while await cpu.strex(X, await cpu.ldrex(X) + 1):
        pass


async def early_storer(cpu):
    await cpu.store(X, 7)


async def storer(cpu):
    for _ in range(15):
        await cpu.load(Y)
    await cpu.store(X, 7)


async def pushes(cpu):
    async with cpu.atomic("push"):
        while True:
            head = await cpu.ldrex(X)
            await cpu.store(Y + 16 * int(cpu.name), head)
            if not await cpu.strex(X, 1 + int(cpu.name)):
                break


@pytest.mark.untraced
@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2", "cas", "global-lock", "native"])
def test_locked_instructions_are_serializable_under_every_scheme_that_has_a_lock(scheme):
    assert found(serializability, [locked_adder, locked_adder], scheme, isa="x86") == 0


@pytest.mark.untraced
@pytest.mark.parametrize("scheme", ["aie-rfc", "cas", "native"])
def test_successful_sequences_are_serializable_against_each_other(scheme):
    assert found(serializability, [llsc_adder, llsc_adder, llsc_adder], scheme, executions=60) == 0


@pytest.mark.untraced
def test_what_is_not_atomic_is_found():
    assert found(serializability, [locked_adder, locked_adder], "none", isa="x86")
    assert found(serializability, [llsc_adder, llsc_adder], "none")
    assert found(serializability, [llsc_adder, storer], "aie-rfc")
    assert found(serializability, [locked_adder, early_storer], "global-lock", isa="x86")
    assert found(serializability, [plain_adder, plain_adder], "native", isa="x86")


def test_the_ideal_scheme_is_clean_even_with_plain_stores():
    assert found(serializability, [llsc_adder, storer], "native") == 0


def test_a_block_around_a_loop_is_interrupted_by_who_makes_it_try_again():
    assert found(atomic_blocks, [pushes, pushes], "native")
    assert found(atomic_blocks, [pushes], "native") == 0


# -- store buffers ---------------------------------------------------------------------------------------------


async def stores_and_looks(cpu):
    async with cpu.atomic("mine"):
        await cpu.store(X, 1 + int(cpu.name))
        cpu.observe("r", await cpu.load(X))


async def half_of_dekker(cpu):
    mine, other = (X, Y) if cpu.name == "0" else (Y, X)
    async with cpu.atomic("half"):
        await cpu.store(mine, 1)
        cpu.observe("r", await cpu.load(other))


def buffered(guest):
    """Whether any of all executions of two such guests under TSO is not serializable, with the outcomes of those."""
    program = Program("buffered", isa="x86", threads=[guest, guest], init={X: 0, Y: 0})
    report = simaie.explore(
        program, Machine("native", host="tso"), scheduler="dfs", checkers=["atomic-blocks"], failures=None
    )
    return [tuple(f.trace.outcome[f"{v}:r"] for v in "01") for f in report.failures]


def test_a_buffered_store_takes_effect_when_it_drains():
    assert (0, 0) in buffered(half_of_dekker)


def test_a_load_that_the_own_buffer_answers_sees_nobody_else():
    """Both stores buffered, both loads answered, both drained: that is one block after the other."""
    for seen in buffered(stores_and_looks):
        assert seen != (1, 2)
