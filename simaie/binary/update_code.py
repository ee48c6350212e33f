"""The statements of a read-modify-write of x86.

They are those of Sleigh's P-code, except that the access to memory is one call: it returns the old value, from which
the P-code derives registers, flags and, on private memory, the new value.
"""

from __future__ import annotations

from simaie.binary.cells import Cells, mask
from simaie.binary.emitting import Emitter, Sink
from simaie.binary.expressions import Expression
from simaie.binary.operations import Lifted
from simaie.binary.statements import Statement, effect
from simaie.binary.x86 import Update

__all__ = ["update_statements"]

_ACCUMULATORS = {1: "AL", 2: "AX", 4: "EAX", 8: "RAX"}
#: Width -> the registers of the expected value and of the new one, the low halves first.
_PAIRS = {8: (("EAX", "EDX"), ("EBX", "ECX")), 16: (("RAX", "RDX"), ("RBX", "RCX"))}
_BITS = frozenset({"bts", "btr", "btc"})


def update_statements(cells: Cells, address: int, lifted: Lifted, update: Update) -> list[Statement]:
    """Return the statements of one instruction.

    Args:
        cells: The registers.
        address: The address of the instruction.
        lifted: The instruction.
        update: The same as a read-modify-write.
    """
    access = _Access(cells, address, update)
    made = Emitter(cells, address, lifted, Sink(access.load, access.store)).run()
    if update.name not in _BITS:
        return made
    last = next(index for index, each in enumerate(made) if each.text.startswith("old = ")) + 1
    carry = cells.number("CF")  # the only flag that they define
    return [*made[:last], effect(f"R[{carry}] = old")]


class _Access:
    """The one access of the instruction."""

    def __init__(self, cells: Cells, address: int, update: Update) -> None:
        self._cells, self._address, self._update = cells, address, update
        self._done = False

    def load(self, place: Expression, width: int, name: str) -> list[Statement]:
        made = [] if self._done else [effect(f"a = {place.text}", place.reads), *self._perform()]
        self._done = True
        return [*made, effect(f"{name} = old")]

    def store(self, place: Expression, width: int, value: Expression) -> list[Statement]:
        text = f"old = {value.text}; T.poke({place.text}, {width}, old)"
        return [effect(text, (*place.reads, *value.reads))]

    def _perform(self) -> list[Statement]:
        update, where = self._update, self._address
        name, locked = update.name, update.locked
        if name.startswith("cmpxchg"):
            low, high = _PAIRS.get(update.width, ((), ())) if update.register == "" else ((), ())
            expected = self._pair(low) if low else self._read(_ACCUMULATORS[update.width])
            new = self._pair(high) if high else self._read(update.register)
            given = f"{where}, a, {name!r}, {expected}, {new}, {update.width}, {locked}"
            return [effect(f"old = await T.compare({given})")]
        operand = self._read(update.register) if update.register else str(update.immediate)
        if name in _BITS:
            if update.register:  # the P-code adds the bytes that a signed bit offset selects
                half = 1 << 8 * update.width - 1
                wrap = mask(8 if self._cells.has("RAX") else 4)
                back = effect(f"a = (a - ((({operand}^{half})-{half})>>3))&{wrap}")
                given = f"{where}, a, {name!r}, {operand}, {update.width}, {locked}, False"
                return [back, effect(f"old = await T.bit({given})")]
            return [effect(f"old = await T.bit({where}, a, {name!r}, {operand}, {update.width}, {locked}, True)")]
        if update.carry:
            operand = f"({operand}+{self._read('CF')})&{mask(update.width)}"
        given = f"{where}, a, {name!r}, {update.function!r}, {operand}, {update.width}, {locked}"
        return [effect(f"old = await T.update({given})")]

    def _pair(self, names: tuple[str, ...]) -> str:
        low, high = names
        return f"{self._read(low)}|{self._read(high)}<<{4 * self._update.width}"

    def _read(self, name: str) -> str:
        node = self._cells.node(name)
        number, shift, whole = self._cells.place(node)
        if whole:
            return f"R[{number}]"
        return f"(R[{number}]>>{shift}&{mask(node.size)})" if shift else f"(R[{number}]&{mask(node.size)})"
