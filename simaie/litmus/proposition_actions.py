"""The values that the rules for propositions and for the condition build.

A proposition under construction carries its depth, so that one too deep for a recursive walk is refused at once.
(Parentheses alone do not count: they leave no node in the tree.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from lark import Token, Transformer, v_args

from simaie.litmus.errors import PositionedError
from simaie.litmus.limits import NESTING
from simaie.litmus.location import Location, Value
from simaie.litmus.model import Condition, ListedLocation, Quantifier
from simaie.litmus.parsing import place
from simaie.litmus.proposition import And, Atom, Constant, Implies, Not, Or, Prop, Same
from simaie.litmus.source import Position

__all__ = ["Final", "Located", "PropositionActions"]

_Question: TypeAlias = tuple[Quantifier, Prop, str]
_Model: TypeAlias = tuple[str, Quantifier]

_QUANTIFIERS = {
    "exists": Quantifier.EXISTS,
    "final": Quantifier.EXISTS,
    "forall": Quantifier.FORALL,
}


class Located(NamedTuple):
    """A location and its position in the file."""

    location: Location
    position: Position


class Final(NamedTuple):
    """Everything after the program: locations, filter and condition."""

    locations: tuple[ListedLocation, ...]
    filter: Prop | None
    condition: Condition


class _Sized(NamedTuple):
    prop: Prop
    depth: int
    position: Position


@v_args(inline=True)
class PropositionActions(Transformer[Token, Any]):
    """The actions from atoms up to the condition."""

    def atom(self, left: Located, relation: Token, right: Located | Value) -> _Sized:
        """Return a comparison, as in `x=1`, `0:X1<>2`, `0:X1=1:X1`."""
        equal = relation.startswith("=")
        if isinstance(right, Located):
            return _Sized(Same(left.location, right.location, equal, left.position), 1, left.position)
        return _Sized(Atom(left.location, right, equal, left.position), 1, left.position)

    def constant(self, token: Token) -> _Sized:
        """Return a constant, `true` or `false`."""
        return _Sized(Constant(token == "true"), 1, place(token))

    def negation(self, token: Token, inner: _Sized) -> _Sized:
        """Return a negation, `~p`."""
        return _node(Not(inner.prop), (inner,), place(token))

    def conjunction(self, *parts: _Sized) -> _Sized:
        r"""Return a conjunction, `p /\ q /\ r`."""
        return _node(And(tuple(part.prop for part in parts)), parts, parts[0].position)

    def disjunction(self, *parts: _Sized) -> _Sized:
        r"""Return a disjunction, `p \/ q \/ r`."""
        return _node(Or(tuple(part.prop for part in parts)), parts, parts[0].position)

    def implication(self, left: _Sized, right: _Sized) -> _Sized:
        """Return an implication, `p => q`."""
        return _node(Implies(left.prop, right.prop), (left, right), left.position)

    def quantified(self, keyword: Token, inner: _Sized) -> _Question:
        """Return a quantified proposition, as in `exists p`."""
        return _QUANTIFIERS[keyword], inner.prop, str(keyword)

    def negated(self, negation: Token, exists: Token, inner: _Sized) -> _Question:
        """Return a negated quantification, `~exists p` or `not exists p`."""
        return Quantifier.NOT_EXISTS, inner.prop, "~exists" if negation == "~" else "not exists"

    def bare(self, inner: _Sized) -> _Question:
        """Return a bare proposition, `(p)`."""
        return Quantifier.EXISTS, inner.prop, ""

    def histogram(self, keyword: Token, *runs: Prop) -> _Question:
        """Return a histogram, `observed x=1; y=1; and x=2; y=1;`: one of these states exists."""
        return Quantifier.EXISTS, Or(runs), str(keyword).lower()

    def run(self, *atoms: _Sized) -> Prop:
        """Return one state of a histogram, as in `x=1; y=1;`."""
        return And(tuple(atom.prop for atom in atoms))

    def model(self, name: Token, quantifier: Token, exists: Token | None = None) -> _Model:
        """Return the quantifier for one model, as in `tso: ~exists`."""
        return str(name), _QUANTIFIERS[quantifier] if exists is None else Quantifier.NOT_EXISTS

    def models(self, *models: _Model) -> tuple[_Model, ...]:
        """Return the `with` clause."""
        return models

    def condition(self, question: _Question, models: tuple[_Model, ...] = ()) -> Condition:
        """Return the question with its `with` clause."""
        quantifier, prop, keyword = question
        return Condition(quantifier, prop, keyword, models)

    def filter(self, inner: _Sized) -> _Sized:
        """Return the proposition of a filter, `filter p`."""
        return inner

    def final(self, *parts: tuple[ListedLocation, ...] | _Sized | Condition) -> Final:
        """Return everything after the program; each part may be absent."""
        found = Final((), None, Condition())
        for part in parts:
            match part:
                case Condition():
                    found = found._replace(condition=part)
                case _Sized():
                    found = found._replace(filter=part.prop)
                case _:
                    found = found._replace(locations=part)
        return found


def _node(prop: Prop, parts: Iterable[_Sized], position: Position) -> _Sized:
    depth = 1 + max(part.depth for part in parts)
    if depth > NESTING:
        raise PositionedError(position, "the proposition is nested too deep", [f"at most {NESTING} levels"])
    return _Sized(prop, depth, position)
