"""The guest instruction sets, by name: plug-ins of the entry-point group ``simaie.isas``.

Each is one class that derives from `simaie.guest.cpu.Cpu`. The class has all that simaie knows of the instruction set:
its instructions, and as attributes the width of registers and addresses, the byte order, the memory order, the
guarantees of single-copy atomicity, the rule of reservations, and the forms of generated programs.

A class of a Python file, ``FILE.py:CLASS``, is an instruction set too, as soon as a program names it. Traces and
program texts, which may come from anywhere, cause no import of such a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simaie import plugins
from simaie.errors import UsageError
from simaie.guest.cpu import Cpu

__all__ = ["ISAS", "find_isa", "isa_class", "isa_name"]

#: The classes that were asked for, by the name of their instruction set.
_found: dict[str, type[Cpu]] = {}


def isa_class(name: str) -> type[Cpu]:
    """Return the vCPU class of an instruction set.

    Args:
        name: A registered name, or ``FILE.py:CLASS``.

    Raises:
        UnknownNameError: There is no such instruction set.
        UsageError: The name is that of something else than a vCPU class.
        InputError: The file cannot be imported, or has no such class.
    """
    known = _found.get(name) if isinstance(name, str) else None
    if known is None:
        known = _found[name] = _checked(name, plugins.resolve(plugins.ISAS, name))
    return known


def find_isa(name: str) -> type[Cpu] | None:
    """Return the vCPU class of an instruction set, registered or in use; None for another name. It imports no file."""
    return isa_class(name) if name in _found or name in plugins.names(plugins.ISAS) else None


def isa_name(isa: str | type[Cpu]) -> str:
    """Return the name of the instruction set that a name or a vCPU class stands for.

    Raises:
        UsageError: The class has no name: it is not registered, and no Python file has it as a global.
    """
    if not isinstance(isa, type):
        return isa
    spec = plugins.spec_for(plugins.ISAS, isa)
    if spec is None:
        raise UsageError(f"{isa.__name__} must be a global of a Python file, so that its instruction set has a name")
    _found[spec.name] = _checked(spec.name, isa)
    return spec.name


def _checked(name: str, found: object) -> type[Cpu]:
    if not (isinstance(found, type) and issubclass(found, Cpu)):
        raise UsageError(f"the instruction set {name} must be a class that derives from simaie.Cpu, not {found!r}")
    if name in plugins.names(plugins.ISAS) and found.isa != name:
        raise UsageError(f"{found.__name__} is registered as {name!r}, but its attribute isa is {found.isa!r}")
    return found


class _Registered(Mapping[str, type[Cpu]]):
    """The registered instruction sets; each module is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Cpu]:
        if name not in plugins.names(plugins.ISAS):
            raise KeyError(name)
        return isa_class(name)

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names(plugins.ISAS))

    def __len__(self) -> int:
        return len(plugins.names(plugins.ISAS))


#: The registered instruction sets by name.
ISAS: Mapping[str, type[Cpu]] = _Registered()
