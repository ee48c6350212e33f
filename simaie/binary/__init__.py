"""Compiled guests: programs whose threads are functions of an ELF file.

Machine code is translated to Python: arithmetic, control flow and plain accesses by way of Sleigh's P-code (package
pypcode), atomic and ordering instructions by tables of our own, so that each becomes the method of the vCPU that has
its name. What goes through a scheme is then exactly what an emulator such as QEMU sends through its helpers.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from simaie.lazy import lazy_names

if TYPE_CHECKING:
    from simaie.binary.program import BinaryProgram, binary_program

__all__ = ["INCLUDE", "BinaryProgram", "binary_program"]

#: The folder of the header ``simaie.h``, for the option ``-I`` of a compiler.
INCLUDE = Path(__file__).resolve().parents[1] / "include"

# Reading and translating code takes longer to import than most commands need.
__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(("BinaryProgram", "binary_program"), "simaie.binary.program")
)
