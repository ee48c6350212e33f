"""Random programs with loops: searches with waits, lassos and proofs of progress against an interpreter of its own."""

from __future__ import annotations

import pytest

import simaie
from exhaustive.loops import ADDRESSES, REGISTERS, can_hang, drawn, ends, graph_of, has_fair_cycle, program_of
from simaie import Limits, Machine

#: The executions of a search, most of which end before. An execution that is longer is cut.
EXECUTIONS, STEPS = 60, 200
BOTH = (0, 1)


def kinds_of(report):
    """The findings, each with its verdict."""
    return {(each.kind, str(each.verdict)) for failure in report.failures for each in failure.findings}


def explored(program, scheduler, tries, executions=EXECUTIONS):
    machine = Machine(address_bits=12, limits=Limits(steps=STEPS, tries=tries))
    return simaie.explore(
        program, machine, scheduler=scheduler, executions=executions, failures=None, checkers=["progress"]
    )


def outcomes_of(report):
    values = [dict(outcome.items) for outcome in report.outcomes]
    return {
        (
            tuple([each[f"[{address:#x}]"] for address in ADDRESSES]),
            tuple([tuple([each[f"{vcpu}:{name}"] for name in REGISTERS]) for vcpu in BOTH]),
        )
        for each in values
    }


def compare(seed, isa):
    """Check the searches of a drawn program against all its states; return which cases the program covers."""
    codes, memory = drawn(seed, isa)
    graph = graph_of(codes, memory)
    if graph is None:
        return set()
    program = program_of(codes, memory, isa)
    good_for = _compare_outcomes(program, graph)
    violated = has_fair_cycle(graph, BOTH) or any(has_fair_cycle(graph, [vcpu]) for vcpu in BOTH)
    proof = simaie.prove_progress(program, Machine(address_bits=12))
    expected = "violated" if violated else "inconclusive" if has_fair_cycle(graph) else "holds"
    assert proof.verdict == expected, (seed, isa, proof.reason)
    lassos = kinds_of(explored(program, "random-walk", None, 5))
    assert violated or not {kind for kind, verdict in lassos if verdict == "violated"}, (seed, isa, lassos)
    return good_for | {expected} | ({"lasso"} if lassos else set())


def _compare_outcomes(program, graph):
    """Check a search in which loops wait against all states; return which cases the program covers."""
    report = explored(program, "dpor", 1)
    found, hangs = outcomes_of(report), bool(report.failures)
    assert found <= ends(graph)
    if not report.complete:
        return set()
    assert found == ends(graph)
    assert hangs is can_hang(graph)
    return {"complete", "hangs"} if hangs else {"complete"}


@pytest.mark.parametrize("isa", ["x86", "arm"])
def test_what_is_found_in_a_few_random_programs_is_what_all_states_show(isa):
    good_for = [compare(seed, isa) for seed in range(5, 12)]
    assert {"complete", "hangs", "holds", "violated", "lasso"} <= set().union(*good_for)


@pytest.mark.soak
@pytest.mark.parametrize("isa", ["x86", "arm"])
def test_soak_what_is_found_in_random_programs_is_what_all_states_show(isa):
    good_for = [compare(seed, isa) for seed in range(100, 600)]
    for each in ("complete", "hangs", "holds", "violated", "inconclusive", "lasso"):
        assert sum(each in found for found in good_for) > 20
