"""The helpers of a scheme that are compiled code: which functions a file has, and a thread that runs one of them.

The memory of the emulator is that of the file, with its stacks and its heap. The memory of the guest is a window in it,
from `GUEST` on (`SIMAIE_GUEST` in ``simaie_scheme.h``).

Where a block lies on the heap follows from its size, its vCPU, and the number of blocks of this size that the vCPU has
allocated. So no place is a part of two types of different sizes, in one execution or in several.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simaie.binary.calls import CCall
from simaie.binary.elf import load_image
from simaie.binary.file import CarriedPath, read_elf
from simaie.binary.hooking import Library
from simaie.binary.image import Image
from simaie.binary.layout import Layout
from simaie.binary.place import Place
from simaie.binary.thread import BinaryThread
from simaie.binary.translation import Code, code_of
from simaie.errors import GuestFault, InputError, SchemeError, UnknownNameError, UsageError
from simaie.host.loaded import plain

__all__ = ["GUEST", "MOST_VCPUS", "Helpers", "content_of", "helpers_of"]

#: The address of the guest's address 0 in the memory of the emulator.
GUEST = 1 << 48
#: The vCPUs that have a stack for their helpers.
MOST_VCPUS = 64
_PREFIX = "scheme_"
_POINTER = 8
#: The heap, above everything that a file can have, with an arena for each vCPU, and in it one for each size.
_HEAP = 1 << 46
_OF_VCPU, _OF_SIZE = 38, 20  # bits of an address
_STACK = 4 << 10
#: The functions that a file may define, each with its number of arguments; see ``simaie_scheme.h``.
_FUNCTIONS = frozenset({
    "load", "store", "pre_store", "post_store", "load_linked", "store_conditional", "clear_exclusive", "lock", "unlock",
    "compare_and_swap", "exception", "thread_exit",
})  # fmt: skip


class Helpers:
    """The helpers of one file.

    Args:
        image: The loaded ELF file.

    Attributes:
        image: The loaded ELF file.
        names: The helpers that it has, such as ``store_conditional``.

    Raises:
        InputError: The file has no helpers, or is for a host with pointers of other than 8 bytes.
        UnknownNameError: A function has the prefix of a helper, but none is called so.
    """

    def __init__(self, image: Image) -> None:
        if image.abi.word != _POINTER:
            raise InputError(f"{image.name}: helpers must be for a 64-bit host, not for {image.abi.name}")
        self.image = image
        found = [symbol.name.removeprefix(_PREFIX) for symbol in image.symbols.values()
                 if symbol.is_function and symbol.name.startswith(_PREFIX)]  # fmt: skip
        if not found:
            raise InputError(f"{image.name}: it has no helper, a function such as {_PREFIX}lock (see simaie_scheme.h)")
        for name in found:
            if name not in _FUNCTIONS:
                raise UnknownNameError("helper", _PREFIX + name, [_PREFIX + each for each in sorted(_FUNCTIONS)])
        self.names = frozenset(found)
        self._code = code_of(image, Library.HELPERS)
        self._layout = Layout(image, MOST_VCPUS, _STACK)

    def thread(self, name: str, number: int, cpu: Any, arguments: tuple[int, ...], **state: Any) -> HelperThread:
        """Return a thread that runs a helper.

        Args:
            name: The helper.
            number: The number of the vCPU that needs it.
            cpu: A vCPU of the host's instruction set, whose scheme performs the accesses.
            arguments: The arguments, without the vCPU.
            **state: As for `HelperThread`.
        """
        entry = self.image.symbols[_PREFIX + name].address
        thread = HelperThread(self._code, self._layout, number + 1, cpu, **state)
        thread.calls = [CCall(_PREFIX + name, entry, (number, *arguments))]
        return thread


class HelperThread(BinaryThread):
    """A thread that runs one helper of a vCPU.

    Args:
        code: The translated file.
        layout: Where stacks lie.
        number: The number of its stack.
        cpu: A vCPU of the host's instruction set.
        blocks: The number of blocks that the vCPU's helpers have allocated, by size.
        mutex: Returns the mutex of the host at an address.
    """

    def __init__(
        self, code: Code, layout: Layout, number: int, cpu: Any, *, blocks: Mapping[int, int],
        mutex: Callable[[int], Any],
    ) -> None:  # fmt: skip
        super().__init__(code, layout, number, cpu)
        self.blocks, self._mutex, self._arena = dict(blocks), mutex, _HEAP | number << _OF_VCPU

    def allocate(self, size: int) -> int:
        """Return the address of a new block; `size` is in bytes and below 1 MB."""
        number = self.blocks.get(size, 0)
        self.blocks[size] = number + 1
        self.allocated += size
        return self._arena | (size << _OF_SIZE) + size * number

    def mutex(self, address: int) -> Any:
        """Return the mutex of the host at an address."""
        return self._mutex(address)

    async def finish(self) -> int:
        """Run the helper to its end; return its result.

        Raises:
            SchemeError: It faults.
        """
        try:
            await self.run()
        except GuestFault as fault:
            raise SchemeError(f"the scheme's helper {self.calls[0].function} faults: {fault}") from None
        return self.result

    def _begin(self, place: Place, address: int, width: int) -> None:
        if plain(address) >= _HEAP:
            self._cpu.place, self.idle = place, 0
        else:
            super()._begin(place, address, width)


def helpers_of(path: str) -> Helpers:
    """Return the helpers of an ELF file.

    Raises:
        InputError: The file cannot be read, or has no helpers.
    """
    if not isinstance(path, str) or not path:
        raise UsageError("a compiled scheme needs the file of its helpers: compiled:file=HELPERS.so")
    if isinstance(path, CarriedPath):
        return _carried(Path(path).name, path.content)
    try:
        facts = Path(path).stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    return _of_file(path, facts.st_mtime_ns, facts.st_size)


def content_of(path: str) -> bytes:
    """Return the ELF file of helpers as they were last used here, or else as it is; InputError if it is gone."""
    if isinstance(path, CarriedPath):
        return path.content
    return _last_used[path] if path in _last_used else read_elf(Path(path))


#: Path -> the content of the helpers that were loaded last.
_last_used: dict[str, bytes] = {}


@functools.lru_cache(maxsize=16)
def _of_file(path: str, changed: int, size: int) -> Helpers:
    """Return the helpers of a file in the state that it had at a time."""
    content = read_elf(Path(path))
    _last_used[path] = content
    return _carried(Path(path).name, content)


@functools.lru_cache(maxsize=16)
def _carried(name: str, content: bytes) -> Helpers:
    return Helpers(load_image(name, content))
