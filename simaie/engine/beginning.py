"""The state that an execution begins with, as schedulers may ask for it."""

from __future__ import annotations

from simaie.guest.program import Program
from simaie.host.ram import Endian
from simaie.machine import Machine
from simaie.op import device_name
from simaie.protocols import HostMemory

__all__ = ["Beginning"]


class Beginning:
    """What every execution of `program` on `machine` begins with. The memory is made when it is first asked for."""

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
        """The names of the actors that a stopped world does not stop."""
        return tuple([device_name(number) for number in range(len(self._program.devices))])

    def read(self, address: int, width: int) -> int:
        """What the `width` bytes of RAM at `address` hold before the first step."""
        if self._memory is None:
            self._memory = self._machine.make_memory(self._program)
        return self._memory.read(address, width)
