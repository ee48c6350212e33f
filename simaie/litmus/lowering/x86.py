"""32-bit x86 in Intel order, and 64-bit x86 in AT&T order (Intel SDM, volume 2).

Operands are first put in Intel order, destination before source, so that both dialects share the rest. An instruction
with LOCK, and XCHG always, is one of the vCPU's atomic instructions. Without LOCK a read-modify-write of memory is a
load and then a store. Flags are kept only in a thread that reads one. Not supported: strings, the stack, floating point
and vectors, non-temporal stores (no host here is as weak as they are).
"""

from __future__ import annotations

from simaie.litmus.instruction import Instruction, LabelRef, Memory, Register
from simaie.litmus.lowering import x86_flags as flags
from simaie.litmus.lowering.builder import Builder
from simaie.litmus.lowering.x86_arithmetic import ARITHMETIC
from simaie.litmus.lowering.x86_moves import MOVES, WIDENINGS
from simaie.litmus.lowering.x86_operands import Handler, Operands, is_locked, one_operand

__all__ = ["OPAQUE", "lower_att", "lower_intel"]

#: Registers that instructions change implicitly and that are not simulated.
OPAQUE = frozenset({"EIP", "EFLAGS", "rip", "eflags"})


def lower_intel(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of X86."""
    _lower(builder, instruction, instruction.operands)


def lower_att(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of X86_64."""
    _lower(builder, instruction, instruction.operands[::-1])


def _lower(b: Builder, instruction: Instruction, operands: Operands) -> None:
    handler = _HANDLERS.get(instruction.mnemonic)
    if instruction.mnemonic in _ONLY_64 and b.register_bits == 32:
        handler = None
    if instruction.mnemonic == "movnti":  # a suggestion of MOV would be wrong
        raise b.unsupported("no host here delays its store beyond later ones, as x86 may")
    if handler is None:
        raise b.unsupported(known=_HANDLERS)
    locked = is_locked(instruction)
    if instruction.prefixes not in ((), ("lock",)):
        raise b.unsupported("its prefix")
    if locked and not (instruction.mnemonic in _LOCKABLE and any(isinstance(o, Memory) for o in operands)):
        raise b.unsupported("LOCK is for read-modify-writes of memory")
    handler(b, instruction, operands, _bits(b, instruction, operands))


def _bits(b: Builder, instruction: Instruction, operands: Operands) -> int:
    """Return the width of the operation in bits: of the suffix, else of a register operand, else 32."""
    widths = {operand.bits for operand in operands if isinstance(operand, Register)}
    if instruction.width is not None:
        widths.add(instruction.width)
    if instruction.mnemonic in _MIXED_WIDTHS:
        return instruction.width or (operands[0].bits if operands and isinstance(operands[0], Register) else 32)
    if len(widths) > 1:
        raise b.unsupported("operands of different widths")
    return min(widths, default=32)


# -- control, fences --------------------------------------------------------------------------------


def _jump(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target = one_operand(b, operands)
    if not isinstance(target, LabelRef):
        raise b.misplaced(target, "a label")
    if instruction.condition is None:
        b.branch(target.name)
    else:
        b.branch_if(flags.condition(b, instruction.condition), target.name)


def _plain(method: str) -> Handler:
    """Lower an instruction without operands to the vCPU's instruction `method`."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        if operands:
            raise b.unsupported("it has no operands")
        b.emit(method)

    return lower


def _nop(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    if operands:
        raise b.unsupported("with operands")


_HANDLERS: dict[str, Handler] = {
    **MOVES,
    **ARITHMETIC,
    **{name: _plain(name) for name in ("mfence", "lfence", "sfence", "pause")},
    "j": _jump,
    "jmp": _jump,
    "nop": _nop,
}
_LOCKABLE = frozenset({
    "xchg", "xadd", "cmpxchg", "cmpxchg8b", "cmpxchg16b", "add", "sub", "adc", "sbb", "and", "or", "xor", "inc", "dec",
    "neg", "not", "bts", "btr", "btc",
})  # fmt: skip
_ONLY_64 = frozenset({"cmpxchg16b"})
_MIXED_WIDTHS = frozenset({"lea", "set", "shl", "sal", "shr", "sar", *WIDENINGS})
