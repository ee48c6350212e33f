"""Mappings: what an emulator makes of the guest's loads, stores and atomics so that the host keeps their order.

A mapping is a table and no code: for each kind of access the fences before and after it, and the memory order of the
access itself. `MAPPINGS` has those of emulators and publications; a file in TOML has the same form:

    [load]
    before = "ld-ld+ld-st"     # a set of orders, see simaie.barrier
    order = "acquire"          # the order of the access itself
    after = "none"

    [store]                    # the same three keys

    [atomic]                   # the same three keys, and:
    failed = "full"            # the fence behind a compare-and-swap that failed; `after` is behind all others
    exclusive = true           # made of a load-linked and a store-conditional

    [fence]
    keep = "full"              # which orders of the guest's own fences the host's fences keep

What is left out is ``"none"``; an atomic has the order ``"seq-cst"``, and a fence keeps ``"full"``. On one line,
changes of a table, of a file or of ``"none"`` say the same: ``qemu/atomic.failed=full``, ``load.after=ld-ld``.

The module `simaie.schemes.mapped` applies a mapping to a scheme.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Mapping as Dict
from typing import Any, TypeAlias

import msgspec

from simaie.arguments import require_instance, shown
from simaie.barrier import Barrier, parse_barrier
from simaie.errors import InputError, UnknownNameError, UsageError
from simaie.input_file import read_bounded
from simaie.op import Form, Order

__all__ = ["FENCE_PLACES", "MAPPINGS", "Access", "Atomic", "Mapping", "mapping_of", "order_text"]

#: The places of the fences of a mapping, by section and key of a table, in words.
FENCE_PLACES = {
    "load.before": "before loads",
    "load.after": "behind loads",
    "store.before": "before stores",
    "store.after": "behind stores",
    "atomic.before": "before atomics",
    "atomic.after": "behind atomics",
    "atomic.failed": "behind a compare-and-swap that failed",
}
#: What the rows of a table say, by section and key.
Table: TypeAlias = Dict[str, Dict[str, Any]]

#: The largest file that is read, in bytes.
_FILE_BYTES = 1 << 16
_ORDERS = {order.name.lower().replace("_", "-"): order for order in Order}


def order_text(order: Order) -> str:
    """Return the order of an access as a table has it."""
    return next(name for name, each in _ORDERS.items() if each is order)


class Access(msgspec.Struct, frozen=True):
    """What a guest's load or store becomes.

    Attributes:
        before: The orders of the fence before the access.
        order: The memory order of the access itself: ACQUIRE is LDAPR, SEQ_CST is LDAR, RELEASE is STLR.
        after: The orders of the fence behind the access.
    """

    before: Barrier = Barrier.NONE
    order: Order = Order.RELAXED
    after: Barrier = Barrier.NONE


class Atomic(msgspec.Struct, frozen=True):
    """What a guest's atomic read-modify-write becomes.

    Attributes:
        before: The orders of the fence before it.
        order: The memory order of the host's atomic; a scheme without host atomics ignores it.
        after: The orders of the fence behind it, unless it is a compare-and-swap that failed.
        failed: The orders of the fence behind a compare-and-swap that failed.
        form: Whether the host's atomic is made of a load-linked and a store-conditional.
    """

    before: Barrier = Barrier.NONE
    order: Order = Order.SEQ_CST
    after: Barrier = Barrier.NONE
    failed: Barrier = Barrier.NONE
    form: Form = Form.NONE


class Mapping(msgspec.Struct, frozen=True):
    """What an emulator makes of each kind of access.

    Attributes:
        name: The name of the table, or the path of its file.
        load: What a load becomes.
        store: What a store becomes.
        atomic: What an atomic read-modify-write becomes.
        fences: The orders of the guest's own fences that the host's fences keep.
    """

    name: str
    load: Access = Access()
    store: Access = Access()
    atomic: Atomic = Atomic()
    fences: Barrier = Barrier.FULL


_LOADS, _STORES, _RELEASING = "ld-ld+ld-st", "st-st", "ld-st+st-st"
_AROUND = {"before": "full", "after": "full", "failed": "full"}
_LL_SC = {"exclusive": True}
_RISOTTO = {"load": {"after": _LOADS}, "store": {"before": _STORES}}
_FEX = {"load": {"order": "acquire"}, "store": {"order": "release"}}
_BOX64 = {"store": {"before": "full", "after": "full"}, "atomic": _AROUND}

#: The tables by name. Sources:
#:
#: - ``qemu``: QEMU, tcg/aarch64 (DMB ISHLD before a load, DMB ISH before a store, CASAL); with ``-llsc`` LDAXR and
#:   STLXR.
#: - ``risotto``: R. Gouicem et al., "Risotto: A Dynamic Binary Translator for Weak Memory Model Architectures", ASPLOS
#:   2023, and its proofs (DMB ISHLD behind a load, DMB ISHST before a store, CASAL); with ``-llsc`` LDXR and STXR
#:   between two DMB ISH.
#: - ``fex``: FEX-Emu (LDAPR, STLR, CASAL). ``acquire-release``: the same with LDAR, for hosts without LDAPR.
#: - ``box64:strongmem=N``: the levels of BOX64_DYNAREC_STRONGMEM, box64's docs/USAGE.md and dynarec_helper.h. Level 0
#:   does nothing for plain accesses. Levels 1 to 3 put DMB ISH at the beginning and the end of each translated block
#:   that stores, and before its last store; level 3 also behind every third store. The table is that of blocks with one
#:   store each, which have the most barriers: what it shows to be broken is broken in longer blocks too, but what it
#:   shows to be kept may break there. Level 2 adds vector stores, which the table does not tell apart. Level 4, made
#:   for evaluation, also puts DMB ISHLD before each load.
#: - ``riscv``: the table "Mappings from TSO operations to RISC-V operations" in the RISC-V manual's explanation of
#:   RVWMO, whose atomics are AMO.aqrl or, with ``-llsc``, LR.aq and SC.aqrl. ``riscv-leading`` has FENCE R,R before a
#:   load in place of FENCE R,RW behind it.
#: - ``none``: nothing but the order of host atomics; ``relaxed``: not even that.
MAPPINGS: Dict[str, Table] = {
    "none": {},
    "relaxed": {"atomic": {"order": "relaxed"}},
    "qemu": {"load": {"before": _LOADS}, "store": {"before": "full"}},
    "qemu-llsc": {"load": {"before": _LOADS}, "store": {"before": "full"}, "atomic": _LL_SC},
    "risotto": _RISOTTO,
    "risotto-llsc": {**_RISOTTO, "atomic": {**_AROUND, **_LL_SC, "order": "relaxed"}},
    "fex": _FEX,
    "acquire-release": {**_FEX, "load": {"order": "seq-cst"}},
    "box64:strongmem=0": {"atomic": _AROUND},
    "box64:strongmem=1": _BOX64,
    "box64:strongmem=2": _BOX64,
    "box64:strongmem=3": _BOX64,
    "box64:strongmem=4": {**_BOX64, "load": {"before": _LOADS}},
    "riscv": {"load": {"after": _LOADS}, "store": {"before": _RELEASING}},
    "riscv-llsc": {"load": {"after": _LOADS}, "store": {"before": _RELEASING}, "atomic": _LL_SC},
    "riscv-leading": {"load": {"before": "ld-ld"}, "store": {"before": _RELEASING}},
}


def mapping_of(given: object) -> Mapping:
    """Return the mapping of a name in `MAPPINGS`, of a TOML file, or of changes; None is ``"none"``.

    Args:
        given: ``NAME``, ``FILE.toml``, ``BASE/SECTION.KEY=VALUE/...`` or ``SECTION.KEY=VALUE/...``.

    Raises:
        UnknownNameError: No mapping has this name.
        UsageError: A change names no section, no key of it, or no value of that.
        InputError: The file cannot be read, or is no table of a mapping; the message names the section and the key.
    """
    text = "none" if given is None else require_instance("mapping", given, str, "a name or the path of a .toml file")
    base, changes = _split(text)
    if base.endswith(".toml"):
        return _from_file(base, _content(base), text, changes)
    return _known(base, text, changes)


def _split(text: str) -> tuple[str, tuple[str, ...]]:
    """Split a text into the base and the changes behind it."""
    words = text.split("/")
    first = len(words)
    while first and _CHANGE.fullmatch(words[first - 1]):
        first -= 1
    return "/".join(words[:first]) if first else "none", tuple(words[first:])


_CHANGE = re.compile(r"\w+\.\w+=[^=]*")


@functools.cache
def _known(base: str, text: str, changes: tuple[str, ...]) -> Mapping:
    if base not in MAPPINGS:
        raise UnknownNameError("mapping", base, MAPPINGS, "or the path of a .toml file with a table of your own")
    try:
        return _read(text, _changed(MAPPINGS[base], changes))
    except UsageError as error:
        raise UsageError(f"mapping={text}: {error}") from error


def _content(path: str) -> bytes:
    try:
        return read_bounded(path, _FILE_BYTES)
    except OSError as error:
        raise InputError(f"cannot read the mapping {os.fspath(path)}: {error.strerror}") from error


@functools.lru_cache(maxsize=64)
def _from_file(path: str, content: bytes, text: str, changes: tuple[str, ...]) -> Mapping:
    try:
        table = tomllib.loads(content.decode())
        _read(path, table)  # so that what is wrong in the file is not blamed on the changes
        return _read(text, _changed(table, changes))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: this is no TOML file: {error}") from error
    except UsageError as error:
        raise InputError(f"{path}: {error}") from error


def _changed(table: Table, changes: tuple[str, ...]) -> Table:
    """Return a copy of a table with changes."""
    made = {section: dict(row) for section, row in table.items()}
    for change in changes:
        place, _, value = change.partition("=")
        section, _, key = place.partition(".")
        made.setdefault(section, {})[key] = {"true": True, "false": False}.get(value, value)
    return made


# -- the rows of a table ------------------------------------------------------------------------------

_KEYS = {
    "load": ("before", "order", "after"),
    "store": ("before", "order", "after"),
    "atomic": ("before", "order", "after", "failed", "exclusive"),
    "fence": ("keep",),
}
#: The orders that an access can have; no host has a load-release or a store-acquire.
_POSSIBLE = {
    "load": (Order.RELAXED, Order.ACQUIRE, Order.SEQ_CST),
    "store": (Order.RELAXED, Order.RELEASE),
    "atomic": tuple(Order),
}


def _read(name: str, table: Dict[str, Any]) -> Mapping:
    """Return the mapping that a table describes; UsageError names the section and key that are wrong."""
    for section, row in table.items():
        if section not in _KEYS:
            raise UsageError(f"there is no section [{section}]; the sections are {_listed(_KEYS)}")
        if not isinstance(row, Dict):
            raise UsageError(f"{section} must be a section, [{section}], not {shown(row)}")
        for key in row:
            if key not in _KEYS[section]:
                raise UsageError(f"[{section}] has no key {key!r}; its keys are {_listed(_KEYS[section])}")
    load, store, atomic = (table.get(section, {}) for section in ("load", "store", "atomic"))
    return Mapping(
        name,
        Access(_fence("load", load, "before"), _order("load", load), _fence("load", load, "after")),
        Access(_fence("store", store, "before"), _order("store", store), _fence("store", store, "after")),
        Atomic(
            _fence("atomic", atomic, "before"),
            _order("atomic", atomic, "seq-cst"),
            _fence("atomic", atomic, "after"),
            _fence("atomic", atomic, "failed"),
            Form.EXCLUSIVE if _flag("atomic", atomic, "exclusive") else Form.NONE,
        ),
        _fence("fence", table.get("fence", {}), "keep", "full"),
    )


def _fence(section: str, row: Dict[str, Any], key: str, usual: str = "none") -> Barrier:
    text = row.get(key, usual)
    if not isinstance(text, str):
        raise UsageError(f"[{section}] {key} must be a set of orders such as 'ld-ld+ld-st', not {shown(text)}")
    try:
        return parse_barrier(text)
    except UsageError as error:
        raise UsageError(f"[{section}] {key}: {error}") from None


def _order(section: str, row: Dict[str, Any], usual: str = "relaxed") -> Order:
    text = row.get("order", usual)
    order = _ORDERS.get(text) if isinstance(text, str) else None
    if order not in _POSSIBLE[section]:
        names = [name for name, each in _ORDERS.items() if each in _POSSIBLE[section]]
        raise UsageError(f"[{section}] order must be one of {_listed(names)}, not {shown(text)}")
    return order


def _flag(section: str, row: Dict[str, Any], key: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise UsageError(f"[{section}] {key} must be true or false, not {shown(value)}")
    return value


def _listed(names: Any) -> str:
    return ", ".join(names)
