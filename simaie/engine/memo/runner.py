"""Live coroutines: they make the nodes that are missing, and are fed histories that are known."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from simaie.block import Block, Call
from simaie.check.needs import BLOCK, FAULT, GOAL, KEPT_LOCK, SECOND_LOCK, step_bits
from simaie.engine.actor import Actor
from simaie.engine.actors import begun, epilogue_of
from simaie.engine.blame import foreign_await, guest_raised, trio_outside_trio
from simaie.engine.memo.again import remembered, same
from simaie.engine.memo.monitors import watch
from simaie.engine.memo.node import END, Node
from simaie.engine.memo.settled import Unsettled, settled_op, settled_value
from simaie.engine.passing import PASSING
from simaie.engine.snapshot import Snapshot, snapshot
from simaie.engine.spin import Wait, await_change, looks_again
from simaie.errors import GuestFault, kind_of
from simaie.guest.program import GuestFunction
from simaie.op import Kind, Op
from simaie.trace import PENDING, Event, Instruction

if TYPE_CHECKING:
    from simaie.engine.memo.memo import Memo

__all__ = ["Differs", "Renewed", "Root", "Runner"]

_PAUSE, _CHOICE, _LOCK, _UNLOCK = Kind.PAUSE, Kind.CHOICE, Kind.LOCK, Kind.UNLOCK


class Differs(Exception):
    """A vCPU that was fed a known history announced something else than before.

    Attributes:
        node: Where it should be.
        got: What it announced; None if it ended.
    """

    def __init__(self, node: Node, got: Op | None) -> None:
        super().__init__(f"vCPU {node.root.name}: expected {node.op}, got {got}")
        self.node, self.got = node, got


class Renewed(Exception):
    """A vCPU that was fed a known history is in another state than before: it holds an object that was made anew.

    Its states in different histories cannot be compared. All states so far were numbered in one history.
    """


class Root:
    """A vCPU or device, by all that its behaviour depends on apart from the results that it gets.

    Attributes:
        name: Its name.
        identity: The token by which the scheme knows it.
        cpu_class: The class of its vCPU.
        code: What it runs.
        spawned: Whether another vCPU started it.
        is_device: Whether it is a device.
        start: The node before its code runs.
    """

    __slots__ = ("code", "cpu_class", "identity", "is_device", "name", "spawned", "start")

    def __init__(
        self, name: str, identity: int, cpu_class: type[Any], code: GuestFunction, *, spawned: bool, is_device: bool
    ) -> None:
        self.name, self.identity, self.cpu_class, self.code = name, identity, cpu_class, code
        self.spawned, self.is_device = spawned, is_device
        self.start = Node(self)


class Runner(Actor):
    """A live coroutine of a vCPU. For the code that asks about coroutines (spin detection, blame) it is an actor.

    Attributes:
        node: Where it stands.
        coroutine: What runs: the guest's code, then what every thread does at its end.
    """

    __slots__ = ("_faults", "_memo", "_own", "_root", "_tries", "node")

    def __init__(self, root: Root, memo: Memo) -> None:
        scheme = memo.scheme.of(root.name)
        cpu = root.cpu_class(root.name, root.identity, scheme, memo.facts)
        cpu.handler = memo.handler
        memo.host.begin(root.start)
        try:
            scheme.enter(cpu)
            memo.scheme.share(cpu)
            coroutine = begun(root.name, root.code, cpu)
        finally:
            memo.host.end()
        super().__init__(root.name, (), cpu, coroutine)
        self.is_device = root.is_device
        self.thread = _SPAWNED if root.spawned else None
        self.node = root.start
        self._root, self._memo = root, memo
        self._own: list[Event] = []  # the steps of this vCPU
        self._tries = memo.machine.limits.tries
        self._faults: list[tuple[str, str]] = []

    # -- making a node --------------------------------------------------------------------------

    def advance(self, value: Any) -> Node:
        """Send `value` and return the node that follows, which is new; the caller adds the edge.

        Raises:
            SimaieError: The guest or the scheme raised; the class says which.
        """
        self.node.runner = None
        node = Node(self._root, self.node, value)
        record = self.cpu.instruction
        op = self._run(node, value)
        self._note(node, record)
        if op is not None:
            node.op = self._settled(op)
            self._take_wait(node, self._wait(op))
            self._memo.note(node)
            states = self._memo.guest_states
            if states is not None:
                node.guest = states.number(self._root, op, self._snapshot())
        elif not node.faults:
            node.code = END
        node.occurred |= self._occurred(node)
        node.runner, self.node = self, node
        return node

    def _run(self, node: Node, value: Any) -> Op | None:
        """Send `value` and return the next operation on the way to `node`; None at the end of the vCPU."""
        before, cpu = self.node.op, self.cpu
        self._faults = []
        if before is not None:
            if before.kind is not _CHOICE:
                cpu.entered = cpu.instruction
            if self.node.wait is not None and before.kind is not _PAUSE:
                self._own.append(Event(self.name, self.node.wait, None))
            self._own.append(Event(self.name, before, value, cpu.instruction))
        host = self._memo.host
        host.begin(node)
        try:
            return self._send(value)
        finally:
            host.end()

    def _send(self, value: Any) -> Op | None:
        """Send a result to the vCPU; return its next operation, or None at its end."""
        return self._resume(value)

    def _resume(self, value: Any) -> Op | None:
        try:
            op: Op = self.coroutine.send(value)
        except PASSING:
            raise
        except BaseException as error:
            return self._after(error)
        if type(op) is not Op:
            raise foreign_await(self, op)
        return op

    def _after(self, error: BaseException) -> Op | None:
        """Return the first operation of what follows the code that ended with `error`; None at the end of the vCPU."""
        if isinstance(error, GuestFault | AssertionError):
            self._faults.append((kind_of(error), str(error) or "assertion failed"))
        elif not isinstance(error, StopIteration):
            raise trio_outside_trio(self, error) or guest_raised(self, error) from error
        epilogue = epilogue_of(self, cleans_up=self._memo.cleans_up)
        if epilogue is None:
            return None
        self.coroutine = epilogue
        return self._resume(None)

    def _note(self, node: Node, record: Instruction | None) -> None:
        """Write down what is to be seen of the vCPU at `node`. record: the instruction of the operation before."""
        parent, cpu = node.parent, self.cpu
        assert parent is not None
        current, entered = cpu.instruction, cpu.entered
        if current is not None:
            node.instruction = parent.instruction if current is record else _pending(current)
        if record is not None and record is not current and record.completed:
            node.final = _completed(parent.instruction, record)
        if entered is not None:
            node.entered = node.instruction if entered is current else entered
        node.faults = tuple(self._faults)
        if cpu.observations != parent.observations:
            node.observations = cpu.observations.copy()
        if cpu.goals:
            node.goals = cpu.goals
        node.obligations = cpu.obligations
        ends = cpu.reservation_ends
        if len(ends) != len(parent.reservation_ends):
            node.reservation_ends = tuple(ends)
        if len(cpu.silent) != len(parent.silent):
            node.silent = (*parent.silent, *cpu.silent[len(parent.silent) :])
        if cpu.blocks:
            node.blocks = self._blocks(parent)

    def _occurred(self, node: Node) -> int:
        """Return the bits of what occurred on the way to `node`, as far as they are new."""
        before = node.parent
        assert before is not None
        bits = (FAULT if node.faults else 0) | (BLOCK if node.blocks else 0) | (GOAL if node.goals else 0)
        bits |= watch(node, self._memo)
        op, instruction, wait = before.op, before.instruction, before.wait
        if op is None:
            return bits
        bits |= step_bits(op, instruction)
        if wait is not None:
            bits |= 1 << wait.kind
        if op.kind is _LOCK:
            bits |= SECOND_LOCK if before.held else 0
            node.held += 1
        elif op.kind is _UNLOCK:
            node.held -= 1
        if node.held and (node.instruction is not instruction or node.op is None):
            bits |= KEPT_LOCK
        return bits

    def _blocks(self, parent: Node) -> tuple[Block, ...]:
        """Copies of the vCPU's blocks as they are now; those that have ended are the ones of `parent`."""
        found = list(parent.blocks)
        for number, block in enumerate(self.cpu.blocks):
            if number < len(found) and found[number].after is not None:
                continue
            if isinstance(block, Call):
                try:
                    settled_value((block.args, block.result), self._memo.is_constant)
                except Unsettled as reason:
                    self._memo.give_up(str(reason))
            found[number : number + 1] = [copy(block)]
        return tuple(found)

    def _settled(self, op: Op) -> Op:
        try:
            return settled_op(op, self._memo.is_constant, self.coroutine)
        except Unsettled as reason:
            self._memo.give_up(str(reason))
            return op

    def _wait(self, op: Op) -> Wait | None:
        """The wait for which `op` stands or that it has to let go first, by the steps of this vCPU alone."""
        kind = op.kind
        self.op = op
        if self._tries is None:
            return None
        if kind < _PAUSE or kind is _LOCK or kind is _UNLOCK:
            return looks_again(self, op, self._own, self._tries)
        self.looks = None
        return await_change(self, self._own, self._tries) if kind is _PAUSE else None

    @staticmethod
    def _take_wait(node: Node, wait: Wait | None) -> None:
        if wait is not None:
            node.wait = wait.op
            node.tried = wait.tried if wait.tried.stores or wait.tried.fails else None

    # -- going where others have been -------------------------------------------------------------

    def feed(self, target: Node) -> None:
        """Go from the start to `target`, along known edges.

        Raises:
            Differs: The vCPU announced something else than before.
            Renewed: It announced the same, but is in another state.
        """
        path = target.path
        pause, first = remembered(path, self._tries)
        start = first if pause < 0 else pause
        for place, node in enumerate(path[1:], 1):
            if place < start:
                self._pass(node)
                continue
            op = self._run(node, node.came)
            self._compare(node, op)
            if op is not None and (place >= first or place == pause):
                self._wait(op)
            self.node = node
        target.runner = self
        if self._memo.compares_states:
            self._compare_state(target)

    def _compare_state(self, target: Node) -> None:
        """Raise Renewed if the vCPU is in another state at `target` than before."""
        states, op = self._memo.guest_states, target.op
        assert states is not None
        if op is not None and not states.has(target.guest, self._root, op, self._snapshot()):
            raise Renewed

    def _snapshot(self) -> Snapshot | None:
        return snapshot(self.coroutine, self.cpu)

    def _pass(self, node: Node) -> None:
        """Go to `node`, the next one, which does not count for the spin detection."""
        before, cpu, host = self.node.op, self.cpu, self._memo.host
        if before is not None and before.kind is not _CHOICE:
            cpu.entered = cpu.instruction
        if self._faults:
            self._faults = []
        host.begin(node)
        try:
            op = self._send(node.came)
        finally:
            host.end()
        self._compare(node, op)
        self.node = node

    def _compare(self, node: Node, op: Op | None) -> None:
        """Raise Differs unless the vCPU announces at `node` what it announced before."""
        expected = node.op
        if op is None or expected is None:
            if op is not expected or tuple(self._faults) != node.faults:
                raise Differs(node, op)
        elif not same(expected, op):
            raise Differs(node, op)

    def close(self) -> None:
        """Close the coroutine, as at the end of an execution."""
        if self.node.runner is self:
            self.node.runner = None
        try:
            self.coroutine.close()
        except PASSING:
            raise
        except BaseException:  # the guest awaits in a `finally`, where nothing is left to answer, or raises there
            return


#: What a runner of a spawned vCPU has in place of a handle: its epilogue asks only whether there is one.
_SPAWNED: Any = object()


def _pending(record: Instruction) -> Instruction:
    """A copy of an instruction in execution. The original gets its result in one history; the node is part of many."""
    return Instruction(
        record.vcpu, record.number, record.mnemonic, record.access, record.address, record.width, PENDING,
        record.effect, record.place, record.second,
    )  # fmt: skip


def _completed(pending: Instruction | None, record: Instruction) -> Instruction:
    """Return a completed instruction, with the effect that its operations have in the memo.

    A coroutine that was fed its history has made the effect anew, and checkers compare functions by identity.
    """
    if pending is None or pending.effect is record.effect:
        return record
    return Instruction(
        record.vcpu, record.number, record.mnemonic, record.access, record.address, record.width, record.result,
        pending.effect, record.place, record.second,
    )  # fmt: skip
