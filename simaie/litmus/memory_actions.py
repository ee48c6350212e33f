"""The values that the rules for memory operands build."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import msgspec
from lark import Token, Transformer, v_args

from simaie.litmus.errors import PositionedError, quoted
from simaie.litmus.instruction import Immediate, Memory, Register, Shift, Symbol, SymbolicRegister, Writeback
from simaie.litmus.parsing import integer, place

__all__ = ["MemoryActions"]

_Base: TypeAlias = Register | SymbolicRegister


class _Index(NamedTuple):
    register: _Base
    shift: Shift | None = None
    scale: int = 1
    negative: bool = False


@v_args(inline=True)
class MemoryActions(Transformer[Token, Any]):
    """The actions for memory operands: base and index on Arm, `offset(base)` elsewhere, and x86's forms."""

    def address(
        self, base: _Base, offset: Immediate | _Index | None = None, *, back: Writeback = "none"
    ) -> Memory:
        """Return an address, as in `[X1]`, `[X1,#8]`, `[X1,X2,LSL #2]`."""
        match offset:
            case None:
                return Memory(base)
            case Immediate(value):
                return Memory(base, value, writeback=back)
            case _Index(register, shift, _, negative):
                return Memory(base, 0, register, shift, index_negative=negative, writeback=back)

    def pre_indexed(self, base: _Base, offset: Immediate | _Index) -> Memory:
        """Return an address with write-back before the access, as in `[X1,#8]!`."""
        return self.address(base, offset, back="pre")

    def post_indexed(self, base: _Base, offset: Immediate | _Index) -> Memory:
        """Return an address with write-back after the access, as in `[X1],#8`."""
        return self.address(base, offset, back="post")

    def index(self, register: _Base, shift: Shift | None = None) -> _Index:
        """Return an index, as in `W2,SXTW`."""
        return _Index(register, shift)

    def negative(self, index: _Index) -> _Index:
        """Return a subtracted index, as in `-R2`."""
        return index._replace(negative=True)

    def updated(self, base: _Base) -> Memory:
        """Return the base of a multiple transfer that updates it, as in `R0!`."""
        return Memory(base, writeback="post")

    def displaced(self, base: _Base | Symbol, number: Token) -> Memory:
        """Return a base with a displacement, as in `[EAX+4]`."""
        return Memory(base, integer(number))

    def absolute(self, number: Token) -> Memory:
        """Return an absolute address, as in `[4096]`."""
        return Memory(None, integer(number))

    def scaled(self, register: Register, scale: Token | None = None) -> _Index:
        """Return a scaled index, as in `EBX*4`."""
        return _Index(register, scale=1 if scale is None else integer(scale))

    def indexed(
        self, base: _Base | Symbol | None, index: _Index, displacement: Token | None = None
    ) -> Memory:
        """Return a base with an index, as in `[EAX+EBX*4+8]` and `(%rax,%rbx,4)`."""
        number = 0 if displacement is None else integer(displacement)
        return Memory(base, number, index.register, scale=index.scale)

    def offset_by(self, offset: Token, memory: Memory) -> Memory:
        """Return an address with an offset before it, as in `4(x5)`, `x(%rip)`, `4(%rax,%rbx,2)`."""
        if offset.type == "NUMBER":
            return msgspec.structs.replace(memory, displacement=integer(offset))
        symbol, base = Symbol(str(offset)), memory.base
        if base is None or base == Register("rip", 64):
            return msgspec.structs.replace(memory, base=symbol)
        if memory.index is None and isinstance(base, Register):
            return msgspec.structs.replace(memory, base=symbol, index=base)
        raise PositionedError(place(offset), f"{quoted(offset)} before both a base and an index", ["a number"])
