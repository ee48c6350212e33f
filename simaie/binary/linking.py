"""What a dynamic linker does to a program: dynamic relocations, and making constant what is constant after them.

The relocations are those that a shared object or a static position-independent executable can have, from the psABI of
each machine. A function that is not defined in the file gets an address that
stands for it: a jump there runs a hook (`simaie.binary.hooks`) or is a fault.
"""

from __future__ import annotations

from typing import Any

from simaie.binary.abi import EXTERNALS, Abi
from simaie.binary.file import INDIRECT
from simaie.binary.hooks import HOOKS
from simaie.binary.image import LIBRARY_VARIABLES, Region, Symbol
from simaie.errors import InputError

__all__ = ["Linker"]

#: Sections that only a dynamic linker writes.
_READ_ONLY = (".data.rel.ro", ".got", ".init_array", ".fini_array", ".preinit_array", ".dynamic")
_ALLOCATED, _TLS = 2, 0x400  # SHF_ALLOC, SHF_TLS
_MOST_SLOTS = 1 << 16
#: ABI -> type of a relocation -> what it stores: ``relative`` base + addend, ``symbol`` symbol + addend,
#: ``slot`` the symbol, ``indirect`` what a resolver of the file (the addend) chooses at run time, ``copy`` the initial
#: value of a variable that a shared library defines.
_TYPES: dict[str, dict[int, str]] = {
    "arm": {20: "copy", 160: "indirect", 23: "relative", 2: "symbol", 21: "slot", 22: "slot"},
    "aarch64": {1024: "copy", 1032: "indirect", 1027: "relative", 257: "symbol", 1025: "symbol", 1026: "slot"},
    "x86": {5: "copy", 37: "indirect", 42: "indirect", 8: "relative", 1: "symbol", 6: "slot", 7: "slot"},
    "riscv": {4: "copy", 58: "indirect", 3: "relative", 2: "symbol", 5: "slot", 1: "symbol"},
    "mips": {126: "copy", 3: "symbol", 127: "slot"},
    "ppc": {19: "copy", 248: "indirect", 22: "relative", 38: "symbol", 20: "slot", 21: "slot"},
}


