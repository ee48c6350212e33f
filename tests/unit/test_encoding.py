"""The plain form of operations: it holds every field that makes a difference, and no text that a reader sees."""

from __future__ import annotations

import itertools

import pytest

from simaie.barrier import Barrier
from simaie.encoding import digest_of, plain, plain_op
from simaie.op import Cell, Function, Kind, Op, Order, Role

VALUES = [None, 0, -1, 1 << 63, 1 << 64, (1 << 128) - 1, -(1 << 63) - 1, "0", "0x0", (), (0,), print]
STORE = Op(Kind.STORE, None, 0x10, 4, 1)
OPS = [
    STORE,
    Op(Kind.LOAD, None, 0x10, 4),
    Op(Kind.STORE, None, 0x14, 4, 1),
    Op(Kind.STORE, None, 0x10, 8, 1),
    Op(Kind.STORE, None, 0x10, 4, 2),
    Op(Kind.STORE, None, 0x10, 4, 1, order=Order.RELEASE),
    Op(Kind.STORE, Cell("a"), value=1),
    Op(Kind.STORE, Cell("b"), value=1),
    Op(Kind.CAS, None, 0x10, 4, 1, 0),
    Op(Kind.CAS, None, 0x10, 4, 1, 2),
    Op(Kind.FETCH, None, 0x10, 4, function=Function("add 1", abs)),
    Op(Kind.FETCH, None, 0x10, 4, function=Function("add 2", abs)),
    Op(Kind.FENCE),
    Op(Kind.FENCE, orders=Barrier.ST_LD),
    Op(Kind.LOAD, Cell("a"), bit=1),
    Op(Kind.LOAD, Cell("a"), bit=2),
    Op(Kind.BUFFER, value=STORE),
    Op(Kind.BUFFER, value=STORE, buffer="0x10"),
    Op(Kind.AWAIT, value=(STORE, STORE)),
    Op(Kind.STORE_CONDITIONAL, None, 0x10, 4, 1, (0x10, 8)),
]


def test_operations_that_differ_in_a_field_have_different_digests():
    for one, other in itertools.combinations(OPS, 2):
        assert digest_of([plain_op(one)], 8) != digest_of([plain_op(other)], 8), (one, other)


def test_notes_and_the_objects_behind_names_make_no_difference():
    assert plain_op(Op(Kind.PAUSE, note="why")) == plain_op(Op(Kind.PAUSE))
    assert plain_op(Op(Kind.LOAD, Cell("a"))) == plain_op(Op(Kind.LOAD, Cell("a")))
    one, other = (Op(Kind.FETCH, None, 0x10, 4, function=Function("f", lambda value: value)) for _ in range(2))
    assert plain_op(one) == plain_op(other)
    assert plain_op(Op(Kind.SPAWN, value=print)) == plain_op(Op(Kind.SPAWN, value=(1, 2)))


@pytest.mark.parametrize("value", VALUES)
def test_values_of_every_kind_have_digests_of_their_own(value):
    others = [*VALUES, ((0,),)]
    same = [other for other in others if digest_of([plain(other)], 8) == digest_of([plain(value)], 8)]
    assert same == [value]


def test_digests_of_today_are_those_of_tomorrow():
    assert digest_of([[plain_op(op) for op in OPS]], 8) == "d0a722411c63eeff"
    assert plain(True) == 1


def test_a_member_of_an_enumeration_counts_as_its_value():
    assert plain(Kind.LOAD) == int(Kind.LOAD)
    assert plain(Role.LOCK) == "lock"
    assert type(plain(Role.LOCK)) is str
