"""The trace of an execution at whose end a search by undo stands."""

from __future__ import annotations

from simaie.check.needs import FAULT, OPEN, REFUSED
from simaie.engine.memo.lazy import MemoTrace
from simaie.engine.memo.monitors import refute
from simaie.engine.memo.node import Node, yields
from simaie.engine.memo.steps import MemoSteps
from simaie.op import Kind, Op
from simaie.trace import Ending, Fault

__all__ = ["preemptions_in", "trace_of"]

_NOTHING: dict[str, Op] = {}
_STUCK = Ending.DEADLOCK
_NO_WAITS: frozenset[int] = frozenset()


def trace_of(state: MemoSteps) -> MemoTrace:
    """Return the trace of the execution whose end `state` is."""
    memo, nodes = state.memo, state.nodes
    last: tuple[Node, ...] = tuple([nodes[actor] for actor in state.threads.arrived])  # type: ignore[misc]  # they exist
    ending, waiting = Ending.FINISHED, _NOTHING
    occurred = memo.promised
    for node in last:
        occurred |= node.occurred
        if node.op is not None:
            ending = _STUCK
    if ending is _STUCK:
        ending, waiting = _stuck(state)
    outcome = memo.outcome(state.memory, last)
    occurred |= memo.ending_bits[ending]
    accepted, refusal = None, None
    if memo.program.final is not None and ending is Ending.FINISHED:
        refusal = memo.refusal(state.memory, last, outcome)
        accepted = refusal is None
        if not accepted:
            occurred |= REFUSED
    if occurred & OPEN:
        occurred = refute(occurred, state.events, last, is_known=memo.is_quick)
    waits = frozenset(state.waits) if state.waits else _NO_WAITS
    return MemoTrace(
        memo.origin, state.events.copy(), waits, last, state.switches.copy(), (), waiting, ending,
        outcome, _faults(state) if occurred & FAULT else (), accepted, refusal or "", occurred,
    )  # fmt: skip


def _stuck(state: MemoSteps) -> tuple[Ending, dict[str, Op]]:
    """Return how an execution ended in which no vCPU can go on, and what each vCPU waits for."""
    threads = state.threads
    waiting = {}
    for actor in threads.order:
        node = state.nodes[actor]
        if node is not None and node.op is not None:
            waiting[threads.actors[actor].name] = state.pending(actor)
    if any(op.leaves_out_tries for op in waiting.values()):
        return Ending.PRUNED, waiting
    waits = any(op.kind is Kind.AWAIT and not op.sleeps for op in waiting.values())
    return Ending.LIVELOCK if waits else Ending.DEADLOCK, waiting


def _faults(state: MemoSteps) -> tuple[Fault, ...]:
    """Return the faults that ended vCPUs, in the order in which they occurred."""
    after = dict(enumerate(state.nodes))
    found: list[tuple[int, Node]] = []
    for number, (actor, node, child) in zip(range(len(state), 0, -1), state.steps_back(), strict=True):
        following = after[actor]
        for reached in (after[child] if child >= 0 else None, following if following is not node else None):
            if reached is not None and reached.faults:
                found.append((number, reached))
        after[actor] = node
    for actor in reversed(range(len(state.memo.program.threads))):
        reached = after[actor]
        if reached is not None and reached.faults:
            found.append((0, reached))
    found.reverse()
    return tuple([Fault(node.root.name, step, message, kind) for step, node in found for kind, message in node.faults])


def preemptions_in(state: MemoSteps) -> int:
    """Return the number of switches away from a vCPU that was enabled and not yielding, up to where `state` is."""
    preempting, waits = set(state.switches).difference(state.forced), frozenset(state.waits)
    if not preempting:
        return 0
    count, after = 0, dict(enumerate(state.nodes))
    switched = False  # whether the next step of a vCPU is among them
    for number, (actor, node, _) in zip(range(len(state) - 1, -1, -1), state.steps_back(), strict=True):
        if node is None:  # a store buffer, which preempts nothing
            continue
        running = after[actor]  # where it was when another vCPU took the next step
        if switched and running is not None and not yields(running, has_waited=number in waits):
            count += 1
        switched = number in preempting
        after[actor] = node
    return count
