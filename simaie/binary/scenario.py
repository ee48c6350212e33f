"""What is run of an ELF file, as data: a command line, a replay file and a pickle all hold it."""

from __future__ import annotations

import shlex

import msgspec

from simaie.arguments import require_bool, require_instance, require_integer, require_iterable
from simaie.binary.layout import STACK_BYTES
from simaie.errors import UsageError

__all__ = ["Scenario"]


class Scenario(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is run of an ELF file; see `simaie.binary.binary_program`.

    Attributes:
        threads: What each thread calls.
        init: The call that prepares memory.
        final: The call that judges the final state.
        watch: The variables that outcomes show.
        stack: The size of each stack in bytes.
        shared_stacks: Whether stacks are shared memory from the beginning.
        main: The arguments with which the program is run as a whole; None if threads call its functions.
        cc: The compiler of a C file, with its flags; None for the first that is found.
        record: The functions whose calls are recorded, ``FUNCTION`` or ``FUNCTION=METHOD``.
        nothing: The integer result of such a function that means that nothing was found; None if there is none.
    """

    threads: tuple[str, ...] = ()
    init: str | None = None
    final: str | None = None
    watch: tuple[str, ...] = ()
    stack: int = STACK_BYTES
    shared_stacks: bool = False
    main: tuple[str, ...] | None = None
    cc: str | None = None
    record: tuple[str, ...] = ()
    nothing: int | None = None

    @property
    def arguments(self) -> list[str]:
        """The scenario as arguments of the command line, without those that have their default."""
        parts = [word for calls in self.threads for word in ("--thread", calls)]
        parts += [] if self.cc is None else ["--cc", self.cc]
        parts += [] if self.main is None else ["--main", shlex.join(self.main)]
        for option, call in (("--init", self.init), ("--final", self.final)):
            parts += [] if call is None else [option, call]
        parts += [word for name in self.watch for word in ("--watch", name)]
        parts += [word for text in self.record for word in ("--record", text)]
        parts += [] if self.nothing is None else ["--nothing", str(self.nothing)]
        parts += [] if self.stack == STACK_BYTES else ["--stack", str(self.stack)]
        return [*parts, *(["--shared-stacks"] if self.shared_stacks else [])]

    @classmethod
    def of(
        cls,
        threads: object,
        init: object,
        final: object,
        watch: object,
        stack: object,
        shared_stacks: object,
        main: object = None,
        cc: object = None,
        record: object = (),
        nothing: object = None,
    ) -> Scenario:
        """Return the scenario of arguments of a caller; UsageError if one is of another form."""
        for what, call in (("init", init), ("final", final)):
            if call is not None:
                require_instance(what, call, str, "the text of a call, such as 'setup:1'")
        if cc is not None:
            require_instance("cc", cc, str, "the text of a compiler and its flags, such as 'gcc -O1'")
        require_bool(shared_stacks=shared_stacks)
        given = _texts("threads", threads, "texts of calls, such as 'push:1'")
        arguments = None if main is None else _texts("main", main, "arguments of the program")
        if bool(given) == (arguments is not None):
            raise UsageError("name what threads call, such as 'push:1', or the arguments of main, but not both")
        recorded = _texts("record", record, "functions, such as 'push' or 'stack_push=push'")
        if nothing is not None:
            require_integer("nothing", nothing)
        if nothing is not None and not recorded:
            raise UsageError("a result that means nothing needs calls that are recorded: record=['pop']")
        if recorded and arguments is not None:
            raise UsageError("calls of a whole program are not recorded; call simaie_call in its code")
        watched = _texts("watch", watch, "names of variables")
        return cls(given, init, final, watched, stack, shared_stacks, arguments, cc, recorded, nothing)  # type: ignore[arg-type]  # checked just above


def _texts(what: str, value: object, advice: str) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UsageError(f"{what} is a list of {advice}, not the text {value!r}")
    return tuple(require_instance(what, each, str, advice) for each in require_iterable(what, value, advice))
