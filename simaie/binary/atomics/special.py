"""An atomic or ordering instruction as data: the method of the vCPU, what it takes, and where its result goes."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Address", "Part", "Special"]


class Part(NamedTuple):
    """The low bytes of a register, or a constant.

    Attributes:
        register: The register in Sleigh; empty for a constant.
        width: The number of bytes that count.
        value: The constant.
    """

    register: str
    width: int
    value: int = 0

    def __str__(self) -> str:
        return f"{self.register}:{self.width}" if self.register else hex(self.value)


class Address(NamedTuple):
    """The sum of registers and an offset, wrapped at the width of a pointer."""

    registers: tuple[str, ...]
    offset: int = 0

    def __str__(self) -> str:
        return "+".join([*self.registers, *([hex(self.offset)] if self.offset or not self.registers else [])])


class Special(NamedTuple):
    """One instruction.

    Attributes:
        size: In bytes.
        method: The name of the vCPU's method, such as ``ldaxr``. Two names are not methods: ``nop`` does nothing, and
            ``thread`` reads the thread pointer.
        address: The first argument; None for barriers and hints.
        values: The other arguments. Each is a number made of parts, the lowest first: a pair has two.
        options: The keyword arguments.
        plain: Positional arguments that are constants, such as the kind of a barrier.
        named: The keyword arguments whose values are in registers.
        into: The parts of registers that receive the result, the lowest first; a constant drops its bits.
        shift: The number of bits by which the result is shifted to the left, for condition registers.
        condition: The condition field of A32, by which the instruction is skipped; 14 for always.
        moved: A register and what is added to it afterwards, for an address that is written back; None if it is not.
    """

    size: int
    method: str
    address: Address | None = None
    values: tuple[tuple[Part, ...], ...] = ()
    options: tuple[tuple[str, int | str], ...] = ()
    plain: tuple[str | int, ...] = ()
    named: tuple[tuple[str, Part], ...] = ()
    into: tuple[Part, ...] = ()
    shift: int = 0
    condition: int = 14
    moved: tuple[str, int] | None = None

    def __str__(self) -> str:
        """The call as the golden table shows it."""
        given = [] if self.address is None else [str(self.address)]
        given += [",".join(map(str, value)) if len(value) == 1 else f"({','.join(map(str, value))})"
                  for value in self.values]  # fmt: skip
        given += [repr(value) for value in self.plain]
        given += [f"{name}={value!r}" for name, value in self.options]
        given += [f"{name}={part}" for name, part in self.named]
        result = f"{','.join(map(str, self.into))} = " if self.into else ""
        shift = f" << {self.shift}" if self.shift else ""
        condition = f" if {self.condition}" if self.condition != 14 else ""
        moved = f"; {self.moved[0]} += {self.moved[1]}" if self.moved else ""
        return f"{result}{self.method}({', '.join(given)}){shift}{condition}{moved}"
