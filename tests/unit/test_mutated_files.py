"""Mutated files: nothing but an error of simaie's own comes out, quickly and within bounded memory."""

from __future__ import annotations

import pytest
from file_mutations import KINDS, MEGABYTES, SECONDS, examine


@pytest.mark.parametrize("ending", KINDS)
def test_some_hundred_mutations(ending):
    seen = examine(ending, range(150))
    assert seen["slowest"] < SECONDS
    assert seen["grown"] < MEGABYTES


@pytest.mark.soak
@pytest.mark.parametrize("ending", KINDS)
def test_ten_thousand_mutations(ending):
    seen = examine(ending, range(10_000))
    print(f"{ending}: {seen}")
    assert seen["slowest"] < SECONDS
    assert seen["grown"] < MEGABYTES
