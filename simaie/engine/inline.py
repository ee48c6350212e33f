"""The inline driver: steps the guests' coroutines by plain `send`, for exploration at speed."""

from __future__ import annotations

from simaie.engine.blame import foreign_await, guest_raised, trio_outside_trio
from simaie.engine.execution import Execution
from simaie.errors import GuestFault
from simaie.op import Op
from simaie.trace import Trace

__all__ = ["run_inline"]


def run_inline(execution: Execution) -> Trace:
    """Run `execution` to its end; GuestError if a guest raises or awaits what is not an operation."""
    announced = execution.announced
    actor = execution.begin()
    try:
        while actor is not None:
            try:
                op = actor.coroutine.send(actor.inbox)
            except StopIteration:
                actor = execution.exited(actor)
            except (GuestFault, AssertionError) as fault:
                actor = execution.faulted(actor, fault)
            except Exception as error:
                raise trio_outside_trio(actor, error) or guest_raised(actor, error) from error
            else:
                if type(op) is not Op:
                    raise foreign_await(actor, op)
                actor = announced(actor, op)
        return execution.result()
    finally:
        execution.close()
