"""The bytes of an ELF file, and the reader of its format (pyelftools); and what a C file is called."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from simaie.errors import InputError, UsageError
from simaie.input_file import read_bounded

__all__ = ["INDIRECT", "MOST_BYTES", "SOURCE_SUFFIX", "CarriedPath", "elf_file", "read_elf"]

#: The suffix of C files, which are compiled before they are explored.
SOURCE_SUFFIX = ".c"

#: The largest ELF file that is read, and the most memory that a program may occupy, in bytes.
MOST_BYTES = 64 << 20

#: The type of the symbol of an indirect function (STT_GNU_IFUNC), of which a resolver chooses the code; pyelftools
#: calls it by the first number that is left to systems.
INDIRECT = ("STT_GNU_IFUNC", "STT_LOOS")


class CarriedPath(str):
    """The path of an ELF file with its content, which a replay file carries: the file need not exist."""

    __slots__ = ("content",)
    content: bytes

    def __new__(cls, path: str, content: bytes) -> CarriedPath:
        """Return the text of `path` with `content`."""
        made = super().__new__(cls, path)
        made.content = content
        return made

    def __reduce__(self) -> tuple[type[CarriedPath], tuple[str, bytes]]:
        """Return how to make it again, in another process too."""
        return CarriedPath, (str(self), self.content)


def read_elf(path: Path) -> bytes:
    """Return the content of an ELF file; InputError if it cannot be read."""
    try:
        return read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def elf_file(content: bytes) -> Any:
    """Return what pyelftools says about a file.

    Raises:
        UsageError: pyelftools is not installed.
    """
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise UsageError("programs of ELF files need pyelftools: pip install 'simaie[binary]'") from error
    return ELFFile(io.BytesIO(content))
