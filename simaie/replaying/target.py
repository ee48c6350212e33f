"""Finding a program: by corpus name, as ``file.py:name``, or in a file of its own (``.guest``, ``.litmus``)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from simaie import corpus
from simaie.definitions import global_name, import_file, source_digest
from simaie.errors import InputError, SimaieError, UnknownNameError, UnnamedCodeError, UsageError
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX

__all__ = ["find_target", "former_litmus", "is_litmus", "program_of", "require_unchanged", "target_text", "variable_of"]

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
    if corpus.has_program(target):
        return corpus.program(target)
    if target.endswith(SUFFIX):
        from simaie.guest.text import read_program  # its grammar is only loaded where it is used

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
    module = import_file(path, digest)
    value = getattr(module, name, None)
    if callable(value) and not isinstance(value, Program):
        value = _made_by(value, path, name)
    if not isinstance(value, Program):
        found = sorted(k for k, v in vars(module).items() if isinstance(v, Program))
        raise InputError(f"{path}: {name!r} is not a Program (it defines: {', '.join(found) or 'none'})")
    return value


def former_litmus(path: Path) -> Program:
    """Return the program of a ``.litmus`` file with the addresses that it had in older versions."""
    from simaie.litmus import load
    from simaie.litmus.lowering import FORMER_BASE, lower

    return lower(load(path), base=FORMER_BASE).program


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


def variable_of(program: Program) -> str | None:
    """The global name under which the program's own file keeps it, if it does; empty for that of a litmus file."""
    if program.defined_in is not None and is_litmus(program.defined_in):
        return ""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is None or program.defined_in is None or Path(file) != program.defined_in:
            continue
        if (name := global_name(module, program)) is not None:
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
