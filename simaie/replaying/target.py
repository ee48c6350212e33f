"""Finding a program: by corpus name, as ``file.py:name``, or in a file of its own (``.guest``, ``.litmus``)."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from simaie import corpus
from simaie.errors import InputError, SimaieError, UnknownNameError, UsageError
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX, read_program

__all__ = ["find_target", "is_litmus", "program_of", "source_digest", "target_text", "value_of", "variable_of"]

_WHERE = "simaie list programs names them all; a program of your own is FILE.py:NAME"


def find_target(target: str) -> Program:
    """The program that `target` names; UnknownNameError, UsageError or InputError if it cannot be had."""
    if target in corpus.names():
        return corpus.program(target)
    if target.endswith(SUFFIX):
        return read_program(Path(target))
    if is_litmus(Path(target)):
        return program_of(Path(target), "")
    path_text, colon, name = target.rpartition(":")
    if not colon:
        if target.endswith(".py"):
            raise UsageError(f"{target}: say which program of the file: {target}:NAME")
        raise UnknownNameError("program", target, corpus.names(), _WHERE)
    return program_of(Path(path_text), name)


def program_of(path: Path, name: str) -> Program:
    """The program that the module at `path` calls `name`: a Program, or a function without arguments that gives one.

    A ``.litmus`` file is one program, whatever the name.
    """
    if is_litmus(path):
        from simaie.litmus import load  # its grammars are only loaded where they are used
        from simaie.litmus.lowering import lower

        return lower(load(path)).program
    module = _import(path)
    value = getattr(module, name, None)
    if callable(value) and not isinstance(value, Program):
        value = _made_by(value, path, name)
    if not isinstance(value, Program):
        found = sorted(k for k, v in vars(module).items() if isinstance(v, Program))
        raise InputError(f"{path}: {name!r} is not a Program (it defines: {', '.join(found) or 'none'})")
    return value


def value_of(path: Path, name: str) -> object:
    """What the module at `path` calls `name`; InputError if there is nothing."""
    module = _import(path)
    if not hasattr(module, name):
        raise InputError(f"{path}: it defines no {name!r}")
    return getattr(module, name)


def is_litmus(path: Path) -> bool:
    """Whether it is the path of a litmus test."""
    return path.suffix == ".litmus"


def target_text(path: Path, variable: str) -> str:
    """The program as the command line names it."""
    return str(path) if is_litmus(path) or path.suffix == SUFFIX else f"{path}:{variable}"


def _made_by(factory: Callable[[], object], path: Path, name: str) -> object:
    try:
        return factory()
    except (SimaieError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `sys.exit` too
        raise InputError(f"{path}: {name}() raised {type(error).__name__}: {error}") from error


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    # A name of its own, so that two files of the same name do not meet, and the same file is imported once.
    full = path.resolve()
    name = f"simaie_target_{hashlib.blake2b(str(full).encode(), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        del sys.modules[name]
        raise
    except BaseException as error:  # `sys.exit` too
        del sys.modules[name]
        raise InputError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def variable_of(program: Program) -> str | None:
    """The global name under which the program's own file keeps it, if it does; empty for that of a litmus file."""
    if program.defined_in is not None and is_litmus(program.defined_in):
        return ""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is None or program.defined_in is None or Path(file) != program.defined_in:
            continue
        for name, value in vars(module).items():
            if value is program:
                return name
    return None


def source_digest(path: Path) -> str:
    """64 bits over the text of a file, in hexadecimal."""
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
