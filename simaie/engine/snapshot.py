"""The local state of a suspended guest, in a form that can be compared with what it is later.

A guest is a chain of coroutines, each awaiting the next, down to an instruction, the scheme's helper for it, and the
operation that it has announced. Its state is, frame by frame: where it stands, its variables, and the iterators of the
`for` loops that it is in (which no variable holds: ``for _ in [0] * 5`` is a counter too). Beside it, what the scheme
keeps for the vCPU, and the observations.

Values are compared thus: numbers, strings and the like by type and value; lists, dictionaries, sets and the
attributes of the guest's own objects item by item, to a small depth; iterators by what they have left; all else,
simaie's objects among it, by identity. A snapshot holds what it compares, so identities are not used twice. It is
a pure function of the guest's own doing, except where guests share an object behind the engine's back: therefore the
variables of enclosing scopes, the likeliest to be shared, and globals are left out. A guest that keeps its *state*
there would not run twice the same way either.

Where the state cannot be seen (a guest awaits something opaque, or too much of it) there is no snapshot.
"""

from __future__ import annotations

import gc
import operator
from collections import deque
from enum import Enum
from pathlib import Path
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from simaie.errors import OWN_CODE
from simaie.guest.cpu import Cpu
from simaie.op import Op

__all__ = ["Snapshot", "snapshot"]

_INSTRUCTION: CodeType = Cpu._access.__code__  # the record of an instruction: another one each time
_OPERATION: CodeType = Op.__await__.__code__  # where every chain ends
_PLAIN = (int, float, complex, str, bytes, bool, type(None), range)
_BUILT_ON_OTHERS = (enumerate, zip, map, filter)  # iterators that show those that they draw from
_OPAQUE = (type, FunctionType, ModuleType, Enum)
#: Values to look at in one snapshot, and how deep inside each other: state beyond it is none to wait with.
_BUDGET = 2_000
_DEPTH = 6


class Snapshot(NamedTuple):
    """state: equal iff the guest is in the same state. where: ``file:line``, or the item of a program as data."""

    state: Any
    where: str


def snapshot(coroutine: Any, cpu: Cpu) -> Snapshot | None:
    """The state of the guest whose outermost coroutine is given, suspended; None if it cannot be seen."""
    reader, frames, where = _Reader(), [], ""
    try:
        while True:
            frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
            if frame is None:
                return None
            if frame.f_code is _OPERATION:
                break
            awaited = coroutine.cr_await if hasattr(coroutine, "cr_await") else coroutine.gi_yieldfrom
            if frame.f_code is not _INSTRUCTION:
                frames.append(reader.frame(coroutine, frame, awaited))
                where = _where(frame) or where
            coroutine = awaited
        local = reader.value(cpu.local, 0), reader.attributes(cpu.local, 0)
        return Snapshot((frames, local, dict(cpu.observations)), where)
    except _TooMuch:
        return None


def _where(frame: FrameType) -> str:
    """Where the frame stands, as a reader of the guest's source would say; nothing in the midst of simaie."""
    interpreter: Any = frame.f_locals.get("self")
    if hasattr(type(interpreter), "guest_state"):
        return str(interpreter.where)
    path = Path(frame.f_code.co_filename)
    foreign = not frame.f_code.co_filename.startswith(OWN_CODE) or path.parent.name == "corpus"
    return f"{path.name}:{frame.f_lineno}" if foreign else ""


class _TooMuch(Exception):
    """More state than is looked at."""


class _Is:
    """An object that is compared by identity."""

    __slots__ = ("what",)
    __hash__ = None  # type: ignore[assignment]  # it is compared, never looked up

    def __init__(self, what: Any) -> None:
        self.what = what

    def __eq__(self, other: object) -> bool:
        return type(other) is _Is and other.what is self.what


class _Loops:
    """The iterators of a coroutine's `for` loops. While it awaits one and the same thing, it has not run at all."""

    __slots__ = ("awaited", "left")
    __hash__ = None  # type: ignore[assignment]  # as above

    def __init__(self, awaited: Any, left: list[Any]) -> None:
        self.awaited, self.left = awaited, left

    def __eq__(self, other: object) -> bool:
        return type(other) is _Loops and (other.awaited is self.awaited or other.left == self.left)


class _Reader:
    """Turns values into what can be compared, within a budget."""

    def __init__(self) -> None:
        self._left = _BUDGET

    def frame(self, coroutine: Any, frame: FrameType, awaited: Any) -> Any:
        """Where a coroutine stands, its variables but for those of enclosing scopes, and its loops."""
        code = frame.f_code
        enclosing = code.co_freevars
        variables = [(name, self.value(v, 0)) for name, v in frame.f_locals.items() if name not in enclosing]
        held = gc.get_referents(coroutine)
        loops = [self._iterator(v, 0) for v in held if _is_iterator(v) and v is not awaited]
        return _Is(code), frame.f_lasti, variables, _Loops(awaited, loops)

    def value(self, value: Any, depth: int) -> Any:
        """What stands for `value` in a comparison."""
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise _TooMuch
        kind = type(value)
        if kind in _PLAIN:
            return kind, value
        if isinstance(value, tuple | list | deque):
            return kind, [self.value(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return kind, [(self.value(k, depth + 1), self.value(v, depth + 1)) for k, v in value.items()]
        if isinstance(value, set | frozenset):
            return kind, frozenset(value)
        if isinstance(value, bytearray):
            return kind, bytes(value)
        if isinstance(value, MethodType):
            return _Is(value.__func__), _Is(value.__self__)
        if _is_iterator(value):
            return self._iterator(value, depth)
        if hasattr(kind, "guest_state"):
            return _Is(value), self.value(value.guest_state(), depth + 1)
        if isinstance(value, _OPAQUE) or kind.__module__.partition(".")[0] in ("simaie", "trio"):
            return _Is(value)
        return _Is(value), self.attributes(value, depth)

    def attributes(self, value: Any, depth: int) -> Any:
        """The attributes of an object, in ``__dict__`` or in slots."""
        found = [(name, self.value(v, depth + 1)) for name, v in getattr(value, "__dict__", {}).items()]
        for base in type(value).__mro__:
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, name):
                    found.append((name, self.value(getattr(value, name), depth + 1)))
        return found

    def _iterator(self, iterator: Any, depth: int) -> Any:
        """An iterator by what it has left to give; one that does not tell is never twice the same."""
        if type(iterator) in _BUILT_ON_OTHERS:
            return type(iterator), self.value(iterator.__reduce__()[1:], depth + 1)
        left = operator.length_hint(iterator, -1)
        return _Is(iterator), left if left >= 0 else _Is(object())


def _is_iterator(value: Any) -> bool:
    return hasattr(type(value), "__next__")
