"""The Python state of a scheme, read into a form that can be compared with a later reading.

Code before an ``await`` runs when the operation after it is announced, not when it is performed. State that a scheme
keeps in a dictionary therefore changes at moments that no scheduler chooses and no search can vary. So the state of a
scheme must not change after its construction, except for cells, which change by operations.

`roots` returns the variables that belong to a scheme: its attributes and those of its classes, and the global,
enclosing and default variables that its methods use. `read` follows each root through dictionaries, lists, sets,
functions and the attributes of objects. It returns *leaves*: paths such as ``table[4096]``, each with its value. A cell
is a leaf. Its value is not part of the attribute, but a reader can collect the cells in a list.

Three things are not seen: modules, files, and the inside of objects that have neither attributes nor a state to pickle
(handles of a C library, locks of `threading`).
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

__all__ = ["Leaves", "difference", "has_own_parts_only", "is_own", "read", "roots"]

#: The value at each path.
Leaves = dict[str, Any]

_PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None), range})
#: The maximum number of leaves of one root, and their maximum depth. Leaves beyond either are not compared.
_MOST_LEAVES = 20_000
_DEPTH = 12
#: Packages of simaie whose objects belong to a scheme. Objects of other packages are compared by identity.
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
    """The root has more leaves than are compared."""


def is_own(cls: Any) -> bool:
    """Whether a class is simaie's own; such a scheme is verified by simaie's tests, and not in each exploration."""
    return _is_own(cls)


def has_own_parts_only(scheme: Any) -> bool:
    """Whether a scheme, and each scheme that it mixes, is simaie's own."""
    return all(is_own(type(part)) for part in scheme.parts)


@lru_cache(maxsize=256)
def _is_own(cls: Any) -> bool:
    return all(base.__module__.partition(".")[0] in ("simaie", "builtins", "typing") for base in cls.__mro__)


def read(path: str, value: Any, cells: list[Cell] | None = None) -> Leaves:
    """Return the leaves of `value`, with paths that begin with `path`; add the cells in it to `cells`."""
    if type(value) in _PLAIN:  # most values are
        return {path: (type(value), value)}
    reader = _Reader(cells)
    with suppress(_Enough):
        reader.value(path, value, 0)
    return reader.leaves


def difference(before: Leaves, after: Leaves) -> str:
    """Return the path of the first leaf that changed, appeared or disappeared; empty if no leaf did."""
    for path, leaf in after.items():
        if path not in before:
            return path
        old = before[path]
        if old is not leaf and old != leaf:
            return _inside(path, old, leaf)
    return next((path for path in before if path not in after), "") if len(before) != len(after) else ""


def _inside(path: str, old: Any, new: Any) -> str:
    """Return the path of the first item that changed, if all items of a container are one leaf (type, tuple)."""
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
    """Return the variables that belong to `scheme` by name, without those that it declares constant."""
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
    """Return the value of a variable that `_beside` returned."""
    if isinstance(where, types.CellType):
        try:
            return where.cell_contents
        except ValueError:  # not assigned yet
            return None
    return where[0] if isinstance(where, tuple) else where.get(name)


@lru_cache(maxsize=256)
def _beside(cls: Any) -> tuple[tuple[str, Any], ...]:
    """Return the variables that the user's base classes of `cls` use, each with the place of its value.

    The place is a namespace, a cell of an enclosing function, or a tuple of the value itself.
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
    """Return the variables that keep their values between calls of `function`: defaults, enclosing ones and globals."""
    code, namespace = function.__code__, function.__globals__
    defaults = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    given = [*zip(names[len(names) - len(defaults) :], defaults, strict=True), *(function.__kwdefaults__ or {}).items()]
    found: list[tuple[str, Any]] = [(name, (value,)) for name, value in given]
    found += zip(code.co_freevars, function.__closure__ or (), strict=True)
    for name in _globals_of(code):
        value = namespace.get(name)
        # Imported or defined code does not change, and its own state does not belong to the scheme.
        if name in namespace and not isinstance(value, _OPAQUE) and not _is_code(value):
            found.append((name, namespace))
    return [(name, where) for name, where in found if name != "__class__"]


def _is_code(value: Any) -> bool:
    """Whether `value` is a function that keeps no state: of simaie, of the standard library, or a built-in one."""
    if isinstance(value, types.BuiltinFunctionType):
        return True
    if not isinstance(value, types.FunctionType):
        return False
    return value.__globals__.get("__name__", "").partition(".")[0] in ("simaie", *sys.stdlib_module_names)


@lru_cache(maxsize=256)
def _globals_of(code: types.CodeType) -> tuple[str, ...]:
    """Return the global names that `code` and the functions inside it use."""
    names = {str(i.argval): None for i in dis.get_instructions(code) if i.opname in _GLOBALS}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(dict.fromkeys(_globals_of(constant)))
    return tuple(names)


class _Reader:
    """A reader that collects the leaves of a value."""

    def __init__(self, cells: list[Cell] | None) -> None:
        self.leaves: Leaves = {}
        self._cells = cells
        self._seen: dict[int, Any] = {}

    def value(self, path: str, value: Any, depth: int) -> None:
        """Read the value at `path`."""
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
        """Read an object of the engine: its identity, and the `local` of a vCPU, which belongs to the scheme."""
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
            self._add(f"{path}'s size", len(value))  # after the items, because a new item is the better path
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
        """Read the attributes of an object, and return whether it can have any."""
        constant = getattr(kind, "constant_attributes", ())
        found = False
        for name, held in _attributes(value, kind):
            found = True
            if name is not None and name not in constant:
                self.value(f"{path}.{name}", held, depth)
        return found

    def _state(self, path: str, value: Any, depth: int) -> None:
        """Read an object without attributes, such as an iterator, by the state that a pickle of it has."""
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
    """Yield name and value of each attribute, and None for each place that may hold attributes."""
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
