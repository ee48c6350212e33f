"""The ELF file of a compiled program in a replay file, so that the failure replays anywhere.

The file's bytes are data: they are translated, never executed. A large file is only named, with its digest.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from simaie.binary.file import MOST_BYTES, read_elf
from simaie.binary.scenario import Scenario
from simaie.errors import InputError, ReplayError
from simaie.guest.program import Program

if TYPE_CHECKING:
    from simaie.binary.program import BinaryProgram

__all__ = ["MOST_CARRIED", "BinaryRecord", "binary_in", "binary_record", "carried"]

#: The largest ELF file that a replay file carries, in bytes.
MOST_CARRIED = 256 << 10


class BinaryRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ELF file, and what is run of it.

    Attributes:
        file: The name of the file.
        scenario: What is run of it.
        digest: The digest of its content.
        source: Its path, relative to the replay file; None if it is not known, or was only made to be explored.
        content: Its content, compressed by zlib; None if it has more than `MOST_CARRIED` bytes.
        sources: The text of its source files by name, as far as they were found.
    """

    file: str
    scenario: Scenario
    digest: str
    source: str | None = None
    content: bytes | None = None
    sources: dict[str, str] = {}

    @property
    def source_lines(self) -> dict[str, tuple[str, ...]]:
        """The lines of its source files."""
        return {name: tuple(text.splitlines()) for name, text in self.sources.items()}


def binary_record(program: BinaryProgram, base: Path) -> BinaryRecord:
    """Return the ELF file of `program` as data; paths in it are relative to the folder `base`."""
    image = program.binary
    source = program.defined_in if program.compiled_by is None else None
    path = None if source is None else os.path.relpath(source.resolve(), base.resolve())
    content = zlib.compress(image.content, 9) if len(image.content) <= MOST_CARRIED else None
    sources = {name: "\n".join(lines) for name, lines in program.sources.items()}
    return BinaryRecord(image.name, program.scenario, image.digest, path, content, sources)


def binary_in(record: BinaryRecord, name: str, base: Path) -> Program:
    """Return the program that a replay file in the folder `base` carries or names.

    Args:
        record: The ELF file as data.
        name: The name of the program.
        base: The folder of the replay file.

    Raises:
        ReplayError: The ELF file is damaged, gone, or has changed.
    """
    from simaie.binary.program import program_of_bytes  # with what reads and translates machine code

    path = None if record.source is None else Path(os.path.normpath(base / record.source))
    content = carried(record.content) if record.content is not None else _of_file(record, path)
    try:
        made = program_of_bytes(record.file, content, record.scenario, name)
    except InputError as error:
        raise ReplayError(f"the ELF file of the recording: {error}") from None
    if made.binary.digest != record.digest:
        raise ReplayError(f"{path or record.file} has changed since the recording")
    made.defined_in = path if path is not None and _is_same(path, content) else None
    made.sources = record.source_lines
    return made


def carried(compressed: bytes) -> bytes:
    """Return the content of an ELF file that a replay file carries; ReplayError if it is damaged."""
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(compressed, MOST_CARRIED + 1)
    except zlib.error as error:
        raise ReplayError(f"the ELF file in the replay file is damaged: {error}") from None
    if len(content) > MOST_CARRIED or not reader.eof:
        raise ReplayError("the ELF file in the replay file is damaged or too large")
    return content


def _of_file(record: BinaryRecord, path: Path | None) -> bytes:
    if path is None:
        raise ReplayError(f"the replay file does not carry {record.file}, which has more than {MOST_CARRIED:,} bytes")
    try:
        return read_elf(path)
    except InputError as error:
        raise ReplayError(f"the replay file needs an ELF file that is too large to carry: {error}") from None


def _is_same(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size <= MOST_BYTES and path.read_bytes() == content
    except (OSError, ValueError):
        return False
