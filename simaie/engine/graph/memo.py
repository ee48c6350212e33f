"""The memo of vCPUs on a host of execution graphs: results that are numbers carry what they depend on."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from simaie.dependence import writes
from simaie.engine.graph.after import carry_dependencies, past_after
from simaie.engine.graph.label import Label
from simaie.engine.graph.layout import Layout
from simaie.engine.graph.world import raise_waits
from simaie.engine.memo.execution import MemoActor
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.node import Node, key_of
from simaie.engine.memo.runner import Root, Runner
from simaie.engine.memo.shared import SharedState
from simaie.engine.snapshot import snapshot
from simaie.errors import SchemeError
from simaie.guest.program import Program
from simaie.host.graph.event import Past
from simaie.host.graph.memory import GraphMemory
from simaie.host.loaded import Control, Loaded, plain, stepping
from simaie.machine import Machine
from simaie.op import Kind, Op
from simaie.trace import watched_name

__all__ = ["GraphMemo", "GraphRunner"]

_PAUSE = Kind.PAUSE


class GraphRunner(Runner):
    """A live coroutine of a vCPU, which is fed numbers with dependencies."""

    __slots__ = ("_control", "_graphs", "_raw")

    def __init__(self, root: Root, memo: GraphMemo) -> None:
        self._control = Control()
        self._graphs = memo
        self._raw: Op | None = None
        super().__init__(root, memo)

    def _send(self, value: Any) -> Op | None:
        """Send a result with its dependencies, and return the next operation without those of its numbers."""
        label: Label | None = self.node.label
        if label is None:
            past = self._graphs.past_at_start(self.node)
        else:
            known = self.node.edges.get(key_of(value))  # it is fed its history again
            past = known.label.past if known is not None and known.label is not None else past_after(label, value)
            value = carry_dependencies(label, value, self._control)
        with stepping(self._control):
            raw = super()._send(value)
        self._raw, self._graphs.reached = raw, past
        return None if raw is None else plain_op(raw)

    def advance(self, value: Any) -> Node:
        """Send `value` and return the new node, with the label of its operation."""
        node = super().advance(value)
        self._graphs.label(node, self._raw, self._control.mask)
        if node.op is not None and node.op.kind is Kind.LOAD_LINKED:
            self._note_retry(node)
        return node

    def _note_retry(self, node: Node) -> None:
        """Note whether a vCPU tries again in vain: as at its last load-linked, after a store-conditional failed.

        If none that failed could have stored, all later ones fail, too: the vCPU waits for a change as in other loops.
        """
        label: Label = node.label
        label.state = snapshot(self.coroutine, self.cpu)
        before, failed = node, False
        while before.parent is not None and before.parent.op is not None:
            before, came = before.parent, before.came
            op = before.op
            assert op is not None
            if op.kind is Kind.LOAD_LINKED:
                known = before.label.state
                again = failed and known is not None and label.state is not None
                label.retries = again and op.location == label.op.location and known.same_as(label.state)
                return
            if writes(op, came):
                return
            failed = failed or (op.kind is Kind.STORE_CONDITIONAL and bool(before.label.stores))


class GraphMemo(Memo):
    """A memo whose nodes have labels.

    Args:
        program: The program.
        machine: The machine.
        shared: What its vCPUs could share.
        layout: The layout of events.

    Attributes:
        layout: The layout of events.
        model: The memory model.
        reached: What the vCPU that ran last has done.
        written: The pieces of RAM in `memory` that hold values of the graph that was put there last.
        watched: The places in RAM that the outcome has, each with its name there and its initial value.
        apart: Places that are watched as wholes, or that no watched place overlaps.
        actors: The vCPUs by number; those that were spawned come as they were met.
    """

    def __init__(self, program: Program, machine: Machine, shared: SharedState, layout: Layout) -> None:
        super().__init__(program, machine, shared)
        assert isinstance(self.memory, GraphMemory)
        self.layout, self.model = layout, self.memory.model
        self.reached = Past()
        self.written: set[tuple[int, int]] = set()
        self.watched = [
            (place, watched_name(place[0]), self.beginning.read(*place)) for place in program.watch.items()
        ]  # fmt: skip
        self.apart: set[Hashable] = set()
        self.actors: list[MemoActor] = []
        self._numbers: dict[str, int] = {}
        self._births: dict[Root, int] = {}  # the id of the SPAWN that started it

    def is_apart(self, place: Any) -> bool:
        """Whether a place that was written belongs in `apart`, to which it is added then."""
        if type(place) is tuple and type(place[0]) is int:
            address, width = place
            for (first, size), *_ in self.watched:
                if (first, size) != place and first < address + width and address < first + size:
                    return False
        self.apart.add(place)
        return True

    def _begin(self, root: Root) -> Runner:
        runner = GraphRunner(root, self)
        self._runners[runner] = None
        return runner

    def require_sound(self) -> None:
        """Raise SchemeError if vCPUs share Python state, so that what they do depends on more than their results."""
        if reason := self.given_up or self.shared.changed():
            raise SchemeError(
                f"on a host of execution graphs each vCPU runs on its own, which is not possible here: {reason}; keep "
                "what vCPUs share in memory, or in cells of the scheme"
            )

    # -- vCPUs ------------------------------------------------------------------------------------

    def enter(self, actor: MemoActor) -> int:
        """Number a vCPU, and return its number: the same for each vCPU of that name."""
        number = self._numbers.setdefault(actor.name, len(self.actors))
        if number == len(self.actors):
            self.actors.append(actor)
        return number

    def child(self, parent: Node, born: int) -> tuple[int, Node, Any]:
        """Return the vCPU that the SPAWN at `parent` starts: its number, its start, and the handle.

        Args:
            parent: The node of the SPAWN.
            born: The id of the SPAWN's event.
        """
        op, label = parent.op, parent.label
        assert op is not None
        name = f"{parent.root.name}.{label.past.children}"
        handle = self.thread(parent, name)
        identity = _identity(name, len(self.program.threads))
        root = self.root(name, identity, self.program.cpu_class, op.value, spawned_at=parent, is_device=False)
        self._births[root] = 1 << born
        rank = tuple([int(part) for part in name.split(".")])
        return self.enter(MemoActor(name, rank, identity, root.start)), root.start, handle

    # -- labels -----------------------------------------------------------------------------------

    def past_at_start(self, node: Node) -> Past:
        """Return what a vCPU has done before its first operation."""
        past = Past()
        past.born = self._births.get(node.root, 0)
        return past

    def label(self, node: Node, raw: Op | None, control: int) -> None:
        """Set the label of a new node: of its operation, or of the wait that stands for it."""
        root = node.root
        if node.op is None or raw is None:
            if self.reached.section >= 0:
                raise_waits(root.name, "ends although it has stopped the world")
            return
        op, wait = node.op, node.wait
        if op.kind is _PAUSE and wait is not None:
            op = raw = wait
        inside = node.instruction is not None and node.entered is node.instruction
        node.label = Label(
            self._numbers[root.name], root.name, node.depth, self.reached, op, raw, control, self.layout, self.model,
            in_order=root.is_device, inside=inside,
        )  # fmt: skip
        if wait is None or wait is op:
            return
        if wait.value is not None or wait.location != op.location or _could_have_stored(node):
            node.label.wait, node.label.tried = wait, node.tried


def _could_have_stored(node: Node) -> bool:
    """Whether a store-conditional that could have stored failed in the last round of a loop: it may store next time."""
    before, left = node, node.tried.steps if node.tried is not None and node.tried.fails else 0
    while left and before.parent is not None and before.parent.op is not None:
        before, left = before.parent, left - 1
        if before.op is not None and before.op.kind is Kind.STORE_CONDITIONAL and before.label.stores:
            return True
    return False


def plain_op(op: Op) -> Op:
    """Return an operation whose numbers have no dependencies."""
    value, expected = op.value, op.expected
    held = (op.address, value, *(expected if type(expected) is tuple else (expected,)))
    if not any(type(each) is Loaded for each in held):
        return op
    expected = tuple(map(plain, expected)) if type(expected) is tuple else plain(expected)
    return msgspec.structs.replace(op, address=plain(op.address), value=plain(value), expected=expected)


def _identity(name: str, threads: int) -> int:
    """Return the identity of a spawned vCPU: it depends on its name alone, and no other vCPU has it."""
    found = 0
    for part in name.split("."):
        found = found << 8 | int(part) + 1
    return threads + found
