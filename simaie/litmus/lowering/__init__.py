"""Litmus tests as programs: `lower` turns what was read into a `Program` and back its outcomes into herd7's states.

Each architecture is a dialect, one module that gives every instruction a few `Ins`; `dialects` is the table of them.
Architectural registers, temporaries and flags are hidden registers of the program; only what the test asks for is
observed. A loop is cut after a number of rounds (`loops`), and the outcome says so. What cannot be run is one
`UnsupportedError` that says where.
"""

from simaie.litmus.lowering.errors import UnsupportedError
from simaie.litmus.lowering.lowered import ROUNDS, Lowered, lower

__all__ = ["ROUNDS", "Lowered", "UnsupportedError", "lower"]
