"""Executions whose global state is read before each step, to find out whether a state comes back.

The global state is that of each vCPU (`simaie.engine.snapshot`), the values of RAM and cells that were written so far,
the reservations of the ideal monitor, and which vCPU has stopped the world. If it comes back, the steps in between can
be repeated for ever. Only sequentially consistent memory is read. No vCPU is held back in these executions: each round
of a loop runs (see `simaie.engine.spin`).
"""

from __future__ import annotations

from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.execution import Execution
from simaie.engine.snapshot import Snapshot, snapshot
from simaie.errors import UsageError
from simaie.host.sc import ScMemory
from simaie.op import Cell, Op

__all__ = ["FreeExecution", "GlobalState", "StateReader"]

#: Cells that hold vCPUs or other objects are compared by identity, which is constant in one execution.
_PLAIN = (int, str, bytes, type(None))


class FreeExecution(Execution):
    """An execution in which no vCPU is held back because it repeats a round of a loop."""

    def _looks_again(self, actor: Actor, op: Op) -> bool:
        return False

    def _await_change(self, actor: Actor) -> Op | None:
        return None

    @property
    def live(self) -> list[Actor]:
        """The vCPUs and devices that have not ended."""
        return list(self._cast.live)

    @property
    def stopper(self) -> Actor | None:
        """The vCPU that has stopped the world; None while the world runs."""
        return self._waiting.stopper


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
        execution: The execution.

    Raises:
        UsageError: The host memory has store buffers, or is not simaie's own.
    """

    def __init__(self, execution: FreeExecution) -> None:
        memory = execution.memory
        if type(memory) is not ScMemory:
            raise UsageError("a lasso is looked for on a sequentially consistent host only; use host='sc'")
        self._execution, self._memory = execution, memory
        self._places: dict[tuple[int, int], None] = {}  # in RAM
        self._cells: dict[Cell, None] = {}
        self._seen = 0  # the number of events that were taken into account

    def read(self) -> GlobalState | None:
        """Return the state now; None if a vCPU cannot be read."""
        execution, memory = self._execution, self._memory
        for event in execution.events[self._seen :]:
            for op in event.op.places:
                if op.cell is not None:
                    self._cells[op.cell] = None
                elif op.width and event.writes_ram:
                    self._places[op.address, op.width] = None
        self._seen = len(execution.events)
        guests = []
        live = []
        for actor in execution.live:
            state = snapshot(actor.coroutine, actor.cpu)
            if state is None:
                return None
            live.append((actor.name, actor.op.kind, actor.op.location))
            guests.append(state)
        reserved = tuple([(actor.name, *rest) for actor, *rest in memory.saved_reservations()])
        stopper = execution.stopper
        cells = tuple([_value(cell.value) for cell in self._cells])
        shared = (tuple(live), cells, reserved, None if stopper is None else stopper.name)
        return GlobalState(tuple([memory.read(*place) for place in self._places]), shared, guests)


def _value(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return type(value), value
    if type(value) is tuple:
        return tuple(map(_value, value))
    return id(value)
