"""The Python-side state of a scheme, read into a form that can be compared with what it is later.

Code before an ``await`` runs when the operation behind it is announced, not when it is performed. What a scheme keeps
in a dictionary therefore changes at moments that no scheduler chooses, and no search can vary. So the state of a
scheme must be constant once it is made, except for cells, which change by operations.

`roots` names what belongs to a scheme: its attributes and those of its classes, and the global, enclosing and default
variables that its methods use. `read` follows each root through dictionaries, lists, sets, functions and the
attributes of objects. It returns *leaves*: paths such as ``table[4096]``, each with what is there. A cell is a leaf;
what it holds is not part of the attribute, and a reader that is given a list collects the cells.

What is not seen: the inside of objects that show neither attributes nor a state to pickle (a C library's handles,
locks of `threading`), modules, and files.
"""

from __future__ import annotations

import dis
import sys
import types
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import lru_cache, partial
from typing import Any

from simaie.op import Cell, Op

__all__ = ["Leaves", "difference", "is_own", "read", "roots"]

#: What is there, by the path that leads there.
Leaves = dict[str, Any]

_PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), range})
#: Leaves of one root, and how deep inside each other; what lies beyond is not compared.
_MOST_LEAVES = 20_000
_DEPTH = 12
#: Packages of simaie whose objects a scheme owns. Others are the engine's, and are compared by identity.
_OF_SCHEMES = frozenset({"aie", "host", "schemes"})
_OPAQUE = (type, types.ModuleType, Enum, Op)
_GLOBALS = frozenset({"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"})


