"""A guest program: code for each vCPU, initial memory and a final check. It knows an instruction set, but no scheme."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from simaie import plugins
from simaie.arguments import require_iterable, require_text
from simaie.callbacks import require_plain
from simaie.errors import UsageError
from simaie.guest.asserts import require_asserts
from simaie.guest.code import Code, Ins
from simaie.guest.cpu import Cpu
from simaie.guest.extent import bits_for, extent_of
from simaie.guest.final import FinalState
from simaie.guest.given import image_of, owed_by, pages_of, watched
from simaie.guest.goals import written_out
from simaie.guest.identity import fingerprint, remember
from simaie.guest.interpreter import run_code
from simaie.guest.isa import isa_class, isa_name
from simaie.host.pages import PAGE_SIZE, Page
from simaie.host.ram import Endian

if TYPE_CHECKING:
    from simaie.guest.cut import Cut

__all__ = ["FinalState", "GuestFunction", "Program", "ThreadCode"]


GuestFunction: TypeAlias = Callable[[Any], Coroutine[Any, Any, Any]]
ThreadCode: TypeAlias = GuestFunction | Sequence[Ins]


class Program:
    """Guest code, its initial state, and the condition that it must achieve.

    Args:
        name: Name for reports and traces.
        isa: The instruction set: a registered name, such as ``"arm"`` or ``"x86"``, ``"FILE.py:CLASS"``, or a class
            that derives from `simaie.Cpu`.
        threads: One per vCPU, each an ``async def thread(cpu)`` or a list of `Ins`.
        init: Initial memory: address -> an integer (4 bytes), ``(value, width)``, or bytes.
        final: The final check: called with the `FinalState`, it returns whether the state is acceptable (a bool), or
            asserts and returns None. It is called only for executions that ran to their end.
        watch: The locations that outcomes show, address -> width in bytes; by default those of `init`.
        pages: Virtual page address -> `Page`.
        devices: Uninstrumented bus masters, each an ``async def device(dev)``.
        description: One line for listings.
        checkers: Checkers to run in addition to the usual ones: names (``"linearizable-stack"``) or functions.
        goals: Names of goals (see `simaie.Cpu.sometimes`) that the code does not write out, for example because it
            computes them.
        eventually: The vCPUs whose threads are to end in every fair execution, each with a name for findings:
            ``{"1": "is served"}``. All that such a thread does is one block of `simaie.Cpu.eventually`. It is for
            lists of instructions, and for programs with other threads that never end.
        handler: What a vCPU runs when a signal arrives, an ``async def handler(cpu)`` or a list of `Ins` with registers
            of its own. Signals arrive where the scheme `interrupted` with the option `signals` lets them.

    Raises:
        UsageError: An argument is not of the form above.
    """

    def __init__(
        self,
        name: str,
        *,
        isa: str | type[Cpu],
        threads: Sequence[ThreadCode],
        init: Mapping[int, int | tuple[int, int] | bytes] | None = None,
        final: Callable[[FinalState], object] | None = None,
        watch: Mapping[int, int] | None = None,
        pages: Mapping[int, Page] | None = None,
        devices: Sequence[GuestFunction] = (),
        description: str = "",
        checkers: Sequence[Any] = (),
        goals: Sequence[str] = (),
        eventually: Mapping[str, str] | None = None,
        handler: ThreadCode | None = None,
    ) -> None:
        if not name or not isinstance(name, str):
            raise UsageError(f"a program needs a name, not {name!r}")
        self.name = name
        self.isa = isa_name(isa)
        self.cpu_class = isa_class(self.isa)
        given = require_iterable(f"threads of program {name!r}", threads, "functions or lists of instructions")
        self.threads = tuple(self._code(f"thread {i}", code) for i, code in enumerate(given))
        if not self.threads:
            raise UsageError(f"program {name!r} has no threads; it needs at least one")
        given = require_iterable(f"devices of program {name!r}", devices, "functions")
        self.devices = tuple(self._function(f"device {i}", code) for i, code in enumerate(given))
        self.handler = None if handler is None else self._code("the handler", handler)
        self.image = image_of(name, init)
        if final is not None:
            require_plain(f"the final check of program {name!r}", final)
        self.final = final
        self.watch = watched(name, watch, self.image)
        self.pages = pages_of(name, pages)
        #: `pages` by number: virtual page number -> physical address of its frame.
        self.frames = {virtual // PAGE_SIZE: page.frame for virtual, page in self.pages.items()}
        self.description = require_text(f"description of program {name!r}", description)
        self.checkers = tuple(require_iterable(f"checkers of program {name!r}", checkers, "names or functions"))
        self._declared_goals = tuple(require_iterable(f"goals of program {name!r}", goals, "names"))
        for goal in self._declared_goals:
            if not require_text(f"a goal of program {name!r}", goal):
                raise UsageError(f"a goal of program {name!r} has no name; a report could not say which one it is")
        self.eventually = owed_by(name, eventually, len(self.threads))
        self.defined_in = _caller_file()
        #: Whether code that it names, such as a checker ``FILE.py:NAME``, may be imported: not if a text names it.
        self.may_import = True
        #: The byte order that its code relies on, if it relies on one: ``"little"`` or ``"big"``.
        self.byte_order: Endian | None = None
        #: The first address after everything that the program accesses, if what makes the program knows it.
        self.extent: int | None = None
        self._asserts_required = False  # whether `require_asserts` ran without an error
        #: The original program that this one is cut from, and the cuts (see `simaie.guest.cut`).
        self.cut_from: Program | None = None
        self.cuts: tuple[Cut, ...] = ()
        #: How a pickle makes it again, if by a call of a function; else its functions are pickled by their names.
        self.made_by: tuple[Callable[..., Program], tuple[Any, ...]] | None = None
        remember(self)

    def __copy__(self) -> Program:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, made_by=None)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.cut_from is not None:
            from simaie.guest.cut import without  # which is made of programs

            return without, (self.cut_from, self.cuts)
        return self.made_by or super().__reduce_ex__(protocol)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        remember(self)

    def __repr__(self) -> str:
        cut = f", without {' '.join(map(str, self.cuts))}" if self.cuts else ""
        return f"<Program {self.name!r}: {self.isa}, {len(self.threads)} threads{cut}>"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "program")(self)
        return drawn

    @property
    def vcpu_code(self) -> tuple[GuestFunction | Code, ...]:
        """The code that vCPUs run: the threads, then the handler if there is one."""
        return self.threads if self.handler is None else (*self.threads, self.handler)

    def runnable_handler(self) -> GuestFunction | None:
        """Return the handler as a function of a vCPU; None if there is none."""
        handler = self.handler
        return handler if handler is None or callable(handler) else functools.partial(run_code, handler)

    @functools.cached_property
    def digest(self) -> str:
        """Identity of the program's content, from which a replay detects that it has changed."""
        code = [*self.vcpu_code, *self.devices, self.final]
        return fingerprint(self.isa, code, self.image, sorted(self.watch.items()), sorted(self.pages.items()))

    @functools.cached_property
    def goals(self) -> tuple[str, ...]:
        """The names of the goals that are declared or written out in the code of the program."""
        code = [each for each in (*self.vcpu_code, *self.devices) if callable(each)]
        return tuple(dict.fromkeys([*self._declared_goals, *written_out(code)]))

    @functools.cached_property
    def address_bits(self) -> int | None:
        """Width in bits of the smallest address space that holds every address of the program; None if not known.

        Code that is data names its addresses; a Python function does not. A program that is cut has the width of the
        original, so that both run on the same machine.
        """
        whole = self.cut_from or self
        extent = extent_of(whole) if whole.extent is None else whole.extent
        return None if extent is None else bits_for(extent)

    def require_asserts(self) -> None:
        """Raise UsageError if a function of the program has asserts; for a Python that runs without them (``-O``)."""
        if not self._asserts_required:
            functions = [*self.vcpu_code, *self.devices, self.final, *self.checkers]
            require_asserts(self.name, [function for function in functions if callable(function)])
            self._asserts_required = True

    def start(self, thread: ThreadCode, cpu: Any) -> Coroutine[Any, Any, Any]:
        """Return the coroutine that runs one thread on `cpu`.

        Args:
            thread: A thread of the program.
            cpu: The vCPU that runs it.
        """
        if callable(thread):
            return thread(cpu)
        return run_code(thread, cpu)

    def _code(self, what: str, code: ThreadCode) -> GuestFunction | Code:
        if callable(code) or not isinstance(code, Sequence):
            return self._function(what, code)
        return Code(code, self.cpu_class, f"{what} of program {self.name!r}")

    def _function(self, what: str, code: Any) -> GuestFunction:
        call = getattr(code, "__call__", None)  # noqa: B004 - an object with an async __call__ is accepted too
        if not (inspect.iscoroutinefunction(code) or inspect.iscoroutinefunction(call)):
            raise UsageError(
                f"{what} of program {self.name!r} must be an `async def` function of one argument or a list of "
                f"instructions, not {code!r}"
            )
        return code  # type: ignore[no-any-return]  # checked just above


def _caller_file() -> Path | None:
    """Return the file that constructs the program, so that a replay can name it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return None
    return _file(frame.f_code.co_filename)


@functools.cache
def _file(name: str) -> Path | None:
    path = Path(name)
    return path if path.is_file() else None
