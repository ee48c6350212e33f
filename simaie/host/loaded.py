"""Numbers that carry the loads on which they depend, through the Python code of guests and schemes.

On a host that reorders loads, the order of two accesses depends on data, address and control dependencies. A load there
returns a `Loaded`. Arithmetic carries the dependencies on. Code that asks what the number is (``if``, ``int()``, an
index, a hash) depends on it by control from then on, and so do all later stores of the vCPU: `Control` collects that.

A number has two sets of dependencies, each a mask with one bit for each operation of its vCPU:

- by data: what was computed from what;
- by choice: in addition the conditions by which one instruction chose between its operands (CSEL, CAS of Armv8). They
  come before stores, but not before loads ("pick dependencies" in the Armv8 model).

It is a class of its own, and no int: C code reads the value of a subclass of int without asking it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = [
    "LOADED", "Control", "Loaded", "choices_of", "data_of", "joined", "lift", "like", "plain", "select", "stepping",
    "truth",
]  # fmt: skip


class Control:
    """What one vCPU has branched on so far.

    Attributes:
        mask: The operations on which later operations depend by control.
    """

    __slots__ = ("mask",)

    def __init__(self) -> None:
        self.mask = 0


class _Stepping:
    """Which vCPU is running: one at a time, as between two operations no other code runs."""

    __slots__ = ("control",)

    def __init__(self) -> None:
        self.control = Control()


_NOW = _Stepping()


class stepping:
    """A context in which what is branched on is added to `control`.

    Args:
        control: The control dependencies of the vCPU whose code runs inside.
    """

    __slots__ = ("_before", "_control")

    def __init__(self, control: Control) -> None:
        self._control = control

    def __enter__(self) -> None:
        self._before, _NOW.control = _NOW.control, self._control

    def __exit__(self, *error: object) -> None:
        _NOW.control = self._before


class Loaded:
    """A number that was loaded, or computed from such numbers.

    Args:
        value: The number.
        data: The operations on which it depends by data.
        choices: The operations on which it depends by data or by a choice; includes `data`.
    """

    __slots__ = ("choices", "data", "value")

    def __init__(self, value: Any, data: int, choices: int = 0) -> None:
        self.value, self.data, self.choices = value, data, data | choices

    def __bool__(self) -> bool:
        _NOW.control.mask |= self.choices
        return bool(self.value)

    def __index__(self) -> int:
        _NOW.control.mask |= self.choices
        return operator.index(self.value)

    def __hash__(self) -> int:
        _NOW.control.mask |= self.choices
        return hash(self.value)

    def __int__(self) -> int:
        return self.__index__()

    def __float__(self) -> float:
        return float(self.__index__())

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __neg__(self) -> Loaded:
        return Loaded(-self.value, self.data, self.choices)

    def __pos__(self) -> Loaded:
        return self

    def __abs__(self) -> Loaded:
        return Loaded(abs(self.value), self.data, self.choices)

    def __invert__(self) -> Loaded:
        return Loaded(~self.value, self.data, self.choices)

    def bit_length(self) -> Loaded:
        """Return the number of bits of the number, with its dependencies."""
        return Loaded(self.value.bit_length(), self.data, self.choices)

    def bit_count(self) -> Loaded:
        """Return the number of ones in the number, with its dependencies."""
        return Loaded(self.value.bit_count(), self.data, self.choices)


#: The class `Loaded`, for code that asks for the type of a number that is declared as an int.
LOADED: Any = Loaded


def _binary(function: Callable[[Any, Any], Any]) -> tuple[Callable[..., Loaded], Callable[..., Loaded]]:
    """Return the methods of `Loaded` for a binary operator: with the number on the left, and on the right."""

    def left(self: Loaded, other: Any) -> Loaded:
        if type(other) is Loaded:
            value = function(self.value, other.value)
            return Loaded(value, self.data | other.data, self.choices | other.choices)
        return Loaded(function(self.value, other), self.data, self.choices)

    def right(self: Loaded, other: Any) -> Loaded:
        return Loaded(function(other, self.value), self.data, self.choices)

    return left, right


for _name in ("add", "sub", "mul", "and_", "or_", "xor", "lshift", "rshift", "floordiv", "mod", "pow"):
    _left, _right = _binary(getattr(operator, _name))
    setattr(Loaded, f"__{_name.rstrip('_')}__", _left)
    setattr(Loaded, f"__r{_name.rstrip('_')}__", _right)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Loaded, f"__{_name}__", _binary(getattr(operator, _name))[0])


def plain(value: Any) -> Any:
    """Return `value` without its dependencies, which are not used by that."""
    return value.value if type(value) is Loaded else value


def data_of(value: Any) -> int:
    """Return the operations on which `value` depends by data."""
    return value.data if type(value) is Loaded else 0


def choices_of(value: Any) -> int:
    """Return the operations on which `value` depends by data or by a choice."""
    return value.choices if type(value) is Loaded else 0


def lift(function: Callable[..., Any], *values: Any) -> Any:
    """Return ``function(*values)``, computed from plain values, with the dependencies of all of them."""
    data = choices = 0
    for value in values:
        if type(value) is Loaded:
            data |= value.data
            choices |= value.choices
    if not choices:
        return function(*values)
    return Loaded(function(*map(plain, values)), data, choices)


def joined(function: Callable[[Any, Any], int], one: Any, other: Any, mask: int) -> Any:
    """Return ``function(one, other) & mask`` as `lift` does; most instructions of a program as data are this."""
    data = choices = 0
    if type(one) is Loaded:
        data, choices, one = one.data, one.choices, one.value
    if type(other) is Loaded:
        data, choices, other = data | other.data, choices | other.choices, other.value
    value = function(one, other) & mask
    return Loaded(value, data, choices) if choices else value


def like(value: int, source: Any) -> Any:
    """Return the plain number `value` with the dependencies of `source`."""
    return Loaded(value, source.data, source.choices) if type(source) is Loaded else value


def truth(value: Any) -> Any:
    """Return whether `value` is true: a bool, or a `Loaded` one that is not asked yet."""
    return lift(bool, value)


def select(condition: Any, chosen: Any, other: Any) -> Any:
    """Return `chosen` if the condition is true and `other` if not: one instruction that chooses, not a branch.

    The result depends on the chosen value by data, and on the condition by choice.
    """
    picked = chosen if plain(condition) else other
    if type(condition) is not Loaded:
        return picked
    return Loaded(plain(picked), data_of(picked), choices_of(picked) | condition.choices)
