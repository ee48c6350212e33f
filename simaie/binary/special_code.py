"""The statements of an atomic or ordering instruction: a call of the vCPU's method of that name."""

from __future__ import annotations

from simaie.binary.atomics.special import Address, Part, Special
from simaie.binary.cells import Cells, mask
from simaie.binary.statements import Statement, effect

__all__ = ["special_statements"]

#: The conditions of A32 by their field, over the flags of Sleigh; each is followed by its opposite.
_CONDITIONS = (
    "{ZR}", "{CY}", "{NG}", "{OV}", "{CY} and not {ZR}", "{NG} == {OV}", "not {ZR} and {NG} == {OV}",
)  # fmt: skip
_ALWAYS = 14


def special_statements(cells: Cells, address: int, special: Special, word: int) -> list[Statement]:
    """Return the statements of one instruction.

    Args:
        cells: The registers.
        address: The address of the instruction.
        special: The instruction.
        word: The width of a pointer in bytes.
    """
    made = _Writer(cells, word).statements(address, special)
    if special.condition >= _ALWAYS:
        return made
    header = effect(f"if {_condition(cells, special.condition)}:")
    return [header, *(each._replace(depth=each.depth + 1) for each in made or [effect("pass")])]


def _condition(cells: Cells, field: int) -> str:
    flags = {name: f"R[{cells.number(name)}]" for name in ("ZR", "CY", "NG", "OV")}
    text = _CONDITIONS[field >> 1].format(**flags)
    return f"not ({text})" if field & 1 else text


class _Writer:
    def __init__(self, cells: Cells, word: int) -> None:
        self._cells, self._word = cells, word

    def statements(self, address: int, special: Special) -> list[Statement]:
        if special.method == "nop":
            return []
        if special.method == "thread":
            return self._results(special, "T.thread_pointer")
        given: list[str] = []
        made: list[Statement] = []
        if special.address is not None:
            made.append(effect(f"a = {self._address(special.address)}"))
            made.append(effect(f"if T.reach({address}, a): await T.publish()"))
            given.append("a")
        else:
            made.append(effect(f"T.step({address})"))
        for number, value in enumerate(special.values):
            name = f"x{number}"
            made.append(effect(f"{name} = {self._value(value)}"))
            if any(part.width == self._word and part.register for part in value):
                made.append(effect(f"if T.escapes({self._pointer(name, value)}): await T.publish()"))
            given.append(name)
        given += [repr(value) for value in special.plain]
        given += [f"{name}={value!r}" for name, value in special.options]
        for name, part in special.named:
            made.append(effect(f"{name} = {self._value((part,))}"))
            given.append(f"{name}={name}")
        made.append(effect(f"v = await cpu.{special.method}({', '.join(given)})"))
        return made + self._results(special, "v") + self._moved(special)

    def _moved(self, special: Special) -> list[Statement]:
        if special.moved is None:
            return []
        register = self._register(special.moved[0])
        return [effect(f"{register} = {register}+{special.moved[1]}&{mask(self._word)}")]

    def _pointer(self, name: str, value: tuple[Part, ...]) -> str:
        return name if len(value) == 1 else f"({name}&{mask(self._word)})"

    def _register(self, name: str) -> str:
        return f"R[{self._cells.number(name)}]"

    def _address(self, address: Address) -> str:
        terms = [self._register(name) for name in address.registers]
        if address.offset or not terms:
            terms.append(str(address.offset))
        return terms[0] if len(terms) == 1 else f"({'+'.join(terms)})&{mask(self._word)}"

    def _value(self, value: tuple[Part, ...]) -> str:
        terms, shift = [], 0
        for part in value:
            text = f"({self._register(part.register)}&{mask(part.width)})" if part.register else str(part.value)
            terms.append(f"{text}<<{shift}" if shift else text)
            shift += 8 * part.width
        return "|".join(terms)

    def _results(self, special: Special, name: str) -> list[Statement]:
        made, shift = [], 0
        for part in special.into:
            text = f"{name}>>{shift}&{mask(part.width)}" if shift else f"{name}&{mask(part.width)}"
            if special.shift:
                text = f"int({text})<<{special.shift}"
            if part.register:
                made.append(effect(f"{self._register(part.register)} = {text}"))
            shift += 8 * part.width
        return made
