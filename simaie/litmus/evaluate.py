"""Evaluation of the question of a litmus test for given final states, as herd7 does it.

A state maps the names of locations (`Location.key`) to their values. A simulator's states hold integers; a table of
herd7's holds text for what is not a number (`x`, `instr:"B .+4"`, `{1,2}`), which is compared as it is spelt. Integers
compare modulo the width of their location: 4294967205 and -91 are one 32-bit value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from simaie.litmus.location import Address, CodeLabel, InstructionWord, Location, Value
from simaie.litmus.model import LitmusTest, Quantifier
from simaie.litmus.proposition import And, Atom, Constant, Implies, Not, Or, Prop, Same, atoms
from simaie.litmus.widths import widths

__all__ = [
    "Held",
    "LitmusVerdict",
    "Resolver",
    "State",
    "evaluate",
    "filter_locations",
    "passes_filter",
    "predicate",
    "state_locations",
    "verdict",
    "verdict_of_counts",
]

Held: TypeAlias = int | str | tuple[int, ...]
State: TypeAlias = Mapping[str, Held]
WidthOf: TypeAlias = Callable[[str], int]
Resolver: TypeAlias = Callable[[Address | CodeLabel | InstructionWord], int]


class LitmusVerdict(msgspec.Struct, frozen=True):
    """The answer to a test's question.

    Attributes:
        answer: The answer to the quantified condition.
        observation: How often its proposition holds.
        positive: Number of states (or executions) that satisfy the proposition.
        negative: Number of states (or executions) that do not.
    """

    answer: Literal["Ok", "No"]
    observation: Literal["Always", "Sometimes", "Never"]
    positive: int
    negative: int


def evaluate(prop: Prop, state: State, width_of: WidthOf, resolve: Resolver | None = None) -> bool:
    """Return whether a proposition holds in a state.

    Args:
        prop: The proposition.
        state: Values by location.
        width_of: Returns the width of a location in bits; for an array, that of a cell.
        resolve: Returns the number that the simulator assigned to an address. Needed only if the state has a number
            where the condition has an address.

    Raises:
        KeyError: The state lacks a location.
    """
    return predicate(prop, width_of, resolve)(state)


def predicate(prop: Prop, width_of: WidthOf, resolve: Resolver | None = None) -> Callable[[State], bool]:
    """Return a function that returns whether a proposition holds in a state; see `evaluate`."""
    match prop:
        case Atom(location, value, equal, _):
            return _comparison(location.key, value, width_of(location.key), resolve, equal=equal)
        case And(props):
            parts = [predicate(each, width_of, resolve) for each in props]
            return lambda state: all(part(state) for part in parts)
        case Or(props):
            parts = [predicate(each, width_of, resolve) for each in props]
            return lambda state: any(part(state) for part in parts)
        case Not(inner):
            holds = predicate(inner, width_of, resolve)
            return lambda state: not holds(state)
        case Implies(left, right):
            one, other = predicate(left, width_of, resolve), predicate(right, width_of, resolve)
            return lambda state: not one(state) or other(state)
        case Same(left, right, equal, _):
            keys, width = (left.key, right.key), min(width_of(left.key), width_of(right.key))
            return lambda state: _equal(state[keys[0]], state[keys[1]], width) == equal
        case Constant(constant):
            return lambda state: constant


def _comparison(
    key: str, value: Value, width: int, resolve: Resolver | None, *, equal: bool
) -> Callable[[State], bool]:
    """Return a function that returns whether a location has a value in a state, or if not `equal`, has another one."""

    def holds(state: State) -> bool:
        held = state[key]
        if type(held) is int and type(value) is int:
            return (not (held - value) & mask) == equal
        return _holds(held, value, width, resolve) == equal

    mask = (1 << width) - 1
    return holds


def state_locations(test: LitmusTest) -> tuple[str, ...]:
    """Return the names of the locations that a state lists: those of the `locations` clause, then of the condition.

    The filter's locations are not among them, as in herd7.
    """
    named = [observed.location for observed in test.locations] + _locations_in(test.condition.prop)
    return tuple(dict.fromkeys(location.key for location in named))


def filter_locations(test: LitmusTest) -> tuple[str, ...]:
    """Return the names of the locations that the filter reads."""
    named = [] if test.filter is None else _locations_in(test.filter)
    return tuple(dict.fromkeys(location.key for location in named))


def passes_filter(test: LitmusTest, state: State, resolve: Resolver | None = None) -> bool:
    """Return whether a state satisfies the test's filter, if there is one.

    Args:
        test: The litmus test.
        state: Values by location.
        resolve: See `evaluate`.
    """
    return test.filter is None or evaluate(test.filter, state, widths(test), resolve)


def verdict(
    test: LitmusTest, states: Iterable[State], *, filtered: bool = False, resolve: Resolver | None = None
) -> LitmusVerdict:
    """Judge the final states of a test.

    Args:
        test: The litmus test.
        states: The final states; those that fail the test's filter are left out.
        filtered: Whether they are left out already (the states may then lack the filter's locations).
        resolve: See `evaluate`.
    """
    width_of = widths(test)
    positive = negative = 0
    for state in states:
        if filtered or passes_filter(test, state, resolve):
            holds = evaluate(test.condition.prop, state, width_of, resolve)
            positive, negative = positive + holds, negative + (not holds)
    return verdict_of_counts(test.condition.quantifier, positive, negative)


def verdict_of_counts(quantifier: Quantifier, positive: int, negative: int) -> LitmusVerdict:
    """Answer the question of a test from counts.

    Args:
        quantifier: The quantifier of the question.
        positive: Number of states (or executions) that satisfy its proposition.
        negative: Number of states (or executions) that do not.
    """
    holds_overall = {
        Quantifier.EXISTS: positive > 0,
        Quantifier.NOT_EXISTS: positive == 0,
        Quantifier.FORALL: negative == 0,
        Quantifier.NONE: negative == 0,
    }[quantifier]
    observation: Literal["Always", "Sometimes", "Never"]
    observation = "Never" if not positive else "Sometimes" if negative else "Always"
    return LitmusVerdict("Ok" if holds_overall else "No", observation, positive, negative)


def _locations_in(prop: Prop) -> list[Location]:
    found: list[Location] = []
    for atom in atoms(prop):
        found += [atom.location] if isinstance(atom, Atom) else [atom.left, atom.right]
    return found


def _holds(held: Held, value: Value, width: int, resolve: Resolver | None) -> bool:
    if isinstance(held, str):
        return held == _spelt(value)
    if isinstance(value, tuple):
        return (
            isinstance(held, tuple)
            and len(held) == len(value)
            and all(_holds(one, other, width, resolve) for one, other in zip(held, value, strict=True))
        )
    if not isinstance(value, int):
        if resolve is None:
            raise ValueError(f"the state has a number where the condition has {value}: pass a resolver")
        value = resolve(value)
    return _equal(held, value, width)


def _equal(one: Held, other: Held, width: int) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return (one - other) % (1 << width) == 0
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_equal(a, b, width) for a, b in zip(one, other, strict=True))
    return one == other


def _spelt(value: Value) -> str:
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, tuple) else str(value)
