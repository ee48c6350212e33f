"""Readings of Python values as lists of tokens; if two readings are equal, code that uses the values behaves equally.

A reading is one flat list, in the order in which the values are reached. A number, a text or another constant is its
own token. A mutable object receives a number when it is first reached, and is referred to by this number afterwards. So
two readings are equal only if the same names share the same objects. The contents of an object follow its number.

Only types whose state can be read completely are accepted: certain exact types, and classes made in Python whose
instances have nothing except what the base type, ``__dict__`` and slots show (their size in memory reveals more).
Everything else is refused, because its hidden state might matter: a buffer, a queue, a random generator, a weak
reference, an iterator that does not show its position. Some objects are tokens themselves, because guest code cannot
change them: built-in types, built-in functions without state, simaie's own functions, and objects of simaie that guests
reach only by operations.

The reading of a function has its code, its defaults, its attributes, its closure, and the globals that its code and
nested functions name. The reading of a class has all its attributes, and that of an instance has its class too. The
reading of a module has the attributes whose names occur in any code that was reached; a module is refused if code may
compute such a name.
"""

from __future__ import annotations

import builtins
import gc
import operator
from abc import ABCMeta
from collections import defaultdict, deque
from collections.abc import Callable
from contextvars import ContextVar
from enum import EnumMeta
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)  # fmt: skip
from typing import Any

import msgspec

from simaie.engine import readable
from simaie.engine.code_facts import code_facts
from simaie.engine.readable import MACHINERY, PLAIN, Unreadable
from simaie.errors import TRANSLATED
from simaie.guest.cpu import Cpu
from simaie.guest.running import Runner
from simaie.host.loaded import Loaded
from simaie.schemes.scheme import Scheme

__all__ = ["INSTRUCTION", "Reader", "awaited_by", "frame_of"]

#: The number of values of a reading, and their depth, at most; more state is refused.
_BUDGET = 4_000
_DEPTH = 40
#: The attributes of a vCPU that belong to the engine or the scheme, and not to its guest.
_OF_ENGINE = frozenset({
    "instruction", "entered", "silent", "reservation_ends", "_begun", "_scheme", "_machine", "_end", "local", "blocks",
    "open_blocks", "runner", "goals", "obligations",
})  # fmt: skip
#: The code that performs an instruction; its frame holds the record of the instruction, which is new each time.
INSTRUCTION: CodeType = Cpu._access.__code__
_METACLASSES = (type, ABCMeta, EnumMeta, type(msgspec.Struct))
_UNSET = object()


