"""Machine instructions as P-code, the register-transfer language of Ghidra's Sleigh: the only module that has pypcode.

Three things of P-code are made explicit here, so that all that follow see plain operations only:

* An operand in memory at a known address is a varnode in the space ``ram``: here it becomes a LOAD or a STORE.
* A branch inside an instruction counts operations: here its target is the index of an operation.
* An instruction with a delay slot contains the instruction in the slot.
"""

from __future__ import annotations

import atexit
import functools
import weakref
from typing import Any

from simaie.binary.corrections import corrected, unknown_to_sleigh
from simaie.binary.operations import BY_NUMBER, Lifted, Operation, Varnode
from simaie.errors import UsageError

__all__ = ["BRANCHES", "Lifter", "lifter_for"]

#: The operations whose first input is a target.
BRANCHES = frozenset({"BRANCH", "CBRANCH", "CALL"})
_TEMPORARY = 1 << 40
#: All that are alive, whose contexts are dropped when Python ends: pypcode complains about those that are left then.
_lifters: weakref.WeakSet[Lifter] = weakref.WeakSet()


class Lifter:
    """Lifts the instructions of one language.

    An IT instruction of Thumb changes how Sleigh understands the addresses after it, for good. So a lifter of Thumb
    must see the code of one program only.

    Args:
        language: Name in Sleigh, such as ``AARCH64:LE:64:v8A``.
        thumb: Whether instructions are Thumb.

    Raises:
        UsageError: pypcode is not installed.
    """

    def __init__(self, language: str, *, thumb: bool = False) -> None:
        try:
            import pypcode
        except ImportError as error:
            raise UsageError("programs of ELF files need pypcode: pip install 'simaie[binary]'") from error
        self._pypcode, self._language, self._thumb = pypcode, language, thumb
        context: Any = pypcode.Context(language)
        self._context = context
        _lifters.add(self)
        if thumb:
            context.setVariableDefault("TMode", 1)
        #: By name.
        self.registers = {
            name: Varnode("register", node.offset, node.size)
            for name, node in context.registers.items()
            if node.space.name == "register"
        }

    def lift(self, code: bytes, address: int) -> Lifted | None:
        """Return the first instruction of `code`, which lies at `address`; None if it is no instruction."""
        language = self._language
        known = unknown_to_sleigh(language, code, address, self.registers, thumb=self._thumb)
        if known is not None:
            return known
        pypcode, context = self._pypcode, self._context
        try:
            shown = context.disassemble(code, address, max_instructions=1).instructions[0]
            raw = list(context.translate(code, address, max_instructions=1).ops)
        except (pypcode.BadDataError, pypcode.UnimplError, pypcode.DecoderError, pypcode.LowlevelError, IndexError):
            return None
        size = sum(node.size for op in raw if op.opcode is pypcode.OpCode.IMARK for node in op.inputs)
        text = " ".join(f"{shown.mnem} {shown.body}".lower().split())
        mnemonic = shown.mnem.lower()
        operations = corrected(language, mnemonic, self._explicit(raw, address + size))
        return Lifted(size, mnemonic, text, operations)

    def _explicit(self, raw: list[Any], following: int) -> tuple[Operation, ...]:
        made: list[Operation] = []
        first: list[int] = []  # by index in `raw`, the index in `made`
        inside: list[tuple[int, int]] = []  # (index in `made`, index in `raw` to which it branches)
        for index, op in enumerate(raw):
            first.append(len(made))
            opcode = op.opcode.name
            if opcode == "IMARK":
                continue
            inputs = [_plain(node) for node in op.inputs]
            to = _inside(inputs[0], index, len(raw), following) if opcode in ("BRANCH", "CBRANCH") else None
            for number in range(1 if opcode in BRANCHES else 0, len(inputs)):
                if inputs[number].space == "ram":
                    inputs[number] = self._loaded(inputs[number], made)
            if to is not None:
                inside.append((len(made), to))
            if opcode in ("LOAD", "STORE") and op.inputs[0].getSpaceFromConst().name != "ram":
                opcode = BY_NUMBER
            name = pypcode_name(self._pypcode, op) if opcode == "CALLOTHER" else ""
            output = None if op.output is None else _plain(op.output)
            if output is not None and output.space == "ram":
                place, output = output, Varnode("unique", _TEMPORARY + 16 * len(made), output.size)
                made.append(Operation(opcode, output, tuple(inputs), name))
                made.append(Operation("STORE", None, (Varnode("const", 0, 8), _address(place), output)))
            else:
                made.append(Operation(opcode, output, tuple(inputs), name))
        first.append(len(made))
        for index, to in inside:
            op = made[index]
            made[index] = op._replace(inputs=(Varnode("inside", first[to], 0), *op.inputs[1:]))
        return tuple(made)

    @staticmethod
    def _loaded(place: Varnode, made: list[Operation]) -> Varnode:
        loaded = Varnode("unique", _TEMPORARY + 16 * len(made), place.size)
        made.append(Operation("LOAD", loaded, (Varnode("const", 0, 8), _address(place))))
        return loaded


def _plain(node: Any) -> Varnode:
    return Varnode(node.space.name, node.offset, node.size)


def _address(place: Varnode) -> Varnode:
    return Varnode("const", place.offset, 8)


def _inside(target: Varnode, index: int, count: int, following: int) -> int | None:
    """Return the index of the operation to which a branch goes; None if it leaves the instruction."""
    if target.space == "const":
        bits = 8 * target.size
        distance = target.offset - (1 << bits) if target.offset >> bits - 1 else target.offset
        return min(index + distance, count)
    return count if target.offset == following else None


def pypcode_name(pypcode: Any, op: Any) -> str:
    """Return the name of a user-defined operation."""
    text: str = pypcode.PcodePrettyPrinter.fmt_op(op)
    return text.rpartition(" = ")[2].partition("(")[0].strip()


@functools.cache
def lifter_for(language: str) -> Lifter:
    """Return the lifter for a language, which is made once because its tables take long to load."""
    return Lifter(language)


@atexit.register
def _drop_contexts() -> None:
    for lifter in list(_lifters):
        lifter._context = None
