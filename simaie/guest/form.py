"""The instructions of an instruction set that generated programs are made of, each as a row of data.

The class of an instruction set has such rows in `Cpu.forms`; `simaie.guest.forms` makes instructions of them.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ANY_WIDTH", "Form", "atomic", "load", "load_store", "pair", "store"]

#: The usual widths of an access in bytes; that of a word comes first, because examples shrink towards it.
ANY_WIDTH = (4, 1, 2, 8)


class Form(NamedTuple):
    """An instruction to draw from.

    Attributes:
        kind: Its kind.
        mnemonic: The method of the vCPU.
        operands: Number of values after the address.
        widths: Widths in bytes; `width` is an option of it only if there are several, and without widths it has no
            address.
        aligned: Whether the address must be aligned.
        result: Whether it has a result.
    """

    kind: str
    mnemonic: str
    operands: int = 0
    widths: tuple[int, ...] = ()
    aligned: bool = True
    result: bool = False


def load(mnemonic: str, *widths: int, kind: str = "load", aligned: bool = False) -> Form:
    """Return the form of a load, which may be unaligned unless `aligned` is set."""
    return Form(kind, mnemonic, 0, widths, aligned, result=True)


def store(mnemonic: str, *widths: int, kind: str = "store", aligned: bool = False) -> Form:
    """Return the form of a store, which may be unaligned unless `aligned` is set."""
    return Form(kind, mnemonic, 1, widths, aligned)


def load_store(*pairs: tuple[str, str, int], aligned: bool = False) -> tuple[Form, ...]:
    """Return the forms of plain loads and stores.

    Args:
        *pairs: The mnemonic of a load, that of the store of the same width, and the width in bytes.
        aligned: Whether their addresses must be aligned.
    """
    loads = [load(name, width, aligned=aligned) for name, _, width in pairs]
    return (*loads, *(store(name, width, aligned=aligned) for _, name, width in pairs))


def pair(linked: str, conditional: str, *widths: int) -> tuple[Form, Form]:
    """Return the forms of a load-linked and of its store-conditional."""
    return (
        Form("load-linked", linked, 0, widths, result=True),
        Form("store-conditional", conditional, 1, widths, result=True),
    )


def atomic(mnemonic: str, operands: int, *widths: int, kind: str = "atomic", aligned: bool = True) -> Form:
    """Return the form of a read-modify-write that returns the old value."""
    return Form(kind, mnemonic, operands, widths, aligned, result=True)
