"""What options of the command line mean for programs and machines."""

from __future__ import annotations

from simaie.replaying.machines import MachineOptions, load_program, make_machine
from simaie.replaying.run import Driver

__all__ = ["MachineOptions", "driver_of", "load_program", "make_machine"]


def driver_of(name: str | None) -> Driver | None:
    """Return the driver that an option names; None if the option was not given."""
    return None if name is None else "trio" if name == "trio" else "inline"
