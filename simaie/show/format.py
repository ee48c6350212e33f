"""Operations, instructions and values as text that is safe to print.

Names, notes and messages come from guest programs, plug-ins and replay files, which may come from strangers. `clean`
replaces every character that could move a cursor or change a colour by a visible escape. Markup of rich is never
interpreted, because the views build `rich.text.Text` only.
"""

from __future__ import annotations

from typing import Any

from simaie.op import UNTIL, Kind, Op, owner_of, show
from simaie.printable import clean
from simaie.trace import AccessKind, Event, Instruction

__all__ = [
    "clean",
    "format_drain",
    "format_event",
    "format_instruction",
    "format_op",
    "format_single_access",
    "is_drain",
    "number_of",
    "rough",
    "shorten",
]

#: From this value on, a number is easier to read in hexadecimal.
_HEXADECIMAL_FROM = 10_000
#: From this value on, an estimate is shown in powers of ten.
_ROUGH_FROM = 1_000_000

#: Verbs for kinds whose own name reads badly before a location, as in "lock lock 0x1000".
_VERBS = {Kind.LOCK: "acquire", Kind.UNLOCK: "release"}


def rough(number: float) -> str:
    """Return an estimate as text, a large one with two significant digits only."""
    return f"{number:,.0f}" if number < _ROUGH_FROM else f"{number:.1e}"


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters: if it is longer, an ellipsis replaces its middle."""
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}\u2026{text[len(text) - (width - 1 - head):]}"


def format_value(value: Any) -> str:
    """Return a value as text: small numbers in decimal, large ones in hexadecimal, anything else by name."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _HEXADECIMAL_FROM:
        return f"{value:#x}"
    return clean(show(value))


def format_op(op: Op) -> str:
    """Return an operation as text, without its result."""
    words = _VERBS.get(op.kind) or op.kind.name.lower().replace("_", "-")
    if op.location:
        words += f" {clean(op.location)}"
    if op.kind is Kind.CAS:
        words += f" {format_value(op.expected)} -> {format_value(op.value)}"
    elif op.kind is Kind.FETCH and op.function is not None:
        words = f"fetch-{clean(op.function.name)} on {clean(op.location)}"
    elif op.function is not None:
        words += f" {clean(op.function.name)}" if op.function.name != UNTIL else ""
    elif op.kind is Kind.CHOICE:
        words += f" of {op.value}"
    elif op.kind is Kind.BUFFER:
        words += f" := {format_value(op.value.value)}"
        return words
    elif op.kind is Kind.SPAWN:
        pass  # its value is the started code; its result names the vCPU
    elif op.value is not None:
        words += f" := {format_value(op.value)}" if op.location else f" {format_value(op.value)}"
    return f"{words} ({clean(op.remark)})" if op.remark else words


def format_result(event: Event) -> str:
    """Return the result of the operation as text; empty if it has none."""
    op, value = event.op, event.value
    if op.kind is Kind.CAS:
        return "swapped" if event.wrote else f"failed, it held {format_value(value)}"
    if op.kind is Kind.STORE_CONDITIONAL:
        return "stored" if value == 1 else "not stored"
    if value is None and not event.reads_ram and op.kind is not Kind.LOAD:
        return ""
    return _format_bit(op, value) or format_value(value)


def _format_bit(op: Op, value: Any) -> str:
    """Return a word of a bitmap with the state of the one bit that the operation is about; empty for other words."""
    if op.bit < 0 or op.cell is None or not isinstance(value, int):
        return ""
    size = next((size for size in (64, 32) if op.bit // size == op.cell.address), None)
    return "" if size is None else f"{value:#x}, {'set' if value >> op.bit % size & 1 else 'clear'}"


def format_event(event: Event) -> str:
    """Return an operation and its result as text."""
    result, words = format_result(event), _with_symbol(format_op(event.op), event)
    return f"{words} = {result}" if result else words


def _with_symbol(words: str, event: Event) -> str:
    """Return the text of an operation with the symbol of its location in place of the address, if it has one."""
    op, instruction = event.op, event.instruction
    if not op.width or instruction is None or instruction.place is None:
        return words
    name = instruction.place.location(op.address)
    return words.replace(f"[{op.address:#x}]", f"[{clean(name)}]", 1) if name else words


def is_drain(event: Event) -> bool:
    """Whether the event is a drain: a buffered store that takes effect."""
    return event.actor != owner_of(event.actor)


def format_drain(event: Event) -> str:
    """Return the drain of a store buffer as text."""
    return f"drain: {format_event(event)}"


def format_instruction(instruction: Instruction) -> str:
    """Return a guest instruction and its result as text."""
    words = clean(str(instruction))
    if not instruction.completed:
        return f"{words} (not completed)"
    if instruction.access is AccessKind.STORE_CONDITIONAL:
        return f"{words} = {'stored' if instruction.result else 'not stored'}"
    if instruction.result is None:
        return words
    if instruction.access in (AccessKind.ATOMIC, AccessKind.PLAIN_RMW):
        return f"{words} (was {format_value(instruction.result)})"
    return f"{words} = {format_value(instruction.result)}"


def format_single_access(instruction: Instruction, event: Event) -> str:
    """Return an instruction and its only operation as one text, without the mnemonic if the operation has it."""
    mnemonic, words = clean(instruction.mnemonic), format_event(event)
    whole = words if words == mnemonic or words.startswith(f"{mnemonic} ") else f"{mnemonic}: {words}"
    return whole + clean(instruction.at)


def number_of(count: int, one: str, many: str = "") -> str:
    """Return how many of something there are, in words; `many` is the plural, `one` with an s by default."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
