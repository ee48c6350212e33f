"""Functions of guests, kept as they are at one moment."""

from __future__ import annotations

import functools

import pytest
from simaie_schedulers.dpor.frozen import frozen

from simaie.guest.function import rmw


def is_one(value):
    return value == 1


def test_a_function_without_variables_of_its_own_is_kept():
    assert frozen(is_one) is is_one
    assert frozen(bool) is bool
    assert frozen(abs) is abs


def test_functions_of_simaie_are_kept():
    function = rmw("add", 2, 4).apply
    assert frozen(function) is function


def test_a_variable_that_changes_later_does_not_change_the_copy():
    wanted, names = 1, ("a", (1, 2))
    copy = frozen(lambda value: value == wanted and len(names) == 2 and is_one(value))
    wanted, names = 2, ()
    assert copy(1)
    assert not copy(2)


def test_functions_inside_are_kept_as_they_are_too():
    wanted = 1

    def inner(value, *, also=True):
        return value == wanted and also

    copy = frozen(lambda value: inner(value))
    wanted = 2
    assert copy(1)


@pytest.mark.parametrize("changeable", [[], {}, set(), object(), ([],), functools.partial(is_one)])
def test_what_may_change_by_itself_cannot_be_kept(changeable):
    assert frozen(lambda value: value == changeable) is None
    assert frozen(lambda value, default=changeable: value == default) is None


def test_neither_can_a_method_or_a_variable_without_a_value():
    assert frozen([].append) is None
    assert frozen(functools.partial(is_one)) is None

    def of_later():
        copy = frozen(lambda value: value == later)
        later = 1
        return copy, later

    assert of_later() == (None, 1)
