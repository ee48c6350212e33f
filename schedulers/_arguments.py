"""Checking what a scheduler is constructed with."""

from __future__ import annotations

from simaie.errors import UsageError

__all__ = ["require_count"]


def require_count(**counts: object) -> None:
    """Raise UsageError for the first that is not a positive integer; None means "not given"."""
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(f"{name} must be a positive integer, not {value!r}")
