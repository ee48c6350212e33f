"""The state of a memo that goes forward and back, when it moves to a new memo in the middle of a search."""

from __future__ import annotations

from typing import Any

import pytest
from simaie_schedulers.dpor.search import Dpor

from simaie import Machine, Program
from simaie.engine.memo.buffered import make_steps
from simaie.engine.memo.finished import preemptions_in, trace_of
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.restored import MixedSizes
from simaie.engine.memo.shared import SharedState
from simaie.engine.memo.steps import MemoSteps
from simaie.exploration.engines import Engines

# Its searches take seconds, and run lines that other tests run too.
pytestmark = pytest.mark.untraced

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


async def swapping(cpu: Any) -> None:
    await cpu.lock_cmpxchg(X, 0, 1)


def new_memo(program: Program, host: str = "sc") -> Memo:
    return Memo(program, Machine(host=host), SharedState(program))


def begun(program: Program, host: str = "sc") -> MemoSteps:
    state = make_steps(new_memo(program, host), mixed_sizes=False, commuting=False)
    state.begin()
    return state


def seen(state: MemoSteps) -> Any:
    """All that a search can see of a state."""
    live = [actor for actor in state.threads.order if (node := state.nodes[actor]) is not None and node.op is not None]
    pending = {actor: str(state.pending(actor)) for actor in live}
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


def test_store_buffers_stand_behind_their_vcpus_and_keep_their_numbers() -> None:
    program = Program("parents", isa="x86", threads=[parent, waking], init={X: 0, Y: 0})
    state = begun(program, "tso")
    start = seen(state)
    for actor in (1, 0, 3, 3):  # the stores of 1 and of 0.0, which 0 has spawned, are in their buffers
        state.step(actor)
    assert state.threads.names == ("0", "1", "1~", "0.0", "0.0~")
    assert state.threads.order == [0, 3, 4, 1, 2]
    assert state.enabled() == [4, 1, 2], "the child ends when its store has drained"
    assert state.buffered(3) == (0, 0)
    state.step(4)
    assert state.enabled() == [3, 1, 2]
    assert state.buffered(3) == (1 << 4, 1 << 4)
    before = seen(state)
    state.move_to(new_memo(program, "tso"))
    assert seen(state) == before
    while len(state):
        state.undo()
    assert seen(state)[2:4] == start[2:4]
    assert seen(state)[5:] == start[5:]
    assert state.threads.order == [0, 1, 2], "the buffer of 0.0 is gone with it"


def test_what_drains_is_no_preemption() -> None:
    program = Program("buffers", isa="x86", threads=[waking, waking], init={X: 0, Y: 0})
    state = begun(program, "tso")
    for actor in (0, 2, 1, 0, 3, 1):
        state.step(actor)
    assert state.switches == [1, 2, 3, 4, 5], "each deviates from the default"
    assert preemptions_in(state) == 2
    assert trace_of(state).events[1].actor == "0~"


def test_a_compare_and_swap_behind_a_store_buffer_needs_another_state() -> None:
    state = begun(Program("swap", isa="x86", threads=[swapping], init={X: 0}), "tso")
    with pytest.raises(MixedSizes):
        state.step(0)


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
