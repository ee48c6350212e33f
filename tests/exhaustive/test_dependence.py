"""The dependence relation, on which every reduction rests: operations that do not conflict commute."""

from __future__ import annotations

import itertools

import pytest
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.scripted import Scripted

from exhaustive.canonical import are_dependent, canonical
from exhaustive.generated import FAMILIES, program, under_scheme
from exhaustive.programs import Hypercalls
from exhaustive.searches import run
from simaie.dependence import conflict, writes
from simaie.locations import Locations
from simaie.machine import Machine
from simaie.op import Cell, Function, Kind, Op, owner_of
from simaie.prng import Random


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 16), marks=pytest.mark.soak)], ids=len)
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("family", FAMILIES)
def test_swapping_adjacent_independent_operations_changes_no_value_and_no_outcome(family, host, seeds):
    machine = Machine(Hypercalls, host=host)
    swapped = sum(_swap_everywhere(program(family, seed, (3, 3, 2)), machine, seed) for seed in seeds)
    assert swapped >= 1


@pytest.mark.parametrize("host", ["sc", "pso"])
@pytest.mark.parametrize(
    ("scheme", "isa"), [("none", "x86"), ("cas", "arm"), ("global-lock", "x86"), ("aie-v2", "x86"), ("aie-rfc", "arm")]
)
def test_swapping_changes_nothing_under_the_schemes(scheme, isa, host):
    machine = Machine(scheme, address_bits=12, host=host)
    assert sum(_swap_everywhere(under_scheme(isa, seed, (2, 2)), machine, seed) for seed in range(8)) >= 3


def _swap_everywhere(made, machine, seed):
    """Swap each pair of neighbours that do not conflict, one pair a run; returns how many there were."""
    trace = run(made, RandomWalk(), machine, index=seed)
    events, swapped = trace.events, 0
    choices = [event.value for event in events if event.op.kind is Kind.CHOICE and event.op.value > 1]
    for index, (first, second) in enumerate(itertools.pairwise(events)):
        if Kind.CHOICE in (first.op.kind, second.op.kind) or are_dependent(first, second):
            continue
        if first.op.kind is Kind.SPAWN and second.actor == first.value.name:
            continue
        if owner_of(first.actor) == owner_of(second.actor):  # a vCPU and its store buffer keep an order of their own
            continue
        order = [event.actor for event in events if event.op.kind is not Kind.CHOICE]
        at = sum(event.op.kind is not Kind.CHOICE for event in events[:index])
        order[at : at + 2] = second.actor, first.actor
        assert canonical(run(made, Scripted(order, choices=choices), machine)) == canonical(trace), made.name
        swapped += 1
    return swapped


def test_places_conflict_exactly_when_the_operations_do():
    """The index that DPOR uses instead of `conflict` says the same, for pairs of every kind."""
    cells = [Cell("a"), Cell("b")]
    function = Function("f", lambda value: value)
    ops = [Op(kind) for kind in Kind]
    ops += [Op(kind, cell, function=function) for kind in Kind if kind < Kind.BEGIN_EXCLUSIVE for cell in cells]
    ops += [
        Op(kind, None, address, width, 1, 1, function)
        for kind in (Kind.LOAD, Kind.STORE, Kind.CAS, Kind.STORE_CONDITIONAL)
        for address in (0x100, 0x101, 0x102, 0x104)
        for width in (1, 2, 4, 8)
    ]
    Random(0).shuffle(ops)
    locations = Locations()
    effects = [(op, wrote) for op in ops for wrote in sorted({writes(op, 0), writes(op, 1)})]
    for a, a_wrote in effects:
        for b, b_wrote in effects:
            indexed = locations.dependent(locations.of(a), a_wrote, locations.of(b), b_wrote)
            assert indexed == conflict(a, a_wrote, b, b_wrote), (a, b)
