"""The instructions to draw from: by instruction set and kind, a table of all that are possible at each address."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from simaie.errors import UnknownNameError
from simaie.guest.code import Ins, ins

__all__ = ["SPAWN", "Form", "forms_of", "kinds_of", "table_of", "widths_of"]

#: The kind that is no row of a table: some threads are spawned by others.
SPAWN = "spawn"

#: The stored values. Memory holds 0 at first, so that A-B-A is a return to 0.
_VALUES = (0, 1, 2)


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


_ANY = (4, 1, 2, 8)


def _load(mnemonic: str, *widths: int, kind: str = "load", aligned: bool = False) -> Form:
    return Form(kind, mnemonic, 0, widths, aligned, result=True)


def _store(mnemonic: str, *widths: int, kind: str = "store", aligned: bool = False) -> Form:
    return Form(kind, mnemonic, 1, widths, aligned)


def _linked(load: str, store: str, *widths: int) -> tuple[Form, Form]:
    return (
        Form("load-linked", load, 0, widths, result=True),
        Form("store-conditional", store, 1, widths, result=True),
    )


def _atomic(mnemonic: str, operands: int, *widths: int, kind: str = "atomic", aligned: bool = True) -> Form:
    return Form(kind, mnemonic, operands, widths, aligned, result=True)


_FORMS: dict[str, tuple[Form, ...]] = {
    "arm": (
        _load("ldr", *_ANY),
        _store("str_", *_ANY),
        *_linked("ldrex", "strex", *_ANY),
        Form("clear", "clrex"),
        _atomic("swp", 1, 4, 1),
        Form("fence", "dmb"),
    ),
    "aarch64": (
        _load("ldr", *_ANY),
        _store("str_", *_ANY),
        *_linked("ldxr", "stxr", *_ANY),
        Form("clear", "clrex"),
        _atomic("cas", 2, *_ANY),
        _atomic("swp", 1, *_ANY),
        _load("ldar", *_ANY, kind="acquire", aligned=True),
        _store("stlr", *_ANY, kind="release", aligned=True),
        Form("fence", "dmb"),
    ),
    "x86": (
        _load("load", *_ANY),
        _store("store", *_ANY),
        _atomic("lock_xadd", 1, *_ANY, aligned=False),
        _atomic("xchg", 1, *_ANY, kind="exchange", aligned=False),
        _atomic("lock_cmpxchg", 2, *_ANY, kind="compare", aligned=False),
        _atomic("lock_cmpxchg16b", 2, 16, kind="compare"),
        _atomic("xadd", 1, *_ANY, kind="plain-rmw", aligned=False),
        Form("fence", "mfence"),
        Form("fence", "sfence"),
    ),
    "riscv": (
        *(_load(mnemonic, width) for mnemonic, width in (("lw", 4), ("lb", 1), ("lh", 2), ("ld", 8))),
        *(_store(mnemonic, width) for mnemonic, width in (("sw", 4), ("sb", 1), ("sh", 2), ("sd", 8))),
        *_linked("lr", "sc", 4, 8),
        _atomic("amoadd", 1, 4, 8),
        _atomic("amoswap", 1, 4, 8),
        Form("fence", "fence"),
        Form("fence", "fence_tso"),
    ),
    "mips": (
        *(_load(mnemonic, width) for mnemonic, width in (("lw", 4), ("lb", 1), ("lh", 2), ("ld", 8))),
        *(_store(mnemonic, width) for mnemonic, width in (("sw", 4), ("sb", 1), ("sh", 2), ("sd", 8))),
        *_linked("ll", "sc", 4),
        *_linked("lld", "scd", 8),
        Form("fence", "sync"),
    ),
    "ppc": (
        *(_load(mnemonic, width) for mnemonic, width in (("lwz", 4), ("lbz", 1), ("lhz", 2), ("ld", 8))),
        *(_store(mnemonic, width) for mnemonic, width in (("stw", 4), ("stb", 1), ("sth", 2), ("std", 8))),
        *_linked("lwarx", "stwcx", 4),
        *_linked("lbarx", "stbcx", 1),
        *_linked("lharx", "sthcx", 2),
        *_linked("ldarx", "stdcx", 8),
        Form("fence", "sync"),
        Form("fence", "lwsync"),
    ),
}


def forms_of(isa: str) -> tuple[Form, ...]:
    """Return the instructions to draw from for `isa`; raise UnknownNameError if there is no such instruction set."""
    if isa not in _FORMS:
        raise UnknownNameError("instruction set", isa, _FORMS)
    return _FORMS[isa]


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
