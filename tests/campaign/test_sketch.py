"""Sketches: exact while small, close when large, and the same whatever the order of their parts."""

from __future__ import annotations

from itertools import permutations

from simaie.campaign.sketch import KEPT, Sketch
from simaie.prng import derive


def digests(first: int, count: int) -> list[int]:
    return [derive(7, number) for number in range(first, first + count)]


def merged(parts: list[list[int]]) -> Sketch:
    whole = Sketch()
    for part in parts:
        whole.merge(Sketch(part))
    return whole


def test_a_small_sketch_is_exact() -> None:
    sketch = Sketch([*digests(0, 30), *digests(20, 20)])
    assert (sketch.traces, sketch.exact, sketch.traced) == (40, True, 50)
    assert sketch.new_trace == 31 / 50  # all but the ten that occur twice, and one more


def test_a_sketch_that_keeps_as_much_as_it_can_is_exact() -> None:
    assert (Sketch(digests(0, KEPT)).traces, Sketch(digests(0, KEPT)).exact) == (KEPT, True)
    assert not Sketch(digests(0, KEPT + 1)).exact


def test_a_large_sketch_is_close() -> None:
    sketch = Sketch([*digests(0, 20_000), *digests(0, 10_000)])
    assert abs(sketch.traces / 20_000 - 1) < 0.1  # three standard errors of three per cent
    assert sketch.new_trace is not None
    assert abs(sketch.new_trace - 1 / 3) < 0.05


def test_the_order_of_the_parts_makes_no_difference() -> None:
    parts = [digests(0, 1500), digests(1000, 1500), digests(0, 10), digests(5, 2000)]
    found = {merged(list(order)).encoded() for order in permutations(parts)}
    assert found == {Sketch(digest for part in parts for digest in part).encoded()}


def test_a_sketch_that_was_stored_goes_on() -> None:
    sketch = Sketch(digests(0, 2000))
    again = Sketch.read(sketch.encoded())
    again.merge(Sketch(digests(1500, 1000)))
    sketch.merge(Sketch(digests(1500, 1000)))
    assert again.encoded() == sketch.encoded()
    assert Sketch.read(b"").encoded() == Sketch().encoded()


def test_merging_says_how_much_was_new() -> None:
    sketch = Sketch(digests(0, 30))
    assert sketch.merge(Sketch(digests(20, 20))) == 10
    assert sketch.merge(Sketch(digests(20, 20))) == 0


def test_uniting_counts_nothing_twice() -> None:
    sketch, other = Sketch(digests(0, 30)), Sketch(digests(20, 20))
    sketch.unite(other)
    assert (sketch.traces, sketch.traced, sketch.new_trace) == (40, 30, 1.0)
