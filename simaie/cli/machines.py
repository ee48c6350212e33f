"""What options of the command line mean for programs and machines."""

from __future__ import annotations

import sys

from simaie.binary.scenario import Scenario
from simaie.cli.status import complain
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.replaying.machines import MachineOptions, host_of, make_machine
from simaie.replaying.machines import load_program as load_quietly
from simaie.replaying.run import Driver
from simaie.replaying.target import compiler_command

__all__ = ["MachineOptions", "driver_of", "load_program", "make_machine", "mention_host"]


def load_program(target: str, *, trust: bool = False, scenario: Scenario | None = None) -> Program:
    """Return the program that `target` names; show on stderr by which command a C file was compiled.

    The arguments and errors are those of `simaie.replaying.machines.load_program`.
    """
    program = load_quietly(target, trust=trust, scenario=scenario)
    if (command := compiler_command(program)) is not None:
        print(f"compiled by: {command}", file=sys.stderr)
    return program


def mention_host(target: str, options: MachineOptions, machine: Machine) -> None:
    """Say on stderr which host a program of the corpus needs, if no host was chosen and the machine has another."""
    needed = host_of(target)
    if options.host is None and needed not in (None, machine.host):
        shows = f"needs --host {needed} to show what it is about"
        complain(f"{target} {shows}; without the option it runs on {machine.host}")


def driver_of(name: str | None) -> Driver | None:
    """Return the driver that an option names; None if the option was not given."""
    return None if name is None else "trio" if name == "trio" else "inline"
