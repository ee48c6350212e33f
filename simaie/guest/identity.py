"""The identity of a program: a fingerprint of its code, and the live programs of this process.

A function's identity is its source text, if available, so that it does not depend on the Python version, plus its
defaults and the plain values that it closes over. Without source, its bytecode replaces the text. An object that is
guest code says by its method `fingerprint_parts` what identifies it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import textwrap
import weakref
from collections.abc import Sequence
from types import CodeType
from typing import Any

import msgspec

__all__ = ["find_program", "fingerprint", "remember"]

_known: weakref.WeakSet[Any] = weakref.WeakSet()


def remember(program: Any) -> None:
    """Register a live program, so that a replay file saved in this process finds it."""
    _known.add(program)


def find_program(name: str, digest: str) -> Any | None:
    """Return a live program of this process with that name and digest, or None."""
    return next((p for p in _known if p.name == name and p.digest == digest), None)


def fingerprint(*parts: Any) -> str:
    """Return 128 bits over `parts` (values, functions, and sequences of them), in hexadecimal."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(state, part, depth=0)
    return state.hexdigest()


def _feed(state: Any, part: Any, depth: int) -> None:
    if isinstance(part, functools.partial):
        _feed(state, [part.func, part.args, sorted(part.keywords.items())], depth)
    elif inspect.isfunction(part) or inspect.ismethod(part):
        _feed_function(state, part, depth)
    elif isinstance(part, msgspec.Struct):
        state.update(type(part).__name__.encode())
        _feed(state, msgspec.structs.astuple(part), depth)
    elif hasattr(type(part), "fingerprint_parts"):
        state.update(type(part).__qualname__.encode())
        _feed(state, part.fingerprint_parts(), depth)
    elif part is None or isinstance(part, int | str | bytes | float):
        state.update(repr(part).encode() + b"\0")
    elif isinstance(part, Sequence):  # a thread's list of instructions too
        state.update(b"(")
        for item in part:
            _feed(state, item, depth)
        state.update(b")")
    else:
        # An object of an unknown class: its kind is known, its state is not.
        state.update(type(part).__qualname__.encode() + b"\0")


def _feed_function(state: Any, function: Any, depth: int) -> None:
    if depth > 4:
        return
    try:
        state.update(textwrap.dedent(inspect.getsource(function)).encode())
    except (OSError, TypeError):
        _feed_code(state, function.__code__)
    _feed(state, function.__defaults__ or (), depth + 1)
    for cell in function.__closure__ or ():
        try:
            _feed(state, cell.cell_contents, depth + 1)
        except ValueError:  # an empty cell: its variable is not bound yet
            state.update(b"unbound\0")


def _feed_code(state: Any, code: CodeType) -> None:
    state.update(code.co_code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed_code(state, constant)
        else:
            state.update(repr(constant).encode())
    state.update(" ".join(code.co_names).encode())
