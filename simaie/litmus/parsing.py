"""The lark parsers: their construction, and the translation of their errors into faults for a reader of the file.

A parser is LALR with a contextual lexer (`x3` is a register among the operands, and may be a label before the colon).
It builds its values as it reduces: no tree is ever built, nothing recurses, and time is linear.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr

from simaie.litmus.errors import PositionedError, quoted
from simaie.litmus.limits import DIGITS
from simaie.litmus.source import Position

__all__ = ["build", "integer", "place", "run"]

_WORDS = {
    "$END": "the end",
    "<END-OF-FILE>": "the end",
    "BARRIER": "a barrier",
    "CONDITION": "a condition code",
    "DIFFERS": "'!='",
    "FENCE": "a fence",
    "INSTRUCTION": 'instr:"..."',
    "LABEL": 'label:"P0:L"',
    "NAME": "a name",
    "NEGATION": "'~'",
    "NUMBER": "a number",
    "OBSERVED": "'observed'",
    "PREFIX": "a prefix",
    "PROC": "a thread",
    "REGISTER": "a register",
    "SELECT": "a conditional select",
    "SHIFT": "a shift",
    "SIGILLED": "a register",
    "SYMBOLIC": "a symbolic register",
    "WORD": "a word",
}


def build(grammar_files: tuple[str, ...], actions: Transformer[Token, Any], starts: tuple[str, ...]) -> Lark:
    """Build a parser from grammar files of this package.

    Args:
        grammar_files: Names of the files, which are concatenated.
        actions: Builds the values of the rules.
        starts: The start rules.
    """
    folder = files(__package__) / "grammars"
    grammar = "\n".join((folder / name).read_text("utf-8") for name in grammar_files)
    return Lark(grammar, parser="lalr", lexer="contextual", start=list(starts), transformer=actions)


def run(parser: Lark, text: str, start: str) -> object:
    """Parse a text from the rule `start` and return its value; raise `PositionedError` for a syntax error."""
    try:
        return cast(object, parser.parse(text, start=start))
    except UnexpectedInput as error:
        raise _fault(parser, text, error) from None


def place(token: Token) -> Position:
    """Return the position of a token."""
    assert token.line is not None
    assert token.column is not None
    return Position(token.line, token.column)


def integer(token: Token) -> int:
    """Return the value of a decimal or hexadecimal number."""
    if len(token) > DIGITS:
        raise PositionedError(place(token), f"the number {quoted(token)} is too long", [f"at most {DIGITS} characters"])
    digits = token.lstrip("+-")
    value = int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    return -value if token.startswith("-") else value


def _fault(parser: Lark, text: str, error: UnexpectedInput) -> PositionedError:
    if isinstance(error, UnexpectedToken):
        names, token = error.accepts or error.expected, error.token
        if token.type == "$END":
            return PositionedError(_end(text), "the text ends here", _expected(parser, names))
        return PositionedError(place(token), f"unexpected {quoted(token)}", _expected(parser, names))
    assert isinstance(error, UnexpectedCharacters)
    found = text[error.pos_in_stream or 0]
    return PositionedError(
        Position(error.line, error.column), f"unexpected {quoted(found)}", _expected(parser, error.allowed)
    )


def _expected(parser: Lark, names: set[str]) -> list[str]:
    return sorted({_word(parser, name) for name in names if name != "BLANK"})


def _word(parser: Lark, name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    pattern = parser.get_terminal(name).pattern
    return repr(pattern.value) if isinstance(pattern, PatternStr) else name.lower()


def _end(text: str) -> Position:
    """Return the position of the end of the last visible text, not after the blank lines that follow it."""
    kept = text.rstrip()
    return Position(kept.count("\n") + 1, len(kept) - kept.rfind("\n"))
