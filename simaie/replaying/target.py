"""Finding a program: by corpus name, as ``file.py:name``, or in a file of its own (``.guest``, ``.litmus``)."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from simaie import corpus
from simaie.errors import InputError, SimaieError, UnknownNameError, UnnamedCodeError, UsageError
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX, read_program
from simaie.input_file import MAX_SOURCE_BYTES, read_bounded

__all__ = [
    "find_target", "is_litmus", "program_of", "require_unchanged", "source_digest", "target_text", "value_of",
    "variable_of",
]  # fmt: skip

_WHERE = "simaie list programs names them all; a program of your own is FILE.py:NAME"


def find_target(target: str, *, trust: bool = False) -> Program:
    """Return the program that `target` names.

    Args:
        target: a name of the corpus, ``FILE.py:NAME``, or the path of a ``.guest`` or ``.litmus`` file.
        trust: whether a ``.guest`` file may name code, see `simaie.guest.text.parse_program`.

    Raises:
        UnknownNameError: there is no such program.
        UsageError: `target` says too little.
        InputError: the file cannot be read or imported, or holds no such program.
    """
    if target in corpus.names():
        return corpus.program(target)
    if target.endswith(SUFFIX):
        return read_program(Path(target), trust=trust)
    if is_litmus(Path(target)):
        return program_of(Path(target), "")
    path_text, colon, name = target.rpartition(":")
    if not colon:
        if target.endswith(".py"):
            raise UsageError(f"{target}: say which program of the file: {target}:NAME")
        raise UnknownNameError("program", target, corpus.names(), _WHERE)
    return program_of(Path(path_text), name)


def program_of(path: Path, name: str, digest: str | None = None) -> Program:
    """Return the program that the module at `path` calls `name`.

    That is a `Program`, or a function without arguments that returns one. A ``.litmus`` file is one program, whatever
    the name.

    Args:
        path: of the file, which is imported if it is Python.
        name: the global name of the program.
        digest: what `source_digest` must be of the text that is imported; None to import it as it is now.

    Raises:
        InputError: the file cannot be read or imported, has another digest, or holds no such program.
    """
    if is_litmus(path):
        from simaie.litmus import load  # its grammars are only loaded where they are used
        from simaie.litmus.lowering import lower

        return lower(load(path)).program
    module = _import(path, digest)
    value = getattr(module, name, None)
    if callable(value) and not isinstance(value, Program):
        value = _made_by(value, path, name)
    if not isinstance(value, Program):
        found = sorted(k for k, v in vars(module).items() if isinstance(v, Program))
        raise InputError(f"{path}: {name!r} is not a Program (it defines: {', '.join(found) or 'none'})")
    return value


def value_of(path: Path, name: str, digest: str | None = None) -> object:
    """What the module at `path` calls `name`; InputError if there is nothing. digest: as for `program_of`."""
    module = _import(path, digest)
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
    except SimaieError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {name}() raised {type(error).__name__}: {error}") from error


class _Loader(SourceFileLoader):
    """Imports the text that was read, and not what the file holds by then; it neither reads nor writes a cache."""

    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self._text = text

    def get_data(self, path: str | bytes) -> bytes:
        """The text of the module; any other path is that of a cache, of which there is none."""
        if path != self.path:
            raise FileNotFoundError(path)
        return self._text

    def path_stats(self, path: str | bytes) -> Mapping[str, float]:
        """Nothing, so that no cache is looked for."""
        raise FileNotFoundError(path)


def _import(path: Path, digest: str | None = None) -> ModuleType:
    text = _source(path)
    if digest is not None and _digest(text) != digest:
        raise InputError(f"{path}: it has changed")
    if path.suffix != ".py":
        raise InputError(f"{path}: not a Python file")
    # A name of its own, so that two files of the same name do not meet, and the same file is imported once.
    full = path.resolve()
    name = f"simaie_target_{hashlib.blake2b(os.fsencode(full), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, full, loader=_Loader(name, str(full), text))
    assert spec is not None
    assert spec.loader is not None  # it is given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
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


def require_unchanged(path: Path, recorded: str, digest: str | None, what: str, option: str) -> None:
    """Raise UnnamedCodeError unless the Python file at `path` is there, as it was, in the project of the replay file.

    Args:
        path: of the file.
        recorded: the path as the replay file has it, relative to its own folder.
        digest: of the file's text, as recorded.
        what: the file defined, for the message.
        option: of the command line that names it as it is now.
    """
    if Path(recorded).is_absolute():
        raise UnnamedCodeError(f"{path}: an absolute path of {what} is never trusted; give {option}")
    try:
        changed = source_digest(path) != digest
    except InputError as error:
        raise UnnamedCodeError(f"{what} was defined in a file that is gone ({error}); give {option}") from None
    if changed:
        raise UnnamedCodeError(f"{path} has changed since the recording; for {what} as it is now, give {option}")


def source_digest(path: Path) -> str:
    """64 bits over the text of a file, in hexadecimal; InputError if it cannot be read."""
    return _digest(_source(path))


def _source(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_SOURCE_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=8).hexdigest()
