"""The regressions of the corpus: each finds its bug in a scheme that has it, and nothing in one that has not."""

from __future__ import annotations

import pytest
from scheme_bugs import BUGS

import simaie
from simaie import Machine, corpus, plugins
from simaie.corpus import Expect

REGRESSIONS = corpus.regressions()
NAMES = [each.name for each in REGRESSIONS]
#: The bug is in the guest program itself.
OF_THE_PROGRAM = {"bug-accumulator-changed", "bug-dirty-mark-first"}


def explored(regression, scheme):
    needs = regression.needs
    machine = Machine(
        plugins.with_options(plugins.SCHEMES, scheme, needs.options),
        host=needs.host,
        full_system=needs.full_system,
        host_word=needs.host_word,
        address_bits=needs.address_bits,
    )
    report = simaie.explore(regression.program, machine, scheduler="dpor", failures=None)
    assert report.complete
    return {finding.kind for failure in report.kept for finding in failure.findings}


@pytest.mark.parametrize("regression", REGRESSIONS, ids=NAMES)
def test_a_regression_is_found_where_its_data_say_so_and_nowhere_else(regression):
    for scheme, expect in regression.expected.items():
        kinds = explored(regression, scheme)
        assert bool(kinds & regression.kinds) is (expect is Expect.FINDABLE), scheme
        assert not kinds or expect is Expect.FINDABLE, scheme


@pytest.mark.parametrize("name", BUGS)
def test_a_scheme_with_the_bug_is_found_out_and_the_same_scheme_without_it_is_not(name):
    regression = next(each for each in REGRESSIONS if each.name == name)
    buggy, right = BUGS[name]
    assert explored(regression, buggy) & regression.kinds
    assert not explored(regression, right)


def test_each_regression_is_found_in_a_scheme_that_can_be_named():
    assert [each.name for each in REGRESSIONS if Expect.FINDABLE not in each.expected.values()] == []
    assert set(BUGS) < set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_the_ideal_scheme_has_none_of_the_bugs():
    assert {each.expected["native"] for each in REGRESSIONS if each.name not in OF_THE_PROGRAM} == {Expect.MUST_NOT}
