"""What a litmus test may hold that cannot be run."""

from __future__ import annotations

from simaie.litmus.errors import LitmusError

__all__ = ["UnsupportedError"]


class UnsupportedError(LitmusError):
    """A litmus test that is well formed, but beyond what is simulated: nothing is guessed."""
