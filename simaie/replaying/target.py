"""Programs by name: of the corpus, as ``FILE.py:NAME``, or in a file of its own (``.guest``, ``.litmus``)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from simaie import corpus
from simaie.binary.file import SOURCE_SUFFIX
from simaie.binary.scenario import Scenario
from simaie.definitions import global_name, import_file, source_digest
from simaie.errors import InputError, SimaieError, UnknownNameError, UnnamedCodeError, UsageError
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX

__all__ = [
    "compiler_command",
    "find_target",
    "former_litmus",
    "is_elf",
    "is_litmus",
    "program_of",
    "recorded_path",
    "require_unchanged",
    "scenario_of",
    "sources_of",
    "target_text",
    "variable_of",
]

_ELF_SUFFIXES = (".elf", ".so", ".o", ".axf", ".ko")
_OTHER_SUFFIXES = frozenset({".py", ".json", ".litmus", SUFFIX})
_ELF_MAGIC = b"\x7fELF"
_SHOWN = 12  # functions that a message lists
_WHERE = "simaie list programs --all names them all; a program of your own is FILE.py:NAME"


def find_target(target: str, *, trust: bool = False, scenario: Scenario | None = None) -> Program:
    """Return the program that `target` names.

    Args:
        target: A name of the corpus, ``FILE.py:NAME``, or the path of a ``.guest``, ``.litmus``, ELF or C file.
        trust: Whether a ``.guest`` file may name code; see `simaie.guest.text.parse_program`.
        scenario: What is run of an ELF file; None for any other target.

    Raises:
        UnknownNameError: There is no such program.
        UsageError: `target` is a Python file without the name of a program.
        InputError: The file cannot be read or imported, or defines no such program.
    """
    if is_elf(target) or target.endswith(SOURCE_SUFFIX):
        return _of_elf(Path(target), scenario)
    if scenario is not None:
        raise UsageError(f"{target}: only for an ELF or C file does an option say what its threads call (--thread)")
    if corpus.has_program(target):
        return corpus.program(target)
    if target.endswith(SUFFIX):
        from simaie.guest.text import read_program  # its grammar is only loaded where it is used

        return read_program(Path(target), trust=trust)
    if is_litmus(Path(target)):
        return program_of(Path(target), "")
    path_text, colon, name = target.rpartition(":")
    if colon and (not name or ".py:" in path_text):
        raise UsageError(f"{target}: expected FILE.py:NAME")
    if not colon and target.endswith(".json"):
        raise UsageError(f"{target}: a replay file is no program; simaie replay {target} runs it again")
    if not colon:
        if target.endswith(".py"):
            raise UsageError(f"{target}: name a program of the file: {target}:NAME")
        raise UnknownNameError("program", target, corpus.names(), _WHERE)
    return program_of(Path(path_text), name)


def is_elf(target: str) -> bool:
    """Whether `target` is the path of an ELF file: by its suffix, or by the first bytes of an existing file."""
    if target.endswith(_ELF_SUFFIXES):
        return True
    path = Path(target)
    if path.suffix in _OTHER_SUFFIXES or ":" in target:
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(len(_ELF_MAGIC)) == _ELF_MAGIC
    except (OSError, ValueError):  # no file has such a name, or it cannot be read
        return False


def scenario_of(program: Program) -> Scenario | None:
    """Return what a program runs of an ELF file; None for any other program."""
    return getattr(program.cut_from or program, "scenario", None)


def sources_of(program: Program) -> Mapping[str, tuple[str, ...]]:
    """Return the lines of the source files of a compiled program by name; none of any other program."""
    found: Mapping[str, tuple[str, ...]] = getattr(program.cut_from or program, "sources", {})
    return found


def compiler_command(program: Program) -> str | None:
    """Return the command that compiled the file of a program; None if simaie compiled none."""
    return getattr(program, "compiled_by", None)


def _of_elf(path: Path, scenario: Scenario | None) -> Program:
    from simaie.binary.program import functions_of, program_of_file  # with what reads and translates machine code

    if scenario is None:
        known = functions_of(path)
        shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        example = "--thread push:1 --thread pop"
        raise UsageError(f"{path}: name what each thread calls, as in {example} (its functions: {shown or 'none'})")
    return program_of_file(path, scenario)


def program_of(path: Path, name: str, digest: str | None = None) -> Program:
    """Return the program that is the global `name` of the file at `path`.

    The global is a `Program`, or a function without arguments that returns one. A ``.litmus`` file is one program, for
    any name.

    Args:
        path: The file, which is imported if it is Python.
        name: The global name of the program.
        digest: The `source_digest` that the text of the file must have; None to import any text.

    Raises:
        InputError: The file cannot be read or imported, has another digest, or defines no such program.
    """
    if is_litmus(path):
        from simaie.litmus import load  # its grammars are loaded only if they are used
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
    """Whether `path` is that of a litmus test."""
    return path.suffix == ".litmus"


def target_text(path: Path, variable: str) -> str:
    """Return the name of a program on the command line."""
    return str(path) if is_litmus(path) or path.suffix == SUFFIX else f"{path}:{variable}"


def recorded_path(base: Path, source: str) -> Path:
    """Return the path of a file that a replay file in the folder `base` names, without ``..``."""
    path = base / source
    if ".." not in path.parts:
        return path
    try:
        plain = path.resolve()
    except (OSError, ValueError, RuntimeError):  # the recorded text need not be a valid path
        return path
    relative = not base.is_absolute() and plain.is_relative_to(Path.cwd())
    return plain.relative_to(Path.cwd()) if relative else plain


def _made_by(factory: Callable[[], object], path: Path, name: str) -> object:
    try:
        return factory()
    except (SimaieError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `sys.exit` too
        raise InputError(f"{path}: {name}() raised {type(error).__name__}: {error}") from error


def variable_of(program: Program) -> str | None:
    """Return the name of the global of its file that is `program`; None if there is none, empty for a litmus test."""
    if program.defined_in is not None and is_litmus(program.defined_in):
        return ""
    if program.defined_in is None:
        return None
    ending = program.defined_in.name.casefold()
    for module in list(sys.modules.values()):
        file = str(getattr(module, "__file__", None))
        # There are many modules, and a path takes longer than its text.
        if not file.casefold().endswith(ending) or Path(file) != program.defined_in:
            continue
        if (name := global_name(module, program)) is not None:
            return name
    return None


def require_unchanged(path: Path, recorded: str, digest: str | None, what: str, option: str) -> None:
    """Raise UnnamedCodeError unless the Python file at `path` exists and is unchanged since the recording.

    Args:
        path: The file.
        recorded: Its path in the replay file, which must be relative.
        digest: The recorded digest of its text.
        what: The thing that the file defined, for the message.
        option: The option of the command line that names the current version, for the message.
    """
    if Path(recorded).is_absolute():
        raise UnnamedCodeError(f"{path}: an absolute path of {what} is never trusted; pass {option}")
    try:
        changed = source_digest(path) != digest
    except InputError as error:
        raise UnnamedCodeError(f"{what} was defined in a file that is gone ({error}); pass {option}") from None
    if changed:
        raise UnnamedCodeError(f"{path} has changed since the recording; to use {what} as it is now, pass {option}")
