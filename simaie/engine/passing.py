"""Exceptions that pass through an execution unchanged, because the user's code did not raise them.

Any other exception of a guest, a scheme or a scheduler ends the execution with an error that says whose it was. This
holds even if it does not derive from Exception: `sys.exit` in a guest must not end the process as if all was well.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = ["PASSING", "Spinning"]


class Spinning(BaseException):
    """The exception that the watchdog raises inside a spinning guest, as a new subclass with the place; internal."""

    vcpu: ClassVar[str] = ""
    where: ClassVar[str] = ""
    seconds: ClassVar[float] = 0.0


PASSING = (KeyboardInterrupt, Spinning)
