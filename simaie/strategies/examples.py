"""Generated programs, machines and failures, whose repr is the Python that creates them."""

from __future__ import annotations

from simaie.guest.program import Program
from simaie.guest.text import program_code
from simaie.machine import Machine
from simaie.replaying.failure import Failure

__all__ = ["GeneratedFailure", "GeneratedMachine", "GeneratedProgram"]


class GeneratedProgram(Program):
    """A program as data; its repr can be pasted where `Program` and `ins` of simaie are imported."""

    def __repr__(self) -> str:
        return program_code(self)


class GeneratedMachine(Machine):
    """A machine named by its scheme; its repr can be pasted where `Machine` of simaie is imported."""

    def __repr__(self) -> str:
        return _machine_code(self)


class GeneratedFailure(Failure):
    """A failure of a program as data; its repr can be pasted where `explore` is imported too, and runs into it."""

    def __repr__(self) -> str:
        script = {"schedule": self.trace.schedule.text}
        return (
            f"explore({program_code(self.program)}, {_machine_code(self.machine)}, "
            f"scheduler=('scripted', {script!r}), executions=1).failures[0]"
        )


def _machine_code(machine: Machine) -> str:
    usual = {"host": "sc", "full_system": False, "host_word": 64, "address_bits": None}
    parts = [repr(machine.scheme)]
    parts += [f"{name}={getattr(machine, name)!r}" for name, value in usual.items() if getattr(machine, name) != value]
    if not machine.endian_of_guest:
        parts.append(f"endian={machine.endian!r}")
    return f"Machine({', '.join(parts)})"
