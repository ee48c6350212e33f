"""Choosing a schedule by hand: forward, back, on by a scheduler; findings at the end; what cannot be, said in words."""

from __future__ import annotations

import pytest

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.errors import InputError, NondeterminismError, UnknownNameError, UsageError
from simaie.exploration.interactive import Session
from simaie.plugins import SCHEDULERS, names
from simaie.trace import Ending

X, Y = 0x100, 0x200
MACHINE = Machine("aie-rfc", address_bits=12)


@pytest.fixture(name="session")
def fixture_session() -> Session:
    return simaie.interactive(corpus.program("first-registration-window"), MACHINE)


def to_the_violation(session: Session) -> Session:
    """The store looks for the granule before the locked instruction registers it, and stores inside it."""
    return session.step(1, 0, 0, 0, 0, 1, 0, 0)


def test_a_violation_is_chosen_step_by_step_and_found_as_soon_as_the_execution_ends(session):
    for actor in (1, 0, 0, 0, 0, 1, 0):
        session.step(actor)
        assert not session.findings
        assert not session.ended
        assert list(session.enabled) in (["0", "1"], ["0"])
    session.step(0)
    assert session.ended
    assert not session.enabled
    assert {finding.kind for finding in session.findings} == {"rmw-atomicity", "final-check"}
    assert session.findings[0].message in session.status


def test_it_is_the_execution_that_a_replay_of_its_schedule_gives(session):
    to_the_violation(session)
    assert simaie.replay(session.failure).trace.digest == session.trace.digest
    assert session.failure.shrink().failure.findings


def test_undo_is_exact(session):
    seen = [(session.trace.digest, list(session.enabled))]
    for actor in (1, 0, 0, 0, 0, 1, 0, 0):
        session.step(actor)
        seen.append((session.trace.digest, list(session.enabled)))
    back = [seen.pop()]
    while seen:
        session.undo()
        back.append((session.trace.digest, list(session.enabled)))
        assert back[-1] == seen.pop()
    assert len(to_the_violation(session).undo(3).trace) == 5
    assert len(session.restart().trace) == 0


@pytest.mark.parametrize("steps", [0, -1, True, "all"])
def test_undo_takes_a_number_of_steps(session, steps):
    session.step(1)
    with pytest.raises(UsageError, match="steps must be a positive integer"):
        session.undo(steps)
    assert len(session.trace) == 1


def test_undo_beyond_the_start_is_refused_and_changes_nothing(session):
    session.step(1)
    with pytest.raises(UsageError, match="nothing to undo beyond 1 step"):
        session.undo(2)
    assert len(session.trace) == 1
    with pytest.raises(UsageError, match="nothing to undo yet"):
        session.restart().undo()


def test_who_waits_for_a_lock_cannot_be_chosen_and_is_told_why():
    program = Program("two", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0})
    session = simaie.interactive(program, Machine("global-lock")).step(0)
    assert list(session.enabled) == ["0"]
    with pytest.raises(UsageError, match=r"1 cannot step: it waits to lock .*; enabled: 0"):
        session.step(1)
    assert len(session.trace) == 1
    with pytest.raises(UsageError, match="there is no such actor"):
        session.step("nobody")


def test_a_deadlock_ends_it_with_a_sentence():
    async def waiter(cpu):
        await cpu.wait_until(X, lambda value: value == 1)

    session = simaie.interactive(Program("stuck", isa="x86", threads=[waiter], init={X: 0}))
    assert session.trace.ending is Ending.LIVELOCK
    assert session.status.startswith("Livelock")
    with pytest.raises(UsageError, match="the execution is over"):
        session.step(0)
    with pytest.raises(UsageError, match="cannot go on"):
        session.run()


def test_a_limit_on_steps_ends_it_too(session):
    short = simaie.interactive(session.program, Machine("aie-rfc", address_bits=12, limits=simaie.Limits(3)))
    assert short.run().ended
    assert short.status.startswith("The machine's limit on steps is reached after 3 steps")


@pytest.mark.parametrize("name", [name for name in names(SCHEDULERS) if name != "scripted"])
def test_every_scheduler_can_run_on_from_a_choice_of_ones_own(session, name):
    session.step(1, 0).run(name, seed=3)
    assert session.ended
    assert [event.actor for event in session.trace.events[:2]] == ["1", "0"]


