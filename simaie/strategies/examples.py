"""Programs and machines that print as the Python that makes them."""

from __future__ import annotations

from simaie.engine.machine import Machine
from simaie.guest.program import Program
from simaie.guest.text import program_code

__all__ = ["GeneratedMachine", "GeneratedProgram"]


class GeneratedProgram(Program):
    """A program as data; its repr can be pasted where `Program` and `ins` of simaie are imported."""

    def __repr__(self) -> str:
        return program_code(self)


class GeneratedMachine(Machine):
    """A machine named by its scheme; its repr can be pasted where `Machine` of simaie is imported."""

    def __repr__(self) -> str:
        parts = [repr(self.scheme)]
        usual = {"host": "sc", "full_system": False, "host_word": 64, "address_bits": None}
        parts += [f"{name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value]
        return f"Machine({', '.join(parts)})"
