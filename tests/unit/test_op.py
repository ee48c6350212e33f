"""Operations: when two conflict, what counts as a write, how they read."""

from __future__ import annotations

import itertools

import pytest

from simaie.dependence import conflict, writes
from simaie.op import Cell, Function, Kind, Op, show

RANGES = [(0, 1), (0, 4), (2, 2), (3, 1), (4, 4), (7, 8)]
CELL, OTHER = Cell("slot"), Cell("other slot")


def ram(kind: Kind, address: int, width: int) -> Op:
    return Op(kind, None, address, width, value=1)


@pytest.mark.parametrize(("a", "b"), [*itertools.product(RANGES, repeat=2)])
def test_ram_operations_conflict_iff_their_bytes_overlap_and_one_writes(a, b):
    """Compared with sets of byte addresses."""
    overlap = bool(set(range(a[0], sum(a))) & set(range(b[0], sum(b))))
    load, store = ram(Kind.LOAD, *a), ram(Kind.STORE, *b)
    assert conflict(load, False, store, True) is overlap
    assert conflict(store, True, load, False) is overlap
    assert conflict(ram(Kind.STORE, *a), True, store, True) is overlap
    assert not conflict(load, False, ram(Kind.LOAD, *b), False)


def test_cells_conflict_by_identity_and_never_with_ram():
    store = Op(Kind.STORE, CELL, value=1)
    assert conflict(store, True, Op(Kind.LOAD, CELL), False)
    assert not conflict(store, True, Op(Kind.LOAD, OTHER), False)
    assert not conflict(store, True, ram(Kind.STORE, 0, 4), True)


@pytest.mark.parametrize("kind", [Kind.BEGIN_EXCLUSIVE, Kind.END_EXCLUSIVE])
def test_stopping_the_world_conflicts_with_everything(kind):
    assert conflict(Op(kind), False, ram(Kind.LOAD, 0, 1), False)
    assert conflict(Op(Kind.PAUSE), False, Op(kind), False)


def test_thread_operations_conflict_with_each_other_and_with_nothing_else():
    spawn, leave = Op(Kind.SPAWN), Op(Kind.EXIT)
    assert conflict(spawn, True, leave, True)
    assert not conflict(spawn, True, ram(Kind.STORE, 0, 4), True)
    assert not conflict(Op(Kind.FENCE), False, leave, True)


def test_a_failed_compare_and_swap_or_store_conditional_is_a_read():
    cas = Op(Kind.CAS, None, 0, 4, 2, 1)
    assert writes(cas, 1)
    assert not writes(cas, 5)
    conditional = Op(Kind.STORE_CONDITIONAL, None, 0, 4, 2)
    assert writes(conditional, 1)
    assert not writes(conditional, 0)
    assert not writes(Op(Kind.LOAD, None, 0, 4), 7)
    assert writes(Op(Kind.STORE, None, 0, 4, 7), None)


def test_values_read_the_same_in_every_process():
    """No address of an object and no set order may get into a trace."""
    assert show((3, None, True)) == "{3, none, 1}"
    assert show(CELL) == "slot"
    assert show(object()) == "object"
    assert str(Op(Kind.FETCH, None, 0x10, 4, function=Function("add 1", abs))) == "fetch [0x10]/4 add 1"
    assert str(Op(Kind.CAS, CELL, value=2, expected=None)) == "cas slot none -> 2"
    assert str(Op(Kind.CHOICE, value=2, note="why")) == "choice 2 (why)"
