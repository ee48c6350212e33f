"""The second stage of reading: a cell of the program table becomes labels and an instruction.

Cells repeat (a corpus has thousands of `mfence`), so the parse of a cell's text is cached, without its position in the
file.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from lark import Lark

from simaie.litmus.assembly_actions import AssemblyActions, Line
from simaie.litmus.errors import PositionedError, quoted
from simaie.litmus.instruction import Instruction, LabelRef, Memory, Operand, Symbol
from simaie.litmus.limits import CELL_LENGTH
from simaie.litmus.mnemonics import Parts, is_branch, split_mnemonic
from simaie.litmus.model import Arch, Statement
from simaie.litmus.parsing import build, run
from simaie.litmus.source import Position

__all__ = ["read_cell"]

_START = Position(1, 1)


class _Cell(NamedTuple):
    labels: tuple[str, ...]
    parts: Parts | None
    operands: tuple[Operand, ...]
    prefixes: tuple[str, ...]
    written: str


def read_cell(arch: Arch, text: str, position: Position) -> Statement:
    """Read a non-blank cell of the program table.

    Args:
        arch: The architecture.
        text: The cell's text.
        position: Position of its first character in the file.

    Raises:
        Fault: The text is not an instruction of the architecture.
    """
    try:
        cell = _read(arch, text)
    except PositionedError as fault:
        raise fault.moved(position) from None
    instruction = None if cell.parts is None else _instruction(cell, cell.parts, position)
    return Statement(cell.labels, instruction, position)


@lru_cache(maxsize=8192)
def _read(arch: Arch, text: str) -> _Cell:
    if len(text) > CELL_LENGTH:
        raise PositionedError(_START, f"the cell {quoted(text)} is too long", [f"at most {CELL_LENGTH} characters"])
    line = run(_parser(arch), text, "line")
    assert isinstance(line, Line)
    if not line.word:
        return _Cell(line.labels, None, (), (), "")
    word = line.word.lower()
    parts = split_mnemonic(arch, word)
    operands = tuple(_resolved(arch, parts.mnemonic, operand) for operand in line.operands)
    return _Cell(line.labels, parts, operands, line.prefixes, " ".join((*line.prefixes, word)))


@cache
def _parser(arch: Arch) -> Lark:
    return build((f"{arch}.lark", "common.lark"), AssemblyActions(arch), ("line",))


def _instruction(cell: _Cell, parts: Parts, position: Position) -> Instruction:
    return Instruction(
        mnemonic=parts.mnemonic,
        operands=cell.operands,
        position=position,
        written=cell.written,
        prefixes=cell.prefixes,
        condition=parts.condition,
        width=parts.width,
        acquire=parts.acquire,
        release=parts.release,
    )


def _resolved(arch: Arch, mnemonic: str, operand: Operand) -> Operand:
    """Return a bare word as a label (of a branch), a symbol, or in AT&T order the memory of that name."""
    if not isinstance(operand, LabelRef) or is_branch(arch, mnemonic):
        return operand
    symbol = Symbol(operand.name)
    return Memory(symbol) if arch is Arch.X86_64 else symbol
