"""The fewest barriers and where they have to be: before or behind which accesses."""

from __future__ import annotations

import itertools

import pytest
from test_minimal_barriers import litmus

from simaie import Program, compare, ins, replay
from simaie.barrier import Barrier
from simaie.exploration.barriers import minimal_barriers
from simaie.exploration.minimal_sets import MonotoneOracle, combined, minimal_sets, single_orders
from simaie.exploration.placement import Placement, placed_on, places_that_help
from simaie.finding import Verdict
from simaie.schemes.mapping import mapping_of

TSO = Barrier.FULL & ~Barrier.ST_LD
BEFORE, BEHIND = Placement.ST_ST_BEFORE_STORES, Placement.ST_ST_BEHIND_STORES


@pytest.mark.parametrize("part", single_orders(Placement.FULL), ids=lambda part: part.text)
def test_a_place_is_the_mapping_of_its_text(part):
    section, key = part.text.partition("=")[0].split(".")
    mapping = mapping_of(part.text)
    orders = getattr(getattr(mapping, section), key)
    assert orders.text == part.text.partition("=")[2]
    assert mapping_of(f"{part.text}/{section}.{key}=none").load == mapping_of("none").load


def test_orders_at_one_place_are_one_fence():
    both = Placement.LD_LD_BEHIND_LOADS | Placement.LD_ST_BEHIND_LOADS
    assert both.text == "load.after=ld-ld+ld-st"
    assert (both | BEFORE | Placement.BEHIND_FAILED).text == (
        "load.after=ld-ld+ld-st/store.before=st-st/atomic.failed=full"
    )
    assert both.words == "ld-ld+ld-st behind loads"
    assert (both | BEFORE).words == "ld-ld+ld-st behind loads and st-st before stores"
    assert Placement.NONE.text == Placement.NONE.words == "none"


def test_a_placement_is_added_to_what_a_mapping_has():
    placed = mapping_of(placed_on("qemu", Placement.LD_LD_BEHIND_LOADS | Placement.LD_LD_BEFORE_LOADS))
    assert placed.load.before == Barrier.LD_LD | Barrier.LD_ST
    assert placed.load.after == Barrier.LD_LD
    assert placed.store == mapping_of("qemu").store
    assert placed_on("qemu", Placement.NONE) == "qemu"
    assert placed_on("none", Placement.NONE) == "none"


def test_what_helps_is_what_the_guest_keeps_and_the_host_does_not():
    plain = Placement.FULL & ~(Placement.BEFORE_ATOMICS | Placement.BEHIND_ATOMICS | Placement.BEHIND_FAILED)
    assert places_that_help(TSO, Barrier.NONE) == plain
    assert places_that_help(TSO, Barrier.LD_LD | Barrier.LD_ST) == BEFORE | BEHIND
    assert places_that_help(TSO, TSO) == places_that_help(Barrier.NONE, Barrier.NONE) == Placement.NONE


def test_minimal_placements_are_those_of_asking_for_every_set():
    """Of a property with two independent needs that several places can meet."""
    loads = (Placement.LD_LD_BEFORE_LOADS, Placement.LD_LD_BEHIND_LOADS)
    asked = []

    def sufficient(chosen):
        asked.append(chosen)
        return any(each & chosen for each in loads) and any(each & chosen for each in (BEFORE, BEHIND))

    found = minimal_sets(MonotoneOracle(sufficient), places_that_help(TSO, Barrier.NONE))
    assert set(found) == {one | other for one, other in itertools.product(loads, (BEFORE, BEHIND))}
    assert len(asked) == len(set(asked)) < 40  # of 512
    assert combined([found, (BEFORE,)], Placement.NONE) == tuple(sorted(one | BEFORE for one in loads))


def test_stores_of_x86_are_kept_in_order_on_pso_at_either_side():
    programs = [litmus(shape, "x86", "nothing", f"{shape} at places") for shape in ("mp", "s", "2+2w", "sb")]
    report = minimal_barriers(programs, "cas", "pso", places=True)
    assert report.verdict is Verdict.HOLDS
    assert report.minimal == (BEFORE, BEHIND)
    assert [program.minimal for program in report.programs] == [(BEFORE, BEHIND)] * 3 + [(Placement.NONE,)]
    assert {need.kind for need in report.needs} == {BEFORE, BEHIND}
    for need in report.needs:
        assert not need.always
        again = replay(need.forbidden.failure)
        assert tuple(sorted(again.trace.outcome.items)) == need.forbidden.state
        assert need.forbidden.failure.machine.scheme == f"cas:mapping={need.without.text}"
    for chosen in report.minimal:
        assert all(compare(each, f"cas:mapping={chosen.text}", host="pso").verdict == "holds" for each in programs)


def test_a_mapping_of_the_scheme_is_what_placements_are_added_to():
    program = litmus("mp", "x86", "nothing", "mp on a mapping")
    assert minimal_barriers([program], "cas:mapping=risotto", "pso", places=True).minimal == (Placement.NONE,)
    report = minimal_barriers([program], "aie-v2:mapping=relaxed", "pso", places=True)
    assert report.scheme == "aie-v2:mapping=relaxed"
    assert report.minimal == (BEFORE, BEHIND)


def test_the_guests_own_fences_stay():
    """With kinds alone they are among what is chosen; with places they are not."""
    fenced = litmus("sb", "x86", "mfence", "sb with fences")
    assert minimal_barriers([fenced], "cas", "tso").minimal == (Barrier.ST_LD,)
    assert minimal_barriers([fenced], "cas", "tso", places=True).minimal == (Placement.NONE,)


def test_what_no_placement_repairs_is_reported():
    torn = Program("lost", isa="x86", threads=[[ins("lock_xadd", 0x100, 1)], [ins("store", 0x100, 8)]], init={0x100: 0})
    report = minimal_barriers([torn], "none", "tso", places=True)
    assert report.verdict is Verdict.VIOLATED
    (program,) = report.remaining
    assert program.remaining is not None
    assert program.remaining.failure.machine.scheme == f"none:mapping={Placement.FULL.text}"


def test_several_processes_find_the_same_places():
    programs = [litmus(shape, "x86", "nothing", f"{shape} in processes") for shape in ("mp", "2+2w")]
    one, two = (minimal_barriers(programs, "cas", "pso", places=True, jobs=jobs) for jobs in (1, 2))
    assert one.minimal == two.minimal == (BEFORE, BEHIND)
    assert [need.as_dict() for need in one.needs] == [need.as_dict() for need in two.needs]
