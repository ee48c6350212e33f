"""A program of an ELF file in memory: what is constant, what can be written, and the symbols."""

from __future__ import annotations

import functools
import hashlib
from bisect import bisect_right
from typing import NamedTuple

from simaie.binary.abi import Abi
from simaie.binary.lines import Lines
from simaie.binary.signatures import Signature, signatures
from simaie.errors import UnknownNameError

__all__ = ["LIBRARY_VARIABLES", "Image", "Region", "Symbol"]

#: The variables of a C library that a program may read: they are 0. A stream is only passed on to functions that drop
#: output, and there is no environment, as after `clearenv`.
LIBRARY_VARIABLES = frozenset({"stdin", "stdout", "stderr", "environ", "__environ", "_environ"})
_ALLOCATORS = ("malloc", "calloc", "aligned_alloc", "free")


class Region(NamedTuple):
    """Part of memory, with its initial content."""

    start: int
    content: bytes
    executable: bool = False

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + len(self.content)


class Symbol(NamedTuple):
    """A function or an object."""

    name: str
    address: int
    size: int
    is_function: bool


class Image:
    """A loaded ELF file.

    Args:
        name: The name of the file, without its folder.
        content: The file.
        abi: The kind of the file.
        constant: The regions that are read-only.
        writable: The regions that guests share.
        symbols: By name.
        tls: The initial content of thread-local storage.
        base: The address at which the file is loaded.
        externals: The addresses that stand for functions which the file does not define, or chooses when it is loaded.
        indirect: Such an address -> that of the resolver, which returns the address of the code.

    Attributes:
        digest: A hash of the file.
    """

    def __init__(
        self,
        name: str,
        content: bytes,
        abi: Abi,
        constant: list[Region],
        writable: list[Region],
        symbols: dict[str, Symbol],
        tls: bytes = b"",
        base: int = 0,
        externals: dict[str, int] | None = None,
        indirect: dict[int, int] | None = None,
    ) -> None:
        self.name, self.content, self.abi, self.tls = name, content, abi, tls
        self.symbols, self._base = symbols, base
        self.externals, self.indirect = externals or {}, indirect or {}
        #: The first address after all regions of the file.
        self.end = max(region.end for region in (*constant, *writable))
        zeros = [Region(at, bytes(16)) for name, at in self.externals.items() if name in LIBRARY_VARIABLES]
        self.constants, self.writable = sorted([*constant, *zeros]), sorted(writable)
        self.digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        self._starts = [region.start for region in self.constants]
        self._written = [region.start for region in self.writable]
        named = (symbol for symbol in symbols.values() if symbol.address)
        self._named = sorted(named, key=lambda each: (self._begin(each), each.size, each.name))
        self._addresses = [self._begin(symbol) for symbol in self._named]

    @functools.cached_property
    def lines(self) -> Lines:
        """The source lines of the code; they are read when they are first asked for."""
        return Lines(self.content, self._base)

    @functools.cached_property
    def signatures(self) -> dict[str, Signature]:
        """The parameters and results of its functions that the debug information describes."""
        return signatures(self.content)

    def describe(self, address: int, disassembly: str) -> str:
        """Return an instruction as messages show it: address, symbol, disassembly, source line."""
        parts = [f"{address:#x}"]
        if place := self.place(address):
            parts.append(f"<{place}>")
        if disassembly:
            parts.append(f"`{disassembly}`")
        if chain := self.lines.chain(address):
            parts.append(f"at {' < '.join(chain)}")
        return " ".join(parts)

    def _begin(self, symbol: Symbol) -> int:
        """Return the address of a symbol, without the bit that marks a Thumb function."""
        return symbol.address & ~1 if symbol.is_function and self.abi.isa == "arm" else symbol.address

    @property
    def allocates(self) -> bool:
        """Whether it may call `malloc`, another allocator or `free`."""
        return any(name in self.symbols or name in self.externals for name in _ALLOCATORS)

    def external_at(self, address: int) -> str:
        """Return the name of what the file uses and does not define, from the address that stands for it, or empty."""
        return next((name for name, at in self.externals.items() if at <= address < at + 16), "")

    def constant(self, address: int, size: int) -> bytes | None:
        """Return constant bytes; None if there are none at the address."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        start, content, _ = self.constants[index]
        found = content[address - start : address - start + size]
        return found if len(found) == size else None

    def code(self, address: int) -> bytes:
        """Return up to 16 bytes of executable code; empty if there is none at the address."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or not self.constants[index].executable:
            return b""
        start, content, _ = self.constants[index]
        return content[address - start : address - start + 16]

    def region(self, address: int) -> Region | None:
        """Return the writable region that contains an address; None if there is none."""
        index = bisect_right(self._written, address) - 1
        return self.writable[index] if index >= 0 and address < self.writable[index].end else None

    def initial(self, address: int, width: int) -> int:
        """Return the initial value of a location; 0 outside the writable regions, as on a stack."""
        region = self.region(address)
        if region is None:
            return 0
        at = address - region.start
        return int.from_bytes(region.content[at : at + width], self.abi.endian)

    def is_writable(self, address: int, size: int) -> bool:
        """Return whether all of a location can be written."""
        index = bisect_right(self._written, address) - 1
        return index >= 0 and address + size <= self.writable[index].end

    def is_thumb(self, address: int) -> bool:
        """Return whether the function that contains `address` is Thumb code."""
        symbol = self._at(address)
        return symbol is not None and self._begin(symbol) != symbol.address

    def require(self, name: str, *, function: bool) -> Symbol:
        """Return the symbol `name`, which must be a function or an object; UnknownNameError if there is none."""
        found = self.symbols.get(name)
        if found is None or found.is_function != function:
            known = [each.name for each in self.symbols.values() if each.is_function == function]
            what = "function" if function else "variable"
            sentence = f"{self.name} has no {what} {name!r}"
            if not known:
                sentence += ": it has no symbols of its own (was it stripped?)"
            raise UnknownNameError(what, name, known, sentence=sentence)
        return found

    def place(self, address: int) -> str:
        """Return an address in terms of symbols, as in ``lock+0``; empty if no symbol contains it."""
        symbol = self._at(address)
        if symbol is None:
            return ""
        return f"{symbol.name}+{address - self._begin(symbol)}"

    def _at(self, address: int) -> Symbol | None:
        """Return the symbol that contains an address, the last of those that begin at the same place."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0 or address >= self._addresses[index] + max(self._named[index].size, 1):
            return None
        return self._named[index]
