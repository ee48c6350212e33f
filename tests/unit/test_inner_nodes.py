"""The tree of locks with inner nodes that are there from the start, as an exhaustive search has it by default."""

from __future__ import annotations

import pytest
from runs import X, execute, program, steps

from simaie.aie.radix_tree import Node, RadixTree
from simaie.errors import UsageError
from simaie.exploration.compare import compare
from simaie.exploration.explorer import explore
from simaie.exploration.single import explore_index
from simaie.machine import Machine
from simaie.op import Kind
from simaie.replaying.player import replay
from simaie.schemes.aie_rfc import AieRfc

FAR = X + (1 << 30)


async def increment(cpu):
    await cpu.lock_xadd(X, 1)


async def store(cpu):
    await cpu.store(X, 5)


def two(first=increment, second=increment):
    return program("x86", first, second, final=lambda end: end[X] == 2)


def classes(scheme, bits, **options):
    return explore(two(), Machine(scheme, address_bits=bits), scheduler="dpor", failures=None, **options)


class BlindInnerTree(RadixTree):
    """Publishes the nodes of inner levels with a plain store; entries are published as they should be."""

    async def publish(self, slot, fresh):
        if not isinstance(fresh, Node):
            return await super().publish(slot, fresh)
        await slot.store(fresh)
        return fresh


class BlindInner(AieRfc):
    """The insertion of an inner node loses what another vCPU has inserted below its own."""

    name = "aie-rfc with a blind insertion of inner nodes"
    tree_class = BlindInnerTree


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
@pytest.mark.parametrize("bits", [12, 20, 30, 47, 64])
def test_the_width_of_addresses_does_not_multiply_the_executions(scheme, bits):
    report, narrow = classes(scheme, bits), classes(scheme, 12)
    assert (report.verdict, report.complete, report.executions) == ("holds", True, 8)
    assert report.statistics.steps == narrow.statistics.steps


@pytest.mark.parametrize(("bits", "count"), [(12, 8), (20, 32), (28, 128)])
def test_a_raced_level_multiplies_them_by_four(bits, count):
    raced = classes("aie-rfc:inner_nodes=raced", bits)
    assert raced.executions == count
    assert raced.outcomes.keys() == classes("aie-rfc", bits).outcomes.keys()


@pytest.mark.untraced
def test_a_report_says_with_which_option_it_searched():
    assert classes("aie-rfc", 47).machine.scheme == "aie-rfc:inner_nodes=present"
    assert classes("aie-rfc:granule=64", 47).machine.scheme == "aie-rfc:granule=64,inner_nodes=present"
    assert classes(AieRfc, 47).machine.scheme == "aie-rfc:inner_nodes=present"
    assert classes("aie-rfc:inner_nodes=raced", 20).machine.scheme == "aie-rfc:inner_nodes=raced"
    assert classes("aie-rfc", 12).machine.scheme == "aie-rfc"  # one level: there are no inner nodes
    assert classes("aie-rfc:granule=64", 14).machine.scheme == "aie-rfc:granule=64"


def test_a_search_that_samples_runs_what_it_is_told_to():
    report = explore(two(), Machine("aie-rfc", address_bits=47), scheduler="random-walk", executions=3)
    assert report.machine.scheme == "aie-rfc"


@pytest.mark.untraced
def test_a_mutant_of_the_inner_insertion_is_found_since_its_class_has_the_full_race():
    report = explore(two(), Machine(BlindInner, address_bits=20), scheduler="dpor", failures=None)
    assert report.verdict == "violated"
    assert "one-entry-per-granule" in {finding.kind for each in report.failures for finding in each.findings}
    assert report.machine.scheme_class is BlindInner


def test_inner_nodes_that_are_present_hide_a_mutant_of_the_inner_insertion():
    class Hidden(BlindInner):
        def __init__(self, *args, **options):
            super().__init__(*args, inner_nodes="present", **options)

    assert explore(two(), Machine(Hidden, address_bits=20), scheduler="dpor").verdict == "holds"
    assert explore(two(), Machine(Hidden, address_bits=12), scheduler="dpor").verdict == "holds"


def test_a_look_up_takes_a_step_for_the_entry_only():
    async def thread(cpu):
        await cpu.store(X, 1)
        await cpu.lock_inc(X)
        await cpu.lock_inc(FAR)

    trace = execute(program("x86", thread), Machine("aie-rfc:inner_nodes=present", address_bits=47))
    near, far = f"radix/00/00/00/00/00/{X >> 4:02x}", f"radix/00/00/04/00/00/{X >> 4:02x}"
    slots = [step for step in steps(trace) if "radix" in step]
    # The first is the look-up of the plain store.
    assert slots == [f"load {near}", f"load {near}", f"cas {near}", f"load {far}", f"cas {far}"]
    addresses = {event.op.location: event.op.cell.address for event in trace.events if event.op.kind is Kind.CAS}
    assert addresses == {near: X >> 4, far: FAR >> 4}


def test_the_slots_have_the_names_and_addresses_that_they_have_in_the_race():
    def entries(how):
        trace = execute(two(), Machine(f"aie-rfc:inner_nodes={how}", address_bits=40))
        return [(e.op.location, e.op.cell.address) for e in trace.events if e.op.kind is Kind.CAS and e.wrote][-1]

    assert entries("present") == entries("raced")


def test_the_search_finds_the_window_of_the_first_registration_and_its_failure_replays(tmp_path):
    made = program("x86", increment, store, final=lambda end: end[X] in (5, 6))
    failing = explore(made, Machine("aie-rfc", address_bits=47), scheduler="dpor").failures[0]
    assert failing.machine.arguments[:2] == ["--scheme", "aie-rfc:inner_nodes=present"]
    file = failing.save(tmp_path / "failure.json")
    again = replay(file, program=made)
    assert again.trace.digest == failing.trace.digest
    assert again.machine.scheme == "aie-rfc:inner_nodes=present"
    alone = explore_index(made, failing.machine, "dpor", index=failing.index)
    assert alone.failures[0].trace.digest == failing.trace.digest


def test_a_comparison_searches_without_the_races_too():
    result = compare(two(), machine=Machine("aie-rfc:barriers=full", address_bits=47))
    assert result.verdict == "holds"
    assert result.possible.executions == 8
    assert result.possible.machine.scheme == "aie-rfc:barriers=full,inner_nodes=present"


def test_the_option_is_checked():
    with pytest.raises(UsageError, match="inner_nodes"):
        Machine("aie-rfc:inner_nodes=absent").check_options()
    with pytest.raises(UsageError, match="inner_nodes"):
        Machine("aie-v2:inner_nodes=1").check_options()
