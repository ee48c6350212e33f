"""A litmus result in herd7's log format, which tools such as mcompare7 read."""

from __future__ import annotations

from simaie.exploration.litmus import LitmusResult
from simaie.litmus import (
    And,
    Atom,
    Constant,
    Global,
    Implies,
    LitmusTest,
    Location,
    Not,
    Or,
    Prop,
    Quantifier,
    state_locations,
)
from simaie.litmus.proposition import Same, atoms
from simaie.show.format import clean

__all__ = ["condition_text", "herd_log"]

_KINDS = {Quantifier.EXISTS: "Allowed", Quantifier.NOT_EXISTS: "Forbidden"}
_NONE = {Quantifier.NONE: "forall"}


def herd_log(result: LitmusResult) -> str:
    """Return the log of one test, which ends with an empty line; `Loop` says that states may be missing."""
    test, verdict = result.test, result.verdict
    name, counts = test.name, (verdict.positive, verdict.negative)
    witnesses = counts[::-1] if test.condition.quantifier is Quantifier.NOT_EXISTS else counts
    lines = [
        f"Test {name} {_KINDS.get(test.condition.quantifier, 'Required')}",
        f"States {len(result.states)}",
        *_states(result),
        f"{'' if result.complete_states else 'Loop '}{verdict.answer}",
        "Witnesses",
        "Positive: {} Negative: {}".format(*witnesses),
        f"Condition {condition_text(test)}",
        "Observation {} {} {} {}".format(name, verdict.observation, *counts),
        f"Time {name} {result.seconds:.2f}",
        *(f"Hash={value}" for key, value in test.metadata if key == "Hash"),
    ]
    return "\n".join(map(clean, lines)) + "\n\n"


def _states(result: LitmusResult) -> list[str]:
    """Return a line for each state: the registers by thread, then memory, in herd7's order."""
    spelt = {key: _spelling(location) for key, location in _locations(result.test).items()}
    order = sorted(state_locations(result.test), key=lambda key: _rank(key, spelt[key]))
    rows = [[dict(state)[key] for key in order] for state in result.states]
    rows.sort(key=lambda row: [(isinstance(held, str), held) for held in row])
    return [" ".join(f"{spelt[key]}={held};" for key, held in zip(order, row, strict=True)) for row in rows]


def _rank(key: str, spelling: str) -> tuple[int, str]:
    thread, colon, _ = key.partition(":")
    return (int(thread), spelling) if colon else (1 << 62, spelling)


def _locations(test: LitmusTest) -> dict[str, Location]:
    found = {observed.location.key: observed.location for observed in test.locations}
    for atom in atoms(test.condition.prop):
        for location in (atom.location,) if isinstance(atom, Atom) else (atom.left, atom.right):
            found.setdefault(location.key, location)
    return found


def _spelling(location: Location) -> str:
    return f"[{location.key}]" if isinstance(location, Global) and location.index is None else location.key


# -- the condition ----------------------------------------------------------------------------------


def condition_text(test: LitmusTest) -> str:
    """Return the quantified condition of a test on one line."""
    quantifier = test.condition.quantifier
    return f"{_NONE.get(quantifier, quantifier.value)} ({_text(test.condition.prop, 0)})"


def _text(prop: Prop, tightness: int) -> str:
    r"""Return a proposition, in parentheses if its context binds tighter: ``\/`` 0, ``/\`` 1, ``=>`` 2, ``not`` 3."""
    match prop:
        case Constant(value):
            return "true" if value else "false"
        case Atom(location, value, equal, _):
            shown = "{" + ",".join(map(str, value)) + "}" if isinstance(value, tuple) else str(value)
            text, own = f"{_spelling(location)}={shown}", 4
        case Same(left, right, equal, _):
            text, own = f"{_spelling(left)}={_spelling(right)}", 4
        case Not(inner):
            return f"not ({_text(inner, 0)})"
        case And(props):
            text, own, equal = " /\\ ".join(_text(each, 2) for each in props) or "true", 1, True
        case Or(props):
            text, own, equal = " \\/ ".join(_text(each, 1) for each in props) or "false", 0, True
        case Implies(left_side, right_side):
            text, own, equal = f"{_text(left_side, 3)} => {_text(right_side, 2)}", 2, True
    if not equal:
        return f"not ({text})"
    return text if own >= tightness else f"({text})"
