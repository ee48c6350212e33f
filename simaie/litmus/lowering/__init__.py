"""Litmus tests as programs: `lower` turns a test into a `Program`, and its outcomes back into herd7's states.

Each architecture is a dialect: one module that maps every instruction to a few `Ins`; `dialects` is the table of them.
Architectural registers, temporaries and flags are hidden registers of the program; only the registers of the test's
question are observed. A loop is cut after a number of rounds (`loops`), and the outcome records it. What cannot be run
raises an `UnsupportedError` with its position.
"""

from simaie.litmus.lowering.errors import UnsupportedError
from simaie.litmus.lowering.layout import FORMER_BASE
from simaie.litmus.lowering.lowered import ROUNDS, Lowered, lower

__all__ = ["FORMER_BASE", "ROUNDS", "Lowered", "UnsupportedError", "lower"]
