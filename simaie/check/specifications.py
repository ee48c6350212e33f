"""Sequential specifications: what an object does, one call after the other, for `simaie.check.linearizability`.

A specification consists of two parts without side effects: an initial state, and ``apply(state, name, args)``. The
latter returns the state after a call and the call's result; or None if the call cannot take effect in that state, as a
lock cannot while it is held. States must be hashable (numbers, tuples, frozensets), since visited states are
remembered. Any object with `initial` and `apply` is a specification. If it also has ``key(name, args)``, the calls of
each key are judged separately, which is much faster if an object is many independent ones (the members of a set).

| here | calls and results |
|---|---|
| `register` | ``read()`` = value; ``write(v)``; ``cas(expected, new)`` = whether it did |
| `counter` | ``add(n)`` = value before; ``increment()``; ``read()`` = value |
| `stack` | ``push(v)``; ``pop()`` = value, or `empty` |
| `queue` | ``enqueue(v)``; ``dequeue()`` = value, or `empty` |
| `set_` | ``add(v)``, ``remove(v)`` = whether it changed; ``contains(v)`` |
| `mutex` | ``lock()``; ``try_lock()`` = whether it did; ``unlock()`` |

A call without a result returns None: ``call.returns()``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

import msgspec

__all__ = ["Specification", "counter", "mutex", "queue", "register", "set_", "stack"]

NextState: TypeAlias = tuple[Any, Any] | None
_Operations: TypeAlias = dict[str, Callable[..., NextState]]


class Specification(msgspec.Struct, frozen=True):
    """A sequential specification; see the module's docstring.

    Attributes:
        name: Name for messages.
        initial: The initial state.
        apply: Returns (state, result) of a call (state, name, args), or None if it cannot take effect.
        key: Returns the key of a call (name, args), or None; without it all calls are judged together.
    """

    name: str
    initial: Hashable
    apply: Callable[[Any, str, tuple[Any, ...]], NextState]
    key: Callable[[str, tuple[Any, ...]], Hashable] | None = None


def _specification(
    name: str, initial: Hashable, operations: _Operations, key: Callable[..., Hashable] | None = None
) -> Specification:
    """Create a specification from functions of the state and the arguments, by the call's name."""

    def apply(state: Any, call: str, args: tuple[Any, ...]) -> NextState:
        if call not in operations:
            raise ValueError(f"it has no call {call!r}, only {', '.join(sorted(operations))}")
        return operations[call](state, *args)

    return Specification(name, initial, apply, key)


def register(initial: Hashable = 0) -> Specification:
    """Return the specification of a register: one value."""
    return _specification(
        "register",
        initial,
        {
            "read": lambda value: (value, value),
            "write": lambda value, new: (new, None),
            "cas": lambda value, expected, new: (new, True) if value == expected else (value, False),
        },
    )


def counter(initial: int = 0) -> Specification:
    """Return the specification of a counter without bounds."""
    return _specification(
        "counter",
        initial,
        {
            "add": lambda value, by: (value + by, value),
            "increment": lambda value: (value + 1, None),
            "read": lambda value: (value, value),
        },
    )


def stack(empty: Hashable = None) -> Specification:
    """Return the specification of a stack without bounds; ``pop()`` of an empty one returns `empty`."""
    return _specification(
        "stack",
        (),
        {
            "push": lambda values, value: ((*values, value), None),
            "pop": lambda values: (values[:-1], values[-1]) if values else (values, empty),
        },
    )


def queue(empty: Hashable = None) -> Specification:
    """Return the specification of a queue without bounds; ``dequeue()`` of an empty one returns `empty`."""
    return _specification(
        "queue",
        (),
        {
            "enqueue": lambda values, value: ((*values, value), None),
            "dequeue": lambda values: (values[1:], values[0]) if values else (values, empty),
        },
    )


def set_() -> Specification:
    """Return the specification of a set of values, each judged separately: the state is whether it is a member."""
    return _specification(
        "set",
        False,
        {
            "add": lambda member, value: (True, not member),
            "remove": lambda member, value: (False, bool(member)),
            "contains": lambda member, value: (member, bool(member)),
        },
        key=lambda name, args: args[:1],
    )


def mutex() -> Specification:
    """Return the specification of a mutex, which is held or free."""
    return _specification(
        "mutex",
        False,
        {
            "lock": lambda held: None if held else (True, None),
            "try_lock": lambda held: (True, not held),
            "unlock": lambda held: (False, None) if held else None,
        },
    )
