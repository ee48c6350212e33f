"""Searches with inner nodes that are there from the start find what searches with the full race find.

Each program is explored to its end both ways, where the full race is small enough for that: the programs of the audit
under the AIE schemes, and generated ones on all hosts. Trees have two levels or more.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from exhaustive.generated import under_scheme
from simaie.audit.plan import plan
from simaie.exploration.explorer import explore
from simaie.guest.code import ins
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.plugins import Spec

#: Two levels with either granule.
BITS = 18


class Found(NamedTuple):
    """What a search to the end found, but for how many executions there are."""

    verdict: str
    outcomes: frozenset[object]
    kinds: frozenset[str]


def found(program: Program, spec: Spec, limit: int, **machine) -> tuple[Found, int] | None:
    """What an exhaustive search finds in how many executions; None if it is not through after `limit`."""
    report = explore(program, Machine(spec, **machine), scheduler="dpor", executions=limit, failures=None)
    if report.executions == limit:
        return None
    kinds = frozenset(finding.kind for each in report.kept for finding in each.findings)
    return Found(report.verdict.value, frozenset(report.outcomes), kinds), report.executions


def both(program: Program, spec: Spec, limit: int, **machine) -> tuple[int, int] | None:
    """How many executions there are without and with the full race, both with the same findings; None beyond `limit`.

    The other arguments are those of the machine.
    """
    raced = found(program, Spec(spec.name, {**spec.options, "inner_nodes": "raced"}), limit, **machine)
    if raced is None:
        return None
    present = found(program, Spec(spec.name, {**spec.options, "inner_nodes": "present"}), limit, **machine)
    assert present is not None
    assert present[0] == raced[0], program.name
    return present[1], raced[1]


def audited(limit: int, one_in: int = 1) -> list[tuple[int, int]]:
    compared = []
    for item in plan(None, None)[::one_in]:
        needs, machine = item.case.needs, item.machine
        spec = machine.scheme_spec
        if not spec.name.startswith("aie"):
            continue
        counts = both(
            item.case.program, spec, limit,
            host=needs.host, full_system=needs.full_system, host_word=needs.host_word,
            address_bits=max(BITS, needs.address_bits), limits=Limits(steps=needs.steps),
        )  # fmt: skip
        if counts is not None:
            compared.append(counts)
    return compared


def test_the_audits_programs_have_the_same_verdicts_outcomes_and_findings():
    compared = audited(limit=60, one_in=4)
    assert len(compared) >= 30
    assert sum(present < raced for present, raced in compared) >= 7


@pytest.mark.soak
def test_all_of_the_audits_programs_have_the_same_verdicts_outcomes_and_findings():
    aie = [item for item in plan(None, None) if item.machine.scheme.startswith("aie")]
    assert len(audited(limit=100_000)) == len(aie)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize(("scheme", "isa"), [("aie-rfc", "x86"), ("aie-rfc", "arm"), ("aie-v2", "x86")])
def test_generated_programs_have_the_same_verdicts_outcomes_and_findings(scheme, isa, host):
    sizes = ((1, 1), (2, 1), (2, 2), (1, 1, 1))
    made = [under_scheme(isa, seed, sizes[seed % len(sizes)]) for seed in range(8)]
    compared = [both(each, Spec(scheme), 150, host=host, address_bits=BITS) for each in made]
    assert len([counts for counts in compared if counts is not None]) >= 4
    assert any(counts is not None and counts[0] < counts[1] for counts in compared)


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
def test_more_levels_change_nothing_either(host):
    made = [under_scheme("x86", seed, (1, 1)) for seed in range(8)]
    compared = [both(each, Spec("aie-rfc"), 700, host=host, address_bits=28) for each in made]
    assert len([counts for counts in compared if counts is not None]) == len(made)


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
def test_granules_with_one_inner_node_and_with_two_of_their_own(scheme):
    """Two granules of one subtree, and of different ones: each vCPU may create the other's inner nodes."""
    for far in (0x100, 0x180, 0x8100):
        threads = [[ins("lock_inc", 0x100), ins("store", far, 5)], [ins("lock_inc", far)]]
        made = Program("two granules", isa="x86", threads=threads, init={0x100: 0, far: 0})
        counts = both(made, Spec(scheme), 2_000, address_bits=BITS)
        assert counts is not None
        assert counts[0] < counts[1] or far == 0x8100  # no inner node is shared there