class _Same:
    """A value compared by identity."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]  # compared only

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is _Same and other.value is self.value


class _Enough(Exception):
    """There are more leaves than are compared."""


def is_own(cls: Any) -> bool:
    """Whether a class is simaie's own: such a scheme is verified by simaie's tests, not again in each exploration."""
    return _is_own(cls)


@lru_cache(maxsize=256)
def _is_own(cls: Any) -> bool:
    return all(base.__module__.partition(".")[0] in ("simaie", "builtins", "typing") for base in cls.__mro__)


def read(path: str, value: Any, cells: list[Cell] | None = None) -> Leaves:
    """The leaves of `value`, whose paths begin with `path`; cells found on the way are added to `cells`."""
    if type(value) in _PLAIN:  # as most are
        return {path: (type(value), value)}
    reader = _Reader(cells)
    with suppress(_Enough):
        reader.value(path, value, 0)
    return reader.leaves


def difference(before: Leaves, after: Leaves) -> str:
    """The path of the first leaf that has changed, come or gone; empty if none has."""
    for path, leaf in after.items():
        if path not in before:
            return path
        old = before[path]
        if old is not leaf and old != leaf:
            return _inside(path, old, leaf)
    return next((path for path in before if path not in after), "") if len(before) != len(after) else ""


def _inside(path: str, old: Any, new: Any) -> str:
    """Which item it is, where all items of a container are one leaf: its type and a tuple of them."""
    if not (isinstance(old, tuple) and isinstance(new, tuple) and old[0] is new[0]):
        return path
    kind, before, after = old[0], old[1], new[1]
    if not (isinstance(before, tuple) and isinstance(after, tuple)):
        return path
    if issubclass(kind, dict):
        was, now = dict(before), dict(after)
        keys = (key for key in {**now, **was} if was.get(key, was) != now.get(key, now))
        return f"{path}[{next(keys, '')!r}]"
    pairs = enumerate(zip(before, after, strict=False))
    return f"{path}[{next((i for i, (a, b) in pairs if a != b), min(len(before), len(after)))}]"


def roots(scheme: Any) -> dict[str, Any]:
    """What belongs to `scheme`, by name, without what it declares constant."""
    cls: Any = type(scheme)
    constant = cls.constant_attributes
    found = {name: value for name, value in vars(scheme).items() if name not in constant}
    for name, where in _beside(cls):
        if name not in constant and name not in found:
            value = _content(name, where)
            if not isinstance(value, _OPAQUE):
                found[name] = value
    return found


def _content(name: str, where: Any) -> Any:
    """The value of a variable that `_beside` names."""
    if isinstance(where, types.CellType):
        try:
            return where.cell_contents
        except ValueError:  # not assigned yet
            return None
    return where[0] if isinstance(where, tuple) else where.get(name)


@lru_cache(maxsize=256)
def _beside(cls: Any) -> tuple[tuple[str, Any], ...]:
    """The variables that classes which are not simaie's bring with them, each with where to look: a namespace, a
    variable of an enclosing function, or a tuple of the value itself.
    """
    found: list[tuple[str, Any]] = []
    for base in cls.__mro__:
        if not is_own(base):
            for name, value in vars(base).items():
                inner = getattr(value, "__func__", getattr(value, "fget", value))
                if isinstance(inner, types.FunctionType):
                    found += _variables(inner)
                elif _is_data(name, value):
                    found.append((name, vars(base)))
    return tuple(found)


def _is_data(name: str, value: Any) -> bool:
    code = (classmethod, staticmethod, property, types.MemberDescriptorType)
    return not (name.startswith("__") and name.endswith("__")) and not isinstance(value, code)


def _variables(function: types.FunctionType) -> list[tuple[str, Any]]:
    """The variables that live on between two calls of `function`: defaults, enclosing ones and globals."""
    code, namespace = function.__code__, function.__globals__
    defaults = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    given = [*zip(names[len(names) - len(defaults) :], defaults, strict=True), *(function.__kwdefaults__ or {}).items()]
    found: list[tuple[str, Any]] = [(name, (value,)) for name, value in given]
    found += zip(code.co_freevars, function.__closure__ or (), strict=True)
    for name in _globals_of(code):
        value = namespace.get(name)
        # Code that is imported or defined stays what it is; and what it keeps is its own affair.
        if name in namespace and not isinstance(value, _OPAQUE) and not _is_code(value):
            found.append((name, namespace))
    return [(name, where) for name, where in found if name != "__class__"]


def _is_code(value: Any) -> bool:
    """Whether it is a function that keeps nothing: of simaie, of the standard library, or without variables."""
    if isinstance(value, types.BuiltinFunctionType):
        return True
    if not isinstance(value, types.FunctionType):
        return False
    return value.__globals__.get("__name__", "").partition(".")[0] in ("simaie", *sys.stdlib_module_names)


@lru_cache(maxsize=256)
def _globals_of(code: types.CodeType) -> tuple[str, ...]:
    """The global names that `code` uses, also in functions inside it."""
    names = {str(i.argval): None for i in dis.get_instructions(code) if i.opname in _GLOBALS}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(dict.fromkeys(_globals_of(constant)))
    return tuple(names)


class _Reader:
    """Collects leaves."""

    def __init__(self, cells: list[Cell] | None) -> None:
        self.leaves: Leaves = {}
        self._cells = cells
        self._seen: dict[int, Any] = {}

    def value(self, path: str, value: Any, depth: int) -> None:
        """Read `value`, which `path` leads to."""
        kind = type(value)
        if kind in _PLAIN:
            self._add(path, (kind, value))
            return
        if isinstance(value, Cell):
            if self._cells is not None:
                self._cells.append(value)
        elif id(value) not in self._seen and depth <= _DEPTH and not isinstance(value, _OPAQUE):
            self._seen[id(value)] = value
            self._inside(path, value, kind, depth + 1)
            return
        self._add(path, _Same(value))

    def _add(self, path: str, leaf: Any) -> None:
        if len(self.leaves) >= _MOST_LEAVES:
            raise _Enough
        self.leaves[path] = leaf

    def _inside(self, path: str, value: Any, kind: type, depth: int) -> None:
        package = kind.__module__.split(".")
        if package[0] == "simaie" and package[1:2] and package[1] not in _OF_SCHEMES:
            self._of_engine(path, value, depth)
        elif isinstance(value, dict | Mapping):
            self._mapping(path, value, kind, depth)
        elif isinstance(value, list | tuple | deque):
            self._sequence(path, value, kind, depth)
        elif isinstance(value, set | frozenset):
            members = _are_plain(value)
            self._add(path, (kind, frozenset(value) if members else frozenset(map(id, value)), list(value)[:0]))
        elif isinstance(value, bytearray):
            self._add(path, (kind, bytes(value)))
        elif isinstance(value, types.FunctionType):
            self._function(path, value, depth)
        elif isinstance(value, types.MethodType):
            self.value(f"{path}.__self__", value.__self__, depth)
            self.value(f"{path}.__func__", value.__func__, depth)
        elif isinstance(value, partial):
            self.value(path, (value.func, value.args, value.keywords), depth)
        elif isinstance(value, types.GeneratorType):
            frame = value.gi_frame
            self.value(path, None if frame is None else (frame.f_lasti, dict(frame.f_locals)), depth)
        elif not self._attributes(path, value, kind, depth):
            self._state(path, value, depth)

    def _of_engine(self, path: str, value: Any, depth: int) -> None:
        """Of the engine's objects only what a scheme keeps in them is of interest: a vCPU's `local`."""
        self._add(path, _Same(value))
        if hasattr(type(value), "instruction_names"):
            self.value(f"{path}.local", value.local, depth)

    def _mapping(self, path: str, value: Mapping[Any, Any], kind: type, depth: int) -> None:
        if _are_plain(value) and _are_plain(value.values()):
            self._add(path, (kind, tuple(value.items())))
        else:
            for number, (key, item) in enumerate(value.items()):
                name = repr(key) if type(key) in _PLAIN else f"{getattr(key, 'name', type(key).__name__)}#{number}"
                self.value(f"{path}[{name}]", item, depth)
            self._add(f"{path}'s size", len(value))  # after the items: a new one is the better name
        self._attributes(path, value, kind, depth)

    def _sequence(self, path: str, value: Any, kind: type, depth: int) -> None:
        if _are_plain(value):
            self._add(path, (kind, tuple(value)))
        else:
            for number, item in enumerate(value):
                self.value(f"{path}[{number}]", item, depth)
            self._add(f"{path}'s size", len(value))
        self._attributes(path, value, kind, depth)

    def _function(self, path: str, value: types.FunctionType, depth: int) -> None:
        self._add(path, _Same(value))
        if not _is_code(value):
            for name, where in _variables(value):
                self.value(f"{path}'s {name}", _content(name, where), depth)

    def _attributes(self, path: str, value: Any, kind: type, depth: int) -> bool:
        """Read the attributes of an object; whether it can have any."""
        constant = getattr(kind, "constant_attributes", ())
        found = False
        for name, held in _attributes(value, kind):
            found = True
            if name is not None and name not in constant:
                self.value(f"{path}.{name}", held, depth)
        return found

    def _state(self, path: str, value: Any, depth: int) -> None:
        """Read an object without attributes, an iterator say, by what it would be pickled as."""
        self._add(path, _Same(value))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                state = value.__reduce_ex__(2)
        except Exception:  # it cannot be pickled, so its inside cannot be seen
            return
        if isinstance(state, tuple):
            self.value(f"{path}'s state", state[1:], depth)


def _attributes(value: Any, kind: type) -> Iterator[tuple[str | None, Any]]:
    """Name and value of each attribute; a None for an object that could have some and has none."""
    if hasattr(value, "__dict__"):
        yield None, None
        yield from list(vars(value).items())
    names = list(getattr(kind, "__struct_fields__", ()))
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__")
        if slots is not None and base is not object and base.__module__ != "builtins":
            yield None, None
            names += [slots] if isinstance(slots, str) else list(slots)
    for name in names:
        mangled = f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name
        try:
            held = getattr(value, mangled)
        except AttributeError:
            continue
        yield name, held


def _are_plain(items: Any) -> bool:
    return set(map(type, items)) <= _PLAIN
