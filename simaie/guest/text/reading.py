"""Parser of program text; raises one `ProgramTextError` with the line, the column and what was expected there."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr

from simaie.errors import InputError, ProgramTextError, UsageError
from simaie.guest.code import Ins, instructions_of, refusal
from simaie.guest.given import MOST_WATCHED
from simaie.guest.isa import ISAS, isa_class
from simaie.guest.operands import HIGHEST, LOWEST, WIDTHS
from simaie.guest.program import Program
from simaie.guest.text.writing import HANDLER, MAX_CHARACTERS
from simaie.input_file import read_bounded

__all__ = ["parse_program", "read_program"]

#: Of a number in decimal; more than enough for 128 bits.
_MOST_DIGITS = 48
_WORDS = {
    "$END": "the end",
    "COLUMN": "the columns' names (P0 | P1, then handler if there is one)",
    "MNEMONIC_OR_NAME": "a name",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a text in "quotes"',
    "_BAR": "'|'",
    "_NL": "the end of the line",
}


def read_program(path: Path, *, trust: bool = False) -> Program:
    """Return the program that the file at `path` holds.

    Args:
        path: of the file, which must be a regular one.
        trust: as for `parse_program`.

    Raises:
        InputError: the file cannot be read, or holds no program.
    """
    try:
        text = read_bounded(path, 4 * MAX_CHARACTERS).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    program = parse_program(text, str(path), trust=trust)
    program.defined_in = path
    return program


def parse_program(text: str, file: str = "program text", *, trust: bool = False) -> Program:
    """Return the program that `text` holds.

    Args:
        text: the program.
        file: its name, for errors.
        trust: whether checkers that the text names as ``FILE.py:NAME`` may be imported. Otherwise they are kept as
            names, and an exploration that would judge by them is refused.

    Raises:
        ProgramTextError: `text` holds no program; the error names `file`, line and column.
    """
    if len(text) > MAX_CHARACTERS:
        raise ProgramTextError(file, 1, 1, f"longer than any program ({MAX_CHARACTERS} characters)")
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _error(file, text, error) from None
    program = _Reader(file).program(tree)
    program.may_import = trust
    return program


@functools.cache
def _parser() -> Lark:
    grammar = (files(__package__) / "program.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=True)


def _error(file: str, text: str, error: UnexpectedInput) -> ProgramTextError:
    names: set[str] = set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    if isinstance(error, UnexpectedCharacters):
        names, found = set(error.allowed or ()), repr(text[error.pos_in_stream or 0])
    else:
        assert isinstance(error, UnexpectedToken)
        ended = error.token.type in ("$END", "_NL")
        found = "end of the line" if ended else repr(str(error.token)[:40])
    line, column = (error.line, error.column) if error.line > 0 else (text.count("\n") + 1, 1)
    return ProgramTextError(file, line, column, f"unexpected {found}", sorted({_word(name) for name in names}))


def _word(name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    pattern = _parser().get_terminal(name).pattern
    return repr(pattern.value) if isinstance(pattern, PatternStr) else name.lower()


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._isa = ""
        self._given: dict[str, Any] = {}
        self._init: dict[int, Any] = {}
        self._watch: dict[int, int] | None = None
        self._checkers: list[str] = []

    def program(self, tree: Tree[Token]) -> Program:
        columns: Tree[Token] | None = None
        threads: list[list[Ins]] = []
        for part in tree.children:
            assert isinstance(part, Tree)
            if part.data == "columns":
                columns, threads = part, [[] for _ in self._columns(part)]
            elif part.data == "row":
                self._row(part, threads)
            else:
                getattr(self, f"_{part.data}")(*part.children)
        assert columns is not None  # or the parser would have refused
        if columns.children[-1] == HANDLER:
            self._given["handler"] = threads.pop()
        if "name" not in self._given:
            raise self._fault(columns.children[0], "the program has no name", ['program "NAME" above'])
        try:
            made = Program(self._given.pop("name"), isa=self._isa, threads=threads, init=self._init,
                           watch=self._watch, checkers=self._checkers, **self._given)  # fmt: skip
        except UsageError as error:
            raise self._fault(columns.children[0], str(error)) from None
        made.defined_in = None
        return made

    # -- the header ---------------------------------------------------------------------------

    def _name(self, token: Token) -> None:
        self._given["name"] = self._text(token)

    def _description(self, token: Token) -> None:
        self._given["description"] = self._text(token)

    def _check(self, token: Token) -> None:
        self._checkers.append(self._text(token))

    def _isa_(self, token: Token) -> None:
        if token not in ISAS:
            raise self._fault(token, f"unknown isa {str(token)!r}", sorted(ISAS))
        self._isa = str(token)

    def _word(self, address: Token, value: Token) -> None:
        self._init[self._address(address)] = self._number(value)

    def _wide(self, address: Token, width: Token, value: Token) -> None:
        size = self._number(width)
        if size not in WIDTHS:
            raise self._fault(width, f"no width in bytes: {width}", list(map(str, WIDTHS)))
        self._init[self._address(address)] = self._number(value), size

    def _blob(self, address: Token, value: Token) -> None:
        try:
            data = bytes.fromhex(self._text(value))
        except ValueError:
            raise self._fault(value, "not bytes", ["two hexadecimal digits for each byte"]) from None
        self._init[self._address(address)] = data

    def _watch_(self, address: Token, width: Token) -> None:
        size = self._number(width)
        if not 1 <= size <= MOST_WATCHED:
            raise self._fault(width, f"no width in bytes: {width}", [f"1 to {MOST_WATCHED}"])
        self._watch = {**(self._watch or {}), self._address(address): size}

    def _watch_none(self) -> None:
        self._watch = {}

    # -- the table ----------------------------------------------------------------------------

    def _columns(self, tree: Tree[Token]) -> Sequence[Any]:
        for number, token in enumerate(tree.children):
            if token != f"P{number}" and (token != HANDLER or not 0 < number == len(tree.children) - 1):
                raise self._fault(token, f"unexpected column {token!s}", [f"P{number}"])
        if not self._isa:
            raise self._fault(tree.children[0], "the program has no instruction set", ["isa NAME above"])
        return tree.children

    def _row(self, row: Tree[Token], threads: list[list[Ins]]) -> None:
        if len(row.children) > len(threads):
            raise ProgramTextError(self._file, row.meta.line, row.meta.column,
                                   f"{len(row.children)} cells in a row, for {len(threads)} vCPUs")  # fmt: skip
        for thread, cell in zip(threads, row.children, strict=False):
            if cell is not None:
                thread.append(self._instruction(cell))

    def _instruction(self, tree: Any) -> Ins:
        target, mnemonic, *operands = tree.children
        name = str(mnemonic)
        known = instructions_of(isa_class(self._isa))
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise self._fault(mnemonic, f"{self._isa} has no instruction {name!r}{hint}", sorted(known))
        args = [self._value(o.children[0]) for o in operands if o is not None and o.data == "operand"]
        options = [(str(o.children[0]), self._value(o.children[1])) for o in operands if o is not None
                   and o.data == "option"]  # fmt: skip
        item = Ins(name, tuple(args), None if target is None else str(self._value(target)), tuple(options))
        if why := refusal(item, known):
            row = known[name]
            raise self._fault(mnemonic, f"{name}: {why}", [] if row is None else [row.shown])
        return item

    # -- values -------------------------------------------------------------------------------

    def _value(self, token: Any) -> int | str:
        if token.type == "NUMBER":
            return self._number(token)
        return self._text(token) if token.type == "STRING" else str(token)

    def _address(self, token: Token) -> int:
        address = self._number(token)
        if address < 0:
            raise self._fault(token, f"a negative address: {token}", ["an address"])
        return address

    def _number(self, token: Token) -> int:
        digits = token.removeprefix("-")
        if digits[:1] == "0" and digits.isdigit() and len(digits) > 1:
            raise self._fault(token, f"a number that begins with 0: {token[:40]}", ["100 (decimal)", "0x40"])
        value = int(token, 16 if "0x" in token else 10) if len(digits) <= _MOST_DIGITS else None
        if value is None or not LOWEST <= value <= HIGHEST:
            raise self._fault(token, f"a number of more than 128 bits: {token[:40]}...")
        return value

    def _text(self, token: Token) -> str:
        try:
            return str(json.loads(token))
        except ValueError as error:
            raise self._fault(token, f"not a text as JSON writes it: {error}") from None

    def _fault(self, token: Any, problem: str, expected: Sequence[str] = ()) -> ProgramTextError:
        return ProgramTextError(self._file, token.line, token.column, problem, expected)
