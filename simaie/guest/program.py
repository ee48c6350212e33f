"""A guest program: code for each vCPU, initial memory and a final check. It knows an instruction set, but no scheme."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from simaie import plugins
from simaie.callbacks import require_plain
from simaie.errors import UsageError
from simaie.guest.asserts import require_asserts
from simaie.guest.code import Code, Ins, run_code
from simaie.guest.final import FinalState
from simaie.guest.identity import fingerprint, remember
from simaie.guest.isa import isa_class
from simaie.guest.operands import HIGHEST, WIDTHS, number_refusal, short
from simaie.host.pages import PAGE_SIZE, Page

if TYPE_CHECKING:
    from simaie.guest.cut import Cut

__all__ = ["FinalState", "GuestFunction", "Program", "ThreadCode"]

#: The most bytes of memory that one value of an outcome shows.
MOST_WATCHED = 1024
#: All of them together.
MOST_WATCHED_IN_ALL = 1 << 17

GuestFunction: TypeAlias = Callable[[Any], Coroutine[Any, Any, Any]]
ThreadCode: TypeAlias = GuestFunction | Sequence[Ins]


class Program:
    """Guest code, its initial state, and the condition that it must achieve.

    Args:
        name: Name for reports and traces.
        isa: A name in `simaie.guest.isa.ISAS`, such as ``"arm"`` or ``"x86"``.
        threads: One per vCPU, each an ``async def thread(cpu)`` or a list of `Ins`.
        init: Initial memory: address -> an integer (4 bytes), ``(value, width)``, or bytes.
        final: The final check: called with the `FinalState`, it returns whether the state is acceptable (a bool), or
            asserts and returns None. It is called only for executions that ran to their end.
        watch: The locations that outcomes show, address -> width in bytes; by default those of `init`.
        pages: Virtual page address -> `Page`.
        devices: Uninstrumented bus masters, each an ``async def device(dev)``.
        description: One line for listings.
        checkers: Checkers to run in addition to the usual ones: names (``"linearizable-stack"``) or functions.

    Raises:
        UsageError: An argument is not of the form above.
    """

    def __init__(
        self,
        name: str,
        *,
        isa: str,
        threads: Sequence[ThreadCode],
        init: Mapping[int, int | tuple[int, int] | bytes] | None = None,
        final: Callable[[FinalState], object] | None = None,
        watch: Mapping[int, int] | None = None,
        pages: Mapping[int, Page] | None = None,
        devices: Sequence[GuestFunction] = (),
        description: str = "",
        checkers: Sequence[Any] = (),
    ) -> None:
        if not name or not isinstance(name, str):
            raise UsageError(f"a program needs a name, not {name!r}")
        self.name = name
        self.isa = isa
        self.cpu_class = isa_class(isa)
        self.threads = tuple(self._thread(i, code) for i, code in enumerate(threads))
        if not self.threads:
            raise UsageError(f"program {name!r} has no threads; it needs at least one")
        self.devices = tuple(self._function(f"device {i}", code) for i, code in enumerate(devices))
        self.image = tuple(_initial(address, value) for address, value in (init or {}).items())
        if final is not None:
            require_plain(f"the final check of program {name!r}", final)
        self.final = final
        self.watch = dict(watch) if watch is not None else _watched(self.image)
        _require_watched(self.watch)
        self.pages = dict(pages or {})
        for virtual, page in self.pages.items():
            if virtual % PAGE_SIZE or page.frame % PAGE_SIZE:
                raise UsageError(f"page {virtual:#x} -> {page.frame:#x}: both must be multiples of {PAGE_SIZE}")
        #: `pages` by number: virtual page number -> physical address of its frame.
        self.frames = {virtual // PAGE_SIZE: page.frame for virtual, page in self.pages.items()}
        self.description = description
        if isinstance(checkers, str):
            raise UsageError(f"checkers of program {name!r} must be a list, not a text: write [{checkers!r}]")
        self.checkers = tuple(checkers)
        self.defined_in = _caller_file()
        #: Whether code that it names, such as a checker ``FILE.py:NAME``, may be imported: not if a text names it.
        self.may_import = True
        self._asserts_required = False  # whether `require_asserts` ran without an error
        #: The original program that this one is cut from, and the cuts (see `simaie.guest.cut`).
        self.whole: Program | None = None
        self.cuts: tuple[Cut, ...] = ()
        remember(self)

    def __repr__(self) -> str:
        cut = f", without {' '.join(map(str, self.cuts))}" if self.cuts else ""
        return f"<Program {self.name!r}: {self.isa}, {len(self.threads)} threads{cut}>"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "program")(self)
        return drawn

    @functools.cached_property
    def digest(self) -> str:
        """Identity of the program's content, from which a replay detects that it has changed."""
        code = [*self.threads, *self.devices, self.final]
        return fingerprint(self.isa, code, self.image, sorted(self.watch.items()), sorted(self.pages.items()))

    def require_asserts(self) -> None:
        """Raise UsageError if a function of the program has asserts; for a Python that runs without them (``-O``)."""
        if not self._asserts_required:
            functions = [*self.threads, *self.devices, self.final, *self.checkers]
            require_asserts(self.name, [function for function in functions if callable(function)])
            self._asserts_required = True

    def start(self, thread: ThreadCode, cpu: Any) -> Coroutine[Any, Any, Any]:
        """Return the coroutine that runs one thread on `cpu`."""
        if callable(thread):
            return thread(cpu)
        return run_code(thread, cpu)

    def _thread(self, index: int, code: ThreadCode) -> GuestFunction | Code:
        if callable(code) or not isinstance(code, Sequence):
            return self._function(f"thread {index}", code)
        return Code(code, self.cpu_class, f"thread {index} of program {self.name!r}")

    def _function(self, what: str, code: Any) -> GuestFunction:
        call = getattr(code, "__call__", None)  # noqa: B004 - an object with an async __call__ is accepted too
        if not (inspect.iscoroutinefunction(code) or inspect.iscoroutinefunction(call)):
            raise UsageError(
                f"{what} of program {self.name!r} must be an `async def` function of one argument or a list of "
                f"instructions, not {code!r}"
            )
        return code  # type: ignore[no-any-return]  # checked just above


