"""Which instructions a program as data can have, and with which operands: one table for each instruction set.

The table is read off the methods of the vCPU: what a method takes is what its instruction takes, and the widths that
it declares (see `has_widths`) are those that it accepts. An instruction whose operands are no data (a function, a
thread, a page) is not in it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

from simaie.arguments import shown
from simaie.errors import UsageError

__all__ = [
    "HIGHEST", "LOWEST", "MAX_ARITY", "WIDTHS", "Operand", "Row", "accepts", "has_widths", "number_refusal",
    "rows_of", "takes",
]  # fmt: skip

Operand: TypeAlias = int | str

WIDTHS = (1, 2, 4, 8, 16)
#: Numbers of a program are those that 16 bytes hold, signed or unsigned.
LOWEST, HIGHEST = -(1 << 127), (1 << 128) - 1
#: A choice has no more alternatives: a search keeps and tries each of them.
MAX_ARITY = 1 << 12

#: Methods that are no instructions of a list: `observe` is a register instruction there (see
#: `simaie.guest.register_instructions`), and `spawn` starts the list itself.
_LOCAL = frozenset({"observe", "spawn"})
#: By the name of a parameter, the constants that it may be in every method; see also `takes`.
_CONSTANTS: Mapping[str, tuple[int, ...]] = {
    "carry": (0, 1), "aq": (0, 1), "rl": (0, 1), "immediate": (0, 1), "zero": (0, 1), "register": (4, 8),
    "stype": tuple(range(32)),
}  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def has_widths(*widths: int) -> Callable[[F], F]:
    """Declare that the instruction which the decorated method carries out exists in these widths, in bytes only."""

    def declare(method: F) -> F:
        method.widths = widths  # type: ignore[attr-defined]  # read by `rows_of`
        return method

    return declare


def takes(**constants: tuple[int, ...]) -> Callable[[F], F]:
    """Declare which constants the decorated method takes for an operand or option, by the name of its parameter."""

    def declare(method: F) -> F:
        method.constants = constants  # type: ignore[attr-defined]  # read by `rows_of`
        return method

    return declare


def accepts(check: Callable[[str], object]) -> Callable[[F], F]:
    """Declare that the texts which the decorated method takes are those for which ``check`` raises no UsageError."""

    def declare(method: F) -> F:
        method.accepts = check  # type: ignore[attr-defined]  # read by `rows_of`
        return method

    return declare


class Parameter(NamedTuple):
    """What an instruction takes in one place.

    name: of the option, and for messages. keyword: whether it is an option (``name=value``) only. constants: what it
    may be, if that is few; else `least` to `most`. text: whether it is a text; texts are options, since a text among
    the operands names a register. check: raises UsageError for a text that it may not be.
    """

    name: str
    required: bool
    keyword: bool
    constants: tuple[int, ...] = ()
    least: int = LOWEST
    most: int = HIGHEST
    text: bool = False
    check: Callable[[str], object] | None = None

    @property
    def shown(self) -> str:
        """Return the operand as a list of operands shows it, in brackets if it is optional."""
        name = f"{self.name}=" if self.keyword or self.text else self.name
        return name if self.required else f"[{name}]"

    def refusal(self, value: Operand, *, option: bool) -> str:
        """Return why `value` is not allowed for this operand; empty if it is. option: whether it is passed by name."""
        if self.text:
            return self._text_refusal(value, option)
        if isinstance(value, str) and not self.constants:
            return f"{self.name}={value!r}: an option is a number, not the name of a register" if option else ""
        if self.constants:
            fits = isinstance(value, int) and value in self.constants
            return "" if fits else f"{self.name} must be one of {', '.join(map(str, self.constants))}, not {value!r}"
        if not isinstance(value, int) or not self.least <= value <= self.most:
            return f"{self.name} must be a number from {self.least:#x} to {self.most:#x}, not {shown(value)}"
        return ""

    def _text_refusal(self, value: Operand, option: bool) -> str:
        if not option:
            return f"{self.name} is a text and given by name: {self.name}=..."
        if not isinstance(value, str):
            return f"{self.name} must be a string, not {shown(value)}"
        try:
            if self.check is not None:
                self.check(value)
        except UsageError as error:
            return str(error)
        return ""


class Row(NamedTuple):
    """An instruction: its mnemonic, what it takes, and whether it has a result for a register."""

    mnemonic: str
    parameters: tuple[Parameter, ...]
    result: bool

    @property
    def shown(self) -> str:
        """What it takes, for messages."""
        return ", ".join(parameter.shown for parameter in self.parameters) or "no operands"

    def refusal(self, args: tuple[Operand, ...], options: tuple[tuple[str, Operand], ...], into: str | None) -> str:
        """Why it cannot have these operands, options and target; empty if it can."""
        if into is not None and not self.result:
            return "it has no result for a register"
        places = [parameter for parameter in self.parameters if not parameter.keyword]
        if len(args) > len(places):
            return f"it has {len(places)} operands at most, not {len(args)}"
        given = dict(zip(places, args, strict=False))
        for parameter, value in given.items():
            if why := parameter.refusal(value, option=False):
                return why
        return self._refused_option(options, {parameter.name for parameter in given})

    def _refused_option(self, options: tuple[tuple[str, Operand], ...], given: set[str]) -> str:
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in options:
            if name not in known:
                return f"it has no option {name!r}"
            if name in given:
                return f"{name} is given twice"
            given.add(name)
            if why := known[name].refusal(value, option=True):
                return why
        missing = [each.name for each in self.parameters if each.required and each.name not in given]
        return f"{missing[0]} is missing" if missing else ""


@cache
def rows_of(cpu_class: Any) -> Mapping[str, Row]:
    """Return the instructions of the vCPU class `cpu_class` that are data, by mnemonic."""
    rows = (_row(name, getattr(cpu_class, name)) for name in cpu_class.instruction_names() if name not in _LOCAL)
    return {row.mnemonic: row for row in rows if row is not None}


def _row(mnemonic: str, method: Any) -> Row | None:
    hints = typing.get_type_hints(method)
    parameters = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        kind = hints[parameter.name]
        if kind not in (int, str, bool):
            return None
        parameters.append(_parameter(parameter, kind, method))
    return Row(mnemonic, tuple(parameters), _has_result(hints["return"]))


def _parameter(parameter: inspect.Parameter, kind: type, method: Any) -> Parameter:
    name, keyword = parameter.name, parameter.kind is parameter.KEYWORD_ONLY
    required = parameter.default is parameter.empty
    if kind is str:
        return Parameter(name, required, keyword, text=True, check=getattr(method, "accepts", None))
    if name == "width":
        return Parameter(name, required, keyword, getattr(method, "widths", WIDTHS))
    if name == "arity":
        return Parameter(name, required, keyword, least=1, most=MAX_ARITY)
    own: Mapping[str, tuple[int, ...]] = getattr(method, "constants", {})
    flag = (False, True) if kind is bool else ()
    return Parameter(name, required, keyword, own.get(name) or _CONSTANTS.get(name, flag))


def _has_result(returned: Any) -> bool:
    """Whether what a method returns, or what the coroutine that it returns does, is anything."""
    arguments = typing.get_args(returned)
    return (arguments[-1] if arguments else returned) not in (None, type(None))


def number_refusal(value: object) -> str:
    """Return why `value` is no number of a program as data; empty if it is one."""
    if type(value) not in (int, bool):
        return f"{value!r} is neither a number nor a text"
    assert isinstance(value, int)
    return "" if LOWEST <= value <= HIGHEST else f"a number has at most 128 bits, not {shown(value)}"