class Reader:
    """A reading in progress.

    Attributes:
        tokens: The tokens so far.
        objects: The mutable objects in the order in which they were reached, which also keeps them alive.
    """

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.objects: list[Any] = []
        self._left = _BUDGET
        self._numbers: dict[int, int] = {}
        self._runners: dict[int, int] = {}  # those that were read, by identity
        self._kept: list[Any] = []  # the objects whose identities are tokens, to keep them alive
        self._globals: set[tuple[int, str]] = set()
        self._classes: set[type] = set()
        self._scopes: list[Any] = []  # modules and classes of simaie, of which only named attributes are read
        self._attributes: dict[str, None] = {}  # the names in code, in the order reached, which a set would not keep
        self._in_schemes = 0  # the number of schemes that are being read, one inside another
        self._computed = False  # whether code may compute further names
        self._looked_up: set[tuple[int, str]] = set()

    def value(self, value: Any, depth: int = 0) -> None:
        """Read a value.

        Raises:
            Unreadable: It may hold state that cannot be read. The reading must then be discarded.
        """
        kind = type(value)
        if kind in PLAIN:
            self.tokens += (kind, value)
            return
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise Unreadable
        read = _READERS.get(kind)
        if read is not None:
            read(self, value, depth + 1)
        else:
            self._other(kind, value, depth + 1)

    def frame(self, coroutine: Any, depth: int = 0) -> None:
        """Read the position, the variables and the evaluation stack of a suspended coroutine, not what it awaits."""
        frame = frame_of(coroutine)
        if frame is None:
            self.tokens.append("ended")
            return
        code, variables = frame.f_code, frame.f_locals
        self._identity(code)
        self.tokens.append(frame.f_lasti)
        if code in Runner.codes:
            self._runner(variables["self"], depth)
            return
        if code is INSTRUCTION:
            self.tokens += [variables[name] for name in ("mnemonic", "address", "width")]
            return
        if code.co_filename.startswith(TRANSLATED):  # all else belongs to its runner
            self.tokens += [value for value in variables.values() if type(value) is int]
            return
        self.tokens.append(frozenset(variables))  # their order is that in which they were first seen
        awaited = awaited_by(coroutine)
        for held in gc.get_referents(coroutine):  # the evaluation stack too
            if held is not frame and held is not code and held is not variables and held is not awaited:
                self.value(held, depth)

    def finish(self) -> None:
        """Read the attributes that the code reached so far may look up in modules and in classes of simaie.

        Raises:
            Unreadable: These attributes are not known.
        """
        while True:
            todo = [(scope, name) for scope in self._scopes for name in self._attributes
                    if name in vars(scope) and (id(scope), name) not in self._looked_up]  # fmt: skip
            if not todo:
                break
            for scope, name in todo:
                self._look_up(scope, name)
        if self._computed:
            for scope in self._scopes:
                self._whole(scope)

    def _whole(self, scope: Any) -> None:
        """Read all attributes of a class of simaie, for code that may compute any name."""
        if type(scope) is ModuleType:
            raise Unreadable
        for name in vars(scope):
            if (id(scope), name) not in self._looked_up:
                self._look_up(scope, name)

    def _look_up(self, scope: Any, name: str) -> None:
        self._looked_up.add((id(scope), name))
        held = vars(scope)[name]
        self.tokens.append(name)
        if type(scope) is not ModuleType and readable.stands_still(held):
            self._identity(held)
        else:
            self.value(held)

    # -- numbers and identities ---------------------------------------------------------------

    def _new(self, value: Any) -> bool:
        """Number a mutable object, and return whether it is reached for the first time."""
        number = self._numbers.setdefault(id(value), len(self.objects))
        self.tokens += (type(value), number)
        if number < len(self.objects):
            return False
        self.objects.append(value)
        return True

    def _identity(self, value: Any, depth: int = 0) -> None:
        self._kept.append(value)
        self.tokens.append(id(value))

    # -- constants, containers and iterators --------------------------------------------------

    def _loaded(self, value: Loaded, depth: int) -> None:
        self.value(value.value, depth)  # what it depends on makes no difference to what the guest does next

    def _number(self, value: float | complex, depth: int) -> None:
        self.tokens += (type(value), repr(value))  # 0.0 and -0.0 are equal but not the same

    def _range(self, value: Any, depth: int) -> None:
        self.tokens.append(type(value))
        for part in (value.start, value.stop, value.step):
            self.value(part, depth)

    def _sequence(self, value: Any, depth: int) -> None:
        if type(value) in (tuple, frozenset) or self._new(value):
            self._items(value, type(value), depth)

    def _items(self, value: Any, base: Any, depth: int) -> None:
        """Read the items of the built-in type `base`, even if a subclass overrides its methods."""
        self.tokens += (base, base.__len__(value))
        if base is deque:
            self.tokens.append(value.maxlen)
        for item in base.__iter__(value):
            self.value(item, depth)

    def _mapping(self, value: Any, depth: int) -> None:
        if self._new(value):
            self._pairs(value, type(value), depth)

    def _pairs(self, value: Any, base: Any, depth: int) -> None:
        self.tokens.append(base.__len__(value))
        if base is defaultdict:
            self.value(value.default_factory, depth)
        for key, item in base.items(value):
            self.value(key, depth)
            self.value(item, depth)

    def _bytes(self, value: bytearray, depth: int) -> None:
        if self._new(value):
            self.tokens.append(bytes(value))

    def _bare(self, value: object, depth: int) -> None:
        self._new(value)

    def _iterator(self, value: Any, depth: int) -> None:
        if self._new(value):
            self.tokens.append(operator.length_hint(value, -1))
            for held in gc.get_referents(value):
                self.value(held, depth)

    def _reduced(self, value: Any, depth: int) -> None:
        if self._new(value):
            for part in value.__reduce__()[1:]:
                self.value(part, depth)

    def _coroutine(self, value: Any, depth: int) -> None:
        """Read a coroutine or generator that is not in the guest's own chain, with what it awaits."""
        if self._new(value):
            self.frame(value, depth)
            self.value(awaited_by(value), depth)

    # -- functions, classes, modules ----------------------------------------------------------

    def _function(self, value: FunctionType, depth: int) -> None:
        if not self._new(value):
            return
        self._identity(value.__code__)
        if readable.is_inert(value):
            self._identity(value)
            return
        for part in (value.__defaults__, value.__kwdefaults__, value.__closure__):
            if part:
                self.value(part, depth)
            self.tokens.append(part is None)
        if value.__dict__:
            self.value(value.__dict__, depth)
        facts = code_facts(value.__code__)
        if facts.own:
            return
        if facts.hidden:
            raise Unreadable
        self._computed = self._computed or facts.computes
        for name in facts.attributes:
            self._attributes[name] = None
        for name in facts.globals:
            self._global(value.__globals__, name, depth)

    def _global(self, scope: dict[str, Any], name: str, depth: int) -> None:
        if (id(scope), name) in self._globals or name.startswith("@"):  # pytest's own, in assertions that it rewrote
            return
        self._globals.add((id(scope), name))
        found = scope.get(name, _UNSET)
        if found is _UNSET:
            found = getattr(builtins, name, _UNSET)
        self.tokens += (name, found is _UNSET)
        if found is not _UNSET:
            self.value(found, depth)

    def _cell(self, value: CellType, depth: int) -> None:
        if not self._new(value):
            return
        try:
            held = value.cell_contents
        except ValueError:
            self.tokens.append("empty")
        else:
            self.value(held, depth)

    def _method(self, value: MethodType, depth: int) -> None:
        self.tokens.append(MethodType)
        self.value(value.__func__, depth)
        self.value(value.__self__, depth)

    def _builtin(self, value: Any, depth: int) -> None:
        owner = value.__self__
        if owner is None or (type(owner) is ModuleType and not readable.is_pure(value)):
            raise Unreadable
        self.tokens += (type(value), value.__name__)
        if type(owner) is ModuleType:
            self._identity(value)
        else:
            self.value(owner, depth)

    def _wrapper(self, value: Any, depth: int) -> None:
        if self._new(value):
            for name in readable.WRAPPERS[type(value)]:
                self.value(getattr(value, name), depth)

    def _module(self, value: ModuleType, depth: int) -> None:
        if self._new(value):
            self._scopes.append(value)

    def _variable(self, value: ContextVar[Any], depth: int) -> None:
        if self._new(value):
            held = value.get(_UNSET)
            self.tokens.append(held is _UNSET)
            if held is not _UNSET:
                self.value(held, depth)

    def _class(self, cls: type, depth: int) -> None:
        self._identity(cls)
        if cls in self._classes or readable.is_immutable(cls):
            return
        self._classes.add(cls)
        if readable.is_inert_class(cls):
            return
        if not readable.is_guest_made(cls):
            self._scopes += [base for base in cls.__mro__ if not readable.is_immutable(base)]
            return
        if type(cls) not in _METACLASSES:
            raise Unreadable
        for base in cls.__bases__:
            self._class(base, depth)
        for name, value in vars(cls).items():
            if name not in MACHINERY:
                self.tokens.append(name)
                self.value(value, depth)

    # -- objects ------------------------------------------------------------------------------

    def _other(self, kind: type, value: Any, depth: int) -> None:
        if issubclass(kind, type):
            self._class(value, depth)
        elif isinstance(value, Runner):  # of the code that a scheme runs
            self._runner(value, depth)
        elif isinstance(value, Cpu):
            self._cpu(value, depth)
        elif kind.__module__.partition(".")[0] == "trio" and kind.__name__ == "CancelScope":
            self._identity(value)
            self.tokens += (repr(value.deadline), value.shield)
        elif readable.is_guest_made(kind):
            self._instance(kind, value, depth)
        elif isinstance(value, msgspec.Struct):
            self._identity(kind)
            for name in value.__struct_fields__:
                self.value(getattr(value, name), depth)
        elif issubclass(kind, tuple):  # a record of a scheme, made anew in each round of a loop
            self._identity(kind)
            self._items(value, tuple, depth)
        elif readable.stands_for_itself(kind):
            self._identity(value)
        elif self._new(value):
            self._attributes_of(kind, value, depth)

    def _instance(self, kind: type, value: Any, depth: int) -> None:
        """Read an object of a class made in Python, and the class."""
        if readable.is_immutable(kind):
            raise Unreadable
        if not self._new(value):
            return
        self._class(kind, depth)
        base = self._attributes_of(kind, value, depth)
        if base in readable.MAPPINGS:
            self._pairs(value, base, depth)
        elif base in readable.SEQUENCES:
            self._items(value, base, depth)
        elif base is not object:
            self.tokens += (base, base.__repr__(value))

    def _attributes_of(self, kind: type, value: Any, depth: int) -> Any:
        """Read slots and ``__dict__``, and return the built-in base type whose contents remain to be read.

        Attributes that a scheme declares constant are left out. A table of cells that are made when they are first
        needed is an example: any vCPU may extend it, and no behaviour depends on that.
        """
        base, slots = readable.layout(kind)
        is_scheme = issubclass(kind, Scheme)
        self._in_schemes += is_scheme
        constant = getattr(kind, "constant_attributes", ()) if self._in_schemes else ()
        for slot in slots:
            if slot.__name__ in constant:
                continue
            try:
                held = slot.__get__(value)
            except AttributeError:
                held = _UNSET
            self.tokens.append(held is _UNSET)
            if held is not _UNSET:
                self.value(held, depth)
        if kind.__dictoffset__:
            attributes = object.__getattribute__(value, "__dict__")
            if constant:
                self._pairs({name: held for name, held in attributes.items() if name not in constant}, dict, depth)
            else:
                self.value(attributes, depth)
        self._in_schemes -= is_scheme
        return base

    def _runner(self, runner: Runner, depth: int) -> None:
        """Read the state of a runner; later a reference to it, since all frames below it have the runner too."""
        number = self._runners.get(id(runner))
        if number is not None:
            self.tokens += (Runner, number)
            return
        self._runners[id(runner)] = len(self._runners)
        self._kept.append(runner)
        state = runner.guest_state()
        if runner.is_one_token:
            self.tokens.append(state)
        else:
            self.value(state, depth)

    def _cpu(self, cpu: Cpu, depth: int) -> None:
        """Read a vCPU: the attributes that its guest may have added, and the state that the scheme keeps."""
        if not self._new(cpu):
            return
        if cpu.counted:
            raise Unreadable
        for name, held in vars(cpu).items():
            if name not in _OF_ENGINE:
                self.tokens.append(name)
                self.value(held, depth)
        self.tokens += (len(cpu.blocks), len(cpu.open_blocks))
        self.tokens += [each.name for each in cpu.obligations]
        self._class(type(cpu), depth)
        self.value(cpu._scheme, depth)
        local = cpu.local
        if type(local).__module__.startswith("simaie.schemes.") and self._new(local):
            self._attributes_of(type(local), local, depth)
        else:
            self.value(local, depth)


