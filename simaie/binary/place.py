"""The place of an instruction in machine code, which is described only when it is shown."""

from __future__ import annotations

from simaie.binary.image import Image

__all__ = ["Place"]


class Place:
    """The place of an instruction; its text is that of its source lines.

    Args:
        image: The program.
        address: The address of the instruction.
        mnemonic: The name of the instruction.
    """

    __slots__ = ("_image", "address", "mnemonic")

    def __init__(self, image: Image, address: int, mnemonic: str) -> None:
        self._image, self.address, self.mnemonic = image, address, mnemonic

    def __str__(self) -> str:
        return " < ".join(self._image.lines.chain(self.address)) or self._image.place(self.address)

    def location(self, address: int) -> str:
        """Return an address in terms of symbols, as in ``lock+0``; empty if no symbol contains it."""
        return self._image.place(address)
