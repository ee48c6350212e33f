"""Known bugs are found from nothing: by programs that nobody wrote, within 2,000 examples, from nearly every seed."""

from __future__ import annotations

import pytest

from simaie import Machine
from simaie.cli.fuzz import fuzz

BUGS = {
    "a change that cas does not see": ("arm", "cas", "llsc-atomicity"),
    "the first-registration window": ("x86", "aie-rfc", "rmw-atomicity"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_known_bug_is_found_from_one_seed(name):
    isa, scheme, kind = BUGS[name]
    assert kind in fuzz(isa, Machine(scheme), examples=600, seed=1).found


@pytest.mark.soak
@pytest.mark.parametrize("name", BUGS)
def test_a_known_bug_is_found_within_2000_examples_from_19_of_20_seeds(name):
    isa, scheme, kind = BUGS[name]
    found = [kind in fuzz(isa, Machine(scheme), examples=2000, seed=seed).found for seed in range(20)]
    assert sum(found) >= 19
