"""Global states of an execution along a memo: the state of a vCPU is the number that its node has."""

from __future__ import annotations

from typing import Any

from simaie.engine.global_state import GlobalState, StateReader
from simaie.engine.memo.node import Node
from simaie.op import Op

__all__ = ["NodeStateReader"]


class NodeStateReader(StateReader):
    """Reads the global states of one execution along a memo.

    No code of the guest is looked at: `simaie.engine.memo.guest_states` has numbered the state of the vCPU at each node
    when the node was made. All executions along the memo share these numbers.
    """

    def read(self) -> GlobalState | None:
        """Return the state now; None if a vCPU could not be read."""
        live = []
        for actor in self._cast.live:
            guest = actor.node.guest
            if guest < 0:
                return None
            live.append((actor.name, guest))
        return self._with_memory(tuple(live))

    def _performed(self, step: Any) -> tuple[Op, Any]:
        if type(step) is not Node:
            return step.op, step.value
        before = step.parent
        assert before is not None
        assert before.op is not None
        return before.op, step.came
