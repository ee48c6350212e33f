"""Conditions on final states, and verdicts."""

from __future__ import annotations

import pytest

from simaie.litmus import evaluate, filter_locations, passes_filter, verdict, widths

from .samples import with_parts


def holds(prop: str, state: dict[str, int | str | tuple[int, ...]], init: str = "") -> bool:
    """Evaluate a proposition in a state."""
    test = with_parts(init=init, final=f"exists {prop}")
    return evaluate(test.condition.prop, state, widths(test))


def test_values_compare_modulo_the_width_of_the_location() -> None:
    """4294967205 and -91 are one 32-bit value, and two 64-bit ones."""
    assert holds("x=-91", {"x": 4294967205})
    assert not holds("x=-91", {"x": 4294967205}, "uint64_t x")
    assert holds("t[1]=255", {"t[1]": -1}, "uint8_t t[2]={0,0}")
    assert holds("0:r1=x", {"0:r1": "x"})
    assert not holds("0:r1=y", {"0:r1": "x"})
    assert holds("t={1,-1}", {"t": (1, 255)}, "uint8_t t[2]")
    assert holds("t={1,2}", {"t": "{1,2}"})
    assert holds("x=[y]", {"x": -1, "y": 255}, "uint8_t y")


@pytest.mark.parametrize("x", [0, 1])
@pytest.mark.parametrize("y", [0, 1])
def test_connectives(x: int, y: int) -> None:
    """The truth tables, all of them."""
    state: dict[str, int | str | tuple[int, ...]] = {"x": x, "y": y}
    assert holds("x=1 /\\ y=1", state) == (x == 1 and y == 1)
    assert holds("x=1 \\/ y=1", state) == (x == 1 or y == 1)
    assert holds("x=1 => y=1", state) == (x != 1 or y == 1)
    assert holds("~x=1", state) == holds("x<>1", state) == (x != 1)
    assert holds("x=[y]", state) == (x == y)
    assert holds("true", state)
    assert not holds("false", state)


def test_an_address_needs_a_resolver_where_the_state_has_a_number() -> None:
    """The simulator says where a symbol is."""
    test = with_parts(final="forall 0:r1=x")
    assert verdict(test, [{"0:r1": 4096}], resolve=lambda symbol: 4096).answer == "Ok"
    with pytest.raises(ValueError, match="resolver"):
        verdict(test, [{"0:r1": 4096}])


@pytest.mark.parametrize(
    ("final", "values", "expected"),
    [
        ("exists x=1", [0, 1], ("Ok", "Sometimes", 1, 1)),
        ("exists x=1", [0, 2], ("No", "Never", 0, 2)),
        ("exists x=1", [1], ("Ok", "Always", 1, 0)),
        ("~exists x=1", [0, 1], ("No", "Sometimes", 1, 1)),
        ("~exists x=1", [0], ("Ok", "Never", 0, 1)),
        ("forall x=1", [0, 1], ("No", "Sometimes", 1, 1)),
        ("forall x=1", [1], ("Ok", "Always", 1, 0)),
        ("filter x<>0 forall x=1", [0, 1], ("Ok", "Always", 1, 0)),
        ("", [0, 1], ("Ok", "Always", 2, 0)),
        ("exists true", [], ("No", "Never", 0, 0)),
    ],
)
def test_verdict(final: str, values: list[int], expected: tuple[str, str, int, int]) -> None:
    """Answer, observation and witnesses, as herd7 gives them."""
    found = verdict(with_parts(final=final), [{"x": value} for value in values])
    assert (found.answer, found.observation, found.positive, found.negative) == expected


def test_filter() -> None:
    """The filter's locations are needed until the states are filtered."""
    test = with_parts(final="filter y=1 exists x=1")
    assert filter_locations(test) == ("y",)
    assert passes_filter(test, {"y": 1})
    assert not passes_filter(test, {"y": 0})
    assert verdict(test, [{"x": 1}], filtered=True).answer == "Ok"
    with pytest.raises(KeyError):
        verdict(test, [{"x": 1}])
