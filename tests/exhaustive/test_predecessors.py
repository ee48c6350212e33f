"""The sweep over an execution finds what the relation between pairs of its operations says, and no more."""

from __future__ import annotations

import pytest
from simaie_schedulers.random_walk import RandomWalk

from exhaustive.canonical import are_dependent
from exhaustive.generated import FAMILIES, program, under_scheme
from exhaustive.programs import Hypercalls
from exhaustive.searches import run
from simaie.machine import Machine
from simaie.op import Kind, owner_of
from simaie.predecessors import causal_past, drains_of, predecessors

SCHEMES = [("none", "x86"), ("cas", "arm"), ("global-lock", "x86"), ("aie-v2", "x86"), ("aie-rfc", "arm")]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_agrees_with_the_relation_pair_by_pair(family):
    for seed in range(12):
        _compare(run(program(family, seed, (3, 3, 2)), RandomWalk(), Machine(Hypercalls), index=seed))


@pytest.mark.parametrize(("scheme", "isa"), SCHEMES)
def test_it_agrees_under_the_schemes(scheme, isa):
    for seed in range(6):
        made = under_scheme(isa, seed, (3, 3))
        _compare(run(made, RandomWalk(), Machine(scheme, address_bits=12), index=seed))


def _compare(trace):
    """The past of each step by the sweep, and by looking at every pair."""
    direct = list(predecessors(trace.events))
    pairs = [[] for _ in trace.events]
    for step, event in enumerate(trace.events):
        for earlier in range(step):
            other = trace.events[earlier]
            spawns = other.op.kind is Kind.SPAWN and other.value.name == event.actor
            if spawns or other.actor == event.actor or are_dependent(other, event):
                pairs[step].append(earlier)
    exclusive = any(event.op.kind in (Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL) for event in trace.events)
    for step in range(len(direct)):
        found, expected = causal_past(direct, [step]), causal_past(pairs, [step])
        assert found >= expected, step
        assert found == expected or exclusive, step  # a reservation may be of more bytes than an operation names


@pytest.mark.parametrize("host", ["tso", "pso"])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_drain_follows_the_entry_of_its_own_store(family, host):
    for seed in range(6):
        trace = run(program(family, seed, (3, 3, 2)), RandomWalk(), Machine(Hypercalls, host=host), index=seed)
        drains, before = drains_of(trace.events), list(predecessors(trace.events))
        performed = [step for step, event in enumerate(trace.events) if event.actor != owner_of(event.actor)]
        assert sorted(drains.values()) == performed
        for entry, drain in drains.items():
            assert trace.events[entry].op.value is trace.events[drain].op
            assert entry in before[drain]
