"""Exceptions that are no answer of the user's code: they pass through an execution as they are.

Everything else that a guest, a scheme or a scheduler raises ends the execution with an error that says whose it was,
also what does not derive from Exception: `sys.exit` in a guest must not end the process as if all was well.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = ["PASSING", "Spinning"]


class Spinning(BaseException):
    """What is raised inside a spinning guest: each time a subclass of its own that knows where. Never leaves simaie."""

    vcpu: ClassVar[str] = ""
    where: ClassVar[str] = ""
    seconds: ClassVar[float] = 0.0


PASSING = (KeyboardInterrupt, Spinning)
