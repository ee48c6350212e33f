"""Source lines of machine code, from DWARF: of an address, its line and those of the calls that were inlined there.

DWARF 5, 6.2 (line number information) and 3.3.8 (inlined subroutines). Debug information may be missing or damaged:
then there are no lines, and nothing else changes.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from simaie.binary.file import elf_file

__all__ = ["Lines"]


class _Row(NamedTuple):
    """A range of addresses of one line; `unit` is the number of its compilation unit."""

    start: int
    end: int
    file: str
    line: int
    unit: int


class Lines:
    """The source lines of a program.

    Args:
        content: The ELF file.
        base: The address at which it is loaded.
    """

    def __init__(self, content: bytes, base: int) -> None:
        self._base = base
        self._units: list[Any] = []
        self._programs: list[Any] = []
        self._paths: dict[str, set[str]] = {}
        self._inlined: dict[int, list[_Inlined]] = {}
        self._known: dict[int, tuple[str, ...]] = {}
        try:
            self._rows = self._read(content)
        except Exception:  # of pyelftools, on damaged debug information
            self._rows = []
        self._starts = [row.start for row in self._rows]

    def chain(self, address: int) -> tuple[str, ...]:
        """Return ``FILE:LINE`` of an address, then of each call that was inlined there, from the inside out."""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = self._chain(address - self._base)
        return found

    @property
    def paths(self) -> dict[str, str]:
        """The path of each source file that has lines, by its name without folders; none of a name that two have."""
        named = sorted({row.file for row in self._rows})
        return {name: next(iter(self._paths[name])) for name in named if len(self._paths.get(name, ())) == 1}

    def _chain(self, address: int) -> tuple[str, ...]:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._rows[index].end:
            return ()
        row = self._rows[index]
        calls = [each.call for each in self._of_unit(row.unit) if each.contains(address)]
        return f"{row.file}:{row.line}", *calls

    def _read(self, content: bytes) -> list[_Row]:
        elf = elf_file(content)
        if not elf.has_dwarf_info():
            return []
        dwarf = elf.get_dwarf_info()
        rows: list[_Row] = []
        for number, unit in enumerate(dwarf.iter_CUs()):
            program = dwarf.line_program_for_CU(unit)
            self._units.append(unit)
            self._programs.append(program)
            if program is not None:
                rows += _rows(program, number)
                self._note_paths(unit, program)
        return sorted(rows)

    def _note_paths(self, unit: Any, program: Any) -> None:
        """Take note of where the source files of a compilation unit are (DWARF 5, 6.2.4)."""
        base = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
        start = PurePosixPath("" if base is None else _text(base.value))
        first = 0 if program["version"] >= 5 else 1
        folders = [_text(folder) for folder in program["include_directory"]]
        for entry in program["file_entry"]:
            number = entry["dir_index"] - first
            folder = folders[number] if 0 <= number < len(folders) else ""
            path = start / folder / _text(entry.name)
            self._paths.setdefault(path.name, set()).add(str(path))

    def _of_unit(self, number: int) -> list[_Inlined]:
        """Return the inlined calls of a compilation unit, the innermost first."""
        found = self._inlined.get(number)
        if found is None:
            try:
                found = _inlined_calls(self._units[number], self._programs[number])
            except Exception:  # as above
                found = []
            self._inlined[number] = found
        return found


class _Inlined(NamedTuple):
    """An inlined call: the ranges of its code, the place of the call, and its depth in the tree of calls."""

    ranges: tuple[tuple[int, int], ...]
    call: str
    depth: int

    def contains(self, address: int) -> bool:
        """Whether an address is part of it."""
        return any(first <= address < last for first, last in self.ranges)


def _rows(program: Any, unit: int) -> list[_Row]:
    rows: list[_Row] = []
    before: Any = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if before is not None and state.address > before.address and before.line:
            rows.append(_Row(before.address, state.address, _file(program, before.file), before.line, unit))
        before = None if state.end_sequence else state
    return rows


def _file(program: Any, number: int) -> str:
    index = number if program["version"] >= 5 else number - 1
    return PurePosixPath(_text(program["file_entry"][index].name)).name


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _inlined_calls(unit: Any, program: Any) -> list[_Inlined]:
    found: list[_Inlined] = []
    waiting = [(unit.get_top_DIE(), 0)]
    while waiting:
        entry, depth = waiting.pop()
        if entry.tag == "DW_TAG_inlined_subroutine" and "DW_AT_call_line" in entry.attributes:
            file = _file(program, entry.attributes["DW_AT_call_file"].value)
            call = f"{file}:{entry.attributes['DW_AT_call_line'].value}"
            found.append(_Inlined(_ranges(unit, entry), call, depth))
        waiting += [(child, depth + 1) for child in entry.iter_children()]
    return sorted(found, key=lambda each: -each.depth)


def _ranges(unit: Any, entry: Any) -> tuple[tuple[int, int], ...]:
    attributes = entry.attributes
    if "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
        low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        return ((low, high.value if high.form == "DW_FORM_addr" else low + high.value),)
    if "DW_AT_ranges" not in attributes:
        return ()
    top = unit.get_top_DIE().attributes
    start = top["DW_AT_low_pc"].value if "DW_AT_low_pc" in top else 0
    lists = unit.dwarfinfo.range_lists()
    made: list[tuple[int, int]] = []
    for each in lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value, unit):
        if hasattr(each, "base_address"):
            start = each.base_address
        else:
            offset = 0 if getattr(each, "is_absolute", False) else start
            made.append((each.begin_offset + offset, each.end_offset + offset))
    return tuple(made)
