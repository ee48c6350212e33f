"""What a vCPU announces after one history of results: the nodes of the memo's trees, and the keys of their edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from simaie.block import Block
from simaie.op import Cell, Kind, Op
from simaie.trace import AccessKind, Instruction, Obligation, ReservationEnd

if TYPE_CHECKING:
    from simaie.engine.memo.monitors import Guard
    from simaie.engine.memo.runner import Root, Runner
    from simaie.engine.memo.story import Story
    from simaie.engine.tries import Try
    from simaie.guest.cpu import Thread
    from simaie.small_steps import Step

__all__ = [
    "END", "MODIFY", "MODIFY_CELL", "MUTEX", "OTHER", "PERFORM", "READ", "READ_CELL", "SWAP", "WRITE", "WRITE_CELL",
    "Node", "key_of",
]  # fmt: skip

#: How an operation is performed. OTHER: it may wait or change which actors are enabled. MUTEX: it takes or releases a
#: mutex. END: the vCPU ended, without a fault. READ, WRITE, SWAP: a load, store or compare-and-swap of RAM, by an
#: index. READ_CELL, WRITE_CELL: a load or store of a cell, by its attribute. MODIFY, MODIFY_CELL: the host memory
#: performs it, and it changes nothing but this place. PERFORM: the host memory performs it.
OTHER, MUTEX, END, READ, WRITE, READ_CELL, WRITE_CELL, SWAP, MODIFY, MODIFY_CELL, PERFORM = range(11)


_NO_GOALS: Mapping[str, bool] = {}


class Node:
    """A vCPU after one history of results. Apart from its edges and caches, it is immutable.

    A root's first node is its start, where the coroutine has not run yet; `op` is then None, as it is at the end.

    Attributes:
        root: The vCPU.
        parent: The node before; None for a start.
        came: The result that led here.
        op: The announced operation; None at the start and after the vCPU's end.
        wait: The AWAIT that stands for `op` (a PAUSE) or has to come before it (a look); see `simaie.engine.spin`.
        tried: The try before `wait` if others may have noticed it or made it fail; else None.
        instruction: The guest instruction in execution. It stays pending in every history, see `final`.
        entered: The instruction of the last operation, with its result where it has come to its end.
        final: The instruction of the parent's operation with its result, if it came to its end on the way here.
        faults: Kind and message of the faults that ended the guest's code on the way here.
        observations: As `Cpu.observations`; `goals`, `obligations`, `blocks`, `reservation_ends` and `silent` likewise.
        edges: The next node, by the key of the result; `after` is the one behind the result None.
        held: The number of mutexes that the vCPU holds.
        made: The cells and objects made on the way here, by name or by what they are made of, in order.
        runner: The live coroutine that is at this node, or None.
        roots: Of a SPAWN, the child by the identity that it gets; `thread` is the handle that it returns.
        occurred: What occurred up to here, as bits (see `simaie.check.needs`).
        registers: The observations as items of an outcome; made when first needed.
        story: The finished history up to here; made when first needed.
        code: How `simaie.engine.memo.quick` performs `op`: one of the constants of this module.
        place: The view of RAM or the cell that `op` accesses; `offset` is the index in the view, and `stored` the value
            to write.
        location: The number of the place of `wait` or else `op` in a search by undo; -1 if it is not known yet.
        step: What the operation that led here did, in a search by undo; made when first needed.
        guard: The bytes that no other vCPU may have written since an earlier node, if any (see
            `simaie.engine.memo.monitors`).
        locked: The mutexes of granules locked up to here, in order.
        guest: The number of the vCPU's state, for a graph of states (see `simaie.engine.memo.states`); else -1.
        label: The events of `op` (see `simaie.engine.graph.label`), on a host of execution graphs.
    """

    __slots__ = (
        "after",
        "blocks",
        "came",
        "code",
        "depth",
        "edges",
        "entered",
        "faults",
        "final",
        "goals",
        "guard",
        "guest",
        "held",
        "instruction",
        "label",
        "location",
        "locked",
        "made",
        "obligations",
        "observations",
        "occurred",
        "offset",
        "op",
        "parent",
        "place",
        "registers",
        "reservation_ends",
        "root",
        "roots",
        "runner",
        "silent",
        "step",
        "stored",
        "story",
        "thread",
        "tried",
        "wait",
    )

    def __init__(self, root: Root, parent: Node | None = None, came: Any = None) -> None:
        self.root = root
        self.parent = parent
        self.came = came
        self.op: Op | None = None
        self.wait: Op | None = None
        self.tried: Try | None = None
        self.instruction: Instruction | None = None
        self.entered: Instruction | None = None
        self.final: Instruction | None = None
        self.faults: tuple[tuple[str, str], ...] = ()
        self.edges: dict[Any, Node] = {}
        self.made: dict[Any, list[Any]] | None = None
        self.runner: Runner | None = None
        self.roots: dict[int, Root] | None = None
        self.thread: Thread | None = None
        self.code = OTHER
        self.after: Node | None = None
        self.place: Any = None
        self.offset = 0
        self.stored: Any = None
        self.location = -1
        self.step: Step | None = None
        self.label: Any = None
        self.guest = -1
        self.registers: tuple[tuple[str, int], ...] | None = None
        self.story: Story | None = None
        self.guard: Guard | None = None
        self.locked: tuple[Cell, ...] = () if parent is None else parent.locked
        self.observations: dict[str, int]
        self.goals: Mapping[str, bool]
        self.obligations: tuple[Obligation, ...]
        self.blocks: tuple[Block, ...]
        self.reservation_ends: tuple[ReservationEnd, ...]
        self.silent: tuple[Instruction, ...]
        if parent is None:
            self.depth = self.occurred = self.held = 0
            self.observations, self.blocks, self.reservation_ends, self.silent = {}, (), (), ()
            self.goals, self.obligations = _NO_GOALS, ()
        else:
            self.depth, self.occurred, self.held = parent.depth + 1, parent.occurred, parent.held
            self.observations, self.blocks, self.goals = parent.observations, parent.blocks, parent.goals
            self.reservation_ends, self.silent = parent.reservation_ends, parent.silent
            self.obligations = parent.obligations

    def __repr__(self) -> str:
        return f"<node {self.depth} of vCPU {self.root.name}: {self.op}>"

    @property
    def path(self) -> list[Node]:
        """The nodes from the start up to this one."""
        found: list[Node] = []
        node: Node | None = self
        while node is not None:
            found.append(node)
            node = node.parent
        found.reverse()
        return found


def key_of(value: Any) -> Any:
    """Return the key of the edge that the result `value` takes.

    Two results have the same key only if no code can tell them apart: 1 and True differ, and so do equal objects of a
    class that may be compared by identity. The key of an object holds as long as the object lives, as it does in
    `Node.came`.
    """
    kind = type(value)
    if kind is int or value is None:
        return value
    if kind is bool or kind is str or kind is bytes:
        return kind, value
    if kind is tuple:
        return kind, tuple([key_of(part) for part in value])
    if isinstance(value, msgspec.Struct) and kind.__struct_config__.frozen and kind.__struct_config__.eq:
        return kind, tuple([key_of(getattr(value, name)) for name in value.__struct_fields__])
    return kind, id(value)


def yields(node: Node, *, has_waited: bool) -> bool:
    """Return whether a vCPU at `node` yields, as `simaie.engine.actor.Actor.yielding` says.

    Args:
        node: The node.
        has_waited: Whether the wait that comes before the operation of the node is over.
    """
    op = node.op
    if op is not None and (op.kind is Kind.PAUSE or (node.wait is not None and not has_waited)):
        return True
    entered = node.entered
    return entered is not None and entered.access is AccessKind.STORE_CONDITIONAL and entered.result == 0
