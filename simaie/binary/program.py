"""Programs whose threads are functions of an ELF file."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simaie.binary.calls import CCall, parse_calls
from simaie.binary.compilers import compile_c
from simaie.binary.elf import load_image
from simaie.binary.file import SOURCE_SUFFIX, read_elf
from simaie.binary.hooking import Library
from simaie.binary.image import Image
from simaie.binary.indirect import with_indirect
from simaie.binary.layout import MOST_CREATED, STACK_BYTES, Layout
from simaie.binary.memory import FinalCheck, initial_memory
from simaie.binary.recording import Recorded, recorded_functions
from simaie.binary.scenario import Scenario
from simaie.binary.sources import read_sources
from simaie.binary.thread import BinaryThread
from simaie.binary.translation import Code, code_of
from simaie.errors import UsageError
from simaie.guest.program import Program

__all__ = [
    "BinaryProgram", "ThreadFunction", "binary_program", "functions_of", "program_of_bytes", "program_of_file",
]  # fmt: skip

_WATCHED = 8  # bytes: of a larger variable, outcomes show the first ones


class ThreadFunction:
    """The code of one thread: calls of functions of a program.

    Args:
        code: The translated program.
        layout: Where stacks lie.
        number: The number of its stack.
        calls: What it calls.
        shared_stack: Whether its stack is shared from the beginning.
        recorded: The functions whose calls are recorded.
    """

    def __init__(
        self,
        code: Code,
        layout: Layout,
        number: int,
        calls: tuple[CCall, ...],
        shared_stack: bool,
        recorded: Mapping[str, Recorded] = {},
    ) -> None:
        self._code, self._layout, self._number, self._calls = code, layout, number, calls
        self._shared_stack, self._recorded = shared_stack, recorded
        self.__name__ = " ".join(call.function for call in calls)

    def fingerprint_parts(self) -> tuple[Any, ...]:
        """Return what identifies the code, for the digest of a program."""
        calls = [tuple(call) for call in self._calls]
        layout = self._layout
        parts = self._code.image.digest, layout.start, layout.slot, self._number, calls, self._shared_stack
        named = tuple((name, each.method, each.nothing) for name, each in sorted(self._recorded.items()))
        return (*parts, named) if named else parts

    async def __call__(self, cpu: Any) -> None:
        """Run the thread on a vCPU."""
        thread = BinaryThread(self._code, self._layout, self._number, cpu, shared_stack=self._shared_stack)
        thread.calls, thread.recorded = self._calls, self._recorded
        await thread.run()


class MainFunction:
    """The code of a whole program: `main` with its arguments, and the threads that it creates.

    Args:
        code: The translated program.
        layout: Where stacks lie.
        arguments: The arguments, the name of the program first.
        shared_stack: Whether stacks are shared from the beginning.
    """

    def __init__(self, code: Code, layout: Layout, arguments: tuple[str, ...], shared_stack: bool) -> None:
        self._code, self._layout, self._arguments, self._shared_stack = code, layout, arguments, shared_stack
        self._entry = code.image.require("main", function=True).address
        self.__name__ = "main"

    def fingerprint_parts(self) -> tuple[Any, ...]:
        """Return what identifies the code, for the digest of a program."""
        layout = self._layout
        return self._code.image.digest, layout.start, layout.slot, self._arguments, self._shared_stack, "main"

    async def __call__(self, cpu: Any) -> None:
        """Run the program on a vCPU."""
        thread = BinaryThread(self._code, self._layout, 1, cpu, shared_stack=self._shared_stack)
        thread.child = self._child
        thread.calls = [CCall("main", self._entry, thread.place_arguments(self._arguments))]
        await thread.run()
        if status := thread.result & 0xFF:
            raise AssertionError(f"main returns {status}")

    def _child(self, number: int, function: int, argument: int) -> ThreadFunction:
        name = self._code.image.place(function & ~1).partition("+")[0] or f"{function:#x}"
        call = CCall(name, function, (argument,))
        return ThreadFunction(self._code, self._layout, number + 2, (call,), self._shared_stack)


class BinaryProgram(Program):
    """A program of an ELF file.

    Attributes:
        binary: The loaded file.
        code: Its translated code.
        scenario: What is run of it.
        compiled_by: The command that made the file of a C file; None for a file that was compiled elsewhere.
        sources: The lines of its source files by name, as far as they are found when they are first asked for.
    """

    binary: Image
    code: Code
    scenario: Scenario
    compiled_by: str | None = None

    @functools.cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """The lines of its source files by name, as far as they are found when they are first asked for."""
        return {} if self.defined_in is None else read_sources(self.binary.lines, self.defined_in.parent)


def binary_program(
    path: str | Path,
    threads: Sequence[str] = (),
    *,
    main: Sequence[str] | None = None,
    init: str | None = None,
    final: str | None = None,
    watch: Sequence[str] = (),
    stack: int = STACK_BYTES,
    shared_stacks: bool = False,
    cc: str | None = None,
    record: Sequence[str] = (),
    nothing: int | None = None,
    name: str | None = None,
    checkers: Sequence[Any] = (),
    goals: Sequence[str] = (),
) -> BinaryProgram:
    """Return the program whose threads call functions of an ELF file, or of a C file that is compiled first.

        binary_program("stack.elf", ["push:1", "pop"], init="setup", final="check")

    Nothing of the file is ever executed natively: its code is translated.

    Args:
        path: An executable, a shared object or an object file for arm, aarch64, x86-64, i386, riscv64, mips, mipsel or
            ppc64le; or a C file (``.c``).
        threads: What each thread calls, one function after the other: ``FUNCTION:ARGUMENT:ARGUMENT``, separated by
            spaces. An argument is a number or ``&VARIABLE``.
        main: The arguments with which to run the program as a whole, in place of `threads`: `main` on the first vCPU,
            and a vCPU for each ``pthread_create``. A status other than 0 is a failed assertion.
        init: A call that prepares memory, before each execution and with no other thread.
        final: A call that judges the final state, likewise alone: the state is acceptable if the low 32 bits of what it
            returns are not 0. It may assert instead.
        watch: The variables that outcomes show.
        stack: The size of each stack in bytes.
        shared_stacks: Whether stacks are shared memory from the beginning, and not only once an address into a stack
            is stored in shared memory.
        cc: The compiler of a C file with its flags, such as ``"aarch64-linux-gnu-gcc -O1"``, or a target such as
            ``"aarch64"``; None for the first compiler that is found.
        record: The functions whose calls by `threads` are recorded, for a checker such as ``linearizable-stack``:
            ``"push"``, or ``"stack_push=push"`` if the specification has another name for it.
        nothing: The integer result of such a function that means that nothing was found; a null pointer means so too.
        name: The name of the program; None for the name of the file.
        checkers: As for a `Program`.
        goals: The names of goals (``simaie_sometimes``) that are reported even if no execution reaches their place.

    Raises:
        InputError: The file cannot be read or compiled, or is not for a machine that is modelled; or `init` faults.
        UnknownNameError: It has no function or variable of a name.
        UsageError: An argument is wrong, pypcode or pyelftools is not installed, or no compiler is found.
    """
    if not isinstance(path, str | Path):
        raise UsageError(f"the path of an ELF file must be a text or a Path, not {path!r}")
    scenario = Scenario.of(threads, init, final, watch, stack, shared_stacks, main, cc, record, nothing)
    return program_of_file(Path(path), scenario, name, tuple(checkers), goals)


def program_of_file(
    path: Path,
    scenario: Scenario,
    name: str | None = None,
    checkers: tuple[Any, ...] = (),
    goals: Sequence[str] = (),
) -> BinaryProgram:
    """Return the program of the ELF file or C file at `path`.

    Args:
        path: The file.
        scenario: What is run of it.
        name: The name of the program; None for the name of the file.
        checkers: As for a `Program`.
        goals: As for a `Program`.

    Raises:
        InputError: This and the others as for `binary_program`.
    """
    if path.suffix == SOURCE_SUFFIX:
        file, content, command = compile_c(path, scenario.cc)
    elif scenario.cc is not None:
        raise UsageError(f"{path}: a compiler is for a file that ends in {SOURCE_SUFFIX}")
    else:
        file, content, command = path.name, read_elf(path), None
    made = program_of_bytes(file, content, scenario, name or path.name, checkers, goals)
    made.defined_in, made.compiled_by = path, command
    return made


def functions_of(path: Path, cc: str | None = None) -> list[str]:
    """Return the names of the functions of an ELF file or C file, sorted; raise errors as `binary_program` does."""
    if path.suffix == SOURCE_SUFFIX:
        file, content, _ = compile_c(path, cc)
    else:
        file, content = path.name, read_elf(path)
    return sorted(symbol.name for symbol in load_image(file, content).symbols.values() if symbol.is_function)


def program_of_bytes(
    file: str,
    content: bytes,
    scenario: Scenario,
    name: str,
    checkers: tuple[Any, ...] = (),
    goals: Sequence[str] = (),
) -> BinaryProgram:
    """Return the program of the ELF file with this content.

    Args:
        file: The name of the file.
        content: Its content.
        scenario: What is run of it.
        name: The name of the program.
        checkers: As for a `Program`.
        goals: As for a `Program`.

    Raises:
        InputError: This and the others as for `binary_program`.
    """
    code = _code(file, content, Library.FUNCTIONS if scenario.main is None else Library.PROGRAM)
    image = code.image
    threads: list[MainFunction | ThreadFunction]
    if scenario.main is not None:
        layout = Layout(image, 1 + MOST_CREATED, scenario.stack)
        threads = [MainFunction(code, layout, (file, *scenario.main), scenario.shared_stacks)]
        description = f"{image.abi.name}: main {shlex.join(scenario.main)}".rstrip()
    else:
        calls = [parse_calls(image, text) for text in scenario.threads]
        layout = Layout(image, len(calls), scenario.stack)
        recorded = recorded_functions(image, scenario.record, scenario.nothing)
        threads = [ThreadFunction(code, layout, number, each, scenario.shared_stacks, recorded)
                   for number, each in enumerate(calls, 1)]  # fmt: skip
        description = f"{image.abi.name}: {' | '.join(scenario.threads)}"
    made = BinaryProgram(
        name,
        isa=image.abi.isa,
        threads=threads,
        init=initial_memory(code, layout, scenario.init),
        final=None if scenario.final is None else FinalCheck(code, layout, scenario.final),
        watch=_watched(image, scenario.watch),
        description=description,
        checkers=(*checkers, *(["use-after-free", "double-free"] if image.allocates else [])),
        goals=goals,
    )
    made.binary, made.code, made.scenario = image, code, scenario
    made.extent, made.byte_order = layout.end_of_all, image.abi.endian
    made.made_by = program_of_bytes, (file, content, scenario, name, checkers, goals)
    return made


@functools.lru_cache(maxsize=64)
def _code(file: str, content: bytes, library: Library) -> Code:
    return with_indirect(code_of(load_image(file, content), library), library)


def _watched(image: Image, watch: Sequence[str]) -> dict[int, int]:
    found = [image.require(name, function=False) for name in watch]
    return {symbol.address: min(symbol.size or image.abi.word, _WATCHED) for symbol in found}
