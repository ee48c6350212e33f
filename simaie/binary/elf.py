"""Reading ELF files: from the bytes of a file to an `Image` (format by pyelftools; System V ABI, chapters 4 and 5).

A file may be malformed, by accident or on purpose. Each surprise becomes an `InputError` that names the file.
"""

from __future__ import annotations

import itertools
from typing import Any

from simaie.binary.abi import ABIS, EXTERNALS, MIPS_RELEASE_6, Abi
from simaie.binary.file import INDIRECT, MOST_BYTES, elf_file
from simaie.binary.image import Image, Region, Symbol
from simaie.binary.linking import Linker
from simaie.binary.objects import link_object
from simaie.errors import InputError, SimaieError
from simaie.host.ram import Endian

__all__ = ["BASE", "load_image"]

#: The address at which a shared object or a relocatable file is loaded.
BASE = 0x10000
_WRITABLE, _EXECUTABLE = 2, 1  # PF_W, PF_X
_ALLOCATED, _SECTION_WRITABLE = 2, 1  # SHF_ALLOC, SHF_WRITE
_ADDRESSES = {"__global_pointer$", ".TOC.", "_gp", "_gp_disp", "_GLOBAL_OFFSET_TABLE_"}
#: In the flags of MIPS (elf/mips.h of binutils): the release, of which two are number 6, and compressed instructions.
_MIPS_RELEASE, _RELEASES_6, _MICROMIPS, _MIPS16 = 0xF000_0000, (0x9000_0000, 0xA000_0000), 0x0200_0000, 0x0400_0000
_KINDS = {"ET_EXEC", "ET_DYN"}


def load_image(name: str, content: bytes) -> Image:
    """Return the program that an ELF file contains.

    Args:
        name: The name of the file, for messages.
        content: The file.

    Raises:
        InputError: The file is no ELF file, is damaged, or is for a machine that is not modelled.
    """
    if content[:4] != b"\x7fELF":
        raise InputError(f"{name}: it is no ELF file (it does not begin with 7f 45 4c 46)")
    try:
        return _loaded(name, content)
    except SimaieError:
        raise
    except Exception as error:  # of pyelftools, whose parsers raise many kinds on a damaged file
        raise InputError(f"{name}: the ELF file is damaged: {type(error).__name__}: {error}") from error


def _loaded(name: str, content: bytes) -> Image:
    elf = elf_file(content)
    abi = _abi(name, elf)
    kind = elf["e_type"]
    if kind == "ET_REL":
        made = link_object(name, elf, abi, MOST_BYTES)
        regions = made.constant, made.writable
        return Image(name, content, abi, *regions, made.symbols, b"", made.text, made.externals, made.indirect)
    if kind not in _KINDS:
        raise InputError(f"{name}: its type is {kind}, which has no memory image")
    base = BASE if kind == "ET_DYN" else 0
    constant, writable = _regions(name, elf, base)
    symbols, resolvers = _symbols(elf, base)
    linker = Linker(name, elf, abi, base, symbols, resolvers)
    constant, writable = linker.relocated(constant, writable)
    symbols.update({each: Symbol(each, linker.chosen(at), 0, True) for each, at in resolvers.items()})
    return Image(name, content, abi, constant, writable, symbols, _tls(elf), base, linker.externals, linker.indirect)


def _abi(name: str, elf: Any) -> Abi:
    order: Endian = "little" if elf.little_endian else "big"
    key = elf["e_machine"], elf.elfclass, order
    found = ABIS.get(key)
    if found is None:
        machine = str(elf["e_machine"]).removeprefix("EM_").lower()
        known = ", ".join(abi.name for abi in ABIS.values())
        raise InputError(
            f"{name}: it is for {machine}, {elf.elfclass} bits, {order}-endian, which is not modelled (known: {known})"
        )
    return _mips(name, elf["e_flags"], found) if found.isa == "mips" else found


