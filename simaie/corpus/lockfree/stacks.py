"""Treiber's stack: a linked list whose head is swung by compare-and-swap, or by load-linked and store-conditional.

A node that is pushed again during another vCPU's pop causes the A-B-A problem. The popper has read that B follows A; A
is popped, others are pushed, A is pushed again; the head, which is A as before, is then swung to B. Load-linked and
store-conditional have no such problem. Compare-and-swap has it, unless a counter next to the head changes each time.

R. K. Treiber, "Systems programming: coping with parallelism", IBM RJ 5118, 1986; section 5 has the counter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from simaie.corpus.lockfree.guest import Guest, Row, holds, table, violated
from simaie.corpus.lockfree.idioms import ARM, ISAS, X86, Idioms
from simaie.guest.program import FinalState, Program, ThreadCode

__all__ = ["GUESTS"]

TOP = 0x100
#: Node n, from 1, lies in separate granules; its first word is the number of the next node, 0 at the end.
NODE, SIZE = 0x200, 0x40

_Push: TypeAlias = Callable[[Any, int], Awaitable[None]]
_Pop: TypeAlias = Callable[[Any], Awaitable[int]]


def _next(node: int) -> int:
    return NODE + SIZE * node


# -- the head alone ----------------------------------------------------------------------------------


def _push_by(isa: Idioms) -> _Push:
    async def push(cpu: Any, node: int) -> None:
        while True:
            top = await cpu.load(TOP)
            await cpu.store(_next(node), top)
            await isa.order(cpu)
            if await isa.compare_and_swap(cpu, TOP, top, node):
                return

    return push


async def _pop_linked(cpu: Any) -> int:
    """Arm: the load-linked covers the load of the next node, so it is of no use to compare."""
    while True:
        top: int = await cpu.ldrex(TOP)
        if top == 0 or await cpu.strex(TOP, await cpu.load(_next(top))) == 0:
            return top


async def _pop_compared(cpu: Any) -> int:
    while True:
        top: int = await cpu.load(TOP)
        if top == 0 or await cpu.lock_cmpxchg(TOP, top, await cpu.load(_next(top))) == top:
            return top


# -- head and counter in 8 bytes: the number of the node low, the counter high -------------------------

_LOW = (1 << 32) - 1
_ONE = 1 << 32


async def _swing_x86(cpu: Any, old: int, node: int) -> bool:
    return bool(await cpu.lock_cmpxchg8b(TOP, old, (old & ~_LOW) + _ONE | node) == old)


async def _swing_arm(cpu: Any, old: int, node: int) -> bool:
    while await cpu.ldrexd(TOP) == old:
        if await cpu.strexd(TOP, (old & ~_LOW) + _ONE | node) == 0:
            return True
    return False


def _counted(swing: Callable[[Any, int, int], Awaitable[bool]], isa: Idioms) -> tuple[_Push, _Pop]:
    async def push(cpu: Any, node: int) -> None:
        while True:
            old = await cpu.load(TOP, width=8)
            await cpu.store(_next(node), old & _LOW)
            await isa.order(cpu)
            if await swing(cpu, old, node):
                return

    async def pop(cpu: Any) -> int:
        while True:
            old = await cpu.load(TOP, width=8)
            top: int = old & _LOW
            if top == 0 or await swing(cpu, old, await cpu.load(_next(top))):
                return top

    return push, pop


# -- operations on a stack -----------------------------------------------------------------------------


def _calls(push: _Push, pop: _Pop, calls: Sequence[int]) -> ThreadCode:
    """Return a thread that pushes each node of `calls`, and pops for each 0."""

    async def caller(cpu: Any) -> None:
        for node in calls:
            if node:
                async with cpu.call("push", node, ordered=True) as call:
                    await push(cpu, node)
                    call.returns()
            else:
                async with cpu.call("pop", ordered=True) as call:
                    call.returns(await pop(cpu) or None)

    return caller


def _popper(pop: _Pop) -> ThreadCode:
    async def popper(cpu: Any) -> None:
        cpu.observe("popped", await pop(cpu))

    return popper


def _pusher_again(push: _Push, pop: _Pop, fresh: int) -> ThreadCode:
    """Return a thread that pops a node, pushes a fresh one, and pushes the first again, with another successor."""

    async def pusher_again(cpu: Any) -> None:
        node = await pop(cpu)
        await push(cpu, fresh)
        if node:
            await push(cpu, node)

    return pusher_again


def _each_node_once(nodes: int) -> Callable[[FinalState], bool]:
    """Return a check that each of the `nodes` is still in the stack or was popped for good, and exactly once."""

    def final(state: FinalState) -> bool:
        found = sorted(node for name, node in state.registers.items() if name.endswith(":popped") and node)
        node = state[TOP]
        while node and len(found) <= nodes:
            found.append(node)
            node = state[_next(node)]
        return sorted(found) == list(range(1, nodes + 1))

    return final


# -- the guests ----------------------------------------------------------------------------------------


def _program(
    name: str, isa: Idioms, threads: Sequence[ThreadCode], nodes: int, full: int, *, width: int = 4
) -> Program:
    """Return a program on a stack.

    Args:
        name: Name of the program.
        isa: The primitives.
        threads: The threads.
        nodes: Number of nodes.
        full: Number of nodes in the stack at first, the first node on top.
        width: Width of the head in bytes.
    """
    init: dict[int, int | tuple[int, int] | bytes] = {TOP: (1 if full else 0, width)}
    init |= {_next(n): n + 1 if n < full else 0 for n in range(1, nodes + 1)}
    final = _each_node_once(nodes) if full else None
    checkers = () if full else ("linearizable-stack",)
    return Program(name, isa=isa.isa, threads=threads, init=init, final=final, checkers=checkers)


def _once(isa: Idioms) -> Guest:
    push, pop = _push_by(isa), _pop_linked if isa is ARM else _pop_compared

    def program(suffix: str, *calls: Sequence[int]) -> Program:
        threads = [_calls(push, pop, each) for each in calls]
        return _program(f"treiber-stack-{isa.isa}{suffix}", isa, threads, len(calls), 0)

    rows: tuple[Row, ...] = ()
    if isa is ARM:
        why = "no node returns, so an unchanged head has an unchanged successor"
        rows = (holds("cas", why, unnoticed=("llsc-atomicity",)),)
    return Guest(
        title="Treiber's stack, each node pushed once",
        specification="linearizable as a stack",
        program=program("", (1, 0), (2, 0)),
        larger=program("-large", (1, 0), (2, 0), (3, 0), (4, 0)),
        rows=table(isa.isa, *rows),
    )


def _again(isa: Idioms, name: str, title: str, push: _Push, pop: _Pop, width: int, *rows: Row) -> Guest:
    def program(suffix: str, nodes: int, full: int) -> Program:
        threads = [_popper(pop), *[_pusher_again(push, pop, fresh) for fresh in range(full + 1, nodes + 1)]]
        return _program(f"{name}-{isa.isa}{suffix}", isa, threads, nodes, full, width=width)

    return Guest(
        title=title,
        specification="each node is in the stack or was popped, once",
        program=program("", 2, 1),
        larger=program("-large", 4, 2),
        rows=table(isa.isa, *rows),
    )


def _reused() -> tuple[Guest, Guest]:
    name, title = "treiber-stack-reuse", "Treiber's stack, nodes pushed again"
    aba = "A-B-A: the head is the node that was read, and has another successor by now"
    schemes = ("native", "aie-rfc", "aie-v2", "cas", "global-lock")
    wrong = [violated(scheme, f"the guest's own error, on any x86: {aba}") for scheme in schemes]
    return (
        _again(ARM, name, title, _push_by(ARM), _pop_linked, 4, violated("cas", aba)),
        _again(X86, name, title, _push_by(X86), _pop_compared, 4, *wrong),
    )


def _with_counter(isa: Idioms) -> Guest:
    push, pop = _counted(_swing_arm if isa is ARM else _swing_x86, isa)
    title = "Treiber's stack with a counter next to its head, nodes pushed again"
    rows = (holds("cas", "the counter distinguishes heads that are the same node"),)
    return _again(isa, "treiber-stack-counter", title, push, pop, 8, *rows)


GUESTS = (*map(_once, ISAS), *_reused(), *map(_with_counter, ISAS))
