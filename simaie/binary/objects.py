"""Linking a relocatable file (.o) with itself: places for its sections, and its relocations.

Functions that the file does not define get addresses below it, near enough for the branches of every machine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simaie.binary.abi import Abi
from simaie.binary.file import INDIRECT
from simaie.binary.fixups import FIXUPS, IGNORED, Fixup
from simaie.binary.image import Region, Symbol
from simaie.errors import InputError

__all__ = ["LinkedObject", "link_object"]

_WRITABLE, _ALLOCATED, _EXECUTABLE, _TLS = 1, 2, 4, 0x400  # SHF_...
_PAGE = 0x1000
#: Where the functions lie that the file does not define, up to `_FIRST`, where it begins itself.
_EXTERNALS, _FIRST = 0x8000, 0x10000
_MOST_SLOTS = 4096
_PCREL_LOW, _PCREL_HIGH = (24, 25), (20, 23)  # of RISC-V
_HIGH, _LOW = 5, 6  # of MIPS
_THUMB_CALLS = frozenset({10, 30})


class LinkedObject(NamedTuple):
    """A relocatable file in memory; the attributes are those of an `Image`, and the address of its first code."""

    constant: list[Region]
    writable: list[Region]
    symbols: dict[str, Symbol]
    externals: dict[str, int]
    indirect: dict[int, int]
    text: int


def link_object(name: str, elf: Any, abi: Abi, most: int) -> LinkedObject:
    """Return a relocatable file, linked.

    Args:
        name: The name of the file, for messages.
        elf: The file.
        abi: Its kind.
        most: The most bytes that it may occupy.

    Raises:
        InputError: It has a relocation that is not modelled, or is too large.
    """
    return _Linker(name, elf, abi, most).linked()


class _Linker:
    def __init__(self, name: str, elf: Any, abi: Abi, most: int) -> None:
        self._name, self._elf, self._abi = name, elf, abi
        self._sections: dict[int, tuple[int, int, bytearray]] = {}  # index -> address, flags, content
        self._slots: dict[int, int] = {}  # value of a symbol -> address of its slot
        self._externals: dict[str, int] = {}
        self._indirect: dict[int, int] = {}
        self._high: dict[int, int] = {}  # of RISC-V: address of an AUIPC -> its offset
        at = self._place_sections(most)
        self._table = (at + _PAGE - 1) // _PAGE * _PAGE
        self._symbols = elf.get_section_by_name(".symtab")
        if self._symbols is None or not hasattr(self._symbols, "iter_symbols"):
            raise InputError(f"{name}: it has no symbols (was it stripped?)")

    def _place_sections(self, most: int) -> int:
        at = _FIRST
        listed = list(enumerate(self._elf.iter_sections()))
        for wanted in (_EXECUTABLE, 0, _WRITABLE):
            for index, section in listed:
                flags = section["sh_flags"]
                if flags & _TLS and flags & _ALLOCATED and section["sh_size"]:
                    raise InputError(f"{self._name}: it has thread-local variables: link it with -shared -nostdlib")
                if not flags & _ALLOCATED or flags & (_EXECUTABLE | _WRITABLE) != wanted or not section["sh_size"]:
                    continue
                align = max(16, min(section["sh_addralign"], _PAGE))
                at = -(-at // align) * align
                size = section["sh_size"]
                if at + size > _FIRST + most:
                    raise InputError(f"{self._name}: its sections are too large")
                content = bytes(size) if section["sh_type"] == "SHT_NOBITS" else section.data()
                self._sections[index] = at, flags, bytearray(content)
                at += size
            at = (at + _PAGE - 1) // _PAGE * _PAGE
        return at

    def linked(self) -> LinkedObject:
        if not any(flags & _EXECUTABLE for _, flags, _ in self._sections.values()):
            raise InputError(f"{self._name}: it has no code (if it was compiled with -flto, leave that out)")
        for section in self._elf.iter_sections():
            if section["sh_type"] in ("SHT_REL", "SHT_RELA") and section["sh_info"] in self._sections:
                self._relocate(section["sh_info"], list(section.iter_relocations()))
        constant: list[Region] = []
        writable: list[Region] = []
        for address, flags, content in self._sections.values():
            region = Region(address, bytes(content), bool(flags & _EXECUTABLE))
            (writable if flags & _WRITABLE else constant).append(region)
        if self._slots:
            slots = b"".join(value.to_bytes(self._abi.word, self._abi.endian) for value in self._slots)
            constant.append(Region(self._table, slots))
        text = min(address for address, flags, _ in self._sections.values() if flags & _EXECUTABLE)
        return LinkedObject(constant, writable, self._named(), self._externals, self._indirect, text)

    def _named(self) -> dict[str, Symbol]:
        found: dict[str, Symbol] = {}
        for entry in self._symbols.iter_symbols():
            kind, index = entry["st_info"]["type"], entry["st_shndx"]
            if entry.name and kind in ("STT_FUNC", "STT_OBJECT") and index in self._sections:
                address = self._sections[index][0] + entry["st_value"]
                found[entry.name] = Symbol(entry.name, address, entry["st_size"], kind == "STT_FUNC")
            elif entry.name and kind in INDIRECT and index in self._sections:
                found[entry.name] = Symbol(entry.name, self._chosen(entry), 0, True)
        if self._abi.isa == "ppc":
            found[".TOC."] = Symbol(".TOC.", self._toc, 0, False)
        return found

    @property
    def _toc(self) -> int:
        return self._table + 0x8000 if self._abi.isa == "ppc" else self._table

    # -- relocations ----------------------------------------------------------------------------

    def _relocate(self, index: int, entries: list[Any]) -> None:
        ignored = IGNORED.get(self._abi.name, frozenset({0}))
        kept = [entry for entry in entries if entry["r_info_type"] not in ignored]
        for number, entry in enumerate(kept):
            if entry["r_info_type"] not in _PCREL_LOW or self._abi.isa != "riscv":
                self._apply(index, entry, kept[number + 1 :])
        for entry in kept:
            if entry["r_info_type"] in _PCREL_LOW and self._abi.isa == "riscv":
                self._apply(index, entry, [])

    def _apply(self, index: int, entry: Any, following: list[Any]) -> None:
        base, _, content = self._sections[index]
        kind, at = entry["r_info_type"], entry["r_offset"]
        fixup = FIXUPS[self._abi.name].get(kind)
        if fixup is None or at + fixup.width > len(content):
            what = f"relocation type {kind} of {self._abi.name}"
            raise InputError(f"{self._name}: {what} is not modelled: link it with -shared -nostdlib")
        old = int.from_bytes(content[at : at + fixup.width], self._abi.endian)
        addend = entry["r_addend"] if entry.is_RELA() else fixup.addend(old)
        if self._abi.isa == "mips" and kind == _HIGH:
            addend += self._low_addend(content, entry, following)
        value = self._value(fixup, entry, base + at, addend)
        new = fixup.put(old, value) & (1 << 8 * fixup.width) - 1
        content[at : at + fixup.width] = new.to_bytes(fixup.width, self._abi.endian)

    def _low_addend(self, content: bytearray, high: Any, following: list[Any]) -> int:
        """Return the low half of an addend whose high half MIPS has in another instruction."""
        for entry in following:
            if entry["r_info_type"] == _LOW and entry["r_info_sym"] == high["r_info_sym"]:
                at = entry["r_offset"]
                return FIXUPS["mips"][_LOW].addend(int.from_bytes(content[at : at + 4], self._abi.endian))
        return 0

    def _value(self, fixup: Fixup, entry: Any, place: int, addend: int) -> int:
        kind = entry["r_info_type"]
        symbol, is_code = self._symbol(entry["r_info_sym"])
        if self._abi.isa == "riscv" and kind in _PCREL_LOW:
            if symbol not in self._high:
                raise InputError(f"{self._name}: a relocation at {place:#x} has no counterpart")
            return self._high[symbol]
        if kind in _THUMB_CALLS and self._abi.isa == "arm" and not is_code:
            symbol |= 1  # a function that is not defined here runs in any mode
        slot = self._slot(symbol) if fixup.formula.__name__.startswith("_slot") else 0
        value = fixup.formula(symbol, addend, place, slot, self._toc)
        if self._abi.isa == "riscv" and kind in _PCREL_HIGH:
            self._high[place] = value
        return value

    def _symbol(self, number: int) -> tuple[int, bool]:
        """Return the value of a symbol, and whether the file defines it."""
        symbol = self._symbols.get_symbol(number)
        index, value = symbol["st_shndx"], symbol["st_value"]
        if index in self._sections and symbol["st_info"]["type"] in INDIRECT:
            return self._chosen(symbol), False
        if index in self._sections:
            address = self._sections[index][0] + value
            if self._abi.isa == "ppc" and symbol["st_info"]["type"] == "STT_FUNC":
                address += 1 << symbol["st_other"].get("local", 0) >> 2 << 2  # the entry of callers with the same TOC
            return address, True
        if index == "SHN_ABS" or not number:
            return value, True
        if symbol.name in (".TOC.", "_GLOBAL_OFFSET_TABLE_"):
            return self._toc, True
        if index != "SHN_UNDEF":
            raise InputError(f"{self._name}: the symbol {symbol.name!r} lies in no section that is loaded")
        return self._external(symbol.name), False

    def _external(self, name: str) -> int:
        if name not in self._externals and len(self._externals) == (_FIRST - _EXTERNALS) // 16:
            raise InputError(f"{self._name}: it uses too many functions that it does not define")
        return self._externals.setdefault(name, _EXTERNALS + 16 * len(self._externals))

    def _chosen(self, symbol: Any) -> int:
        """Return the address that stands for the function of which a resolver, at the symbol, chooses the code."""
        found = self._external(symbol.name)
        self._indirect[found] = self._sections[symbol["st_shndx"]][0] + symbol["st_value"]
        return found

    def _slot(self, value: int) -> int:
        if value not in self._slots and len(self._slots) == _MOST_SLOTS:
            raise InputError(f"{self._name}: it needs too many addresses in a table")
        return self._slots.setdefault(value, self._table + self._abi.word * len(self._slots))
