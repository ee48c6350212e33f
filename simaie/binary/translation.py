"""The code of an ELF file as Python functions: one for each basic block, made when it is first reached.

A block is a function of the thread, its registers and its vCPU that returns the address of the next block. It is a
coroutine if it may access shared memory. Blocks are made once for each image (`code_of`), for all executions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

from simaie.binary.arithmetic import DIVISIONS, shift_left, shift_right
from simaie.binary.atomics import DECODERS
from simaie.binary.cells import CAPACITY, Cells
from simaie.binary.emitting import Emitter, Sink
from simaie.binary.expressions import Expression
from simaie.binary.hooking import Library, hooked_blocks
from simaie.binary.image import Image
from simaie.binary.lifter import Lifter, lifter_for
from simaie.binary.place import Place
from simaie.binary.special_code import special_statements
from simaie.binary.statements import Statement, without_dead
from simaie.binary.traps import compares
from simaie.binary.update_code import update_statements
from simaie.binary.vectors import vector
from simaie.binary.x86 import FENCES, update_of
from simaie.errors import TRANSLATED, GuestFault

__all__ = ["Block", "Code", "code_of"]

Block: TypeAlias = Callable[[Any, list[int], Any], Any]
#: A block has no more instructions, so that it can be compiled in a moment.
_MOST_INSTRUCTIONS = 64
_DIVISIONS = frozenset({"INT_DIV", "INT_SDIV", "INT_REM", "INT_SREM"})
#: The rounds that a block which repeats itself without an access runs before it returns.
_ROUNDS = 10_000


class Code:
    """The translated code of an image.

    Args:
        image: The loaded ELF file.
        library: Which functions are run in place of machine code.

    Attributes:
        image: The loaded ELF file.
        cells: The registers.
        blocks: By address; on Arm the lowest bit of an address is 1 for Thumb.
        places: The instructions that were translated, by address.
        lasts: The last instruction of each block, by the address of the block.
        calls: The calls of functions that run in place of machine code, by the three blocks before and their name.
    """

    def __init__(self, image: Image, library: Library = Library.FUNCTIONS) -> None:
        self.image = image
        self._lifter = lifter_for(image.abi.language)
        self.cells = Cells(self._lifter.registers, big_endian=image.abi.endian == "big")
        self.blocks: dict[int, Block] = {}
        self.places: dict[int, Place] = {}
        self.lasts: dict[int, int] = {}
        self.calls: dict[tuple[int, int, int, str], Place] = {}
        abi = image.abi
        scratch = {f"R[{self.cells.number(name)}]" for name in abi.scratch if self.cells.has(name)}
        self._lasting = frozenset(f"R[{number}]" for number in range(CAPACITY)) - scratch
        self._mode_register = self.cells.node("TB") if abi.isa == "arm" else None
        self._divide, self._remainder = DIVISIONS[abi.isa]
        self.blocks.update(hooked_blocks(image, library))

    def block(self, start: int) -> Block:
        """Return the block at an address; GuestFault if there is no code."""
        statements = without_dead(self._statements(start), self._lasting)
        text = _function(statements, start)
        scope: dict[str, Any] = {
            "shift_left": shift_left, "shift_right": shift_right, "divide": self._divide,
            "remainder": self._remainder, "vector": vector, "compares": compares,
        }  # fmt: skip
        exec(compile(text, f"{TRANSLATED}{self.image.name} {start:#x}>", "exec"), scope)
        made: Block = scope["block"]
        self.blocks[start] = made
        return made

    def disassembly(self, address: int) -> str:
        """Return an instruction as a disassembler shows it; empty if there is none at the address."""
        address &= ~1 if self._mode_register else ~0
        code = self.image.code(address)
        thumb = bool(code) and self.image.is_thumb(address)
        lifted = self._lifter_of(int(thumb)).lift(code, address) if code else None
        return "" if lifted is None else lifted.text

    # -- translation ----------------------------------------------------------------------------

    def _lifter_of(self, mode: int) -> Lifter:
        return self._thumb_lifter if mode else self._lifter

    @functools.cached_property
    def _thumb_lifter(self) -> Lifter:
        return Lifter(self.image.abi.language, thumb=True)

    def _statements(self, start: int) -> list[Statement]:
        mode = start & 1 if self.image.abi.isa == "arm" else 0
        decode = DECODERS.get("thumb" if mode else self.image.abi.name)
        address, made, conditions = start & ~mode, [], _Conditions()
        number = 0
        while number < _MOST_INSTRUCTIONS or conditions.pending:
            number += 1
            self.lasts[start] = address
            code = self.image.code(address)
            if not code:
                if number == 1:
                    raise GuestFault("fetch", address, f"a jump to {address:#x}, where there is no code")
                break
            special = decode(code.ljust(4, b"\0")) if decode is not None else None
            if special is not None:
                special = special._replace(condition=conditions.next()) if mode else special
                self._note(address, special.method.rstrip("_").replace("_", "."))
                made += special_statements(self.cells, address, special, self.image.abi.word)
                address += special.size
                continue
            statements, size, leaves = self._instruction(address, code, mode)
            made += statements
            conditions.pass_by(code, mode)
            address += size
            if leaves:
                return made
        return [*made, Statement(f"return {address | mode}", ends=True)]

    def _note(self, address: int, mnemonic: str) -> None:
        self.places[address] = Place(self.image, address, mnemonic, disassemble=self.disassembly)

    def _instruction(self, address: int, code: bytes, mode: int) -> tuple[list[Statement], int, bool]:
        """Return the statements of an instruction that is not special, its size, and whether it may branch."""
        lifted = self._lifter_of(mode).lift(code, address)
        if lifted is None:
            what = f"the bytes {code[:4].hex(' ')}, which are no instruction that Sleigh knows"
            return [Statement(f"raise T.unmodelled({address}, {what!r})", ends=True)], 0, True
        self._note(address, lifted.mnemonic)
        if self.image.abi.isa == "x86":
            fence = FENCES.get(lifted.mnemonic)
            if fence is not None:
                return [Statement(f"T.step({address})"), Statement(f"await cpu.{fence}()")], lifted.size, False
            update = update_of(code, lifted, long_mode=self.image.abi.word == 8)
            if update is not None:
                return update_statements(self.cells, address, lifted, update), lifted.size, False
        emitter = Emitter(self.cells, address, lifted, self._sink(address), mode, self._mode_register)
        made = emitter.run()
        if self.image.abi.isa == "x86" and any(op.opcode in _DIVISIONS for op in lifted.operations):
            made.insert(0, Statement(f"T.here({address})"))
        return made, lifted.size, emitter.leaves

    def _sink(self, address: int) -> Sink:
        def load(place: Expression, width: int, name: str) -> list[Statement]:
            known = self.image.constant(int(place.text), width) if place.text.isdecimal() else None
            if known is not None:
                return [Statement(f"{name} = {int.from_bytes(known, self.image.abi.endian)}", name)]
            return [
                Statement(f"{name} = T.peek({place.text}, {width})", reads=place.reads),
                Statement(f"if {name} is None: {name} = await T.load({address}, {place.text}, {width})",
                          reads=place.reads),
            ]  # fmt: skip

        def store(place: Expression, width: int, value: Expression) -> list[Statement]:
            given = f"{place.text}, {width}, {value.text}"
            text = f"if not T.poke({given}): await T.store({address}, {given})"
            return [Statement(text, reads=(*place.reads, *value.reads))]

        return Sink(load, store)


class _Conditions:
    """The conditions of the instructions of an IT block (Arm ARM DDI 0406C, A8.8.54), for those that are special."""

    def __init__(self) -> None:
        self._left: list[int] = []

    @property
    def pending(self) -> bool:
        """Whether an IT block goes on; Sleigh knows that only while it follows the code."""
        return bool(self._left)

    def next(self) -> int:
        """Return the condition of the next instruction."""
        return self._left.pop(0) if self._left else 14

    def pass_by(self, code: bytes, mode: int) -> None:
        """Take note of an instruction that is not special; it may be an IT."""
        half = int.from_bytes(code[:2], "little")
        if mode and half & 0xFF00 == 0xBF00 and half & 15:
            first, bits = half >> 4 & 15, half & 15
            count = 4 - (bits & -bits).bit_length() + 1
            self._left = [first, *(first & 14 | bits >> 3 - number & 1 for number in range(count - 1))]
        else:
            self.next()


def _function(statements: list[Statement], start: int) -> str:
    body = [f"{'    ' * each.depth}{each.text}" for each in statements]
    waits = any("await " in line for line in body)
    again = f"return {start}"
    if not waits and any(line.strip() == again for line in body) and not any("while" in line for line in body):
        rounds = [line.replace(again, "continue") if line.strip() == again else line for line in body]
        body = [f"for _ in range({_ROUNDS}):", *(f"    {line}" for line in rounds), f"T.idle += {_ROUNDS // 4}", again]
    head = "async def block(T, R, cpu):" if waits else "def block(T, R, cpu):"
    return "\n".join([head, *(f"    {line}" for line in body)])


@functools.lru_cache(maxsize=64)
def code_of(image: Image, library: Library = Library.FUNCTIONS) -> Code:
    """Return the code of an image, translated once.

    Args:
        image: The loaded ELF file.
        library: As for `Code`.
    """
    return Code(image, library)