class Linker:
    """Links one file.

    Args:
        name: The name of the file, for messages.
        elf: The file.
        abi: Its kind.
        base: The address at which it is loaded.
        symbols: Its symbols, by name.
        resolvers: The addresses of the resolvers of its indirect functions, by the name of the function.

    Attributes:
        externals: The addresses that stand for functions which the file uses and does not define, or that a resolver
            chooses.
        indirect: Such an address -> that of the resolver.
    """

    def __init__(
        self, name: str, elf: Any, abi: Abi, base: int, symbols: dict[str, Symbol], resolvers: dict[str, int]
    ) -> None:
        self._name, self._elf, self._abi, self._base, self._symbols = name, elf, abi, base, symbols
        self._resolvers = resolvers
        self.externals: dict[str, int] = {}
        self.indirect: dict[int, int] = {}
        self._contents: list[tuple[Region, bytearray]] = []

    def relocated(self, constant: list[Region], writable: list[Region]) -> tuple[list[Region], list[Region]]:
        """Return the constant and the writable regions after dynamic linking.

        Args:
            constant: The regions that are not writable in the file.
            writable: The regions that are.

        Raises:
            InputError: A relocation is of a type that is not modelled, or lies outside the writable regions.
        """
        self._contents = [(region, bytearray(region.content)) for region in writable]
        for section in self._elf.iter_sections():
            if section["sh_type"] in ("SHT_REL", "SHT_RELA") and section["sh_flags"] & _ALLOCATED:
                table = self._elf.get_section(section["sh_link"])
                for entry in section.iter_relocations():
                    self._apply(table, entry)
        if self._abi.isa == "mips":
            self._fill_mips_table()
        made = [region._replace(content=bytes(content)) for region, content in self._contents]
        return _without_constant(self._elf, self._base, constant, made)

    def _apply(self, table: Any, entry: Any) -> None:
        number, abi = entry["r_info_type"], self._abi
        if number == 0:
            return
        kind = _TYPES[abi.isa].get(number)
        if kind is None:
            what = f"relocation type {number} of {abi.name}"
            raise InputError(f"{self._name}: {what} is not modelled; link it with -static -no-pie")
        if kind == "copy":
            self._require_known(table.get_symbol(entry["r_info_sym"]).name)
            return
        place = entry["r_offset"] + self._base
        addend = entry["r_addend"] if entry.is_RELA() else self._word(place)
        if kind == "indirect":
            self._put(place, self.chosen(addend + self._base))
            return
        symbol = None if not entry["r_info_sym"] or not hasattr(table, "get_symbol") else entry["r_info_sym"]
        value = self._base if kind == "relative" or symbol is None else self._value(table.get_symbol(symbol))
        self._put(place, value if kind == "slot" else addend + value)

    def _require_known(self, variable: str) -> None:
        """Raise InputError if the initial value of a variable of a shared library is not known."""
        if variable not in LIBRARY_VARIABLES:
            raise InputError(f"{self._name}: it uses the variable {variable!r} of a shared library, which is not read; "
                             "link it with -static")  # fmt: skip

    def chosen(self, resolver: int) -> int:
        """Return the address that stands for the function of which a resolver chooses the code."""
        names = sorted(name for name, address in self._resolvers.items() if address == resolver)
        name = next((name for name in names if name in HOOKS), names[0] if names else f"{resolver:#x}")
        found = self._external(name)
        self.indirect[found] = resolver
        return found

    def _external(self, name: str) -> int:
        return self.externals.setdefault(name, EXTERNALS + 16 * len(self.externals))

    def _value(self, symbol: Any) -> int:
        """Return the address of a symbol, which may be one that the file does not define."""
        if symbol["st_shndx"] != "SHN_UNDEF":
            address = int(symbol["st_value"]) + self._base
            return self.chosen(address) if symbol["st_info"]["type"] in INDIRECT else address
        known = self._symbols.get(symbol.name)
        if known is not None:
            return known.address
        return self._external(symbol.name)

    def _at(self, place: int) -> tuple[Region, bytearray]:
        word = self._abi.word
        found = next((each for each in self._contents if each[0].start <= place <= each[0].end - word), None)
        if found is None:
            raise InputError(f"{self._name}: a relocation at {place:#x} is outside the writable segments")
        return found

    def _word(self, place: int) -> int:
        region, content = self._at(place)
        at = place - region.start
        return int.from_bytes(content[at : at + self._abi.word], self._abi.endian)

    def _put(self, place: int, value: int) -> None:
        region, content = self._at(place)
        at, word = place - region.start, self._abi.word
        content[at : at + word] = (value & (1 << 8 * word) - 1).to_bytes(word, self._abi.endian)

    def _fill_mips_table(self) -> None:
        """Fill the global offset table of a shared object for MIPS, as no relocation does (MIPS psABI, chapter 5)."""
        section = self._elf.get_section_by_name(".dynamic")
        names = self._elf.get_section_by_name(".dynsym")
        if section is None or names is None:
            return
        tags = {tag.entry.d_tag: tag.entry.d_val for tag in section.iter_tags()}
        table, first = tags.get("DT_PLTGOT"), tags.get("DT_MIPS_GOTSYM", 0)
        if table is None:
            return
        local, count = tags.get("DT_MIPS_LOCAL_GOTNO", 0), names.num_symbols()
        if local > _MOST_SLOTS or count > _MOST_SLOTS:
            raise InputError(f"{self._name}: the global offset table is too large")
        word = self._abi.word
        for number in range(2, local):
            place = table + self._base + word * number
            self._put(place, self._word(place) + self._base)
        for number in range(first, count):
            place = table + self._base + word * (local + number - first)
            self._put(place, self._value(names.get_symbol(number)))


def _without_constant(
    elf: Any, base: int, constant: list[Region], writable: list[Region]
) -> tuple[list[Region], list[Region]]:
    """Move to the constant regions what a dynamic linker makes read-only after relocation.

    It is what PT_GNU_RELRO is about; but that segment is rounded to pages, and linkers let it cover other data.
    """
    for section in elf.iter_sections():
        if not section.name.startswith(_READ_ONLY) or section["sh_flags"] & (_ALLOCATED | _TLS) != _ALLOCATED:
            continue
        first, last = section["sh_addr"] + base, section["sh_addr"] + base + section["sh_size"]
        for region in list(writable):
            if region.start <= first < last <= region.end and first != last:
                writable.remove(region)
                parts = (region.start, first), (first, last), (last, region.end)
                for number, (start, end) in enumerate(parts):
                    if start < end:
                        part = Region(start, region.content[start - region.start : end - region.start])
                        (constant if number == 1 else writable).append(part)
    return constant, writable
