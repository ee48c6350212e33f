"""What is run of an ELF file, as data: a command line, a replay file and a pickle all hold it."""

from __future__ import annotations

import shlex

import msgspec

from simaie.arguments import require_bool, require_instance, require_iterable
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
    """

    threads: tuple[str, ...] = ()
    init: str | None = None
    final: str | None = None
    watch: tuple[str, ...] = ()
    stack: int = STACK_BYTES
    shared_stacks: bool = False
    main: tuple[str, ...] | None = None

    @property
    def arguments(self) -> list[str]:
        """The scenario as arguments of the command line, without those that have their default."""
        parts = [word for calls in self.threads for word in ("--thread", calls)]
        parts += [] if self.main is None else ["--main", shlex.join(self.main)]
        for option, call in (("--init", self.init), ("--final", self.final)):
            parts += [] if call is None else [option, call]
        parts += [word for name in self.watch for word in ("--watch", name)]
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
    ) -> Scenario:
        """Return the scenario of arguments of a caller; UsageError if one is of another form."""
        for what, call in (("init", init), ("final", final)):
            if call is not None:
                require_instance(what, call, str, "the text of a call, such as 'setup:1'")
        require_bool(shared_stacks=shared_stacks)
        given = _texts("threads", threads, "texts of calls, such as 'push:1'")
        arguments = None if main is None else _texts("main", main, "arguments of the program")
        if bool(given) == (arguments is not None):
            raise UsageError("name what threads call, such as 'push:1', or the arguments of main, but not both")
        watched = _texts("watch", watch, "names of variables")
        return cls(given, init, final, watched, stack, shared_stacks, arguments)  # type: ignore[arg-type]  # checked just above


def _texts(what: str, value: object, advice: str) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UsageError(f"{what} is a list of {advice}, not the text {value!r}")
    return tuple(require_instance(what, each, str, advice) for each in require_iterable(what, value, advice))
