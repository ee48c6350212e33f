"""What a thread calls, as text: ``"push:1 pop push:2"``, functions with their arguments."""

from __future__ import annotations

from typing import NamedTuple

from simaie.binary.image import Image
from simaie.errors import UsageError

__all__ = ["MOST_ARGUMENTS", "CCall", "parse_calls"]

MOST_ARGUMENTS = 8


class CCall(NamedTuple):
    """A call of a function of a program.

    Attributes:
        function: The name of the function.
        entry: Its address; on Arm the lowest bit is 1 for Thumb.
        arguments: Integers, or addresses of variables.
    """

    function: str
    entry: int
    arguments: tuple[int, ...]


def parse_calls(image: Image, text: str) -> tuple[CCall, ...]:
    """Return the calls that a text names: ``FUNCTION:ARGUMENT:ARGUMENT``, separated by spaces.

    An argument is a number (``7``, ``-1``, ``0x10``) or ``&NAME``, the address of a variable.

    Raises:
        UsageError: The text is no such list.
        UnknownNameError: There is no such function or variable.
    """
    if not isinstance(text, str) or not text.split():
        raise UsageError(f"a thread is a text of calls, such as 'push:1 pop', not {text!r}")
    return tuple(_call(image, word) for word in text.split())


def _call(image: Image, word: str) -> CCall:
    name, *given = word.split(":")
    entry = image.require(name, function=True).address
    if len(given) > MOST_ARGUMENTS:
        raise UsageError(f"{word}: at most {MOST_ARGUMENTS} arguments can be passed, not {len(given)}")
    known = image.signatures.get(name)
    if known is not None and known.takes_registers(image.abi.word) and len(known.parameters) != len(given):
        count = len(known.parameters)
        example = ":".join([name, *map(str, range(1, count + 1))])
        takes = "no argument" if not count else "1 argument" if count == 1 else f"{count} arguments"
        raise UsageError(f"{word}: {name} takes {takes}, not {len(given)}, as in {example}")
    return CCall(name, entry, tuple(_argument(image, word, text) for text in given))


def _argument(image: Image, word: str, text: str) -> int:
    if text.startswith("&"):
        return image.require(text[1:], function=False).address
    try:
        value = int(text, 0)
    except ValueError:
        raise UsageError(f"{word}: an argument is a number or &VARIABLE, not {text!r}") from None
    if not -(1 << 63) <= value < 1 << 64:
        raise UsageError(f"{word}: the argument {text} has more than 64 bits")
    return value
