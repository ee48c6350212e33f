"""The memo of one program on one machine: its trees, the coroutines that extend them, and its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simaie.check.needs import ending_bit, promise_bits
from simaie.engine.actor import Actor
from simaie.engine.beginning import Beginning
from simaie.engine.memo.guest_states import GuestStates
from simaie.engine.memo.host import MemoHost, MemoThread
from simaie.engine.memo.lazy import Origin, Step, cells_of
from simaie.engine.memo.node import Node
from simaie.engine.memo.prepared import prepare
from simaie.engine.memo.runner import Root, Runner
from simaie.engine.memo.settled import Unsettled, settled_value
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.story import registers_of
from simaie.engine.record import outcome_of, refusal_of
from simaie.guest.cpu import Thread
from simaie.guest.program import Program
from simaie.host.pages import PageTable
from simaie.host.sc import ScMemory
from simaie.locations import Locations
from simaie.machine import Machine
from simaie.op import Cell, Kind, Op
from simaie.protocols import HostMemory
from simaie.trace import Ending, Outcome

__all__ = ["MOST_NODES", "Memo"]

#: A node takes some 500 bytes, with its operation, instruction and edges about twice that.
MOST_NODES = 500_000
#: Live coroutines kept between two executions.
_MOST_RUNNERS = 64
#: The number of steps that are counted together for the share of misses.
_WINDOW = 20_000
#: The largest share of misses: in the first windows, in which a memo has to learn, and later.
_MOST_MISSES_FIRST, _MOST_MISSES = 0.6, 0.3
_FIRST_WINDOWS = 4
_MOST_OUTCOMES = 10_000
#: The kinds of operations that change no value.
READS = frozenset({Kind.LOAD, Kind.LOAD_LINKED, Kind.AWAIT, Kind.FENCE, Kind.PAUSE})


class Memo:
    """What the vCPUs of `program` do on `machine`, as far as it is known.

    Attributes:
        nodes: How many nodes there are.
        misses: How many edges were missing when they were needed.
        fed: How many steps were repeated to bring a coroutine to a node.
        given_up: Why the memo cannot be used any more; empty if it can.
        most_nodes: Nodes at which it has to end.
        locations: The places of its operations, numbered for a search by undo.
        compares_states: Whether executions end where a state comes back, so that a vCPU that is fed its history again
            must be in the same state as before.
    """

    def __init__(
        self, program: Program, machine: Machine, shared: SharedState, *, most_nodes: int = MOST_NODES
    ) -> None:
        machine = machine.for_program(program)
        machine.require_fits(program)
        self.program, self.machine, self.shared = program, machine, shared
        self.facts = machine.facts_of(program)
        self.host = MemoHost(word=machine.host_word // 8, endian=machine.endian)
        self.scheme = machine.make_scheme(self.host, PageTable(self.host, program.pages), self.facts)
        self.cleans_up = self.scheme.has_thread_exit
        self.handler = program.runnable_handler()
        shared.watch(self.scheme)
        self.nodes = self.misses = self.fed = 0
        self.given_up = ""
        self.promises = frozenset(self.scheme.promises)
        self.promised = promise_bits(self.promises)
        self.ending_bits = {ending: ending_bit(ending) for ending in Ending}
        self.beginning = Beginning(program, machine)
        self.origin = Origin(program, machine.endian, self.promises)
        self.memory = machine.make_memory(program)
        #: None unless no vCPU waits in a loop, so that it may come back to a state.
        self.guest_states = GuestStates() if machine.limits.tries is None else None
        self.compares_states = False
        self.locations = Locations()
        self.is_quick = type(self.memory) is ScMemory
        self._pages: dict[int, tuple[bytearray, bytes]] = {}  # with their initial contents, by identity
        self._ranges: set[tuple[int, int]] = set()  # where an operation may write
        self._watched = tuple(program.watch.items())
        self._watched_views = self._views_of_watched()
        self._outcomes: dict[Any, Outcome] = {}
        self.most_nodes = most_nodes
        self._roots: dict[str, Root] = {}
        self._runners: dict[Runner, None] = {}  # the one that ran last is the last
        self._cells: dict[Cell, None] = {}
        self._written: dict[Cell, None] = {}  # in any execution
        self._dirty: Iterable[Cell] = self._written  # in the last one
        self._windows = self._steps_in_window = self._misses_before = 0

    # -- the trees --------------------------------------------------------------------------------

    def root(
        self, name: str, identity: int, cpu_class: type[Any], code: Any, *, spawned_at: Node | None, is_device: bool
    ) -> Root:
        """Return the vCPU that has this name, was started at that SPAWN if any, and gets this identity.

        The coroutine of a spawned vCPU is made here, as its function is called when the SPAWN is performed.
        """
        if spawned_at is None:
            found = self._roots.get(name)
            if found is None:
                found = self._roots[name] = Root(name, identity, cpu_class, code, spawned=False, is_device=is_device)
            return found
        if spawned_at.roots is None:
            spawned_at.roots = {}
        child = spawned_at.roots.get(identity)
        if child is None:
            child = Root(name, identity, cpu_class, code, spawned=True, is_device=False)
            child.start.runner = self._begin(child)
            spawned_at.roots[identity] = child
        return child

    def thread(self, node: Node, name: str) -> Thread:
        """Return the handle that the SPAWN of `node` returns."""
        if node.thread is None:
            node.thread = MemoThread(name, self.host)
        return node.thread

    def miss(self, actor: Actor, node: Node, key: Any, value: Any) -> Node:
        """Return the node behind the edge `value` of `node`, which is made now.

        Args:
            actor: The vCPU; the watchdog finds the running coroutine there.
            node: Where it stands.
            key: Of the edge.
            value: The result that it gets.

        Raises:
            Differs: The vCPU was fed its history again and did something else.
            Renewed: It was fed its history again, and is in another state.
            SimaieError: The guest or the scheme raised.
        """
        self.misses += 1
        runner = node.runner
        try:
            if runner is None:
                runner = self._begin(node.root)
                actor.coroutine = runner.coroutine
                runner.feed(node)
                self.fed += node.depth
            actor.coroutine = runner.coroutine
            child = runner.advance(value)
        except BaseException:
            if runner is not None:
                self._drop(runner)
            raise
        if self.host.unsettled:
            self.give_up(self.host.unsettled)
        node.edges[key] = child
        if key is None:
            node.after = child
        self.nodes += 1
        if child.op is None:
            self._drop(runner)
        else:
            self._runners.pop(runner, None)
            self._runners[runner] = None
        return child

    def _begin(self, root: Root) -> Runner:
        runner = Runner(root, self)
        self._runners[runner] = None
        return runner

    def _drop(self, runner: Runner) -> None:
        self._runners.pop(runner, None)
        runner.close()

    # -- what changes from one execution to the next -------------------------------------------------

    def note(self, node: Node) -> None:
        """Note the operation of a new node: what it changes is set back before each execution."""
        op = node.op
        assert op is not None
        self._note(op)
        if self.is_quick:
            prepare(node, self.memory.ram)  # type: ignore[attr-defined]  # an ScMemory

    def _note(self, op: Op) -> None:
        if op.cell is not None:
            self._note_cell(op.cell)
            if op.kind not in READS:
                self._written[op.cell] = None
        elif op.kind is Kind.AWAIT and op.value is not None:
            for part in op.value:
                self._note(part)
        elif op.width and op.kind not in READS and self.is_quick and (op.address, op.width) not in self._ranges:
            self._ranges.add((op.address, op.width))
            for page in self.memory.ram.pages_of(op.address, op.width):  # type: ignore[attr-defined]  # an ScMemory
                self._pages.setdefault(id(page), (page, bytes(page)))

    def _note_cell(self, cell: Cell) -> None:
        if cell not in self._cells:
            self._cells[cell] = None
            if not self.host.is_made(cell):
                self.give_up(f"the host port did not make the cell {cell.name}")
            try:
                settled_value(cell.initial, self.is_constant)
            except Unsettled as reason:
                self.give_up(str(reason))

    def reset(self) -> None:
        """Set cells and RAM back to their initial values: an execution begins."""
        for cell in self._dirty:
            cell.value = cell.initial
        for page, initial in self._pages.values():
            page[:] = initial
        if self.is_quick:
            self.memory.reservations.clear()  # type: ignore[attr-defined]  # an ScMemory

    def _views_of_watched(self) -> list[tuple[memoryview, int]] | None:
        """Return where RAM has the values of the outcome, as `Ram.view` does; None if not all have such a place."""
        if not self.is_quick:
            return None
        views = [self.memory.ram.view(address, width) for address, width in self._watched]  # type: ignore[attr-defined]
        return [view for view in views if view is not None] if None not in views else None

    def outcome(self, memory: HostMemory, last: tuple[Node, ...]) -> Outcome:
        """Return the outcome of an execution that left RAM as in `memory` and the vCPUs at `last`."""
        registers = [registers_of(node) if node.registers is None else node.registers for node in last]
        if self._watched_views is None:
            key: Any = (*registers, *[memory.read(address, width) for address, width in self._watched])
        else:
            key = (*registers, *[view[index] for view, index in self._watched_views])
        known = self._outcomes.get(key)
        if known is None:
            if len(self._outcomes) >= _MOST_OUTCOMES:
                self._outcomes.clear()
            known = self._outcomes[key] = outcome_of(self.program, memory, _all_registers(last))
        return known

    def refusal(self, memory: HostMemory, last: tuple[Node, ...], outcome: Outcome) -> str | None:
        """Return why the program's final check refuses a finished execution; None if it accepts."""
        return refusal_of(self.program, memory, _all_registers(last), outcome)

    def _trim(self) -> None:
        """Close the coroutines that have not run for longest."""
        for runner in list(self._runners)[: max(0, len(self._runners) - _MOST_RUNNERS)]:
            self._drop(runner)

    def close(self) -> None:
        """Close every coroutine; the memo cannot be used afterwards."""
        for runner in list(self._runners):
            self._drop(runner)

    @property
    def written_cells(self) -> Iterable[Cell]:
        """The cells whose values may differ from the initial ones."""
        return self._written

    @property
    def written_places(self) -> Iterable[tuple[int, int]]:
        """The places in RAM, by address and width, whose values may differ from the initial ones."""
        return self._ranges

    # -- whether it may go on ------------------------------------------------------------------------

    def is_constant(self, value: Any) -> bool:
        """Whether an object stays as it is, or its changes are noticed."""
        return self.host.is_made(value) or self.shared.is_shared(value)

    def give_up(self, reason: str) -> None:
        """The memo ends with this execution, which is still exact."""
        self.given_up = self.given_up or reason

    @property
    def must_end(self) -> bool:
        """Whether it was given up, or has too many nodes."""
        return self.given_up != "" or self.nodes >= self.most_nodes

    def ended(self, events: Sequence[Step]) -> None:
        """An execution has ended after these steps."""
        steps = len(events)
        if self._written:
            self._dirty = self._written if len(self._written) < steps else cells_of(events)
        self.keep_bounds(steps)

    def keep_bounds(self, steps: int = 0) -> None:
        """Close idle coroutines if there are many; give the memo up if too many of the last steps were misses.

        Args:
            steps: The number of steps since the last call.
        """
        if len(self._runners) > _MOST_RUNNERS:
            self._trim()
        self._steps_in_window += steps
        if self._steps_in_window >= _WINDOW:
            misses = self.misses - self._misses_before
            self._windows += 1
            most = _MOST_MISSES_FIRST if self._windows <= _FIRST_WINDOWS else _MOST_MISSES
            if misses > most * self._steps_in_window:
                self.give_up(f"{misses} of {self._steps_in_window} steps were new")
            self._steps_in_window, self._misses_before = 0, self.misses


def _all_registers(last: tuple[Node, ...]) -> dict[str, int]:
    return {name: value for node in last for name, value in registers_of(node)}
