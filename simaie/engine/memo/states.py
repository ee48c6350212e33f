"""The graph of all global states of a program, which is finite although its executions may be infinite.

A state is that of `simaie.engine.memo`, with one difference: a node of the memo stands for a history, and a vCPU that
comes back to an earlier state has another history. Nodes at which a vCPU is in the same state
(`simaie.engine.snapshot`) therefore have the same number here (`GuestStates`). No vCPU waits in a loop
(``Limits(tries=None)``), so that a loop is a cycle of the graph.

The states are visited depth first, and the search goes back by undo.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.global_state import Comparable
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.restored import CannotUndo
from simaie.engine.memo.runner import Differs
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.steps import MemoSteps
from simaie.errors import SimaieError
from simaie.guest.program import Program
from simaie.machine import Machine

__all__ = ["StateGraph"]


class StateGraph:
    """The global states of `program` on `machine`, by number; 0 is the initial state.

    Args:
        program: The program, without devices.
        machine: The machine, which does not limit the tries of a loop.
        most: The number of states at most.

    Attributes:
        successors: By state, the next state by the number of the actor that takes the step.
        enabled: By state, the actors that can take a step, also if that step was not visited.
        parents: By state, the state and the actor from which it was first reached; (-1, -1) for the initial state.
        ram: By state, the values in RAM that differ from the initial ones.
        owed: By state, the threads and blocks that have still to end: each is the number of a vCPU, and the name of its
            open block of `simaie.Cpu.eventually` or the name of its thread in ``Program(eventually=...)``.
        stuck: The states in which no vCPU can step, and not all have ended.
        why_incomplete: Why there may be other states; empty if all were visited.
        failed: The actors of the steps of an execution in which the guest, the scheme or the memo failed; None if none
            did.
    """

    def __init__(self, program: Program, machine: Machine, most: int) -> None:
        self.successors: list[dict[int, int]] = []
        self.enabled: list[tuple[int, ...]] = []
        self.parents: list[tuple[int, int]] = []
        self.ram: list[frozenset[Any]] = []
        self.owed: list[frozenset[tuple[int, str]]] = []
        self.stuck: list[int] = []
        self.why_incomplete = "the program has devices" if program.devices else ""
        self.failed: list[int] | None = None
        self._most = most
        self._last: tuple[int, list[int]] = 0, []  # a state, and the actor of the step from it that was taken last
        self._to_end = [(int(vcpu), name) for vcpu, name in program.eventually.items()]
        self._numbers: dict[Hashable, int] = {}
        self._memo = Memo(program, machine, SharedState(program))
        self._initial = self._memo.machine.make_memory(program)
        self._places: dict[tuple[int, int], int] = {}  # with their initial values
        self._steps = MemoSteps(self._memo, mixed_sizes=True, limit=most + 1)
        self._comparable = Comparable()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the actors, by number."""
        return self._steps.threads.names

    @property
    def events(self) -> Sequence[Any]:
        """The steps up to the current state, which tell a watchdog whether the search moves."""
        return self._steps.events

    @property
    def actors(self) -> Sequence[Actor]:
        """The vCPUs so far."""
        return self._steps.threads.everyone

    def explore(self) -> None:
        """Visit the states, and say in `why_incomplete` what was in the way."""
        if self.why_incomplete:
            return
        memo = self._memo
        try:
            self.why_incomplete = self._visit_all() or memo.given_up or memo.shared.changed()
        except (CannotUndo, SimaieError, Differs) as error:
            self.why_incomplete = str(error) or type(error).__name__
            state, actor = self._last
            self.failed = [*self.path_to(state), *actor]
        finally:
            memo.close()

    def path_to(self, state: int) -> list[int]:
        """Return the actors of the steps by which `state` was first reached."""
        path: list[int] = []
        while state:
            state, actor = self.parents[state]
            path.append(actor)
        return path[::-1]

    def _visit_all(self) -> str:
        steps, memo = self._steps, self._memo
        steps.begin()
        todo = [(0, iter(self._enter(self._key(), (-1, -1))))]
        while todo:
            state, actors = todo[-1]
            actor = next(actors, None)
            if actor is None:
                todo.pop()
                if todo:
                    steps.undo()
                continue
            self._last = state, [actor]
            steps.step(actor)
            if memo.given_up or memo.nodes >= memo.most_nodes:
                return memo.given_up or f"the memo of vCPUs has {memo.nodes:,} nodes"
            key = self._key()
            known = self._numbers.get(key)
            if known is None:
                if len(self.successors) >= self._most:
                    return f"the limit of {self._most:,} states was reached"
                known = self.successors[state][actor] = len(self.successors)
                todo.append((known, iter(self._enter(key, (state, actor)))))
                memo.keep_bounds()
            else:
                self.successors[state][actor] = known
                steps.undo()
        return ""

    def _enter(self, key: Any, parent: tuple[int, int]) -> tuple[int, ...]:
        """Number the state of `key`, which is new, and return the actors that can take a step."""
        steps = self._steps
        number = self._numbers[key] = len(self.successors)
        enabled = tuple(steps.enabled())
        self.successors.append({})
        self.enabled.append(enabled)
        self.parents.append(parent)
        self.ram.append(key[0])
        self.owed.append(self._owed())
        if not enabled and any(node is not None and node.op is not None for node in steps.nodes):
            self.stuck.append(number)
        return enabled

    def _owed(self) -> frozenset[tuple[int, str]]:
        """Return the threads and blocks that have still to end in the current state, as in `owed`."""
        nodes = self._steps.nodes
        whole = [each for each in self._to_end if (node := nodes[each[0]]) is not None and node.op is not None]
        blocks = [(actor, each.name) for actor, node in enumerate(nodes) if node for each in node.obligations]
        return frozenset((*whole, *blocks))

    def _key(self) -> Any:
        """Return the key of the current state, which equal states share; its first part is RAM."""
        steps, memo = self._steps, self._memo
        guests = tuple([None if node is None else node.guest if node.op is not None else -1 for node in steps.nodes])
        cells = frozenset([
            (id(cell), now) for cell in memo.written_cells
            if (now := self._comparable(cell.value)) != self._comparable(cell.initial)
        ])  # fmt: skip
        reserved = frozenset([(actor.name, *rest) for actor, *rest in steps.memory.saved_reservations()])
        return self._ram(), guests, cells, reserved, steps.stopper, steps.threads.state

    def _ram(self) -> frozenset[Any]:
        places = self._places
        for place in self._memo.written_places:
            if place not in places:
                places[place] = self._initial.read(*place)
        read = self._steps.memory.read
        return frozenset([(place, now) for place, before in places.items() if (now := read(*place)) != before])

