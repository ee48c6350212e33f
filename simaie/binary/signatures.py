"""What functions take and return, from DWARF: to record their calls as values and not as registers.

DWARF 5, 3.3 (subroutines), 5.1 to 5.3 (types). Only what is passed in one register is read: integers, characters,
truth values, enumerations and pointers.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from simaie.binary.cells import mask
from simaie.binary.file import elf_file

__all__ = ["CType", "Form", "Signature", "signatures"]


class Form(Enum):
    """How a value is to be read."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    TRUTH = "truth"
    POINTER = "pointer"
    OTHER = "other"


class CType(NamedTuple):
    """A type: how a value of it is read, and its size in bytes."""

    form: Form
    size: int

    def value(self, register: int, nothing: int | None = None) -> int | bool | None:
        """Return what a register holds.

        Args:
            register: The content of the register.
            nothing: The integer that means that nothing was found; a null pointer means so too.

        Returns:
            The value; None for nothing.
        """
        value = register & mask(self.size)
        if self.form is Form.TRUTH:
            return bool(value)
        if self.form is Form.SIGNED and value >> 8 * self.size - 1:
            value -= 1 << 8 * self.size
        if value == nothing or (self.form is Form.POINTER and value == 0):
            return None
        return value


class Signature(NamedTuple):
    """What a function takes and returns.

    Attributes:
        parameters: The types of its parameters.
        result: The type of its result; None if it returns nothing.
        fixed: Whether it takes these arguments and no others: it has a prototype, without an ellipsis.
    """

    parameters: tuple[CType, ...]
    result: CType | None
    fixed: bool = False

    def takes_registers(self, word: int) -> bool:
        """Whether it takes a known number of arguments, each in one register of `word` bytes."""
        return self.fixed and all(each.form is not Form.OTHER and each.size <= word for each in self.parameters)


_ENCODINGS = {2: Form.TRUTH, 5: Form.SIGNED, 6: Form.SIGNED, 7: Form.UNSIGNED, 8: Form.UNSIGNED}  # DW_ATE_...
_ALIASES = frozenset({"DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_atomic_type",
                      "DW_TAG_restrict_type"})  # fmt: skip
_MOST_ALIASES = 64  # of a type, before it is taken for a cycle


def signatures(content: bytes) -> dict[str, Signature]:
    """Return the signatures of the functions of an ELF file that has types in its debug information (``-g``)."""
    found: dict[str, Signature] = {}
    try:
        elf = elf_file(content)
        if not elf.has_dwarf_info():
            return {}
        for unit in elf.get_dwarf_info().iter_CUs():
            word = unit["address_size"]
            if "DW_AT_producer" in unit.get_top_DIE().attributes:
                found |= _of_unit(unit, word)
    except Exception:  # of pyelftools, on damaged debug information
        return found
    return found


def _of_unit(unit: Any, word: int) -> dict[str, Signature]:
    entries = [entry for entry in unit.get_top_DIE().iter_children() if entry.tag == "DW_TAG_subprogram"]
    typed = any("DW_AT_prototyped" in entry.attributes or "DW_AT_type" in entry.attributes for entry in entries)
    if not typed:
        return {}  # with -g1 no function has types, and each would seem to return nothing
    made: dict[str, Signature] = {}
    for entry in entries:
        name = entry.attributes.get("DW_AT_name")
        if name is not None and "DW_AT_declaration" not in entry.attributes:
            parameters = tuple(
                _type(child, word) or CType(Form.OTHER, 0)
                for child in entry.iter_children()
                if child.tag == "DW_TAG_formal_parameter"
            )
            fixed = "DW_AT_prototyped" in entry.attributes and all(
                child.tag != "DW_TAG_unspecified_parameters" for child in entry.iter_children()
            )
            made[name.value.decode("utf-8", "replace")] = Signature(parameters, _type(entry, word), fixed)
    return made


def _type(entry: Any, word: int) -> CType | None:
    """Return the type that an entry refers to; None for void."""
    for _ in range(_MOST_ALIASES):
        if "DW_AT_type" not in entry.attributes:
            return None
        entry = entry.get_DIE_from_attribute("DW_AT_type")
        attributes = entry.attributes
        if entry.tag in _ALIASES:
            continue
        size = attributes["DW_AT_byte_size"].value if "DW_AT_byte_size" in attributes else word
        if entry.tag == "DW_TAG_pointer_type":
            return CType(Form.POINTER, size)
        if entry.tag == "DW_TAG_enumeration_type":
            return CType(Form.UNSIGNED, size)
        encoding = attributes["DW_AT_encoding"].value if entry.tag == "DW_TAG_base_type" else 0
        return CType(_ENCODINGS.get(encoding, Form.OTHER), size)
    return CType(Form.OTHER, 0)