def _initial(address: int, value: int | tuple[int, int] | bytes) -> tuple[int, int, int | bytes]:
    """Return (address, width in bytes, value) of one item of `init`."""
    if not isinstance(address, int) or not 0 <= address <= HIGHEST:
        raise UsageError(f"an initial address must be a non-negative integer of at most 128 bits, not {short(address)}")
    if isinstance(value, bytes | bytearray):
        return address, len(value), bytes(value)
    number, width = value if isinstance(value, tuple) else (value, 4)
    if number_refusal(number) or width not in WIDTHS:
        raise UsageError(f"initial value of {address:#x}: an integer, (integer, width) or bytes, not {short(value)}")
    return address, width, number


def _require_watched(watch: Mapping[int, int]) -> None:
    """Raise UsageError for what is no place in memory, or too large to be a part of an outcome."""
    for address, width in watch.items():
        if not isinstance(address, int) or not 0 <= address <= HIGHEST:
            raise UsageError(f"an address to watch must be a non-negative integer, not {short(address)}")
        if not isinstance(width, int) or not 1 <= width <= MOST_WATCHED:
            raise UsageError(f"what is watched at {address:#x} must have 1 to {MOST_WATCHED} bytes, not {short(width)}")
    if sum(watch.values()) > MOST_WATCHED_IN_ALL:
        raise UsageError(f"{len(watch):,} places are watched, with more than {MOST_WATCHED_IN_ALL:,} bytes in all")


def _watched(image: Iterable[tuple[int, int, int | bytes]]) -> dict[int, int]:
    return {address: width for address, width, value in image if isinstance(value, int)}


def _caller_file() -> Path | None:
    """Return the file that constructs the program, so that a replay can name it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return None
    path = Path(frame.f_code.co_filename)
    return path if path.is_file() else None
