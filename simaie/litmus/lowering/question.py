"""The question of a test: the locations that its states consist of, and whether all of them are simulated."""

from __future__ import annotations

from collections.abc import Iterator, Set

from simaie.litmus.errors import quoted
from simaie.litmus.location import InstructionWord, Location, RegisterOf, SymbolicName, Value
from simaie.litmus.lowering.errors import UnsupportedError
from simaie.litmus.model import LitmusTest
from simaie.litmus.proposition import Atom, atoms
from simaie.litmus.source import Position

__all__ = ["check_question", "unsigned_locations", "wanted_locations"]


def wanted_locations(test: LitmusTest) -> list[Location]:
    """Return the locations of the test's question, including its filter, each once, in the order of a state."""
    found: dict[str, Location] = {}
    for location, _ in _asked(test):
        found.setdefault(location.key, location)
    return list(found.values())


def unsigned_locations(test: LitmusTest) -> frozenset[str]:
    """Return the names of the locations that are declared with an unsigned type."""
    named = (item for item in test.init if item.type is not None)
    return frozenset(item.location.key for item in named if item.type and item.type.name.startswith("u"))


def check_question(test: LitmusTest, opaque: Set[str]) -> None:
    """Raise UnsupportedError if the test names a register that is not simulated, or a value that none can hold."""
    for item in test.init:
        _check_location(test, item.location, item.position, opaque)
    for location, position in _asked(test):
        _check_location(test, location, position, opaque)
        if isinstance(location, SymbolicName):
            raise UnsupportedError(
                test.file, position, f"unsupported: {location.key} of no thread", [f"0:{location.key}"]
            )
    for prop in (test.condition.prop, test.filter):
        for atom in atoms(prop) if prop is not None else ():
            if isinstance(atom, Atom):
                _check_value(test, atom.value, atom.position)


def _asked(test: LitmusTest) -> Iterator[tuple[Location, Position]]:
    """Yield each mention of a location of the question with its position, in the order of a state."""
    yield from ((observed.location, observed.position) for observed in test.locations)
    for prop in (test.condition.prop, test.filter):
        for atom in atoms(prop) if prop is not None else ():
            sides = (atom.location,) if isinstance(atom, Atom) else (atom.left, atom.right)
            yield from ((location, atom.position) for location in sides)


def _check_location(test: LitmusTest, location: Location, position: Position, opaque: Set[str]) -> None:
    if isinstance(location, RegisterOf) and location.register in opaque:
        raise UnsupportedError(test.file, position, f"unsupported register {quoted(location.register)}")


def _check_value(test: LitmusTest, value: Value, position: Position) -> None:
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, InstructionWord):
            problem = f"unsupported value {quoted(str(part))}"
            raise UnsupportedError(test.file, position, problem, ["a number", "an address", "a label"])