def _mips(name: str, flags: int, abi: Abi) -> Abi:
    """Return the ABI of the release of MIPS that the flags of the file name."""
    if flags & (_MICROMIPS | _MIPS16):
        raise InputError(f"{name}: it has microMIPS or MIPS16 code, which is not modelled; compile with -mno-micromips "
                         "-mno-mips16")  # fmt: skip
    return MIPS_RELEASE_6[abi.endian] if flags & _MIPS_RELEASE in _RELEASES_6 else abi


def _regions(name: str, elf: Any, base: int) -> tuple[list[Region], list[Region]]:
    constant: list[Region] = []
    writable: list[Region] = []
    total = 0
    for segment in elf.iter_segments("PT_LOAD"):
        start, size, held = segment["p_vaddr"] + base, segment["p_memsz"], segment["p_filesz"]
        total += size
        if total > MOST_BYTES or held > size:
            raise InputError(f"{name}: a segment of {size:,} bytes is too large, or the ELF file is damaged")
        if not size:
            continue
        if start == 0 or start + size > EXTERNALS - 0x1000_0000:
            raise InputError(f"{name}: a segment at {start:#x} is outside the addresses that are modelled")
        data = segment.data()
        if len(data) != held:
            raise InputError(f"{name}: the ELF file is truncated: a segment at {start:#x} lacks bytes")
        flags = segment["p_flags"]
        region = Region(start, data.ljust(size, b"\0"), bool(flags & _EXECUTABLE))
        if flags & _EXECUTABLE and flags & _WRITABLE:
            _split(elf, base, region, constant, writable)
        else:
            (writable if flags & _WRITABLE else constant).append(region)
    if not any(region.executable for region in constant):
        raise InputError(f"{name}: it has no code in a segment that is executable and not writable")
    for one, two in _neighbours([*constant, *writable]):
        if one.end > two.start:
            raise InputError(f"{name}: segments overlap at {two.start:#x}")
    return constant, writable


def _split(elf: Any, base: int, region: Region, constant: list[Region], writable: list[Region]) -> None:
    """Divide a segment that may be written and executed by its sections: those that are not writable are constant."""
    at = region.start
    held = [(section["sh_addr"] + base, section["sh_size"], section["sh_flags"]) for section in elf.iter_sections()
            if section["sh_flags"] & _ALLOCATED and section["sh_size"]]  # fmt: skip
    for start, size, flags in sorted(held):
        if at <= start and start + size <= region.end and not flags & _SECTION_WRITABLE:
            if at < start:
                writable.append(_part(region, at, start))
            constant.append(_part(region, start, start + size))
            at = start + size
    if at < region.end:
        writable.append(_part(region, at, region.end))


def _part(region: Region, start: int, end: int) -> Region:
    return Region(start, region.content[start - region.start : end - region.start], region.executable)


def _neighbours(regions: list[Region]) -> list[tuple[Region, Region]]:
    ordered = sorted(regions)
    return list(itertools.pairwise(ordered))


def _symbols(elf: Any, base: int) -> tuple[dict[str, Symbol], dict[str, int]]:
    """Return functions and objects, and the addresses of the resolvers of indirect functions, by name."""
    found: dict[str, Symbol] = {}
    resolvers: dict[str, int] = {}
    for section_name in (".dynsym", ".symtab"):
        section = elf.get_section_by_name(section_name)
        if section is None or not hasattr(section, "iter_symbols"):
            continue
        for entry in section.iter_symbols():
            kind, name = entry["st_info"]["type"], entry.name
            defined = entry["st_shndx"] != "SHN_UNDEF"
            if name and defined and kind in INDIRECT:
                resolvers[name] = entry["st_value"] + base
            elif name and defined and (kind in ("STT_FUNC", "STT_OBJECT") or name in _ADDRESSES):
                found[name] = Symbol(name, entry["st_value"] + base, entry["st_size"], kind == "STT_FUNC")
    return found, resolvers


def _tls(elf: Any) -> bytes:
    for segment in elf.iter_segments("PT_TLS"):
        align = max(1, min(segment["p_align"], 4096))
        size = min(segment["p_memsz"], MOST_BYTES)
        content: bytes = segment.data()
        return content.ljust(-(-size // align) * align, b"\0")
    return b""
