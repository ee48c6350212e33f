"""From a program as data to text, and to Python that can be pasted."""

from __future__ import annotations

import json
import re
from itertools import zip_longest

from simaie.errors import UsageError
from simaie.guest.code import Code, Ins
from simaie.guest.program import Program

__all__ = ["HANDLER", "MAX_CHARACTERS", "SUFFIX", "is_data", "program_code", "program_text"]

#: The longest text that is written, and read.
MAX_CHARACTERS = 1 << 17
#: What the name of a file ends in that holds a program's text.
SUFFIX = ".guest"
#: The name of the column of the code that runs when a signal arrives.
HANDLER = "handler"
_WORD = re.compile(r"[.A-Za-z_][.A-Za-z0-9_]*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def is_data(program: Program) -> bool:
    """Whether the program has a text: lists of instructions only, and neither functions nor pages."""
    return _why_not(program) is None


def program_text(program: Program) -> str:
    """The program's text; UsageError if it holds what is no data."""
    _require_data(program)
    return _text(program)


def _text(program: Program) -> str:
    lines = [f"program {json.dumps(program.name)}", f"isa {program.isa}"]
    if program.description:
        lines.append(f"description {json.dumps(program.description)}")
    lines += [_init(*item) for item in program.image]
    if program.watch != _usual_watch(program):
        lines += [f"watch {address:#x} : {width}" for address, width in program.watch.items()] or ["watch none"]
    lines += [f"check {json.dumps(checker)}" for checker in program.checkers]
    columns = [[name, *map(_cell, _code(code))] for name, code in _named_code(program)]
    widths = [max(map(len, column)) for column in columns]
    for row in zip_longest(*columns, fillvalue=""):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines += ([""] if row[0] == "P0" and len(lines) else []) + [" | ".join(cells).rstrip()]
    return "\n".join(lines) + "\n"


def program_code(program: Program) -> str:
    """The program as a Python expression of `Program` and `ins`; UsageError if it holds what is no data."""
    _require_data(program)
    threads = ", ".join(f"[{', '.join(map(_call, _code(thread)))}]" for thread in program.threads)
    parts = [repr(program.name), f"isa={program.isa!r}", f"threads=[{threads}]"]
    if program.image:
        parts.append(f"init={{{', '.join(_item(*item) for item in program.image)}}}")
    if program.watch != _usual_watch(program):
        parts.append(f"watch={program.watch!r}")
    if program.description:
        parts.append(f"description={program.description!r}")
    if program.checkers:
        parts.append(f"checkers={list(program.checkers)!r}")
    if program.handler is not None:
        parts.append(f"handler=[{', '.join(map(_call, _code(program.handler)))}]")
    return f"Program({', '.join(parts)})"


def _named_code(program: Program) -> list[tuple[str, object]]:
    """Return the code of each column of the text, with its name."""
    threads: list[tuple[str, object]] = [(f"P{number}", code) for number, code in enumerate(program.threads)]
    return threads if program.handler is None else [*threads, (HANDLER, program.handler)]


def _code(code: object) -> Code:
    assert isinstance(code, Code)  # asked before anything is written
    return code


def _require_data(program: Program) -> None:
    why = _why_not(program)
    if why is not None:
        raise UsageError(f"program {program.name!r} cannot be written as text: {why}")


def _why_not(program: Program) -> str | None:
    for name, code in _named_code(program):
        if not isinstance(code, Code):
            what = "its handler" if name == HANDLER else f"thread {name[1:]}"
            return f"{what} is a function, not a list of instructions"
        for item in code:
            if not _WORD.fullmatch(item.name) or not all(_IDENTIFIER.fullmatch(name) for name, _ in item.options):
                return f"the instruction {item} has a name that is not a word"
            values = [*item.args, *(value for _, value in item.options)]
            if any(isinstance(value, bool) or not isinstance(value, int | str) for value in values):
                return f"an operand of {item} is neither a number nor a text"
    for what, there in (("a final check", program.final), ("devices", program.devices), ("pages", program.pages)):
        if there:
            return f"it has {what}"
    if not all(isinstance(checker, str) for checker in program.checkers):
        return "it has a checker that is a function"
    return "its text is too long" if len(_text(program)) > MAX_CHARACTERS else None


def _usual_watch(program: Program) -> dict[int, int]:
    return {address: width for address, width, value in program.image if isinstance(value, int)}


def _number(value: int) -> str:
    return hex(value) if value > 255 else str(value)


def _init(address: int, width: int, value: int | bytes) -> str:
    if isinstance(value, bytes):
        return f'init {address:#x} = bytes "{value.hex()}"'
    return f"init {address:#x}{f' : {width}' if width != 4 else ''} = {_number(value)}"


def _item(address: int, width: int, value: int | bytes) -> str:
    shown = repr(value) if isinstance(value, bytes) or width == 4 else repr((value, width))
    return f"{address:#x}: {shown}"


def _value(value: int | str) -> str:
    if isinstance(value, int):
        return _number(value)
    return value if _WORD.fullmatch(value) else json.dumps(value)


def _cell(item: Ins) -> str:
    operands = [*map(_value, item.args), *(f"{name}={_value(value)}" for name, value in item.options)]
    target = "" if item.into is None else f"{_value(item.into)} = "
    return f"{target}{item.name} {', '.join(operands)}".rstrip()


def _call(item: Ins) -> str:
    if any(name in ("name", "into") for name, _ in item.options) or item.options != tuple(sorted(item.options)):
        return repr(item)  # nothing but itself says it
    parts = [repr(item.name), *(hex(a) if isinstance(a, int) and a > 255 else repr(a) for a in item.args)]
    parts += [] if item.into is None else [f"into={item.into!r}"]
    return f"ins({', '.join([*parts, *(f'{name}={value!r}' for name, value in item.options)])})"
