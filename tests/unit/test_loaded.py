"""Numbers that carry their dependencies: through arithmetic by data, through Python's decisions by control."""

from __future__ import annotations

import operator

import pytest

from simaie.host.loaded import Control, Loaded, choices_of, data_of, lift, plain, select, stepping

ONE, OTHER = 0b01, 0b10


@pytest.fixture
def control():
    found = Control()
    with stepping(found):
        yield found


@pytest.mark.parametrize("name", ["add", "sub", "mul", "and_", "or_", "xor", "lshift", "rshift", "floordiv", "mod",
                                  "eq", "ne", "lt", "le", "gt", "ge"])  # fmt: skip
def test_arithmetic_carries_the_dependencies_of_both_sides(name, control):
    function = getattr(operator, name)
    both = function(Loaded(12, ONE), Loaded(5, OTHER))
    assert (plain(both), data_of(both), choices_of(both)) == (function(12, 5), ONE | OTHER, ONE | OTHER)
    for found in (function(Loaded(12, ONE), 5), function(12, Loaded(5, ONE))):
        assert (plain(found), data_of(found)) == (function(12, 5), ONE)
    assert control.mask == 0


@pytest.mark.parametrize(
    "ask", [bool, int, hash, lambda x: [1, 2, 3][x], lambda x: {1: 2}[x], lambda x: 1 if x > 0 else 2, range, hex]
)
def test_python_decisions_are_control_dependencies(ask, control):
    ask(Loaded(1, ONE))
    assert control.mask == ONE


def test_showing_a_number_is_no_decision(control):
    assert (f"{Loaded(255, ONE):#x}", str(Loaded(3, ONE)), repr(Loaded(3, ONE))) == ("0xff", "3", "3")
    assert control.mask == 0


def test_only_the_vcpu_that_runs_depends(control):
    inner = Control()
    with stepping(inner):
        bool(Loaded(0, OTHER))
    assert (control.mask, inner.mask) == (0, OTHER)


def test_a_choice_depends_on_its_condition_by_choice_only(control):
    chosen = select(Loaded(1, ONE), Loaded(7, OTHER), 3)
    assert (plain(chosen), data_of(chosen), choices_of(chosen)) == (7, OTHER, ONE | OTHER)
    other = select(Loaded(0, ONE), Loaded(7, OTHER), 3)
    assert (plain(other), data_of(other), choices_of(other)) == (3, 0, ONE)
    assert select(1, 5, 6) == 5
    assert control.mask == 0


def test_lift_is_the_function_with_all_dependencies(control):
    most = lift(max, Loaded(3, ONE), Loaded(9, OTHER))
    assert (plain(most), data_of(most)) == (9, ONE | OTHER)
    assert lift(max, 3, 9) == 9
    assert control.mask == 0
