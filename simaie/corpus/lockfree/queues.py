"""The queue of Michael and Scott: a linked list with a dummy node at its head and a tail that any vCPU may advance.

M. M. Michael, M. L. Scott, "Simple, fast, and practical non-blocking and blocking concurrent queue algorithms",
PODC 1996, figure 1, without the counters: each node is used once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simaie.corpus.lockfree.guest import Guest, Row, holds, table
from simaie.corpus.lockfree.idioms import ARM, ISAS, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

HEAD, TAIL = 0x100, 0x140
#: Node n lies in separate granules; its first word is the number of the next one, 0 at the end. Node 1 is the dummy.
NODE, SIZE = 0x200, 0x40


def _next(node: int) -> int:
    return NODE + SIZE * node


async def _enqueue(cpu: Any, isa: Idioms, node: int) -> None:
    await cpu.store(_next(node), 0)
    await isa.order(cpu)
    while True:
        tail = await cpu.load(TAIL)
        following = await cpu.load(_next(tail))
        if tail != await cpu.load(TAIL):
            continue
        if following:
            await isa.compare_and_swap(cpu, TAIL, tail, following)
        elif await isa.compare_and_swap(cpu, _next(tail), 0, node):
            await isa.compare_and_swap(cpu, TAIL, tail, node)
            return


async def _dequeue(cpu: Any, isa: Idioms) -> int | None:
    """The node that was first is the dummy from now on; its number stands for its value."""
    while True:
        head = await cpu.load(HEAD)
        tail = await cpu.load(TAIL)
        following: int = await cpu.load(_next(head))
        if head != await cpu.load(HEAD):
            continue
        if head == tail:
            if not following:
                return None
            await isa.compare_and_swap(cpu, TAIL, tail, following)
        elif await isa.compare_and_swap(cpu, HEAD, head, following):
            return following


def _caller(isa: Idioms, calls: Sequence[int]) -> ThreadCode:
    """Return a thread that enqueues each node of `calls`, and dequeues for each 0."""
    enqueue, dequeue = _enqueue, _dequeue  # closed over: they are a part of the program

    async def caller(cpu: Any) -> None:
        for node in calls:
            if node:
                async with cpu.call("enqueue", node, ordered=True) as call:
                    await enqueue(cpu, isa, node)
                    call.returns()
            else:
                async with cpu.call("dequeue", ordered=True) as call:
                    found = await dequeue(cpu, isa)
                    call.returns(found)
                cpu.observe("dequeued", found or 0)

    return caller


def _each_node_once(nodes: int) -> Callable[[FinalState], bool]:
    """Return a check that each node from 2 to `nodes` is still in the queue or was dequeued, and exactly once."""

    def final(state: FinalState) -> bool:
        found = [node for name, node in state.registers.items() if name.endswith(":dequeued") and node]
        node = state[_next(state[HEAD])]
        while node and len(found) <= nodes:
            found.append(node)
            node = state[_next(node)]
        return sorted(found) == list(range(2, nodes + 1))

    return final


def _guest(isa: Idioms) -> Guest:
    def program(suffix: str, *calls: Sequence[int]) -> Program:
        nodes = max(max(each) for each in calls)
        return Program(
            f"michael-scott-queue-{isa.isa}{suffix}",
            isa=isa.isa,
            threads=[_caller(isa, each) for each in calls],
            init={HEAD: 1, TAIL: 1, **{_next(n): 0 for n in range(1, nodes + 1)}},
            final=_each_node_once(nodes),
            checkers=["linearizable-queue"],
        )

    rows: tuple[Row, ...] = ()
    if isa is ARM:
        why = "no node returns, so head, tail and links never return to an earlier value"
        rows = (holds("cas", why),)
    return Guest(
        title="the queue of Michael and Scott",
        specification="linearizable as a queue, and nothing is lost",
        program=program("", (2,), (0, 3)),  # the queue is empty at first, and a dequeue may have to advance the tail
        larger=program("-large", (2, 0), (3, 0), (4, 0)),
        rows=table(isa.isa, *rows),
    )


GUESTS = tuple(map(_guest, ISAS))
