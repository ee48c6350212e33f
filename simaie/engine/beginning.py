"""The initial state of an execution, for schedulers that ask for it."""

from __future__ import annotations

from simaie.guest.program import Program
from simaie.host.ram import Endian
from simaie.machine import Machine
from simaie.op import device_name
from simaie.protocols import HostMemory

__all__ = ["Beginning"]


class Beginning:
    """The initial state of every execution of `program` on `machine`, whose memory is made at the first read."""

    __slots__ = ("_machine", "_memory", "_program")

    def __init__(self, program: Program, machine: Machine) -> None:
        self._program = program
        self._machine = machine
        self._memory: HostMemory | None = None

    @property
    def endian(self) -> Endian:
        """The byte order of guest RAM."""
        return self._machine.endian

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of the actors that still step while the world is stopped."""
        return tuple([device_name(number) for number in range(len(self._program.devices))])

    def read(self, address: int, width: int) -> int:
        """Return the value of the `width` bytes of RAM at `address` before the first step."""
        if self._memory is None:
            self._memory = self._machine.make_memory(self._program)
        return self._memory.read(address, width)
