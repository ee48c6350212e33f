"""The project's own random numbers: fixed for ever, uniform, independent by path."""

from __future__ import annotations

from collections import Counter

import pytest

from simaie.prng import Random, derive


def test_a_seed_means_the_same_numbers_for_ever():
    """These constants are part of the file format: a saved seed must replay under every later version."""
    random = Random(7)
    assert [random.word() for _ in range(3)] == [2231717009, 1209763524, 1728021264]
    assert derive(7, 0) == 6479098238618814328


def test_streams_go_on_past_the_first_block():
    """The blocks of the stream are joined without a seam, and the stream does not repeat."""
    random = Random(1)
    words = [random.word() for _ in range(5_000)]
    assert len(set(words)) > 4_990


def test_below_is_uniform():
    """Chi-square over 6 classes with 60,000 draws: 5 degrees of freedom, 20.5 is the 0.999 quantile."""
    random = Random(3)
    counts = Counter(random.below(6) for _ in range(60_000))
    chi_square = sum((counts[i] - 10_000) ** 2 / 10_000 for i in range(6))
    assert chi_square < 20.5


@pytest.mark.parametrize("n", [1, 2, 3, 2**31, 2**40, 2**64])
def test_below_stays_in_its_range(n):
    random = Random(n)
    assert all(0 <= random.below(n) < n for _ in range(200))


def test_derived_seeds_depend_on_every_part_of_the_path():
    seeds = {derive(a, b, c) for a in range(5) for b in range(5) for c in range(5)}
    assert len(seeds) == 125
    assert derive(-1) == derive(2**64 - 1), "integers are taken modulo 2**64"


def test_weighted_picks_in_proportion():
    """Weight 0 is never picked, weight 3 three times as often as weight 1 (within 5 sigma)."""
    random = Random(5)
    counts = Counter(random.weighted([1, 0, 3]) for _ in range(40_000))
    assert counts[1] == 0
    assert abs(counts[2] - 30_000) < 5 * (40_000 * 0.75 * 0.25) ** 0.5


def test_weighted_refuses_weights_that_add_up_to_nothing():
    with pytest.raises(ValueError, match="positive"):
        Random(0).weighted([0, 0])


def test_shuffle_permutes_and_choice_picks_a_member():
    random = Random(9)
    items = list(range(20))
    random.shuffle(items)
    assert sorted(items) == list(range(20)) != items
    assert random.choice("abc") in "abc"
    assert 0.0 <= random.unit() < 1.0
    assert random.bits64() < 2**64
