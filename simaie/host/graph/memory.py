"""The host memories whose executions are graphs."""

from __future__ import annotations

from simaie.barrier import Barrier
from simaie.host.graph.model import Model
from simaie.host.ram import Endian
from simaie.host.sc import ScMemory

__all__ = ["GraphMemory"]


class GraphMemory(ScMemory):
    """A memory whose executions are graphs, which `simaie.engine.graph` searches.

    As a `simaie.protocols.HostMemory` it is sequentially consistent: every memory model allows such executions too.

    Args:
        endian: Byte order of guest RAM.

    Attributes:
        model: The memory model.
    """

    order = Barrier.NONE
    takes_orders = True
    has_graphs = True

    def __init__(self, endian: Endian = "little") -> None:
        super().__init__(endian)
        self.model = Model()
