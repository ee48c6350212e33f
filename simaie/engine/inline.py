"""The inline driver, which steps the guests' coroutines by plain calls of `send`, for fast explorations."""

from __future__ import annotations

from simaie.engine.blame import blamed, foreign_await, guest_raised, trio_outside_trio
from simaie.engine.execution import Execution
from simaie.engine.passing import PASSING
from simaie.errors import GuestFault
from simaie.op import Op
from simaie.trace import Trace

__all__ = ["run_inline"]


def run_inline(execution: Execution) -> Trace:
    """Run `execution` to its end and return its trace.

    Raises:
        GuestError: A guest raised, or awaited something that is not an operation.
        UsageError: A guest called an instruction with wrong operands.
        SimaieError: The scheduler, the scheme or the host memory raised; the class says which.
    """
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
            except PASSING:
                raise
            except BaseException as error:
                raise trio_outside_trio(actor, error) or guest_raised(actor, error) from error
            else:
                if type(op) is not Op:
                    raise foreign_await(actor, op)
                actor = announced(actor, op)
        return execution.result()
    except BaseException as error:
        if (found := blamed(error, execution.scheduler, execution.memory)) is not None:
            raise found from error
        raise
    finally:
        execution.close()
