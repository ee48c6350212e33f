"""Checks of arguments: each raises a UsageError that names the argument and shows its value.

They are for functions that are called once per program, machine or exploration. The operands of guest instructions are
checked only when they turn out to be wrong; see `simaie.engine.misuse`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from simaie.errors import UsageError

__all__ = [
    "ADDRESS_LIMIT",
    "is_integer",
    "require_address",
    "require_at_least_one",
    "require_at_most",
    "require_bool",
    "require_callable",
    "require_count",
    "require_instance",
    "require_integer",
    "require_iterable",
    "require_mapping",
    "require_one_of",
    "require_path",
    "require_positive",
    "require_sequence",
    "require_text",
    "shown",
]

T = TypeVar("T")

#: The first integer that is too large for a guest address, which has 64 bits at most.
ADDRESS_LIMIT = 1 << 64


def is_integer(value: object) -> bool:
    """Whether `value` is an integer but not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def require_instance(what: str, value: object, kind: type[T], advice: str) -> T:
    """Return `value` if it is a `kind`; else raise UsageError. advice: what it must be, for the message."""
    if not isinstance(value, kind):
        raise UsageError(f"{what} must be {advice}, not {shown(value)}")
    return value


def require_integer(what: str, value: Any) -> int:
    """Return `value` if it is an integer but not a bool; else raise UsageError."""
    if not is_integer(value):
        raise UsageError(f"{what} must be an integer, not {shown(value)}")
    return int(value)


def require_address(what: str, value: Any) -> int:
    """Return `value` if it is an address of at most 64 bits; else raise UsageError."""
    if not is_integer(value) or not 0 <= value < ADDRESS_LIMIT:
        raise UsageError(f"{what} must be a non-negative integer of at most 64 bits, not {shown(value)}")
    return int(value)


def require_bool(**flags: object) -> None:
    """Raise UsageError for the first flag that is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be True or False, not {shown(value)}")


def require_text(what: str, value: object) -> str:
    """Return `value` if it is a string; else raise UsageError."""
    return require_instance(what, value, str, "a string")


def require_callable(what: str, value: object) -> None:
    """Raise UsageError unless `value` can be called."""
    if not callable(value):
        raise UsageError(f"{what} must be a function, not {shown(value)}")


def require_sequence(what: str, value: Any, of: str) -> Sequence[Any]:
    """Return `value` if it is a list, a tuple or another sequence, but no text; else raise UsageError.

    Args:
        what: The name of the argument, for the message.
        value: Its value.
        of: What its items must be, for the message.
    """
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise UsageError(f"{what} must be a list of {of}, not {shown(value)}{_in_a_list(value)}")
    return value


def require_iterable(what: str, value: Any, of: str) -> Iterable[Any]:
    """Return `value` if it is an iterable with a fixed order, but no text or mapping; else raise UsageError."""
    unordered = isinstance(value, Collection) and not isinstance(value, Sequence | Mapping)
    if isinstance(value, str | bytes | bytearray | Mapping) or unordered or not isinstance(value, Iterable):
        raise UsageError(f"{what} must be a list of {of}, not {shown(value)}{_in_a_list(value)}")
    return value


def require_mapping(what: str, value: Any, like: str) -> Mapping[Any, Any]:
    """Return `value` if it is a dict or another mapping; else raise UsageError. like: an example, for the message."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} must be a dict such as {like}, not {shown(value)}")
    return value


def require_path(what: str, value: Any) -> str:
    """Return the path `value` as text; UsageError if it is no path."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise UsageError(f"{what} must be a path, not {shown(value)}")
    return os.fspath(value)


def require_positive(**limits: int | float | None) -> None:
    """Raise UsageError for the first limit that is not a positive number; None means "not given"."""
    for name, value in limits.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UsageError(f"{name} must be a positive number, not {shown(value)}")


def require_count(**counts: object) -> None:
    """Raise UsageError for the first count that is not a positive integer; None means "not given"."""
    for name, value in counts.items():
        if value is not None:
            require_at_least_one(name, value)


def require_at_least_one(what: str, value: Any) -> None:
    """Raise UsageError unless `value` is a positive integer; None is not accepted."""
    if type(value) is not int or value < 1:
        raise UsageError(f"{what} must be a positive integer, not {shown(value)}")


def require_at_most(most: int, **counts: int | None) -> None:
    """Raise UsageError for the first count that is larger than `most`; None means "not given".

    Larger counts would exhaust memory or time.
    """
    for name, value in counts.items():
        if value is not None and value > most:
            raise UsageError(f"{name} must be at most {most:,}, not {shown(value)}")


def require_one_of(what: str, value: object, allowed: Sequence[object]) -> None:
    """Raise UsageError unless `value` is among `allowed`."""
    if value not in allowed:
        raise UsageError(f"{what} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}")


def _in_a_list(value: object) -> str:
    return f": write [{value!r}]" if isinstance(value, str) else ": write [...] around it" if callable(value) else ""


def shown(value: object) -> str:
    """Return `value` as messages show it: without its address in memory and cut after 80 characters.

    Of a huge integer only its size is shown.
    """
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"a number of {value.bit_length()} bits"
    try:
        text = _ADDRESS.sub("", repr(value))
    except Exception:  # the user's `__repr__` raised
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST, _MOST_BITS = 80, 256
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # it differs in each process
