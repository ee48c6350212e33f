"""Every protection of the AIE schemes is needed: without it a small program breaks in some interleaving."""

from __future__ import annotations

import pytest
from mutants import MUTANTS
from runs import every, small

from simaie.trace import Ending

NAMES = [mutant.spoiled.__name__ for mutant in MUTANTS]


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_mutant_breaks_its_program_in_some_interleaving(mutant):
    assert any(trace.accepted is False for trace in every(mutant.program(), small(mutant.spoiled)))


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_the_sound_scheme_holds_in_every_interleaving(mutant):
    for trace in every(mutant.program(), small(mutant.sound)):
        assert trace.ending is Ending.FINISHED
        assert trace.accepted, trace.schedule