def test_the_seed_decides_how_a_scheduler_runs_on(session):
    def ran(seed):
        return session.restart().step(0).run("random-walk", seed=seed).trace.digest

    assert ran(1) == ran(1)
    assert len({ran(seed) for seed in range(12)}) > 1


def test_a_scheduler_runs_on_for_some_steps(session):
    session.step(1).run("round-robin", steps=3)
    assert len(session.trace) == 4
    assert session.enabled
    for steps in (0, True, 1.5):
        with pytest.raises(UsageError, match="steps must be a positive integer"):
            session.run(steps=steps)
    with pytest.raises(UnknownNameError):
        session.run("no-such-scheduler")
    assert len(session.trace) == 4


def test_what_failed_is_saved_as_a_replay_file_and_else_as_a_schedule(session, tmp_path):
    path = session.step(1, 0, 0).save(tmp_path / "new" / "part.txt")
    text = path.read_text().strip()
    again = simaie.interactive(session.program, MACHINE).run(("scripted", {"schedule": text}))
    assert [e.actor for e in again.trace.events[:3]] == ["1", "0", "0"]
    to_the_violation(session.restart()).save(tmp_path / "failure.json")
    assert simaie.replay(tmp_path / "failure.json").trace.digest == session.trace.digest
    for broken in (tmp_path, path / "below-a-file"):
        with pytest.raises(InputError, match="cannot be written"):
            session.save(broken)


async def _chooser(cpu):
    for _ in range(2):
        await cpu.ldrex(X)
        cpu.observe("r", await cpu.strex(X, 1))


def test_a_local_choice_is_0_until_it_is_chosen_otherwise():
    program = Program("spurious", isa="arm", threads=[_chooser], init={X: 0})
    session = simaie.interactive(program, Machine("native:spurious_failures=true"))
    with pytest.raises(UsageError, match="there was no local choice so far"):
        session.choose(1)
    while not session.open_choices:
        session.step(0)
    (choice,) = session.open_choices
    assert (choice.value, choice.arity) == (0, 2)
    assert session.choose(1).open_choices[0].value == 1
    assert session.trace.schedule.choices[0].value == 1
    with pytest.raises(UsageError, match="must be 0 to 1, not 2"):
        session.choose(2)
    with pytest.raises(UsageError, match="no local choice at step 0"):
        session.choose(0, step=0)
    before = choice.step
    session.step(0)
    assert not session.open_choices
    assert session.choose(0).trace.events[-1].value == 0
    assert len(session.undo().trace) == before - 1


def test_a_store_buffer_can_be_chosen():
    threads = [[ins("store", X, 1), ins("load", Y, into="r")], [ins("store", Y, 1), ins("load", X, into="r")]]
    program = Program("sb", isa="x86", threads=threads, init={X: 0, Y: 0},
                      final=lambda m: (m.registers["0:r"], m.registers["1:r"]) != (0, 0))
    session = simaie.interactive(program, Machine("native", host="tso")).step(0, 1)
    assert list(session.enabled) == ["0", "0~", "1", "1~"]
    assert session.step(0, 1, "0~", "1~").findings[0].kind == "final-check"


def test_trio_guests_are_chosen_for_likewise():
    import trio

    async def sleeper(cpu):
        await trio.sleep(1)
        await cpu.store(X, 1)

    program = Program("sleepers", isa="x86", threads=[sleeper, sleeper], init={X: 0})
    session = simaie.interactive(program, driver="trio").run()
    assert session.ended
    assert len(session.trace) == 2


def test_watchers_hear_of_every_change(session):
    heard = []
    session.watch(lambda: heard.append(len(session.trace)))
    session.step(1).step(0).undo()
    with pytest.raises(UsageError):
        session.undo(9)
    assert heard == [1, 2, 1]


def test_a_guest_that_is_not_deterministic_is_named():
    calls = []

    async def moody(cpu):
        calls.append(1)
        for _ in range(len(calls) % 2):
            await cpu.store(X, 1)

    session = simaie.interactive(Program("moody", isa="x86", threads=[moody], init={X: 0}), Machine("native"))
    with pytest.raises(NondeterminismError, match="step 0"):
        session.step(0)


def test_only_programs_can_be_run():
    with pytest.raises(UsageError, match=r"program must be a simaie\.Program"):
        simaie.interactive("first-registration-window")
