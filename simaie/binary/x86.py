"""The read-modify-writes of x86: which method of the vCPU an instruction becomes, and which operand it takes.

The address, and what an instruction does to registers and flags, come from Sleigh's P-code. What it does to memory is
the vCPU's method: with LOCK, or for XCHG, an atomic access; without, a plain access that reads and then writes (Intel
SDM, volume 2, the opcode maps of appendix A).
"""

from __future__ import annotations

from typing import NamedTuple

from simaie.binary.operations import Lifted

__all__ = ["FENCES", "Update", "update_of"]

#: Mnemonic -> method of the vCPU, for fences and the hint of a spin.
FENCES = {"mfence": "mfence", "lfence": "lfence", "sfence": "sfence", "pause": "pause"}

_GROUP = ("add", "or", "adc", "sbb", "and", "sub", "xor")
#: Method -> its function in `simaie.guest.function`.
_FUNCTIONS = {"adc": "add", "sbb": "sub", "inc": "add", "dec": "sub", "xadd": "add", "xchg": "swap"}
_LEGACY_PREFIXES = frozenset({0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x66, 0x67})
_LOCK, _OPERAND_SIZE = 0xF0, 0x66
_WORDS = ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")
_BYTES = ("AL", "CL", "DL", "BL", "AH", "CH", "DH", "BH")
_BYTES_REX = ("AL", "CL", "DL", "BL", "SPL", "BPL", "SIL", "DIL")
_BITS = {0xAB: "bts", 0xB3: "btr", 0xBB: "btc"}
_BITS_IMMEDIATE = {5: "bts", 6: "btr", 7: "btc"}


class Update(NamedTuple):
    """A read-modify-write of memory.

    Attributes:
        name: The mnemonic without LOCK.
        function: A function of `simaie.guest.function`; empty for a compare-and-exchange.
        locked: Whether it is atomic.
        width: In bytes.
        register: The register operand in Sleigh; empty if the operand is `immediate`.
        immediate: The constant operand.
        carry: 1 if the carry flag is added to the operand.
    """

    name: str
    function: str
    locked: bool
    width: int
    register: str
    immediate: int = 0
    carry: int = 0


def update_of(code: bytes, lifted: Lifted, *, long_mode: bool) -> Update | None:
    """Return the read-modify-write of memory that an instruction performs; None for any other instruction.

    Args:
        code: The instruction.
        lifted: The same, lifted.
        long_mode: Whether the processor is in 64-bit mode, where REX prefixes exist.
    """
    opcodes = [op.opcode for op in lifted.operations]
    if "STORE" not in opcodes or "LOAD" not in opcodes:
        return None
    position, prefixes, rex = 0, set(), 0
    while code[position] in _LEGACY_PREFIXES:
        prefixes.add(code[position])
        position += 1
    if long_mode and code[position] & 0xF0 == 0x40:
        rex = code[position]
        position += 1
    wide = 8 if rex & 8 else 2 if _OPERAND_SIZE in prefixes else 4
    found = _decoded(code[position : lifted.size], wide, rex)
    if found is None:
        return None
    return found._replace(locked=found.name == "xchg" or _LOCK in prefixes)


def _register(field: int, width: int, rex: int) -> str:
    """Return the name of the register that the field `reg` of ModRM selects."""
    number = field | (rex & 4) << 1
    if number > 7:
        return f"R{number}" + {1: "B", 2: "W", 4: "D", 8: ""}[width]
    if width == 1:
        return _BYTES_REX[number] if rex else _BYTES[number]
    return {2: "", 4: "E", 8: "R"}[width] + _WORDS[number]


def _decoded(code: bytes, wide: int, rex: int) -> Update | None:
    opcode = code[0]
    if opcode == 0x0F:
        return _two_bytes(code[1:], wide, rex)
    if len(code) < 2 or code[1] >> 6 == 3:  # the operand is a register
        return None
    field = code[1] >> 3 & 7
    width = wide if opcode & 1 else 1
    register = _register(field, width, rex)
    if opcode < 0x38 and opcode & 6 == 0:
        name = _GROUP[opcode >> 3]
        return _update(name, width, register)
    if opcode in (0x80, 0x81, 0x83) and field < 7:
        size = 1 if opcode != 0x81 else min(wide, 4)
        return _update(_GROUP[field], width, "", int.from_bytes(code[-size:], "little", signed=True))
    if opcode in (0x86, 0x87):
        return _update("xchg", width, register)
    if opcode in (0xFE, 0xFF) and field < 2:
        return _update("dec" if field else "inc", width, "", 1)
    if opcode in (0xF6, 0xF7) and field in (2, 3):
        return _update("neg" if field == 3 else "not", width, "")
    return None


def _two_bytes(code: bytes, wide: int, rex: int) -> Update | None:
    opcode = code[0]
    if len(code) < 2 or code[1] >> 6 == 3:
        return None
    field = code[1] >> 3 & 7
    width = wide if opcode & 1 else 1
    register = _register(field, width, rex)
    if opcode in (0xC0, 0xC1):
        return _update("xadd", width, register)
    if opcode in (0xB0, 0xB1):
        return Update("cmpxchg", "", False, width, register)
    if opcode == 0xC7 and field == 1:
        width = 16 if wide == 8 else 8
        return Update(f"cmpxchg{width}b", "", False, width, "")
    if opcode in _BITS:
        return _update(_BITS[opcode], wide, _register(field, wide, rex))
    if opcode == 0xBA and field in _BITS_IMMEDIATE:
        return _update(_BITS_IMMEDIATE[field], wide, "", code[-1] % (8 * wide))
    return None


def _update(name: str, width: int, register: str, immediate: int = 0) -> Update:
    return Update(name, _FUNCTIONS.get(name, name), False, width, register, immediate, int(name in ("adc", "sbb")))
