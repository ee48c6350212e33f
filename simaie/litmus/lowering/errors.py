"""The error for parts of a litmus test that cannot be run."""

from __future__ import annotations

from simaie.litmus.errors import LitmusError

__all__ = ["UnsupportedError"]


class UnsupportedError(LitmusError):
    """A litmus test that is well formed but has parts that are not simulated; nothing is guessed."""
