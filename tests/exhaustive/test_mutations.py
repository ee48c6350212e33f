"""The audit is worth its name: with any one protection of a scheme taken out, a MUST-NOT row fails."""

from __future__ import annotations

import pytest
from mutants import MUTANTS

from simaie.audit import audit
from simaie.corpus import Expect

#: The mutant, and the row that is about the protection it lacks.
ROWS = {
    "PlainInsertion": 1,  # the insertion's compare-and-swap
    "UnlockedRmw": 4,  # the lock around the read-modify-write
    "UncheckedStore": 5,  # the plain store's check
    "LateBitmap": 5,  # the bitmap's bit set before the load
    "FullSet": 13,  # the set emptied by a store-conditional that stores
}


def test_every_mutant_has_its_row():
    assert {mutant.spoiled.__name__ for mutant in MUTANTS} == set(ROWS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.spoiled.__name__ for mutant in MUTANTS])
def test_a_mutant_fails_the_row_about_what_it_lacks(mutant):
    """Found at the small scope, where everything is explored, so not by luck."""
    report = audit([mutant.spoiled], rows=[ROWS[mutant.spoiled.__name__]])
    failed = [row for row in report.unexpected if row.expected is Expect.MUST_NOT]
    assert not report.ok
    assert any(row.larger_executions == 0 for row in failed)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.spoiled.__name__ for mutant in MUTANTS])
def test_the_sound_scheme_given_as_a_class_passes_that_row(mutant):
    assert audit([mutant.sound], rows=[ROWS[mutant.spoiled.__name__]]).ok
