"""Which cells are parts of an object that was loaded as a pointer: their address depends on that load."""

from __future__ import annotations

from typing import Any

__all__ = ["PLAIN", "reaches"]

#: The types of values that have no parts.
PLAIN = frozenset({int, str, bool, bytes, float})


def reaches(owner: Any, cell: Any, depth: int = 2) -> bool:
    """Whether `cell` is a part of an object, or of one of its parts: to find it, one has to have the object."""
    for part in _parts(owner):
        if part is cell:
            return True
        if depth and type(part) not in PLAIN and part is not None and _reaches_in(part, cell, depth - 1):
            return True
    return False


def _reaches_in(part: Any, cell: Any, depth: int) -> bool:
    if isinstance(part, dict):
        return any(each is cell for each in part.values())
    if isinstance(part, tuple | list):
        return any(each is cell for each in part)
    return type(part).__module__.startswith("simaie.aie") and reaches(part, cell, depth)


def _parts(owner: Any) -> list[Any]:
    names = [name for cls in type(owner).__mro__ for name in getattr(cls, "__slots__", ()) if isinstance(name, str)]
    found = [getattr(owner, name, None) for name in names]
    return [*found, *vars(owner).values()] if hasattr(owner, "__dict__") else found
