"""Contention for locks, counted in traces: acquisitions, waits, and waits by false sharing."""

from __future__ import annotations

import pytest

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.check.contention import Contention, lock_contention, total_contention


def figures(program, scheme):
    """Return the figures of every execution."""
    found = []

    def count(trace):
        found.append(total_contention(trace))
        return ()

    report = simaie.explore(program, Machine(scheme, address_bits=12), scheduler="dpor", checkers=[count])
    assert report.complete
    return found


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
def test_a_lock_per_granule_makes_no_wait_between_granules_and_a_global_one_does(scheme):
    program = corpus.program("counters-of-two-granules")
    assert set(figures(program, scheme)) == {Contention(4, 0, 0)}
    waits = {(each.waits, each.false) for each in figures(program, "global-lock")}
    assert max(waits) == (3, 3)
    assert all(wait == false for wait, false in waits)


@pytest.mark.parametrize("scheme", ["aie-rfc", "global-lock"])
def test_waits_for_the_same_bytes_are_not_false(scheme):
    found = figures(corpus.program("common-counter"), scheme)
    assert {each.false for each in found} == {0}
    assert {each.acquisitions for each in found} == {4}
    assert max(each.waits for each in found) == 3


def test_overlapping_accesses_of_different_places_share_their_bytes():
    code = [ins("lock_inc", 0x100, width=8)], [ins("lock_inc", 0x104)]
    program = Program("overlap", isa="x86", threads=code, init={0x100: (0, 8)})
    found = figures(program, "aie-rfc")
    assert max(each.waits for each in found) == 1
    assert {each.false for each in found} == {0}


def test_each_lock_has_its_figures():
    code = [ins("lock_inc", 0x100), ins("lock_inc", 0x200), ins("lock_inc", 0x100)]
    seen = []

    def count(trace):
        seen.append(lock_contention(trace))
        return ()

    program = Program("one", isa="x86", threads=[code], init={0x100: 0, 0x200: 0})
    simaie.explore(program, Machine("aie-rfc", address_bits=12), executions=1, checkers=[count])
    assert list(seen[0].values()) == [Contention(2, 0, 0), Contention(1, 0, 0)]
