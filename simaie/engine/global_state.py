"""The global state of an execution between two steps, which can be compared with other states of the same execution.

The global state is that of each vCPU (`simaie.engine.snapshot`), the values of RAM and cells that were written so far,
the reservations of the ideal monitor, and which vCPU has stopped the world. If it comes back, the steps in between can
be repeated for ever. Only sequentially consistent memory is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.engine.actors import ActorTable
from simaie.engine.snapshot import Snapshot, snapshot
from simaie.engine.waiting import Waiting
from simaie.host.sc import ScMemory
from simaie.op import Cell
from simaie.protocols import HostMemory
from simaie.trace import Event

__all__ = ["Comparable", "GlobalState", "StateReader"]

_PLAIN = (int, str, bytes, type(None))


class GlobalState:
    """The global state of an execution between two steps.

    Attributes:
        ram: The values of the places in RAM that were written so far, in the order of their first write.
    """

    __slots__ = ("_guests", "_shared", "ram")

    def __init__(self, ram: tuple[int, ...], shared: Any, guests: list[Snapshot]) -> None:
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

    def __init__(self, events: Sequence[Event], cast: ActorTable, waiting: Waiting, memory: HostMemory) -> None:
        assert type(memory) is ScMemory, "a machine with another host memory limits the tries"
        self._events, self._cast, self._waiting, self._memory = events, cast, waiting, memory
        self._places: dict[tuple[int, int], None] = {}  # in RAM
        self._cells: dict[Cell, None] = {}
        self._seen = 0  # the number of events that were taken into account
        self._comparable = Comparable()

    def read(self) -> GlobalState | None:
        """Return the state now; None if a vCPU cannot be read."""
        memory = self._memory
        for event in self._events[self._seen :]:
            self._note(event)
        self._seen = len(self._events)
        guests = []
        live = []
        for actor in self._cast.live:
            state = snapshot(actor.coroutine, actor.cpu)
            if state is None:
                return None
            live.append((actor.name, actor.op.kind, actor.op.location))
            guests.append(state)
        reserved = tuple([(actor.name, *rest) for actor, *rest in memory.saved_reservations()])
        stopper = self._waiting.stopper
        cells = tuple([self._comparable(cell.value) for cell in self._cells])
        shared = (tuple(live), cells, reserved, None if stopper is None else stopper.name)
        return GlobalState(tuple([memory.read(*place) for place in self._places]), shared, guests)

    def _note(self, event: Event) -> None:
        for op in event.op.places:
            if op.cell is not None:
                self._cells[op.cell] = None
            elif op.width and event.writes_ram:
                self._places[op.address, op.width] = None


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
