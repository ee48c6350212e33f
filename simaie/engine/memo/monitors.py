"""Monitors: what a memo knows of atomicity and locks without making a trace.

A monitor of a checker has two parts. What the steps of one vCPU show (`simaie.check.alone`) is worked out once, where a
node is made, and is undone with the steps because it stands at the nodes: bits of `Node.occurred`, and `Node.guard`,
the interval in which no other vCPU may write. What only the order of all steps shows is looked up at the end of an
execution: whether others wrote in the intervals, and whether two vCPUs locked different mutexes of one granule. Until
then the bits `simaie.check.needs.OPEN` say that it is possible. `refute` removes those of what did not happen; where
nothing calls it, the checkers judge more executions.

A monitor may suspect too much, and never too little. A suspected execution is judged by the checkers, which need its
trace. `simaie.check.needs.NEEDS` says which bits a checker waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from simaie.check.alone import Interval, atomic_interval, reserved_interval
from simaie.check.entries import publishes_astray
from simaie.check.needs import INTRUDED, STRAY, SUSPECT, TWINS, UNGUARDED, UNPROVED, is_direct
from simaie.check.results import has_result, is_right
from simaie.dependence import writes
from simaie.engine.memo.node import Node
from simaie.op import Cell, Kind, Op
from simaie.trace import AccessKind, Event, Instruction

if TYPE_CHECKING:
    from simaie.engine.memo.lazy import Step
    from simaie.engine.memo.memo import Memo

__all__ = ["Guard", "refute", "watch"]

_LINKED, _CONDITIONAL, _ATOMIC = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL, AccessKind.ATOMIC
_JUDGED = frozenset({_LINKED, _CONDITIONAL, _ATOMIC})
_LOCK, _UNLOCK, _UPDATE = Kind.LOCK, Kind.UNLOCK, Kind.UPDATE


class Guard(NamedTuple):
    """An interval that ends at a node: no other vCPU may write to the bytes between two steps.

    Attributes:
        since: The node to which the first of the two steps led.
        address: Physical address of the first byte.
        end: Physical address after the last byte.
    """

    since: Node
    address: int
    end: int


# -- where a node is made ----------------------------------------------------------------------------------


def watch(node: Node, memo: Memo) -> int:
    """Return the bits of what the step to `node` shows by itself, and note its guard there.

    Args:
        node: The node, which is new and complete.
        memo: Its memo.
    """
    before = node.parent
    assert before is not None
    bits = 0 if _are_right(node, before, memo) else UNPROVED
    op, instruction = before.op, before.instruction
    if op is None:
        return bits
    if op.cell is not None:
        bits |= _of_cell(node, op, op.cell, instruction)
    if instruction is None or instruction.access not in _JUDGED:
        return bits
    if _has_read_elsewhere(before.wait, op):
        bits |= SUSPECT
    wrote = op.width > 0 and writes(op, node.came)
    if instruction.access is _ATOMIC:
        if op.width and _is_later(before):
            bits |= _of_atomic(node) if wrote and memo.is_quick else 0 if memo.is_quick else SUSPECT
    elif instruction.access is _CONDITIONAL:
        if not memo.is_quick:
            bits |= SUSPECT
        elif wrote or node.final is not None:
            bits |= _of_conditional(node, memo.program.isa, wrote=wrote)
    return bits


def _are_right(node: Node, before: Node, memo: Memo) -> bool:
    """Whether the instructions that ended on the way from `before` to `node` certainly have the right results."""
    done, silent, endian = node.final, node.silent[len(before.silent) :], memo.machine.endian
    if memo.program.frames:
        return done is None and not silent
    if any(has_result(each) and not is_right(each, (), endian) for each in silent):
        return False
    if done is None:
        return True
    steps = _steps_of_instruction(node)
    assert before.op is not None
    if len(steps) == 1 and before.wait is None and is_direct(before.op, node.came, done):
        return True
    if any(_reads_ram(step.parent.wait) for step in steps if step.parent is not None):
        return False  # what such a wait reads is no result, so that the memo does not have it
    return not has_result(done) or is_right(done, _events(steps), endian)


def _reads_ram(wait: Op | None) -> bool:
    return wait is not None and any(place.cell is None for place in wait.places)


def _of_cell(node: Node, op: Op, cell: Cell, instruction: Instruction | None) -> int:
    kind = op.kind
    if kind is _LOCK and cell.address is not None:
        if cell not in node.locked:
            node.locked = (*node.locked, cell)
        return TWINS
    if kind is _UPDATE:
        return UNGUARDED if cell.guard is not None and not _holds(node, cell.guard) else 0
    return STRAY if publishes_astray(Event(node.root.name, op, node.came, instruction)) else 0


def _holds(node: Node, mutex: Cell) -> bool:
    """Whether the vCPU at `node` has locked `mutex`, and not unlocked it since."""
    before = node.parent
    while before is not None:
        op = before.op
        if op is not None and op.cell is mutex and op.kind in (_LOCK, _UNLOCK):
            return op.kind is _LOCK
        before = before.parent
    return False


def _has_read_elsewhere(wait: Op | None, op: Op) -> bool:
    """Whether a wait that is a step of its own read other bytes of RAM than the operation to which it belongs."""
    return wait is not None and wait.width > 0 and (wait.address, wait.width) != (op.address, op.width)


def _is_later(before: Node) -> bool:
    """Whether the operation of a node is not the first one of its instruction."""
    return before.parent is not None and before.parent.instruction is before.instruction


def _of_atomic(node: Node) -> int:
    steps = _steps_of_instruction(node)
    return _note(node, steps, atomic_interval(_events(steps)))


def _of_conditional(node: Node, isa: str, *, wrote: bool) -> int:
    steps = _steps_since_linked(node)
    interval, suspect = reserved_interval(_events(steps), node.reservation_ends, isa)
    return SUSPECT if suspect else _note(node, steps, interval if wrote else None)


def _note(node: Node, steps: Sequence[Node], interval: Interval | None) -> int:
    if interval is None:
        return 0
    node.guard = Guard(steps[interval.since], interval.address, interval.address + interval.width)
    return INTRUDED


def _steps_of_instruction(node: Node) -> list[Node]:
    """Return the nodes to which the steps of the instruction have led that has led to `node`."""
    before = node.parent
    assert before is not None
    found = [node]
    while _is_later(before):
        found.append(before)
        assert before.parent is not None
        before = before.parent
    found.reverse()
    return found


def _steps_since_linked(node: Node) -> list[Node]:
    """Return the nodes up to `node` behind the steps of the latest completed load-linked and those that follow it."""
    found: list[Node] = []
    linked: Instruction | None = None
    while (before := node.parent) is not None and before.op is not None:
        instruction = before.instruction
        if linked is not None and instruction is not linked:
            break
        if instruction is not None and instruction.access is _LINKED and node.final is not None:
            linked = instruction
        found.append(node)
        node = before
    found.reverse()
    return found


def _events(steps: Sequence[Node]) -> list[Event]:
    """Return the steps that led to these nodes of one vCPU; an instruction that has completed has its result."""
    finals: dict[int, Instruction] = {}
    found = []
    for node in reversed(steps):
        before = node.parent
        assert before is not None
        assert before.op is not None
        instruction = before.instruction
        if instruction is not None:
            if node.final is not None:
                finals[id(instruction)] = node.final
            instruction = finals.get(id(instruction), instruction)
        found.append(Event(node.root.name, before.op, node.came, instruction))
    found.reverse()
    return found


# -- at the end of an execution ----------------------------------------------------------------------------


def refute(occurred: int, steps: Sequence[Step], last: Sequence[Node], *, is_known: bool) -> int:
    """Return what has occurred, without what the order of the steps refutes.

    Args:
        occurred: What may have occurred; at least one bit of `simaie.check.needs.OPEN`.
        steps: The steps of the execution.
        last: The last node of each vCPU.
        is_known: Whether every write to RAM takes effect at once, and is among `steps` as the node to which it led.
    """
    if occurred & INTRUDED and is_known and not _is_intruded(steps):
        occurred &= ~INTRUDED
    if occurred & TWINS and not _has_twins(last):
        occurred &= ~TWINS
    return occurred


def _is_intruded(steps: Sequence[Step]) -> bool:
    """Whether a vCPU may have written in an interval of another one."""
    for at, step in enumerate(steps):
        if type(step) is Node and step.guard is not None and _is_written(steps, at, step, step.guard):
            return True
    return False


def _is_written(steps: Sequence[Step], at: int, node: Node, guard: Guard) -> bool:
    since, root = guard.since, node.root
    for place in range(at - 1, -1, -1):
        step = steps[place]
        if step is since:
            return False
        if type(step) is Node and step.root is not root:
            before: Node = step.parent  # type: ignore[assignment]  # it led from there
            op: Op = before.op  # type: ignore[assignment]  # it was performed
            if op.width and op.address < guard.end and guard.address < op.address + op.width and writes(op, step.came):
                return True
    return True


def _has_twins(last: Sequence[Node]) -> bool:
    """Whether two mutexes of one granule were locked."""
    locked = {cell for node in last for cell in node.locked}
    return len({cell.address for cell in locked}) < len(locked)
