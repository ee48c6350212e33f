"""Globals of Python files, named ``FILE.py:NAME``: programs, schemes, schedulers, host memories and checkers."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from simaie.errors import InputError
from simaie.input_file import MAX_SOURCE_BYTES, read_bounded

__all__ = ["Definition", "definition", "global_name", "home_of", "import_file", "source_digest", "value_of"]

#: The path up to the first ``.py:``, then a global name.
_DEFINITION = re.compile(r"(.*?\.py):(\w+)", re.DOTALL)
#: The attribute of an imported module that holds the digest of its text.
_DIGEST = "__simaie_digest__"


class Definition(NamedTuple):
    """A global of a Python file, written ``FILE.py:NAME``."""

    path: Path
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.name}"


def definition(text: object) -> Definition | None:
    """Return the file and the name of a text ``FILE.py:NAME``; None for any other text or value."""
    found = _DEFINITION.fullmatch(text) if isinstance(text, str) else None
    return Definition(Path(found[1]), found[2]) if found and found[2].isidentifier() else None


def home_of(value: object) -> Definition | None:
    """Return an imported Python file that has `value` itself as a global, and the name; None if no file has it."""
    own = sys.modules.get(getattr(value, "__module__", None) or "")
    for module in ([] if own is None else [own]) + list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is not None and str(file).endswith(".py") and (name := global_name(module, value)) is not None:
            return Definition(Path(file), name)
    return None


def global_name(module: ModuleType, value: object) -> str | None:
    """Return the name of the global of `module` that is `value` itself; None if no global is."""
    return next((name for name, known in vars(module).items() if known is value), None)


def value_of(path: Path, name: str, digest: str | None = None) -> object:
    """Return the global `name` of the module at `path`; InputError if it has none. digest: as for `import_file`."""
    module = import_file(path, digest)
    if not hasattr(module, name):
        raise InputError(f"{path}: it defines no {name!r}")
    return getattr(module, name)


def source_digest(path: Path) -> str:
    """Return a hash of the text of a file, 64 bits in hexadecimal; InputError if it cannot be read."""
    return _digest(_source(path))


class _Loader(SourceFileLoader):
    """A loader of the text that was read already, even if the file changes; it neither reads nor writes a cache."""

    def __init__(self, name: str, path: str, text: bytes) -> None:
        super().__init__(name, path)
        self._text = text

    def get_data(self, path: str | bytes) -> bytes:
        """Return the text of the module; FileNotFoundError for any other path, which is that of a cache."""
        if path != self.path:
            raise FileNotFoundError(path)
        return self._text

    def path_stats(self, path: str | bytes) -> Mapping[str, float]:
        """Raise FileNotFoundError, so that Python looks for no cache."""
        raise FileNotFoundError(path)


def import_file(path: Path, digest: str | None = None) -> ModuleType:
    """Return the module at `path`; a process imports a file again only if its text has changed.

    Args:
        path: The Python file.
        digest: The `source_digest` that its text must have; None to import any text.

    Raises:
        InputError: The file cannot be read or imported, is no Python file, or has another digest.
    """
    text = _source(path)
    known = _digest(text)
    if digest is not None and known != digest:
        raise InputError(f"{path}: it has changed")
    if path.suffix != ".py":
        raise InputError(f"{path}: not a Python file")
    # A unique name, so that two files of the same name are two modules.
    full = path.resolve()
    name = f"simaie_target_{hashlib.blake2b(os.fsencode(full), digest_size=6).hexdigest()}"
    before = sys.modules.get(name)
    if before is not None and getattr(before, _DIGEST, None) == known:
        return before
    return _executed(name, path, full, text)


def _executed(name: str, path: Path, full: Path, text: bytes) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, full, loader=_Loader(name, str(full), text))
    assert spec is not None
    assert spec.loader is not None  # it is given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        problem = f"{path}: cannot be imported: {type(error).__name__}: {error}"
        raise InputError(problem + _advice(full, error)) from error
    setattr(module, _DIGEST, _digest(text))
    return module


def _advice(path: Path, error: BaseException) -> str:
    """Return what to do if a module is missing that is next to the file; Python looks there only if it is told."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not name or not any((path.parent / each).exists() for each in (f"{name}.py", name)):
        return ""
    return f"; {name} is in its folder: set PYTHONPATH={path.parent}"


def _source(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_SOURCE_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=8).hexdigest()
