"""Operations and values as plain data, in the canonical form from which digests are computed.

The form is part of the file format of replays, so every change of it raises `VERSION`. It holds fields, never the text
that a reader sees, so that rewording `str(op)` changes no digest. Notes are left out. Cells, vCPUs and functions are
identified by their names, which are the same in every process.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from simaie.op import Kind, Op

__all__ = ["VERSION", "Plain", "digest_of", "plain", "plain_op"]

#: The version of the form. Digests of different versions cannot be compared.
VERSION = 2

#: What msgpack can encode: None, integers of 64 bits, text, and sequences of these.
Plain: TypeAlias = Any

_LEAST, _MOST = -(1 << 63), (1 << 64) - 1
_BUFFER, _SPAWN = Kind.BUFFER, Kind.SPAWN
_encode = msgspec.msgpack.Encoder().encode


def plain_op(op: Op) -> Plain:
    """Return an operation as plain data: the fields that its kind of operation uses."""
    kind, cell = op.kind, op.cell
    if kind is _BUFFER:
        return (int(kind), op.buffer, plain_op(op.value))
    value = op.value
    if type(value) is not int or not _LEAST <= value <= _MOST:
        value = None if kind is _SPAWN else plain(value)  # what a SPAWN starts is code
    place = op.address if cell is None else cell.name
    form: tuple[Plain, ...] = (int(kind), place, op.width, value, int(op.order))
    if op.form:
        form = (*form, "form", int(op.form))
    if op.expected is None and op.function is None and not op.orders and op.bit < 0:
        return form
    return (*form, plain(op.expected), op.function and op.function.name, int(op.orders), op.bit)


def plain(value: Any) -> Plain:
    """Return a value as plain data: integers and text unchanged, tuples and operations by parts, others by name."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, str):  # of an enumeration, say
        return str.__str__(value)
    if isinstance(value, int):
        value = int(value)
        return value if _LEAST <= value <= _MOST else ("int", hex(value))
    if isinstance(value, tuple):
        return ("tuple", *map(plain, value))
    if isinstance(value, Op):
        return plain_op(value)
    return ("name", str(getattr(value, "name", type(value).__name__)))


def digest_of(parts: Iterable[Plain], size: int) -> str:
    """Return the digest of plain data, `size` bytes in hexadecimal: BLAKE2b over the version and the parts."""
    return blake2b(_encode((VERSION, *parts)), digest_size=size).hexdigest()
