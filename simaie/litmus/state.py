"""The reader of the initial state and of the question, the two sections around the program.

Their items repeat in a corpus, as its instructions do: thousands of tests say `0:X1=x`, or ask for `x=2`. So the parse
of an item of the initial state and of a comparison is cached, without its position in the file. Whatever is not of the
usual form is parsed as a whole, and so is what has an error, which is then found at its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from lark import Lark

from simaie.litmus.errors import PositionedError
from simaie.litmus.model import Arch, Condition, InitItem, ListedLocation, Quantifier
from simaie.litmus.parsing import build, run
from simaie.litmus.proposition import And, Atom, Same
from simaie.litmus.proposition_actions import Final
from simaie.litmus.source import Position, Source
from simaie.litmus.state_actions import StateActions, registers_of_arch

__all__ = ["read_final", "read_init"]

_Span = tuple[int, int]

_BLANK = " \t\r\n\f"
#: The usual question: locations, if any, a quantifier, and a conjunction of comparisons, often in parentheses.
_USUAL = re.compile(
    r"_*(?:locations_*\[([^\[\]]*)\]_*)?(exists|forall|~exists)(?:_*\(([^()]+)\)_*|_([^()]+))"
    .replace("_", f"[{_BLANK}]")
)  # fmt: skip
_QUANTIFIERS = {
    "exists": Quantifier.EXISTS,
    "~exists": Quantifier.NOT_EXISTS,
    "forall": Quantifier.FORALL,
}
_CONJUNCTION = "/\\"
#: The length of an item that is kept at most, and the number of items.
_LONGEST, _MOST = 80, 8192


def read_init(arch: Arch, source: Source, span: _Span) -> tuple[InitItem, ...]:
    """Read the initial state.

    Args:
        arch: The architecture.
        source: The text of the file, without comments.
        span: The start and the end of the section.

    Raises:
        PositionedError: The section is malformed.
    """
    found = []
    for text, position in _pieces(source, *span, ";"):
        if text:
            item = _item(arch, text) if len(text) <= _LONGEST else None
            if item is None:
                break
            found.append(InitItem(item.location, item.type, item.value, item.position.moved(position)))
    else:
        return tuple(found)
    parsed = _parsed(arch, source.padded(*span), "init")
    assert isinstance(parsed, tuple)
    return parsed


def read_final(arch: Arch, source: Source, span: _Span) -> Final:
    """Read everything after the program: the question, with what comes before it; the arguments are as above."""
    found = _usual(arch, source, span)
    if found is not None:
        return found
    parsed = _parsed(arch, source.padded(*span), "final")
    assert isinstance(parsed, Final)
    return parsed


def _usual(arch: Arch, source: Source, span: _Span) -> Final | None:
    """Return what a question of the usual form says; None if it has another one."""
    usual = _USUAL.fullmatch(source.text, *span)
    if usual is None:
        return None
    locations: list[ListedLocation] | None = []
    if usual[1] is not None and (locations := _locations(arch, source, usual.span(1))) is None:
        return None
    props = []
    for text, position in _pieces(source, *usual.span(3 if usual[4] is None else 4), _CONJUNCTION):
        known = _comparison(arch, text) if len(text) <= _LONGEST else None
        if known is None:
            return None
        props.append(_moved(known, position))
    prop = props[0] if len(props) == 1 else And(tuple(props))
    return Final(tuple(locations or ()), None, Condition(_QUANTIFIERS[usual[2]], prop, usual[2]))


def _locations(arch: Arch, source: Source, span: _Span) -> list[ListedLocation] | None:
    """Return the items of the locations clause; None if one is malformed."""
    found = []
    *pieces, last = _pieces(source, *span, ";")
    for text, position in pieces if not last[0] else (*pieces, last):
        listed = _listed(arch, text) if len(text) <= _LONGEST else None
        if listed is None:
            return None
        found.append(ListedLocation(listed.location, listed.type, listed.position.moved(position)))
    return found


def _moved(known: Atom | Same, origin: Position) -> Atom | Same:
    moved = known.position.moved(origin)
    if isinstance(known, Atom):
        return Atom(known.location, known.value, known.equal, moved)
    return Same(known.left, known.right, known.equal, moved)


def _pieces(source: Source, start: int, end: int, separator: str) -> Iterator[tuple[str, Position]]:
    """Yield the parts of a section between separators, without the blanks around them, and their positions."""
    for raw in source.text[start:end].split(separator):
        text = raw.strip(_BLANK)
        yield text, source.position(start + len(raw) - len(raw.lstrip(_BLANK)))
        start += len(raw) + len(separator)


@lru_cache(maxsize=_MOST)
def _item(arch: Arch, text: str) -> InitItem | None:
    """Return an item of the initial state, at its position in `text`; None if `text` is no item."""
    found = _tried(arch, text, "init")
    return found[0] if found else None


@lru_cache(maxsize=_MOST)
def _listed(arch: Arch, text: str) -> ListedLocation | None:
    """Return an item of the locations clause, at its position in `text`; None if `text` is no item."""
    found = _tried(arch, f"locations [\n{text}]", "final")
    if found is None or len(found.locations) != 1:
        return None
    listed = found.locations[0]
    return ListedLocation(listed.location, listed.type, _without_first_line(listed.position))


@lru_cache(maxsize=_MOST)
def _comparison(arch: Arch, text: str) -> Atom | Same | None:
    """Return a comparison, at its position in `text`; None if `text` is something else."""
    found = _tried(arch, f"(\n{text})", "final")
    match None if found is None else found.condition.prop:
        case Atom(location, value, equal, position):
            return Atom(location, value, equal, _without_first_line(position))
        case Same(left, right, equal, position):
            return Same(left, right, equal, _without_first_line(position))
        case _:
            return None


def _without_first_line(position: Position) -> Position:
    return Position(position.line - 1, position.column)


def _tried(arch: Arch, text: str, start: str) -> Any:
    """Return the value of `text`; None if it has an error."""
    try:
        return _parsed(arch, text, start)
    except PositionedError:
        return None


def _parsed(arch: Arch, text: str, start: str) -> object:
    with registers_of_arch(arch):
        return run(_parser(), text, start)


@cache
def _parser() -> Lark:
    return build(("state.lark",), StateActions(), ("init", "final"))
