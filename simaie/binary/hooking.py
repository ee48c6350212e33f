"""Blocks that run a hook in place of machine code: they take arguments and return as the ABI has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from simaie.binary.helper_hooks import HELPER_HOOKS
from simaie.binary.hooks import ALWAYS, HOOKS, Hook
from simaie.binary.image import Image
from simaie.binary.process import PROCESS
from simaie.errors import GuestFault

__all__ = ["Library", "hooked_blocks", "is_run_here"]

_Block = Callable[[Any, list[int], Any], Any]


class Library(Enum):
    """Which functions are run here: for a program whose functions are called, a whole program, a scheme's helpers."""

    FUNCTIONS = "functions"
    PROGRAM = "program"
    HELPERS = "helpers"


#: The hooks that replace a definition in the file, and those for functions that the file does not define.
_HOOKS: Mapping[Library, tuple[Mapping[str, Hook], Mapping[str, Hook]]] = {
    Library.FUNCTIONS: (ALWAYS, HOOKS),
    Library.PROGRAM: (PROCESS, PROCESS),
    Library.HELPERS: (HELPER_HOOKS, HELPER_HOOKS),
}


def is_run_here(name: str, library: Library) -> bool:
    """Return whether a function that the file does not define is run here."""
    return name in _HOOKS[library][1]


def hooked_blocks(image: Image, library: Library) -> dict[int, _Block]:
    """Return the blocks of an image that are hooks, by address.

    A function that the file neither defines nor has a hook for is a block too, which faults.

    Args:
        image: The program.
        library: Which functions are run here.
    """
    always, known = _HOOKS[library]
    blocks: dict[int, _Block] = {
        image.symbols[name].address: _block(name, hook) for name, hook in always.items() if name in image.symbols
    }
    for name, address in image.externals.items():
        made = _block(name, known[name]) if name in known else _undefined(image, name)
        blocks[address] = made
        if image.abi.isa == "arm":
            blocks[address | 1] = made  # also if Thumb code calls it
    return blocks


def _block(name: str, hook: Hook) -> _Block:
    async def block(thread: Any, registers: list[int], cpu: Any) -> int:
        following = await thread.begin_hook(name)
        result = await hook(thread, await thread.arguments())
        return thread.end_hook(following, result)  # type: ignore[no-any-return]  # a thread, without its import

    return block


def _undefined(image: Image, name: str) -> _Block:
    async def block(thread: Any, registers: list[int], cpu: Any) -> int:
        await thread.begin_hook(name)
        raise GuestFault("undefined", 0, f"a call of {name!r}, which {image.name} does not define")

    return block
