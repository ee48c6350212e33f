"""The values that the rules of `state.lark` build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from lark import Token, v_args

from simaie.litmus.errors import PositionedError, nearest, quoted
from simaie.litmus.limits import ARRAY_LENGTH
from simaie.litmus.location import (
    Address,
    CodeLabel,
    CType,
    Global,
    InstructionWord,
    RegisterOf,
    Scalar,
    SymbolicName,
    Value,
)
from simaie.litmus.model import Arch, InitItem, ListedLocation
from simaie.litmus.parsing import integer, place
from simaie.litmus.proposition_actions import Located, PropositionActions
from simaie.litmus.registers import find_register, registers_of

__all__ = ["StateActions", "registers_of_arch"]

_Thread: TypeAlias = tuple[int, Token]
_arch: ContextVar[Arch] = ContextVar("arch")


@contextmanager
def registers_of_arch(arch: Arch) -> Iterator[None]:
    """Return a context in which the actions look up registers of this architecture.

    The grammar is the same for all, and its tables take far longer to make than a test takes to be read.
    """
    token = _arch.set(arch)
    try:
        yield
    finally:
        _arch.reset(token)


@v_args(inline=True)
class StateActions(PropositionActions):
    """The actions, called within `registers_of_arch`."""

    # The initial state

    def init(self, *items: InitItem) -> tuple[InitItem, ...]:
        """Return all items of the initial state."""
        return items

    def declared(self, *parts: Any) -> InitItem:
        """Return a declaration, as in `uint64_t 0:rax`."""
        *ctype, located = parts
        return InitItem(located.location, ctype[0] if ctype else None, None, located.position)

    def initialised(self, *parts: Any) -> InitItem:
        """Return an initialisation, as in `uint64_t x=3`."""
        *ctype, located, value = parts
        return InitItem(located.location, ctype[0] if ctype else None, value, located.position)

    def array(
        self, ctype: CType, name: Token, count: Token, values: tuple[Scalar, ...] | None = None
    ) -> InitItem:
        """Return an array, as in `int t[2]={1,-1}`."""
        length = integer(count)
        if not 0 < length <= ARRAY_LENGTH:
            raise PositionedError(place(count), f"an array of {quoted(count)} cells", [f"1 to {ARRAY_LENGTH} cells"])
        if values is not None and len(values) != length:
            raise PositionedError(place(name), f"array {name} has {length} cells and {len(values)} values", ["as many"])
        whole = CType(ctype.name, ctype.pointer, length, ctype.atomic)
        return InitItem(Global(str(name)), whole, values, place(name))

    def ctype(self, *tokens: Token) -> CType:
        """Return a type: `int`, `_Atomic int`, `int*`, or `*` for a pointer to int."""
        kinds = {token.type: str(token) for token in tokens}
        return CType(kinds.get("NAME", "int"), "STAR" in kinds, None, "ATOMIC" in kinds)

    # Locations

    def thread(self, token: Token) -> _Thread:
        """Return the number of a thread, `0` or `P0`."""
        digits = token.removeprefix("P")
        return integer(token.update(value=digits)), token

    def name(self, token: Token) -> Token:
        """Return a name, even if it looks like a thread's."""
        return token

    def register(self, thread: _Thread, token: Token) -> Located:
        """Return a register of a thread, as in `0:X1`, `P0:%x1`, `0:$4`."""
        number, start = thread
        if token.type == "SYMBOLIC":
            return Located(RegisterOf(number, str(token)), place(start))
        arch = _arch.get()
        found = find_register(arch, token)
        if found is None:
            known = registers_of(arch)
            problem = f"{quoted(token)} is no register of {arch}{nearest(token, known)}"
            raise PositionedError(place(token), problem, ["a register"])
        return Located(RegisterOf(number, found.name), place(start))

    def global_register(self, token: Token) -> Located:
        """Return a symbolic register without a thread, as in `%x0`."""
        return Located(SymbolicName(token[1:]), place(token))

    def location(self, token: Token) -> Located:
        """Return a memory location, as in `x`."""
        return Located(Global(str(token)), place(token))

    def array_cell(self, name: Token, index: Token) -> Located:
        """Return a cell of an array, as in `t[1]`."""
        return Located(Global(str(name), integer(index)), place(name))

    # Values

    def number(self, token: Token) -> int:
        """Return a number, as in `-1`, `0x1F`."""
        return integer(token)

    def address(self, name: Token, index: Token | None = None) -> Address:
        """Return an address, as in `x`, `&x`, `t[1]`."""
        return Address(str(name), 0 if index is None else integer(index))

    def code_label(self, thread: _Thread, label: Token) -> CodeLabel:
        """Return the address of a label, as in `P0:L1`."""
        return CodeLabel(thread[0], str(label))

    def code(self, token: Token) -> CodeLabel:
        """Return the address of a label, as in `label:"P0:L1"`."""
        thread, colon, label = _quoted_part(token).partition(":")
        digits = thread.strip().removeprefix("P")
        if not colon or not (digits.isascii() and digits.isdigit()):
            raise PositionedError(place(token), f"unexpected {quoted(token)}", ['label:"P0:L"'])
        return CodeLabel(integer(token.update(value=digits)), label.strip())

    def encoding(self, token: Token) -> InstructionWord:
        """Return the encoding of an instruction, as in `instr:"B .+4"`."""
        return InstructionWord(_quoted_part(token))

    def vector(self, *values: Scalar) -> Value:
        """Return the values of an array, as in `{1,-1}`."""
        return values

    # The locations clause

    def observed(self, located: Located, ctype: CType | None = None) -> ListedLocation:
        """Return an item of the `locations` clause, as in `0:r1`, `x int*`."""
        return ListedLocation(located.location, ctype, located.position)

    def locations(self, *items: ListedLocation) -> tuple[ListedLocation, ...]:
        """Return all items of the `locations` clause."""
        return items


def _quoted_part(token: Token) -> str:
    return token[token.index('"') + 1 : -1]
