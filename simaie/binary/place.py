"""The place of an instruction in machine code, which is described only when it is shown."""

from __future__ import annotations

from collections.abc import Callable

from simaie.binary.image import Image
from simaie.guest.heap import HeapBlock

__all__ = ["Place"]


class Place:
    """The place of an instruction; its text is that of its source lines.

    Args:
        image: The program.
        address: The address of the instruction.
        mnemonic: The name of the instruction, or of the function that runs in place of machine code.
        is_call: Whether it is a call of such a function.
        disassemble: Returns the instruction at an address as a disassembler shows it; None for such a call.
    """

    #: The block that it frees, if the block was allocated before the threads began.
    block: HeapBlock | None

    __slots__ = ("_disassemble", "_image", "address", "block", "is_call", "mnemonic")

    def __init__(
        self,
        image: Image,
        address: int,
        mnemonic: str,
        *,
        is_call: bool = False,
        disassemble: Callable[[int], str] | None = None,
    ) -> None:
        self._image, self.address, self.mnemonic, self.is_call = image, address, mnemonic, is_call
        self._disassemble, self.block = disassemble, None

    def freeing(self, block: HeapBlock) -> Place:
        """Return the place as that of an instruction that frees `block`."""
        made = Place(self._image, self.address, self.mnemonic, is_call=self.is_call, disassemble=self._disassemble)
        made.block = block
        return made

    def __str__(self) -> str:
        return " < ".join(self._image.lines.chain(self.address)) or self._image.place(self.address)

    @property
    def disassembly(self) -> str:
        """The instruction with its operands, as a disassembler shows it; empty for a call."""
        return "" if self._disassemble is None else self._disassemble(self.address)

    def location(self, address: int) -> str:
        """Return an address in terms of symbols, as in ``lock+0``; empty if no symbol contains it."""
        return self._image.place(address)
