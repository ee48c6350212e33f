"""Functions of which a resolver chooses the code (STT_GNU_IFUNC): it is run alone, when they are first called.

The resolver sees the initial memory and a processor without optional features, and what it writes is lost. A function
that is run here anyway, such as `memcpy`, needs no resolver.
"""

from __future__ import annotations

import functools
from typing import Any

from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall
from simaie.binary.hooking import Library, is_run_here
from simaie.binary.layout import Layout
from simaie.binary.translation import Block, Code
from simaie.errors import GuestFault, InputError, UnmodelledCodeError

__all__ = ["with_indirect"]


def with_indirect(code: Code, library: Library) -> Code:
    """Let the indirect functions of a program run what their resolvers choose; return the same code.

    Args:
        code: The program.
        library: Which functions are run here.
    """
    image = code.image
    for name, address in image.externals.items():
        if address in image.indirect and not is_run_here(name, library):
            made = _block(code, name, image.indirect[address])
            code.blocks[address] = made
            if image.abi.isa == "arm":
                code.blocks[address | 1] = made  # also if Thumb code calls it
    return code


def _block(code: Code, name: str, resolver: int) -> Block:
    @functools.cache
    def target() -> int:
        image = code.image
        memory = Memory(image.initial, image.abi.endian)
        return run_alone(code, Layout(image, 0), CCall(name, resolver, ()), memory, f"the resolver of {name!r}")

    async def block(thread: Any, registers: list[int], cpu: Any) -> int:
        try:
            chosen = target()
        except (InputError, AssertionError, UnmodelledCodeError) as error:
            await thread.begin_hook(name)
            raise GuestFault("undefined", 0, f"a call of {name!r}, for which no code can be chosen: {error}") from None
        for register in code.image.abi.entry:
            registers[code.cells.number(register)] = chosen
        return chosen

    return block
