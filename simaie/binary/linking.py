"""What a dynamic linker does to a program: dynamic relocations, and making constant what is constant after them.

The relocations are those that a shared object or a static position-independent executable can have, from the psABI of
each machine. A symbol that is not defined in the file keeps the value 0: a jump to it is a fault when it happens.
"""

from __future__ import annotations

from typing import Any

from simaie.binary.abi import Abi
from simaie.binary.image import Region, Symbol
from simaie.errors import InputError

__all__ = ["relocated"]

#: Sections that only a dynamic linker writes.
_READ_ONLY = (".data.rel.ro", ".got", ".init_array", ".fini_array", ".preinit_array", ".dynamic")
_TLS = 0x400  # SHF_TLS
#: ABI -> type of a relocation -> what it stores: ``relative`` base + addend, ``symbol`` symbol + addend.
_TYPES: dict[str, dict[int, str]] = {
    "arm": {23: "relative", 2: "symbol", 21: "symbol", 22: "symbol"},
    "aarch64": {1027: "relative", 257: "symbol", 1025: "symbol", 1026: "symbol"},
    "x86": {8: "relative", 1: "symbol", 6: "symbol", 7: "symbol"},
    "riscv": {3: "relative", 2: "symbol", 5: "symbol", 1: "symbol"},
    "mips": {3: "symbol"},
    "ppc": {22: "relative", 38: "symbol", 20: "symbol", 21: "symbol"},
}


def relocated(
    name: str,
    elf: Any,
    abi: Abi,
    base: int,
    symbols: dict[str, Symbol],
    constant: list[Region],
    writable: list[Region],
) -> tuple[list[Region], list[Region]]:
    """Return the constant and the writable regions after dynamic linking.

    Args:
        name: The name of the file, for messages.
        elf: The file.
        abi: Its kind.
        base: The address at which it is loaded.
        symbols: Its symbols, by name.
        constant: The regions that are not writable in the file.
        writable: The regions that are.

    Raises:
        InputError: A relocation is of a type that is not modelled, or lies outside the writable regions.
    """
    contents = [(region, bytearray(region.content)) for region in writable]
    for section in elf.iter_sections():
        if section["sh_type"] in ("SHT_REL", "SHT_RELA") and section["sh_flags"] & 2:
            table = elf.get_section(section["sh_link"])
            for entry in section.iter_relocations():
                _apply(name, abi, base, symbols, table, entry, contents)
    made = [region._replace(content=bytes(content)) for region, content in contents]
    return _without_constant(elf, base, constant, made)


def _apply(
    name: str, abi: Abi, base: int, symbols: dict[str, Symbol], table: Any, entry: Any,
    contents: list[tuple[Region, bytearray]],
) -> None:  # fmt: skip
    number = entry["r_info_type"]
    kind = _TYPES[abi.isa].get(number)
    if number == 0:
        return
    if kind is None:
        what = f"relocation type {number} of {abi.name}"
        raise InputError(f"{name}: {what} is not modelled; link it with -static -no-pie")
    place = entry["r_offset"] + base
    found = next(((region, data) for region, data in contents if region.start <= place <= region.end - abi.word), None)
    if found is None:
        raise InputError(f"{name}: a relocation at {place:#x} is outside the writable segments")
    region, data = found
    at = place - region.start
    addend = entry["r_addend"] if entry.is_RELA() else int.from_bytes(data[at : at + abi.word], abi.endian)
    value = addend + (base if kind == "relative" else _value(table, entry, symbols, base))
    data[at : at + abi.word] = (value & (1 << 8 * abi.word) - 1).to_bytes(abi.word, abi.endian)


def _value(table: Any, entry: Any, symbols: dict[str, Symbol], base: int) -> int:
    if not entry["r_info_sym"] or not hasattr(table, "get_symbol"):
        return base
    symbol = table.get_symbol(entry["r_info_sym"])
    if symbol["st_shndx"] != "SHN_UNDEF":
        return int(symbol["st_value"]) + base
    known = symbols.get(symbol.name)
    return 0 if known is None else known.address


def _without_constant(
    elf: Any, base: int, constant: list[Region], writable: list[Region]
) -> tuple[list[Region], list[Region]]:
    """Move to the constant regions what a dynamic linker makes read-only after relocation.

    It is what PT_GNU_RELRO is about; but that segment is rounded to pages, and linkers let it cover other data.
    """
    for section in elf.iter_sections():
        if not section.name.startswith(_READ_ONLY) or not section["sh_flags"] & 2 or section["sh_flags"] & _TLS:
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
