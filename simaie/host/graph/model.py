"""What a memory model over execution graphs says: the local order of the events of one vCPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simaie.barrier import Barrier
from simaie.host.graph.event import Event, Past
from simaie.op import Form

if TYPE_CHECKING:
    from simaie.host.graph.graph import Graph

__all__ = ["Dependencies", "Model"]


class Dependencies:
    """The events of its vCPU on which an access depends, by index.

    Attributes:
        address: By data, for its address; `address_choices` by data or choice.
        value: By data, for what it stores; `value_choices` by data or choice.
        control: By what the vCPU branched on.
    """

    __slots__ = ("address", "address_choices", "control", "value", "value_choices")

    def __init__(
        self, address: int = 0, address_choices: int = 0, value: int = 0, value_choices: int = 0, control: int = 0
    ) -> None:
        self.address, self.address_choices = address, address | address_choices
        self.value, self.value_choices = value, value | value_choices
        self.control = control

    def without(self, events: int) -> Dependencies:
        """Return the dependencies on other events than these."""
        keep = ~events
        return Dependencies(
            self.address & keep, self.address_choices & keep, self.value & keep, self.value_choices & keep,
            self.control & keep,
        )  # fmt: skip


class Model:
    """A memory model. The base class is sequential consistency: each event is ordered behind all before it.

    A model must be multi-copy atomic: a store becomes visible to all other vCPUs at once.

    Attributes:
        through_memory: Whether a load depends on what its vCPU's own last store to the place depended on.
        status_orders: Whether a later event can depend on a store-conditional by its result.
        one_operation: Whether read and write of an atomic instruction are one operation: what is ordered before one of
            them is ordered before both.
        depends_on_source: Whether `by_source` and `by_sources` are to be asked.
        exclusive_atomics: Whether all atomics are loops of load-linked and store-conditional.
    """

    name = "sc"
    through_memory = False
    status_orders = False
    one_operation = False
    depends_on_source = False
    exclusive_atomics = False

    def order_of(self, past: Past, event: Event, depends: Dependencies) -> int:
        """Return the events that are locally ordered before `event`, by index.

        It may also set `Event.carried`, `Event.picks` and `Event.unsure`, which gets the writes of compare-and-swaps
        behind which an event is ordered, but not behind their reads.

        Args:
            past: What the vCPU has done before.
            event: The new event.
            depends: On what it depends.
        """
        return past.everything

    def add(self, past: Past, event: Event, depends: Dependencies) -> None:
        """Take an event into account for later ones."""
        past.add(event)

    def fence(self, past: Past, orders: Barrier, control: int, form: Form) -> None:
        """Take a fence into account for later events.

        Args:
            past: What the vCPU has done before.
            orders: The orders that the fence keeps.
            control: What the vCPU branched on so far, by index.
            form: Whether it is a context barrier (ISB), and whether everything waits for it (DSB).
        """

    def by_source(self, graph: Graph, event: Event) -> int:
        """Return the events, by id, that are ordered before the read `event` because of the store that it reads."""
        return 0

    def by_sources(self, graph: Graph, event: Event) -> int:
        """Return the reads, by id, that are ordered before the read `event` if these and it read different stores."""
        return 0
