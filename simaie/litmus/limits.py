"""All limits of the reader; a file beyond a limit is refused with a message that names the limit."""

from __future__ import annotations

from typing import Final

__all__ = ["ARRAY_LENGTH", "CELL_LENGTH", "DIGITS", "FILE_BYTES", "NESTING", "THREADS"]

FILE_BYTES: Final = 1 << 20
THREADS: Final = 64
NESTING: Final = 100
"""Levels of a proposition's tree; a chain of conjunctions is one level."""
ARRAY_LENGTH: Final = 4096
DIGITS: Final = 40
"""Characters of a number: enough for 128 bits in decimal."""
CELL_LENGTH: Final = 400
"""Characters of one instruction with its labels."""
