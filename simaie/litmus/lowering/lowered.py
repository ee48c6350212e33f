"""A litmus test together with its program; outcomes of the program are states of the test."""

from __future__ import annotations

from pathlib import Path

from simaie.errors import UsageError
from simaie.guest.code import Ins, ins
from simaie.guest.program import Program
from simaie.litmus.evaluate import Held
from simaie.litmus.location import Global, Location, RegisterOf, SymbolicName
from simaie.litmus.lowering.builder import Builder, mask
from simaie.litmus.lowering.dialects import DIALECTS, Dialect
from simaie.litmus.lowering.errors import UnsupportedError
from simaie.litmus.lowering.layout import Layout
from simaie.litmus.lowering.loops import CUT, MARK, bounded
from simaie.litmus.lowering.question import check_question, unsigned_locations, wanted_locations
from simaie.litmus.model import LitmusTest, LitmusThread
from simaie.litmus.source import Position
from simaie.litmus.widths import widths
from simaie.trace import Outcome, watched_name

__all__ = ["ROUNDS", "Lowered", "lower"]

#: Maximum number of jumps of a thread back to one label, by default; herd7's default.
ROUNDS = 2


def lower(test: LitmusTest, *, rounds: int = ROUNDS, base: int | None = None) -> Lowered:
    """Return a test lowered to a program.

    Args:
        test: The litmus test.
        rounds: Maximum number of jumps of a thread back to one label.
        base: The address of the first location; None for a low one.

    Raises:
        UnsupportedError: A part of the test cannot be run; the error has its position.
    """
    if rounds < 0:
        raise UsageError(f"rounds must not be negative, not {rounds}")
    dialect = DIALECTS.get(test.arch)
    if dialect is None:
        raise UnsupportedError(test.file, Position(1, 1), f"unsupported architecture {test.arch}", sorted(DIALECTS))
    return Lowered(test, dialect, rounds, base)


class Lowered:
    """A litmus test and its program.

    Attributes:
        test: The litmus test as read.
        program: The program to explore.
        layout: The addresses of its locations.
    """

    def __init__(self, test: LitmusTest, dialect: Dialect, rounds: int, base: int | None = None) -> None:
        self.test = test
        self.layout = Layout(test, base)
        self._dialect, self._rounds = dialect, rounds
        self._width_of = widths(test)
        self._unsigned = unsigned_locations(test)
        self._wanted = wanted_locations(test)
        check_question(test, dialect.opaque)
        self._numbers = {thread.id: str(number) for number, thread in enumerate(test.threads)}
        watch = {
            address: self.layout.cell_bytes(location.name)
            for location in self._wanted
            if isinstance(location, Global)
            for address in self.layout.cells(location)
        }
        self._names = {location.key: self._names_of(location) for location in self._wanted}
        self._known: dict[tuple[str, int], int | str] = {}  # by location and value, as herd7 spells it
        threads = [self._thread(thread) for thread in test.threads]
        self.program = Program(
            test.name,
            isa=dialect.isa,
            threads=threads,
            init=self.layout.image,
            watch=watch,
            description=test.doc,
        )
        self.program.extent = self.layout.span[1]  # a test that leaves its locations is refused
        path = Path(test.file)
        self.program.defined_in = path if path.is_file() else None
        self._cut_marks = [f"{number}:{CUT}" for number, code in enumerate(threads) if MARK in code]

    # -- the program --------------------------------------------------------------------------

    def _thread(self, thread: LitmusThread) -> list[Ins]:
        dialect = self._dialect
        builder = Builder(
            self.test,
            thread,
            self.layout,
            register_bits=dialect.register_bits,
            zero=dialect.zero,
            opaque=dialect.opaque,
            displacement=dialect.displacement,
        )
        self._initialise(builder)
        for statement in thread.statements:
            builder.statement = statement
            for label in statement.labels:
                builder.label(label)
            if statement.instruction is not None:
                dialect.lower(builder, statement.instruction)
        names = [each.register for each in self._wanted if isinstance(each, RegisterOf) and each.thread == thread.id]
        return bounded(builder.code, [ins("observe", f".{name}", into=name) for name in names], self._rounds)

    def _initialise(self, builder: Builder) -> None:
        bits = self._dialect.register_bits
        for item in self.test.init:
            match item.location:
                case RegisterOf(thread, name) if thread == builder.thread.id:
                    register = name
                case SymbolicName():
                    register = item.location.key
                case _:
                    continue
            if item.value is None or register in self._dialect.zero:
                continue
            if isinstance(item.value, tuple):
                raise UnsupportedError(self.test.file, item.position, "unsupported: an array as a register's value")
            builder.move(self.layout.number(item.value, item.position) & mask(bits), f".{register}")

    # -- its outcomes -------------------------------------------------------------------------

    def is_cut(self, outcome: Outcome) -> bool:
        """Whether a loop of the execution was cut, so that its outcome is no state of the test."""
        if not self._cut_marks:
            return False
        names = outcome.as_dict()
        return any(mark in names for mark in self._cut_marks)

    def state(self, outcome: Outcome) -> dict[str, Held]:
        """Return the state of an outcome: each location of the test's question with its value, as herd7 spells it."""
        values = outcome.as_dict()
        return {key: self._held(key, names, values) for key, names in self._names.items()}

    def _names_of(self, location: Location) -> str | list[str]:
        """Return the name of a location in an outcome; of an array, the names of its cells."""
        if isinstance(location, Global):
            cells = [watched_name(address) for address in self.layout.cells(location)]
            return cells if self.layout.is_array(location) else cells[0]
        assert isinstance(location, RegisterOf)
        return f"{self._numbers[location.thread]}:{location.register}"

    def _held(self, key: str, names: str | list[str], values: dict[str, int]) -> Held:
        if isinstance(names, list):
            return "{" + ",".join([str(self._spelt(key, values[name])) for name in names]) + "}"
        value = values.get(names, 0)  # a register that was not written is 0
        spelt = self._known.get((key, value))
        if spelt is None:
            spelt = self._known[key, value] = self._spelt(key, value)
        return spelt

    def _spelt(self, key: str, value: int) -> int | str:
        """Return the location whose address is `value`, or the number as the location's type reads it."""
        name = self.layout.name_of(value)
        if name is not None:
            return name
        bits = self._width_of(key)
        value &= mask(bits)
        return value if key.partition("[")[0] in self._unsigned or not value >> bits - 1 else value - (1 << bits)
