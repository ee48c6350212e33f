"""The state of a memo that goes forward and back, when it moves to a new memo in the middle of a search."""

from __future__ import annotations

from typing import Any

import pytest
from simaie_schedulers.dpor.search import Dpor

from simaie import Machine, Program
from simaie.engine.memo.finished import trace_of
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.steps import MemoSteps
from simaie.exploration.engines import Engines

X, Y = 0x40, 0x80


async def child(cpu: Any) -> None:
    await cpu.store(X, await cpu.load(X) + 1)


async def parent(cpu: Any) -> None:
    await cpu.join(await cpu.spawn(child))
    await cpu.load(X)


async def pausing(cpu: Any) -> None:
    while not await cpu.load(Y):
        await cpu.pause()


async def looking(cpu: Any) -> None:
    while not await cpu.load(Y):
        pass


async def waking(cpu: Any) -> None:
    await cpu.store(X, 1)
    await cpu.store(Y, 1)


def new_memo(program: Program) -> Memo:
    return Memo(program, Machine(), SharedState(program))


def begun(program: Program) -> MemoSteps:
    state = MemoSteps(new_memo(program))
    state.begin()
    return state


def seen(state: MemoSteps) -> Any:
    """All that a search can see of a state."""
    pending = {actor: str(state.pending(actor)) for actor in state.threads.order if state.nodes[actor].op is not None}
    enabled, defaults = state.enabled(), [state.default(actor) for actor in (-1, *state.threads.order)]
    steps = [str(event) for event in trace_of(state).events]
    noted = state.switches.copy(), state.forced.copy(), state.waits.copy()
    return state.threads.names, state.threads.order, pending, enabled, defaults, noted, steps


def test_vcpus_that_were_spawned_keep_their_numbers() -> None:
    """The second parent has spawned first, on a path that was taken back, so that its child has the lower number."""
    program = Program("parents", isa="x86", threads=[parent, parent], init={X: 0})
    state = begun(program)
    state.step(1)
    state.undo()
    for actor in (0, 3, 1, 2, 3):
        state.step(actor)
    assert state.threads.names == ("0", "1", "1.0", "0.0")
    before = seen(state)
    state.move_to(new_memo(program))
    assert seen(state) == before

    while (actor := state.default(-1)) >= 0:
        state.step(actor)
    other = begun(program)
    for event in trace_of(state).events:
        other.step(other.threads.names.index(event.actor))
    assert trace_of(state).digest == trace_of(other).digest
    while len(state):
        state.undo()
    assert seen(state)[1:] == seen(begun(program))[1:]


def test_a_vcpu_that_is_not_spawned_on_the_path_keeps_its_number_too() -> None:
    program = Program("parents", isa="x86", threads=[parent, parent], init={X: 0})
    state = begun(program)
    state.step(1)
    state.undo()
    state.move_to(new_memo(program))
    assert state.step(0).child == 3
    assert state.step(1).child == 2


def test_waits_and_switches_are_those_of_before() -> None:
    program = Program("pauses", isa="x86", threads=[pausing, waking, looking], init={X: 0, Y: 0})
    state = begun(program)
    for actor in (2, 0, 0, 2, 1, 0, 1, 2, 0, 0):
        state.step(actor)
    before = seen(state)
    assert all(before[-2]), "switches, forced ones, and waits before a look"
    state.move_to(new_memo(program))
    assert seen(state) == before


@pytest.mark.parametrize("nodes", [4, 10, 25])
def test_a_search_with_a_small_memo_sees_the_executions_of_one_with_a_large_memo(nodes: int) -> None:
    program = Program("family", isa="x86", threads=[parent, parent, child], init={X: 0})

    def digests(**options: Any) -> tuple[list[str], int]:
        engines, scheduler = Engines(program, Machine(), **options), Dpor()
        found = []
        while not scheduler.exhausted:
            found.append(engines.run(engines.make(scheduler, len(found)), len(found)).digest)
        assert engines.undoing is not None
        rebuilt = engines.undoing.rebuilt
        engines.close()
        return found, rebuilt

    whole, rebuilt = digests(most_nodes=nodes)
    assert rebuilt > 0
    assert (whole, 0) == digests()