def frame_of(coroutine: Any) -> FrameType | None:
    """Return the frame of a coroutine or generator; None if it has ended, or `coroutine` is neither."""
    return getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)


def awaited_by(coroutine: Any) -> Any:
    """Return what a coroutine or generator awaits; None if it awaits nothing."""
    return coroutine.cr_await if hasattr(coroutine, "cr_await") else getattr(coroutine, "gi_yieldfrom", None)


_READERS: dict[type, Callable[[Reader, Any, int], None]] = {
    Loaded: Reader._loaded,
    float: Reader._number,
    complex: Reader._number,
    object: Reader._bare,
    range: Reader._range,
    slice: Reader._range,
    **dict.fromkeys(readable.SEQUENCES, Reader._sequence),
    **dict.fromkeys(readable.MAPPINGS, Reader._mapping),
    bytearray: Reader._bytes,
    **dict.fromkeys(readable.ITERATORS, Reader._iterator),
    **dict.fromkeys(readable.REDUCED, Reader._reduced),
    **dict.fromkeys((CoroutineType, GeneratorType), Reader._coroutine),
    FunctionType: Reader._function,
    CellType: Reader._cell,
    MethodType: Reader._method,
    **dict.fromkeys((BuiltinFunctionType, MethodWrapperType), Reader._builtin),
    **dict.fromkeys(readable.WRAPPERS, Reader._wrapper),
    ModuleType: Reader._module,
    ContextVar: Reader._variable,
    **dict.fromkeys(readable.DESCRIPTORS, Reader._identity),
}
