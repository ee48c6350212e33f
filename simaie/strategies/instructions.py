"""Which instructions are drawn from: by instruction set and kind, a table of what can be asked of each address."""

from __future__ import annotations

import functools
from typing import NamedTuple

from simaie.errors import UnknownNameError, UsageError
from simaie.guest.code import Ins, ins
from simaie.guest.isa import ISAS

__all__ = ["Form", "forms_of", "kinds_of", "table_of"]

#: What is stored. 0 and 1 are in it for A-B-A: memory holds 0 at first.
_VALUES = (1, 0, 2)


class Form(NamedTuple):
    """An instruction: its kind, its mnemonic, operands behind the address, widths in bytes, whether it must be aligned.

    operands: how many values. `width` is an option only where there are several; no widths: it has no address.
    """

    kind: str
    mnemonic: str
    operands: int
    widths: tuple[int, ...] = ()
    aligned: bool = True
    result: bool = False


_ANY = (4, 1, 2, 8)
_FORMS: dict[str, tuple[Form, ...]] = {
    "arm": (
        Form("load", "ldr", 0, _ANY, aligned=False, result=True),
        Form("store", "str_", 1, _ANY, aligned=False),
        Form("load-linked", "ldrex", 0, _ANY, result=True),
        Form("store-conditional", "strex", 1, _ANY, result=True),
        Form("clear", "clrex", 0),
        Form("atomic", "swp", 1, (4, 1), result=True),
        Form("fence", "dmb", 0),
    ),
    "aarch64": (
        Form("load", "ldr", 0, _ANY, aligned=False, result=True),
        Form("store", "str_", 1, _ANY, aligned=False),
        Form("load-linked", "ldxr", 0, _ANY, result=True),
        Form("store-conditional", "stxr", 1, _ANY, result=True),
        Form("clear", "clrex", 0),
        Form("atomic", "cas", 2, _ANY, result=True),
        Form("fence", "dmb", 0),
    ),
    "x86": (
        Form("load", "load", 0, _ANY, aligned=False, result=True),
        Form("store", "store", 1, _ANY, aligned=False),
        Form("atomic", "lock_xadd", 1, _ANY, aligned=False, result=True),
        Form("exchange", "xchg", 1, _ANY, aligned=False, result=True),
        Form("compare", "lock_cmpxchg", 2, _ANY, aligned=False, result=True),
        Form("plain-rmw", "xadd", 1, _ANY, aligned=False, result=True),
        Form("fence", "mfence", 0),
    ),
}


def forms_of(isa: str) -> tuple[Form, ...]:
    """What is drawn from for `isa`; UsageError if nothing is, UnknownNameError if there is no such instruction set."""
    if isa not in ISAS:
        raise UnknownNameError("instruction set", isa, ISAS)
    if isa not in _FORMS:
        raise UsageError(f"no programs are generated for {isa!r} yet, only for {', '.join(sorted(_FORMS))}")
    return _FORMS[isa]


def kinds_of(isa: str) -> tuple[str, ...]:
    """The kinds of instructions that `isa` has, as `table_of` takes them."""
    return tuple(dict.fromkeys(form.kind for form in forms_of(isa)))


@functools.lru_cache(maxsize=65536)
def table_of(
    isa: str, kinds: tuple[str, ...], addresses: tuple[int, ...], widths: tuple[int, ...]
) -> tuple[tuple[Ins, ...], ...]:
    """What is drawn from, the simplest first: every instruction of these kinds, and LL/SC pairs, which rarely meet."""
    forms = [form for form in forms_of(isa) if form.kind in kinds]
    single = [(item,) for form in forms for item in _made(form, addresses, widths)]
    linked = [item for form in forms if form.kind == "load-linked" for item in _made(form, addresses, widths)]
    stores = [item for form in forms if form.kind == "store-conditional" for item in _made(form, addresses, widths)]
    pairs = [(ll, sc) for ll in linked for sc in stores if (ll.args[0], ll.options) == (sc.args[0], sc.options)]
    return (*single, *pairs)


def _made(form: Form, addresses: tuple[int, ...], widths: tuple[int, ...]) -> list[Ins]:
    if not form.widths:
        return [ins(form.mnemonic)]
    return [
        ins(form.mnemonic, address, *operands, into="r" if form.result else None, **({"width": w} if w != 4 else {}))
        for address in addresses
        for w in form.widths
        if w in widths and not (form.aligned and address % w)
        for operands in _operands(form.operands)
    ]


def _operands(count: int) -> list[tuple[int, ...]]:
    if count == 0:
        return [()]
    return [(v,) for v in _VALUES] if count == 1 else [(a, b) for a in _VALUES for b in _VALUES if a != b]
