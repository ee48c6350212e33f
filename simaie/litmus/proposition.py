"""Propositions about a final state: trees whose depth the reader limits, so that a walk may recurse."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from simaie.litmus.location import Location, Value
from simaie.litmus.source import Position

__all__ = ["And", "Atom", "Constant", "Implies", "Not", "Or", "Prop", "Same", "atoms"]


class Constant(msgspec.Struct, frozen=True, tag=True):
    """A constant proposition: `true` or `false`."""

    value: bool


class Atom(msgspec.Struct, frozen=True, tag=True):
    """A comparison `location = value`, or `!=` if not `equal`."""

    location: Location
    value: Value
    equal: bool
    position: Position


class Same(msgspec.Struct, frozen=True, tag=True):
    """A comparison `location = location`: both hold the same value (or not, if not `equal`)."""

    left: Location
    right: Location
    equal: bool
    position: Position


class Not(msgspec.Struct, frozen=True, tag=True):
    """Negation."""

    prop: Prop


class And(msgspec.Struct, frozen=True, tag=True):
    """Conjunction of two or more propositions (or of zero, which holds)."""

    props: tuple[Prop, ...]


class Or(msgspec.Struct, frozen=True, tag=True):
    """Disjunction of two or more propositions (or of zero, which does not hold)."""

    props: tuple[Prop, ...]


class Implies(msgspec.Struct, frozen=True, tag=True):
    """Implication."""

    left: Prop
    right: Prop


Prop: TypeAlias = Constant | Atom | Same | Not | And | Or | Implies


def atoms(prop: Prop) -> list[Atom | Same]:
    """Return the atoms of a proposition, from left to right."""
    found: list[Atom | Same] = []
    left = [prop]
    while left:
        match left.pop():
            case Atom() | Same() as atom:
                found.append(atom)
            case And(props) | Or(props):
                left += reversed(props)
            case Not(inner):
                left.append(inner)
            case Implies(one, other):
                left += (other, one)
    return found
