"""Detection of operations and coroutines that are made and never awaited.

``self.host.store(...)`` without ``await`` describes an operation but performs nothing. ``cpu.store(...)`` without
``await`` makes a coroutine that never runs. Python warns about the second, once for each line, but not about the first.

`NotingHost` is a host port that records each operation with the line that made it; the execution removes those that are
announced. `Unstarted` collects Python's warnings about coroutines, with the lines that called them.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple, TypeVar, cast

from simaie.engine.actor import Actor
from simaie.errors import OWN_CODE
from simaie.host.host import Host, Mutex, SharedCell
from simaie.op import Form, Op, Order
from simaie.protocols import VCpu
from simaie.trace import Instruction

__all__ = ["Made", "NotingHost", "Unstarted", "Unused"]

_F = TypeVar("_F", bound=Callable[..., Any])
#: The number of callers of a coroutine function that Python records; those inside simaie come first.
_CALLERS = 12


class Made(NamedTuple):
    """An operation that was made, with its actor, its instruction, and the line that made it."""

    op: Op
    actor: Actor
    instruction: Instruction | None
    where: str


class Unused(NamedTuple):
    """A coroutine that never ran, with its function, and the file, line and function that called it."""

    what: str
    file: str
    line: int
    caller: str


class _Notes:
    """The operations that were made and not announced yet, by identity; `actors` are those of the execution."""

    def __init__(self) -> None:
        self.actors: Sequence[Actor] = ()
        self.made: dict[int, Made] = {}

    def add(self, op: Any) -> None:
        """Record `op` if it is an operation and an actor is running, which then has made it."""
        if type(op) is Op:
            running = next((actor for actor in self.actors if getattr(actor.coroutine, "cr_running", False)), None)
            if running is not None:
                self.made[id(op)] = Made(op, running, running.cpu.instruction, _where(sys._getframe(2)))


def _noting(method: _F) -> _F:
    def made(self: Any, *args: Any, **kwargs: Any) -> Any:
        op = method(self, *args, **kwargs)
        self.notes.add(op)
        return op

    return cast(_F, made)


class _NotingCell(SharedCell):
    __slots__ = ("notes",)
    notes: _Notes

    load = _noting(SharedCell.load)
    store = _noting(SharedCell.store)
    compare_and_swap = _noting(SharedCell.compare_and_swap)
    exchange = _noting(SharedCell.exchange)
    fetch = _noting(SharedCell.fetch)
    update = _noting(SharedCell.update)


class _NotingMutex(Mutex):
    __slots__ = ("notes",)
    notes: _Notes

    lock = _noting(Mutex.lock)
    unlock = _noting(Mutex.unlock)


class NotingHost(Host):
    """A host port that records the operations that it makes."""

    constant_attributes = Host.constant_attributes | {"notes"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes = _Notes()

    load = _noting(Host.load)
    store = _noting(Host.store)
    compare_and_swap = _noting(Host.compare_and_swap)
    exchange = _noting(Host.exchange)
    fetch = _noting(Host.fetch)
    fence = _noting(Host.fence)
    choose = _noting(Host.choose)
    begin_exclusive = _noting(Host.begin_exclusive)
    end_exclusive = _noting(Host.end_exclusive)
    begin_section = _noting(Host.begin_section)
    end_section = _noting(Host.end_section)

    def cell(self, *args: Any, **options: Any) -> SharedCell:
        """Return a new cell, whose operations are recorded."""
        made = _NotingCell(*args, **options)
        made.notes = self.notes
        return made

    def mutex(self, *args: Any, **options: Any) -> Mutex:
        """Return a new mutex, whose operations are recorded."""
        made = _NotingMutex(*args, **options)
        made.notes = self.notes
        return made

    def with_order(self, op: Op, order: Order, form: Form) -> Op:
        """Return the operation that takes the place of `op`, and is recorded in its place."""
        found = super().with_order(op, order, form)
        made = self.notes.made.pop(id(op), None)
        if made is not None:
            self.notes.made[id(found)] = made._replace(op=found)
        return found

    def let_go(self, cpu: VCpu) -> None:
        """Forget the operations of a vCPU whose instruction has faulted."""
        self.forget(lambda made: made.actor.cpu is cpu)

    def forget(self, which: Callable[[Made], bool]) -> None:
        """Forget the operations for which `which` is true."""
        self.notes.made = {key: made for key, made in self.notes.made.items() if not which(made)}

    def announced(self, op: Op) -> None:
        """Remove `op`, which was awaited."""
        self.notes.made.pop(id(op), None)

    def dropped(self, actor: Actor | None) -> Made | None:
        """Return the first operation that cannot be awaited any more: `actor` or the instruction that made it ended."""
        for made in self.notes.made.values():
            finished = made.instruction is not None and made.instruction.completed
            if finished or (made.actor is actor and made.instruction is None):
                return made
        return None


def _where(frame: FrameType | None) -> str:
    """Return ``FILE:LINE`` of the innermost code that is not simaie's."""
    while frame is not None and frame.f_code.co_filename.startswith(OWN_CODE):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Unstarted:
    """A collector of coroutines that are never awaited between `begin` and `end`, which shows all other warnings.

    Python warns when it frees such a coroutine. Until `end`, Python frees no cycles of objects, because they may hold a
    coroutine of an earlier execution, for which this one is not to blame.
    """

    def __init__(self) -> None:
        self._frees_cycles = False
        self._catching: Any = None
        self._log: list[warnings.WarningMessage] = []
        self._depth = 0

    def begin(self) -> None:
        """Begin to collect, in this thread."""
        self._frees_cycles = gc.isenabled()
        gc.disable()
        self._depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(self._depth, _CALLERS))
        self._catching = warnings.catch_warnings(record=True)
        self._log = self._catching.__enter__()
        warnings.filterwarnings("always", message="coroutine .* was never awaited", category=RuntimeWarning)

    def end(self) -> None:
        """Stop to collect, and restore the earlier settings; further calls have no effect."""
        if self._catching is None:
            return
        self._catching.__exit__(None, None, None)
        self._catching = None
        sys.set_coroutine_origin_tracking_depth(self._depth)
        if self._frees_cycles:
            gc.enable()
        for one in self._log:
            if not hasattr(one.source, "cr_origin"):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)
        self._log = []

    def forget(self) -> None:
        """Forget the coroutines that were found so far."""
        self._log[:] = [one for one in self._log if not hasattr(one.source, "cr_origin")]

    def first(self) -> Unused | None:
        """Return the first coroutine that was found; None if there is none."""
        for one in self._log:
            origin = getattr(one.source, "cr_origin", None)
            if origin:
                foreign = next((i for i, place in enumerate(origin) if not place[0].startswith(OWN_CODE)), 0)
                file, line, caller = origin[foreign]
                what = getattr(one.source, "__qualname__", "a coroutine")
                return Unused(origin[foreign - 1][2] if foreign else what, file, line, caller)
        return None
