"""The Python types, functions and modules whose state a reading can see completely (see `simaie.engine.reading`)."""

from __future__ import annotations

import builtins
import functools
import math
import operator
import os
import sys
from collections import OrderedDict, defaultdict, deque, namedtuple
from enum import Enum
from functools import partial
from pathlib import Path
from types import (
    ClassMethodDescriptorType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)  # fmt: skip
from typing import Any

from simaie.engine.code_facts import code_facts

__all__ = [
    "DESCRIPTORS", "ITERATORS", "MACHINERY", "MAPPINGS", "PLAIN", "REDUCED",
    "SEQUENCES", "WRAPPERS", "Unreadable", "is_guest_made", "is_immutable", "is_inert", "is_inert_class", "is_pure",
    "layout", "stands_for_itself", "stands_still",
]  # fmt: skip

PLAIN = frozenset({int, str, bytes, bool, type(None), type(...), type(NotImplemented)})
SEQUENCES = (list, tuple, deque, set, frozenset)
MAPPINGS = (OrderedDict, defaultdict, dict)
_LAYOUTS = frozenset({*SEQUENCES, *MAPPINGS, int, float, str, bytes, bytearray})
#: Iterators whose state is what they refer to and the number of items that are left.
ITERATORS = tuple(
    map(type, (iter([]), iter(()), iter(""), iter("\u00e4"), iter(b""), iter({}), iter({}.values()), iter({}.items()),
               iter(set()), reversed([]), reversed({})))
)  # fmt: skip
#: Iterators whose state ``__reduce__`` returns.
REDUCED = (enumerate, zip, map, filter, reversed, type(iter(range(0))), type(iter(range(1 << 70))))
WRAPPERS: dict[type, tuple[str, ...]] = {
    classmethod: ("__func__", "__dict__"),
    staticmethod: ("__func__", "__dict__"),
    property: ("fget", "fset", "fdel"),
    partial: ("func", "args", "keywords", "__dict__"),
}
DESCRIPTORS = (
    GetSetDescriptorType, MemberDescriptorType, MethodDescriptorType, WrapperDescriptorType,
    ClassMethodDescriptorType, CodeType, type(vars(namedtuple("Fields", "field"))["field"]),
)  # fmt: skip
#: Attributes of classes that Python uses internally.
MACHINERY = frozenset(
    {"__dict__", "__weakref__", "__annotations__", "__annotations_cache__", "__annotate_func__", "__dataclass_fields__",
     "__dataclass_params__", "_abc_impl", "__abstractmethods__", "__slotnames__", "__classdictcell__"}
)  # fmt: skip
#: Functions that keep no state between two calls, and access nothing except their arguments.
_PURE = frozenset(
    {abs, all, any, ascii, bin, callable, chr, delattr, divmod, format, getattr, hasattr, hash, hex, isinstance,
     issubclass, iter, len, max, min, next, oct, ord, pow, print, repr, round, setattr, sorted, sum,
     builtins.__build_class__}
)  # fmt: skip
#: Modules of the standard library whose functions and classes keep no state of their own.
_INERT = frozenset(
    {"abc", "enum", "typing", "dataclasses", "types", "collections", "_collections_abc", "functools", "contextlib",
     "reprlib", "operator", "numbers", "fractions"}
)  # fmt: skip
_STDLIB = os.path.dirname(os.__file__)
_TRIO = frozenset({"move_on_after", "move_on_at", "fail_after", "fail_at", "sleep", "sleep_until", "open_nursery"})
_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
_POINTER = tuple.__itemsize__
#: Modules whose objects guest code can reach only by operations.
_ITSELF = (
    "simaie.aie.", "simaie.barrier", "simaie.binary.", "simaie.engine.", "simaie.guest.code",
    "simaie.guest.interpreter", "simaie.host.", "simaie.op", "simaie.protocols", "simaie.schemes.", "simaie.trace",
)  # fmt: skip


class Unreadable(Exception):
    """A value may hold state that cannot be read, or too much state."""


def is_immutable(cls: type) -> bool:
    """Whether a class is built in, so that it cannot receive new attributes."""
    return bool(cls.__flags__ & _IMMUTABLE)


def is_pure(function: Any) -> bool:
    """Whether a built-in function of a module keeps no state between two calls."""
    return function in _PURE or function.__self__ in (math, operator, sys.modules["_operator"])


def is_inert(function: FunctionType) -> bool:
    """Whether a function belongs to the standard library or to trio and keeps no state."""
    if function.__name__ in _TRIO and str(function.__module__).partition(".")[0] == "trio":
        return True
    return _is_inert_file(function.__code__.co_filename)


@functools.cache
def _is_inert_file(filename: str) -> bool:
    if filename.startswith("<frozen "):
        return filename[8:-1].partition(".")[0] in _INERT
    path = Path(filename)
    path = path.parent if path.stem == "__init__" else path.with_suffix("")
    return path.name in _INERT and str(path.parent) == _STDLIB


def is_inert_class(cls: type) -> bool:
    """Whether a class belongs to the standard library and keeps no state."""
    module = cls.__module__
    return module.partition(".")[0] in _INERT and getattr(sys.modules.get(module), cls.__name__, None) is cls


def is_guest_made(cls: type) -> bool:
    """Whether a class belongs to a guest and not to simaie; the programs of the corpus are guests."""
    module = cls.__module__
    return not module.startswith("simaie.") or module.startswith("simaie.corpus")


def stands_for_itself(kind: type) -> bool:
    """Whether objects of a class of simaie are compared by identity alone."""
    return kind.__module__.startswith(_ITSELF) or issubclass(kind, Enum)


def stands_still(value: Any) -> bool:
    """Whether a guest cannot keep state in an attribute of a class of simaie."""
    kind = type(value)
    if kind in (classmethod, staticmethod):
        value = value.__func__
        kind = type(value)
    if kind is FunctionType:
        return code_facts(value.__code__).own or is_inert(value)
    return kind in PLAIN or kind in DESCRIPTORS or kind is property


def layout(cls: type) -> tuple[type, list[Any]]:
    """Return the built-in base type of a class made in Python, and the slots that its instances have in addition.

    Raises:
        Unreadable: Instances are larger than that, so that they have a part that only C code sees.
    """
    base: type = object
    slots: list[Any] = []
    for one in cls.__mro__:
        if not is_immutable(one):
            slots += [member for member in vars(one).values() if type(member) is MemberDescriptorType]
        elif one in _LAYOUTS:
            base = one
            break
        elif one.__basicsize__ > object.__basicsize__:
            raise Unreadable
    size = base.__basicsize__ + _POINTER * len(slots)
    for offset, of_base in ((cls.__dictoffset__, base.__dictoffset__), (cls.__weakrefoffset__, base.__weakrefoffset__)):
        if offset and not of_base and (offset > 0 or base.__itemsize__):
            size += _POINTER
    if cls.__basicsize__ > size or cls.__itemsize__ != base.__itemsize__:
        raise Unreadable
    return base, slots
