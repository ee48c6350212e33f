"""Decides which payloads of operations a memo may keep: those that never change.

Many executions use a node, while the coroutine that announced its operation goes on. So what the operation holds must
keep its meaning: constants, cells, objects made by `Host.made`, and functions of these. A function may be a closure
over variables that its coroutine assigns again: ``for i in range(2): await cpu.wait_until(X, lambda value: value ==
i)``. The memo keeps a copy with the values of that moment, because the operation is performed with them. The code of a
SPAWN runs on after that moment, where a copy would be wrong: its variables must never be assigned again.
"""

from __future__ import annotations

import dis
import gc
from collections.abc import Callable
from enum import Enum
from functools import cache, partial
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, MethodWrapperType
from typing import Any

import msgspec

from simaie.engine.code_facts import is_own
from simaie.engine.reading import awaited_by
from simaie.guest.cpu import Thread
from simaie.guest.interpreter import Child
from simaie.host.loaded import Loaded
from simaie.op import Cell, Function, Kind, Op
from simaie.schemes.scheme import Scheme

__all__ = ["Unsettled", "rebinds", "settled_op", "settled_value"]

#: Whether an object is known to stay as it is.
Constant = Callable[[Any], bool]

_PLAIN = frozenset({int, str, bytes, bool, float, complex, type(None), range, Loaded})
_DEPTH = 8
_REBINDS = frozenset({"STORE_DEREF", "DELETE_DEREF"})


class Unsettled(Exception):
    """A payload of an operation may change. The text names it."""


def settled_op(op: Op, constant: Constant, coroutine: Any) -> Op:
    """Return `op`, or a copy of it that later assignments do not affect, so that a memo may keep it.

    Args:
        op: The announced operation.
        constant: Whether an object is known to stay as it is.
        coroutine: The outermost coroutine of the vCPU that announces it.

    Raises:
        Unsettled: Something that the operation holds may change.
    """
    kind = op.kind
    if kind is Kind.BUFFER or (kind is Kind.AWAIT and op.value is not None):
        for part in (op.value,) if kind is Kind.BUFFER else op.value:
            settled_op(part, constant, coroutine)
    elif kind is Kind.SPAWN:
        _require_settled_code(op.value, constant, coroutine)
    elif type(op.value) not in _PLAIN:
        settled_value(op.value, constant)
    if type(op.expected) not in _PLAIN:
        settled_value(op.expected, constant)
    if op.function is None:
        return op
    function = _frozen(op.function, constant, _DEPTH)
    return op if function is op.function else msgspec.structs.replace(op, function=function)


def settled_value(value: Any, constant: Constant, depth: int = _DEPTH) -> None:
    """Raise Unsettled unless `value` never changes."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, Cell | Thread | Enum | type) or constant(value):
        return
    if depth and kind in (tuple, frozenset):
        for part in value:
            settled_value(part, constant, depth - 1)
        return
    if depth and isinstance(value, msgspec.Struct) and kind.__struct_config__.frozen:
        for name in value.__struct_fields__:
            settled_value(getattr(value, name), constant, depth - 1)
        return
    raise Unsettled(f"an operation holds an object of class {kind.__name__}")


# -- functions that are applied while their vCPU waits ------------------------------------------------------


def _frozen(value: Any, constant: Constant, depth: int) -> Any:
    """Return a function, or a value in its closure, as it is now."""
    if not depth:
        raise Unsettled("an operation holds a function inside many others")
    kind = type(value)
    if kind is Function:
        apply = _frozen(value.apply, constant, depth - 1)
        return value if apply is value.apply else msgspec.structs.replace(value, apply=apply)
    if kind is FunctionType:
        return _frozen_function(value, constant, depth - 1)
    if kind is MethodType:
        _require_constant_owner(value.__self__, constant)
    elif kind is partial:
        for part in (*value.args, *value.keywords.values()):
            settled_value(part, constant)
        return partial(_frozen(value.func, constant, depth - 1), *value.args, **value.keywords)
    elif kind in (BuiltinFunctionType, MethodWrapperType):
        owner = value.__self__
        if type(owner).__name__ != "module":
            settled_value(owner, constant)
    else:
        settled_value(value, constant)
    return value


def _require_constant_owner(owner: Any, constant: Constant) -> None:
    if not isinstance(owner, Scheme):  # whose attributes are watched
        settled_value(owner, constant)


def _frozen_function(value: FunctionType, constant: Constant, depth: int) -> FunctionType:
    own = is_own(value.__code__.co_filename)
    if not own:
        for part in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            _frozen(part, constant, depth)
    cells = value.__closure__
    if not cells:
        return value
    held = [_contents(cell) for cell in cells]
    kept = [each if own and _is_of_simaie(each) else _frozen_part(each, constant, depth) for each in held]
    if own and all(map(_is, kept, held)):
        return value
    copy = FunctionType(
        value.__code__, value.__globals__, value.__name__, value.__defaults__, tuple(map(CellType, kept))
    )
    copy.__kwdefaults__ = value.__kwdefaults__
    return copy


def _frozen_part(value: Any, constant: Constant, depth: int) -> Any:
    if isinstance(value, Scheme):
        return value
    return _frozen(value, constant, depth)


def _is(one: Any, other: Any) -> bool:
    return one is other


def _is_of_simaie(value: Any) -> bool:
    """Whether `value` is an object of simaie, in which simaie's own functions read nothing that changes.

    A `Function` is excluded, because it may hold a guest's predicate.
    """
    return type(value).__module__.startswith("simaie.") and type(value) is not Function


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        raise Unsettled("an operation holds a function of a variable without a value") from None


# -- the code of a SPAWN, which runs on -----------------------------------------------------------------------


def _require_settled_code(code: Any, constant: Constant, coroutine: Any) -> None:
    kind = type(code)
    if kind is partial:
        for part in (*code.args, *code.keywords.values()):
            settled_value(part, constant)
        _require_settled_code(code.func, constant, coroutine)
    elif kind is MethodType:
        settled_value(code.__self__, constant)
        _require_settled_code(code.__func__, constant, coroutine)
    elif kind is FunctionType:
        _require_settled_function(code, constant, coroutine, _DEPTH)
    elif not (kind is Child or constant(code)):
        raise Unsettled(f"a thread is started with an object of class {kind.__name__}")


def _require_settled_function(code: FunctionType, constant: Constant, coroutine: Any, depth: int) -> None:
    for part in (*(code.__defaults__ or ()), *(code.__kwdefaults__ or {}).values()):
        settled_value(part, constant)
    cells = code.__closure__ or ()
    if cells and (not depth or rebinds(code.__code__)):
        raise Unsettled(f"the thread {code.__qualname__} assigns variables of the function around it")
    for cell in cells:
        if constant(cell):
            continue
        if _is_variable_of(coroutine, cell):
            raise Unsettled(f"the thread {code.__qualname__} uses variables of the vCPU that starts it")
        held = _contents(cell)
        if type(held) is FunctionType:
            _require_settled_function(held, constant, coroutine, depth - 1)
        else:
            settled_value(held, constant)


def _is_variable_of(coroutine: Any, cell: CellType) -> bool:
    """Whether one of the suspended coroutines that await each other from `coroutine` on can assign `cell`."""
    while coroutine is not None:
        if any(held is cell for held in gc.get_referents(coroutine)):
            return True
        coroutine = awaited_by(coroutine)
    return False


@cache
def rebinds(code: CodeType) -> bool:
    """Whether a function assigns a variable that is not its own."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in _REBINDS and instruction.argval in code.co_freevars:
            return True
    return any(rebinds(constant) for constant in code.co_consts if isinstance(constant, CodeType))
