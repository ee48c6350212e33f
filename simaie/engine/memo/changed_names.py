"""Names of the variables through which guests change Python objects, for errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import Any

from simaie.engine.readable import Unreadable
from simaie.engine.reading import Reader
from simaie.guest.code import Code

__all__ = ["VariablesOfGuests"]


class VariablesOfGuests:
    """The variables outside the functions of guests that these name, with the values at the beginning.

    Args:
        guests: The code of the vCPUs, in their order; what is no function has no such variables.
    """

    def __init__(self, guests: Sequence[Any]) -> None:
        self._guests = guests
        self._values = [{name: _tokens(value) for name, value in _variables(code)} for code in guests]

    def changed(self) -> str:
        """Return which variables hold another value now, and which vCPUs use them; empty if none is known to."""
        users: dict[str, list[str]] = {}
        for vcpu, code in enumerate(self._guests):
            for name, value in _variables(code):
                if _tokens(value) != self._values[vcpu].get(name):
                    users.setdefault(name, []).append(str(vcpu))
        return "; ".join(
            f"{name!r}, which the code of vCPU{'s' if len(vcpus) > 1 else ''} {' and '.join(vcpus)} uses"
            for name, vcpus in users.items()
        )


def _variables(code: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(code, Code) or not isinstance(code, FunctionType):
        return
    for name in dict.fromkeys(code.__code__.co_names):
        if name in code.__globals__:
            yield name, code.__globals__[name]
    for name, cell in zip(code.__code__.co_freevars, code.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it is empty still
            continue


def _tokens(value: Any) -> list[Any] | None:
    reader = Reader()
    try:
        reader.value(value)
        reader.finish()
    except Unreadable:
        return None
    return reader.tokens
