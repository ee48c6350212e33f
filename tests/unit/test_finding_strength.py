"""How strong a failure is: the order of the levels, at which one it fails, and what a smaller counterexample keeps."""

from __future__ import annotations

from itertools import combinations

import pytest
from handmade import Tape, X
from test_check_llsc import conditional, linked

from simaie.check import LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE, judge, llsc_atomicity
from simaie.check.rmw import rmw_atomicity
from simaie.finding import LLSC_LEVELS, RMW_LEVELS, WRONG_RESULTS, Finding, Strength, Verdict, strength_of, strong_kinds
from simaie.replaying.levels import at_strongest_level
from simaie.replaying.shrink.demand import demand_of, meets, require_kind
from simaie.trace import AccessKind

STRICT, ARCHITECTURAL, VALUE = LLSC_LEVELS


def of(*kinds: str) -> list[Finding]:
    return [Finding(kind, kind) for kind in kinds]


def strength(*kinds: str) -> Strength:
    return strength_of(of(*kinds))


def test_the_levels_have_these_names_in_this_order():
    assert LLSC_LEVELS == ("llsc-atomicity-strict", "llsc-atomicity", "llsc-atomicity-value")


def test_value_is_stronger_than_architectural_and_that_than_strict_and_that_than_nothing():
    assert strength(VALUE) > strength(ARCHITECTURAL) > strength(STRICT) > strength()


def test_a_broken_promise_of_another_kind_is_as_strong_as_an_architectural_one():
    assert strength("rmw-atomicity") == strength(ARCHITECTURAL) == strength("rmw-atomicity", STRICT)
    assert strength("rmw-atomicity-value") == strength(VALUE)


@pytest.mark.parametrize("kind", sorted(WRONG_RESULTS))
def test_a_wrong_result_is_stronger_than_any_level_and_the_level_counts_behind_it(kind):
    assert strength(kind) > strength(VALUE)
    assert strength(kind, VALUE) > strength(kind)


@pytest.mark.parametrize("kind", ["final-check", "forbidden-outcome", "linearizability", "assertion"])
def test_refused_and_forbidden_outcomes_and_failed_calls_are_wrong_results(kind):
    assert kind in WRONG_RESULTS


def test_what_is_not_decided_adds_no_strength():
    unclear = Finding("linearizability", "the limit was reached", verdict=Verdict.INCONCLUSIVE)
    assert strength_of([unclear]) == strength()
    assert strong_kinds([unclear]) == ()


def test_of_the_levels_the_strongest_must_stay_and_of_wrong_results_all():
    assert strong_kinds(of(STRICT, VALUE, ARCHITECTURAL, "rmw-atomicity", "final-check", "deadlock")) == (
        "deadlock", "final-check", VALUE,
    )  # fmt: skip
    assert strong_kinds(of(STRICT, ARCHITECTURAL)) == (ARCHITECTURAL,)
    assert strong_kinds(of("rmw-atomicity")) == ()


def test_what_keeps_the_strong_kinds_is_no_weaker():
    kinds = [*LLSC_LEVELS, *RMW_LEVELS, "final-check", "deadlock"]
    sets = [chosen for size in range(1, len(kinds)) for chosen in combinations(kinds, size)]
    for original in sets:
        for candidate in sets:
            first = require_kind(of(*original), None, "any")
            if meets(demand_of(first, False, of(*original)), of(*candidate)):
                assert strength(*candidate) >= strength(*original)


# -- the level of an execution --------------------------------------------------------------------------


def levels(tape: Tape, *checkers, endian="little"):
    trace = tape.trace()
    return [finding.kind for finding in at_strongest_level(trace, judge(trace, checkers), endian)]


CHANGED = (5, 0)
SILENT = (0,)


def attempt(*stores: int) -> Tape:
    tape = linked(Tape(), value=0)
    for value in stores:
        tape.plain_store("1", value)
    return conditional(tape)


@pytest.mark.parametrize("checkers", [(LLSC_STRICT,), (LLSC_ARCHITECTURAL,), (LLSC_VALUE,), (LLSC_STRICT, LLSC_VALUE)])
def test_whichever_checker_judged_a_changed_value_is_the_strongest_level(checkers):
    assert levels(attempt(*CHANGED), *checkers) == [VALUE]


@pytest.mark.parametrize("checkers", [(LLSC_STRICT,), (LLSC_ARCHITECTURAL,), (LLSC_STRICT, LLSC_ARCHITECTURAL)])
def test_a_store_of_the_value_that_was_there_is_architectural(checkers):
    assert levels(attempt(*SILENT), *checkers) == [ARCHITECTURAL]


def test_no_level_is_given_to_what_no_checker_found():
    """Whoever asks for other properties is not told of this one."""
    trace = attempt(*CHANGED).trace()
    assert at_strongest_level(trace, of("rmw-atomicity")) == tuple(of("rmw-atomicity"))
    assert at_strongest_level(trace, ()) == ()


def test_each_store_conditional_has_its_own_level():
    tape = attempt(*SILENT)
    linked(tape, value=1)
    tape.plain_store("1", 9)
    assert levels(conditional(tape), LLSC_ARCHITECTURAL) == [ARCHITECTURAL, VALUE]


def test_the_finding_that_is_put_in_place_names_the_store_that_changed_the_value():
    trace = attempt(0, 5, 0).trace()
    (after,) = at_strongest_level(trace, judge(trace))
    assert after.steps == (0, 2, 4)


@pytest.mark.parametrize(("endian", "kind"), [("little", ARCHITECTURAL), ("big", VALUE)])
def test_values_are_compared_as_they_lie_in_the_machines_memory(endian, kind):
    tape = conditional(linked(Tape(), value=5).plain_store("1", 5, X, 1))
    assert levels(tape, llsc_atomicity("architectural"), endian=endian) == [kind]


# -- the level of other atomic instructions -------------------------------------------------------------


def rmw(*stores: int) -> Tape:
    tape = Tape().begin("0", AccessKind.ATOMIC, "lock inc").load("0", 0)
    for value in stores:
        tape.plain_store("1", value)
        tape.begin("2", AccessKind.LOAD).load("2", value)
    return tape.store("0", 1)


@pytest.mark.parametrize(
    ("stores", "kind", "foreign"),
    [((0,), "rmw-atomicity", 1), ((0, 0), "rmw-atomicity", 1), ((5,), "rmw-atomicity-value", 1),
     ((0, 5), "rmw-atomicity-value", 3), ((5, 0), "rmw-atomicity-value", 1)],
)  # fmt: skip
def test_an_update_across_a_changed_value_is_stronger_than_one_across_the_same(stores, kind, foreign):
    tape = rmw(*stores)
    trace = tape.trace()
    rebuilt = at_strongest_level(trace, judge(trace, [rmw_atomicity]))
    assert [finding.kind for finding in rebuilt] == [kind]
    assert rebuilt[0].steps == (0, foreign, len(trace) - 1)


def test_bytes_of_an_update_are_compared_as_they_lie_in_memory():
    tape = Tape().begin("0", AccessKind.ATOMIC, "lock inc").load("0", 5).plain_store("1", 5, X, 1).store("0", 6)
    trace = tape.trace()
    found = judge(trace, [rmw_atomicity])
    kinds = [at_strongest_level(trace, found, endian)[0].kind for endian in ("little", "big")]
    assert kinds == ["rmw-atomicity", "rmw-atomicity-value"]
