"""The global state of an execution between two steps, which can be compared with other states of the same execution.

The global state is that of each vCPU (`simaie.engine.snapshot`), the values of RAM and cells that were written so far,
the reservations of the ideal monitor, and which vCPU has stopped the world. If it comes back, the steps in between can
be repeated for ever. Only sequentially consistent memory is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.dependence import writes
from simaie.engine.actors import ActorTable
from simaie.engine.snapshot import Snapshot, snapshot
from simaie.engine.waiting import Waiting
from simaie.host.sc import ScMemory
from simaie.op import Cell, Op
from simaie.protocols import HostMemory

__all__ = ["Comparable", "GlobalState", "StateReader"]

_PLAIN = (int, str, bytes, type(None))


class GlobalState:
    """The global state of an execution between two steps.

    Attributes:
        ram: The values of the places in RAM that were written so far, in the order of their first write.
    """

    __slots__ = ("_guests", "_shared", "ram")

    def __init__(self, ram: tuple[int, ...], shared: Any, guests: Sequence[Snapshot] = ()) -> None:
        self.ram, self._shared, self._guests = ram, shared, guests

    @property
    def key(self) -> Any:
        """What equal states have in common, and can be looked up."""
        return self.ram, self._shared

    def same_as(self, other: GlobalState) -> bool:
        """Whether all vCPUs and all memory are in the same state."""
        if self.key != other.key:
            return False
        return all(mine.same_as(its) for mine, its in zip(self._guests, other._guests, strict=True))


class StateReader:
    """Reads the global states of one execution, in the order of its steps.

    Args:
        events: The steps of the execution, which grow.
        cast: Its actors.
        waiting: Those of them that wait.
        memory: Its memory, which is sequentially consistent.
    """

    def __init__(self, events: Sequence[Any], cast: ActorTable, waiting: Waiting, memory: HostMemory) -> None:
        assert type(memory) is ScMemory, "a machine with another host memory limits the tries"
        self._events, self._cast, self._waiting, self._memory = events, cast, waiting, memory
        self._places: dict[tuple[int, int], None] = {}  # in RAM
        self._cells: dict[Cell, None] = {}
        self._seen = 0  # the number of events that were taken into account
        self._ram: tuple[int, ...] | None = ()  # the values at the places; None if they may have changed
        self._held: tuple[Any, ...] | None = ()  # those of the cells, likewise
        self._comparable = Comparable()

    def read(self) -> GlobalState | None:
        """Return the state now; None if a vCPU cannot be read."""
        guests: list[Snapshot] = []
        live = []
        for actor in self._cast.live:
            state = snapshot(actor.coroutine, actor.cpu)
            if state is None:
                return None
            live.append((actor.name, actor.op.kind, actor.op.location))
            guests.append(state)
        return self._with_memory(tuple(live), guests)

    def _with_memory(self, live: Any, guests: Sequence[Snapshot] = ()) -> GlobalState:
        """Return the state now.

        Args:
            live: What can be looked up of the states of the vCPUs.
            guests: What can only be compared.
        """
        memory, stopper = self._memory, self._waiting.stopper
        for step in self._events[self._seen :]:
            self._note(*self._performed(step))
        self._seen = len(self._events)
        if self._ram is None:
            self._ram = tuple([memory.read(*place) for place in self._places])
        if self._held is None:
            self._held = tuple([self._comparable(cell.value) for cell in self._cells])
        reserved = tuple([(actor.name, *rest) for actor, *rest in memory.saved_reservations()])
        shared = (live, self._held, reserved, None if stopper is None else stopper.name)
        return GlobalState(self._ram, shared, guests)

    def _performed(self, step: Any) -> tuple[Op, Any]:
        """Return the operation of a step, and what it returned."""
        return step.op, step.value

    def _note(self, op: Op, value: Any) -> None:
        """Note the cells that an operation accessed, and the places in RAM that it wrote."""
        for part in op.places:
            if part.cell is not None:
                self._cells[part.cell] = self._held = None
            elif part.width and op.width and writes(op, value):
                self._places[part.address, part.width] = self._ram = None


class Comparable:
    """Turns values of cells into values that can be compared and looked up; called with a value.

    Objects are compared by identity, which is constant in one execution or memo. They are kept, so that no other object
    gets the identity of one that is gone.
    """

    def __init__(self) -> None:
        self._kept: dict[int, Any] = {}

    def __call__(self, value: Any) -> Any:
        """Return what is equal for equal values, and can be looked up."""
        if isinstance(value, _PLAIN):
            return type(value), value
        if type(value) is tuple:
            return tuple(map(self, value))
        if type(value) is frozenset:
            return frozenset(map(self, value))
        self._kept[id(value)] = value
        return id(value)
