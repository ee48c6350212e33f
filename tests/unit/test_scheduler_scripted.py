"""A script is followed to the letter when strict, and as far as it fits when not."""

from __future__ import annotations

import msgspec
import pytest
from scheduler_programs import actors, independent, make, run, run_all, store_buffering
from simaie_schedulers.random_walk import RandomWalk
from simaie_schedulers.scripted import Scripted

from simaie.decision import Choice, Schedule, Switch
from simaie.errors import DivergenceError, UsageError


async def chooser(cpu):
    for number in range(3):
        cpu.observe(f"c{number}", await cpu.choose(3))
        await cpu.yield_()


def test_an_empty_schedule_is_the_default_execution():
    assert actors(run(store_buffering(), Scripted(Schedule()))) == "0011"


def test_switches_take_effect_at_their_steps_only():
    schedule = Schedule((Switch(0, "1"), Switch(1, "0")))
    assert actors(run(store_buffering(), Scripted(schedule))) == "1001"


def test_a_dense_list_names_the_actor_of_each_step():
    assert actors(run(store_buffering(), Scripted(["1", "0", "1", "0"]))) == "1010"


def test_a_dense_list_goes_on_by_the_default():
    assert actors(run(store_buffering(), Scripted(["1"]))) == "1100"


def test_every_recorded_schedule_reproduces_its_trace():
    program = make(chooser, chooser)
    for seed in range(50):
        original = run(program, RandomWalk(), seed=seed)
        assert run(program, Scripted(original.schedule)).digest == original.digest


def test_a_schedule_may_be_given_as_json_values():
    original = run(make(chooser, chooser), RandomWalk(), seed=3)
    as_json = msgspec.json.decode(msgspec.json.encode(original.schedule))
    assert run(make(chooser, chooser), Scripted(as_json)).digest == original.digest


def test_one_execution_and_exhausted():
    assert len(list(run_all(store_buffering(), Scripted(Schedule())))) == 1


def test_it_never_claims_completeness():
    scheduler = Scripted(Schedule())
    run(store_buffering(), scheduler)
    assert scheduler.exhausted
    assert not scheduler.complete


@pytest.mark.parametrize(
    ("schedule", "step"),
    [
        (Schedule((Switch(1, "7"),)), 1),  # nobody of that name
        (Schedule((Switch(2, "1"), Switch(3, "1"), Switch(9, "0"))), 9),  # after the end
        (["0", "0", "0"], 2),  # 0 is over by then
        (["0", "0", "1", "1", "1"], 4),  # one entry too many
        (Schedule((), (Choice(1, 1),)), 1),  # no choice there
    ],
)
def test_strict_names_the_first_step_that_differs(schedule, step):
    with pytest.raises(DivergenceError) as caught:
        run(store_buffering(), Scripted(schedule))
    assert caught.value.step == step


def test_strict_refuses_a_switch_where_a_choice_is_made():
    with pytest.raises(DivergenceError) as caught:
        run(make(chooser, chooser), Scripted(Schedule((Switch(0, "1"),))))
    assert caught.value.step == 0


def test_strict_refuses_a_value_that_the_choice_does_not_have():
    with pytest.raises(DivergenceError) as caught:
        run(make(chooser), Scripted(Schedule((), (Choice(0, 3),))))
    assert caught.value.step == 0


def test_best_effort_passes_over_what_does_not_fit():
    schedule = Schedule((Switch(0, "7"), Switch(1, "1"), Switch(99, "1")), (Choice(0, 9), Choice(50, 1)))
    trace = run(store_buffering(), Scripted(schedule, strict=False))
    assert actors(trace) == "0110"


def test_best_effort_follows_any_subset_of_a_schedule():
    program = independent()
    whole = run(program, RandomWalk(), seed=5).schedule.switches
    for left_out in range(len(whole)):
        part = whole[:left_out] + whole[left_out + 1 :]
        trace = run(program, Scripted(Schedule(part), strict=False))
        assert len(trace) == 10


def test_choices_beside_a_dense_list_are_taken_in_the_order_asked():
    trace = run(make(chooser), Scripted(["0"] * 3, choices=[2, 0, 1]))
    assert [trace.outcome[f"0:c{n}"] for n in range(3)] == [2, 0, 1]


@pytest.mark.parametrize("schedule", ["0101", 7, [0, 1], {"switches": 3}, None])
def test_what_is_no_schedule_is_refused(schedule):
    with pytest.raises(UsageError):
        Scripted(schedule)


def test_choices_beside_a_sparse_schedule_are_refused():
    with pytest.raises(UsageError):
        Scripted(Schedule(), choices=[1])
