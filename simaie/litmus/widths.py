"""The width of each location of a test: that of its declared type, else the 32 bits of an `int`."""

from __future__ import annotations

from collections.abc import Callable

from simaie.litmus.location import CType
from simaie.litmus.model import Arch, LitmusTest

__all__ = ["DEFAULT_BITS", "type_bits", "widths"]

DEFAULT_BITS = 32

_NARROW = (Arch.X86, Arch.ARM)
_BITS = {"char": 8, "short": 16, "int": 32, "long": 64, "__int128": 128, "__uint128": 128}
_SIZES = (8, 16, 32, 64, 128)
_BITS |= {f"{sign}int{size}_t": size for sign in ("", "u") for size in _SIZES}


def type_bits(ctype: CType, arch: Arch) -> int:
    """Return the width in bits of a value of a type, or of a cell of an array; an unknown type is an int.

    Args:
        ctype: The type.
        arch: The architecture, which sets the width of an address.
    """
    if ctype.pointer or ctype.name in ("intptr_t", "uintptr_t", "size_t"):
        return 32 if arch in _NARROW else 64
    return _BITS.get(ctype.name, DEFAULT_BITS)


def widths(test: LitmusTest) -> Callable[[str], int]:
    """Return a function from a location's name to its width in bits; a cell `t[1]` has the width of `t`."""
    declared = {
        item.location.key: type_bits(item.type, test.arch) for item in test.init if item.type is not None
    }

    def width_of(key: str) -> int:
        found = declared.get(key)
        return declared.get(key.partition("[")[0], DEFAULT_BITS) if found is None else found

    return width_of
