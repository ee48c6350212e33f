"""The instructions to draw from: by instruction set and kind, a table of all that are possible at each address."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from simaie.errors import UsageError
from simaie.guest.code import Ins, ins
from simaie.guest.form import Form
from simaie.guest.isa import isa_class

__all__ = ["SPAWN", "forms_of", "kinds_of", "table_of", "widths_of"]

#: The kind that is no row of a table: some threads are spawned by others.
SPAWN = "spawn"

#: The stored values. Memory holds 0 at first, so that A-B-A is a return to 0.
_VALUES = (0, 1, 2)


def forms_of(isa: str) -> tuple[Form, ...]:
    """Return the instructions to draw from for the instruction set `isa`.

    Raises:
        UnknownNameError: There is no such instruction set.
        UsageError: Its class has no forms.
    """
    found = isa_class(isa).forms
    if not found:
        raise UsageError(f"no programs can be generated for {isa}: its class has no `forms`, see simaie.guest.form")
    return found


def kinds_of(isa: str) -> tuple[str, ...]:
    """Return the kinds of instructions of `isa`, as `programs` takes them."""
    return (*dict.fromkeys(form.kind for form in forms_of(isa)), SPAWN)


def widths_of(isa: str) -> tuple[int, ...]:
    """Return the widths of the accesses of `isa`, in bytes."""
    return tuple(dict.fromkeys(width for form in forms_of(isa) for width in form.widths))


def table_of(
    isa: str, kinds: Collection[str], addresses: Sequence[int], widths: Collection[int]
) -> tuple[tuple[Ins, ...], ...]:
    """Return the table to draw from, simplest first: the instructions of these kinds, and LL/SC pairs.

    Pairs are in the table because a matching load-linked and store-conditional rarely meet.

    Args:
        isa: Name of the instruction set.
        kinds: Kinds of instructions.
        addresses: Guest addresses.
        widths: Widths in bytes.
    """
    made = [
        (form.kind, item, address, width)
        for form in forms_of(isa)
        if form.kind in kinds
        for item, address, width in _made(form, addresses, widths)
    ]
    pairs = [
        (linked, stored)
        for kind, linked, *at in made
        if kind == "load-linked"
        for other, stored, *there in made
        if other == "store-conditional" and at == there
    ]
    return (*((item,) for _, item, _, _ in made), *pairs)


def _made(form: Form, addresses: Sequence[int], widths: Collection[int]) -> list[tuple[Ins, int, int]]:
    """Return each instruction of the form with its address and width."""
    if not form.widths:
        return [(ins(form.mnemonic), 0, 0)]
    several = len(form.widths) > 1
    return [
        (ins(form.mnemonic, address, *operands, into="r" if form.result else None, **_width(several, w)), address, w)
        for address in addresses
        for w in form.widths
        if w in widths and not (form.aligned and address % w)
        for operands in _operands(form.operands)
    ]


def _width(several: bool, width: int) -> dict[str, int]:
    return {"width": width} if several and width != 4 else {}


def _operands(count: int) -> list[tuple[int, ...]]:
    if count == 0:
        return [()]
    return [(v,) for v in _VALUES] if count == 1 else [(a, b) for a in _VALUES for b in _VALUES if a != b]
