"""Compilers of guests: a C file becomes a shared object that simaie can load.

A compiler is gcc, clang, a cross gcc under its name on Debian, or ``zig cc`` of the package ziglang, which
compiles for every target. Each is told of the flags that keep vectors, floating point and library helpers out of the
code, for the machine that it says it compiles for.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from simaie.binary.abi import ABIS
from simaie.binary.file import read_elf
from simaie.errors import InputError, UsageError
from simaie.input_file import MAX_SOURCE_BYTES, read_bounded

__all__ = ["Compiled", "compile_c"]

_INCLUDE = Path(__file__).resolve().parents[1] / "include"
_SECONDS = 120  # for a compiler that does not end
_MOST_LINES = 20  # of a compiler's messages
#: What each compiler is told. A shared object keeps the names of functions that it does not define.
_COMMON = ("-O2", "-g", "-fPIC", "-shared", "-nostdlib", "-fno-stack-protector")
_X86 = "-fcf-protection=none"


class _Target(NamedTuple):
    """A kind of ELF file as compilers know it.

    Attributes:
        debian: The triple in the names of Debian's compilers.
        zig: The target of ``zig cc``.
        also: Flags in addition to those of its ABI.
        zig_flags: What ``zig cc`` is told in place of the flags of its ABI; None for the same.
    """

    debian: str
    zig: str
    also: tuple[str, ...] = ()
    zig_flags: str | None = None


#: By the name of the ABI.
_TARGETS = {
    "aarch64": _Target("aarch64-linux-gnu", "aarch64-linux-musl"),
    "arm": _Target("arm-linux-gnueabihf", "arm-linux-musleabihf"),
    "riscv64": _Target("riscv64-linux-gnu", "riscv64-linux-musl", zig_flags=""),
    "x86-64": _Target("x86_64-linux-gnu", "x86_64-linux-musl", (_X86, "-mcx16")),
    "i386": _Target("i686-linux-gnu", "x86-linux-musl", (_X86,)),
    "ppc64le": _Target(
        "powerpc64le-linux-gnu", "powerpc64le-linux-musl",
        zig_flags="-mno-altivec -mno-vsx -mno-power8-vector -mno-direct-move",
    ),
    "mips": _Target("mips-linux-gnu", "mips-linux-musleabi"),
    "mipsel": _Target("mipsel-linux-gnu", "mipsel-linux-musleabi"),
}  # fmt: skip
#: The first word of a triple -> the name of the ABI, for those that have another name.
_ALIASES = {"x86_64": "x86-64", "amd64": "x86-64", "i486": "i386", "i586": "i386", "i686": "i386", "x86": "i386",
            "powerpc64le": "ppc64le", "armv7": "arm", "armv7l": "arm", "armv7a": "arm", "arm64": "aarch64"}  # fmt: skip
_ADVICE = (
    "on Debian: apt install gcc, or a cross compiler such as gcc-aarch64-linux-gnu; everywhere: pip install ziglang, "
    "which compiles for every target"
)


class _Compiler(NamedTuple):
    """A program with arguments, and the flags that the caller or the target needs."""

    program: tuple[str, ...]
    flags: tuple[str, ...] = ()


class Compiled(NamedTuple):
    """A compiled C file.

    Attributes:
        file: The name of the shared object.
        content: The shared object.
        command: The command that made it.
    """

    file: str
    content: bytes
    command: str


def compile_c(path: Path, cc: str | None = None) -> Compiled:
    """Compile the C file at `path` to a shared object.

    Args:
        path: The file.
        cc: The compiler with its flags, such as ``"aarch64-linux-gnu-gcc -O1"``; or the name of a target, such as
            ``"aarch64"``, for which a compiler is looked for. None for the first compiler that is found.

    Raises:
        UsageError: There is no such compiler, or no compiler at all.
        InputError: The file cannot be read, or the compiler refuses it.
    """
    try:
        read_bounded(path, MAX_SOURCE_BYTES)  # a compiler would wait for a named pipe
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    compiler = _any_compiler(path) if cc is None else _named_compiler(cc)
    file = f"{path.stem}.so"
    flags = [*_COMMON, *_flags_for(compiler), "-I", str(_INCLUDE), *compiler.flags]  # those of the caller win
    # What gcc calls where the target has no instruction: a division on Arm, an atomic byte on RISC-V.
    library = ["-lgcc"] if compiler.program[0].endswith("gcc") else []
    head = [*compiler.program, *flags, str(path), *library]
    with tempfile.TemporaryDirectory(prefix="simaie-") as folder:
        made = Path(folder, file)
        _run(path, [*head, "-o", str(made)])
        if not made.is_file():
            raise InputError(f"{path}: the compiler made no file: {shlex.join(head)}")
        return Compiled(file, read_elf(made), shlex.join([*head, "-o", file]))


def _any_compiler(path: Path) -> _Compiler:
    """Return the first compiler that is found and makes ELF files."""
    names = ["gcc", "clang", "cc"] if sys.platform.startswith("linux") else []
    for name in (*names, *(f"{target.debian}-gcc" for target in _TARGETS.values())):
        if shutil.which(name) is not None:
            return _Compiler((name,))
    if find_spec("ziglang") is not None:
        return _zig("x86-64")
    raise UsageError(f"{path}: no C compiler is found ({_ADVICE})")


def _named_compiler(cc: str) -> _Compiler:
    try:
        words = shlex.split(cc)
    except ValueError as error:
        raise UsageError(f"the compiler {cc!r}: {error}") from None
    if not words:
        raise UsageError("the compiler is an empty text; name one, such as 'aarch64-linux-gnu-gcc -O2'")
    if words[0] in _TARGETS:
        found = _compiler_for(words[0])
        return found._replace(flags=(*found.flags, *words[1:]))
    if shutil.which(words[0]) is None:
        raise UsageError(f"there is no compiler {words[0]!r} ({_ADVICE})")
    return _Compiler((words[0],), tuple(words[1:]))


def _compiler_for(target: str) -> _Compiler:
    """Return a compiler for a target by name."""
    cross = f"{_TARGETS[target].debian}-gcc"
    if shutil.which(cross) is not None:
        return _Compiler((cross,))
    if find_spec("ziglang") is not None:
        return _zig(target)
    package = f"gcc-{_TARGETS[target].debian}".replace("_", "-")
    raise UsageError(f"no compiler for {target} is found (on Debian: apt install {package}; everywhere: pip install "
                     "ziglang)")  # fmt: skip


def _zig(target: str) -> _Compiler:
    return _Compiler((sys.executable, "-m", "ziglang", "cc"), ("-target", _TARGETS[target].zig, "-fno-sanitize=all"))


def _flags_for(compiler: _Compiler) -> list[str]:
    """Return the flags that keep unmodelled instructions out of the code; none for an unknown machine."""
    name = _machine(compiler)
    if name not in _TARGETS:
        return []
    target = _TARGETS[name]
    if len(compiler.program) > 1 and target.zig_flags is not None:
        return shlex.split(target.zig_flags)
    abi = next(abi for abi in ABIS.values() if abi.name == name)
    return [*shlex.split(abi.flags), *target.also]


def _machine(compiler: _Compiler) -> str:
    """Return the name of the ABI for which a compiler compiles; empty if it does not say."""
    flags = compiler.flags
    if "-target" in flags[:-1]:
        triple = flags[flags.index("-target") + 1]
    else:
        try:
            triple = _said([*compiler.program, *flags, "-dumpmachine"]).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            return ""
    first = triple.partition("-")[0]
    name = _ALIASES.get(first, first)
    return "i386" if name == "x86-64" and "-m32" in flags else name


def _run(path: Path, command: list[str]) -> None:
    """Run a compiler; InputError with what it says if it fails."""
    try:
        done = _said(command)
    except OSError as error:
        raise UsageError(f"the compiler {command[0]!r} cannot be run: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"{path}: the compiler does not end within {_SECONDS} seconds") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        more = [f"... and {len(said) - _MOST_LINES} more lines"] if len(said) > _MOST_LINES else []
        lines = [f"{path}: the compiler fails with status {done.returncode}", *said[:_MOST_LINES], *more]
        raise InputError("\n".join(lines))


def _said(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that must end in time; return what it said."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL,
        errors="replace",
    )  # fmt: skip
