"""Shrinking: what comes out fails in the same way, is no larger, replays, and is the same every time."""

from __future__ import annotations

import pytest

import simaie
from simaie import Choice, Machine, Program, Schedule, Switch, corpus, ins
from simaie.errors import Interrupted, UsageError
from simaie.guest.cut import FINAL_CHECK, Cut
from simaie.predecessors import causal_past, predecessors
from simaie.prng import Random
from simaie.replaying.run import run as run_once
from simaie.replaying.shrink import Size
from simaie.replaying.shrink.relative_schedule import FollowSegments, segments_of
from simaie.replaying.shrink.turns import InTurns, Turn, choice_values, turns_of

X, Y = 0x100, 0x200
MACHINE = Machine("aie-rfc", address_bits=12)
WINDOW = corpus.program("first-registration-window")


def fail(program: Program, machine: Machine = MACHINE, seed: int = 0, **options) -> simaie.Failure:
    return simaie.explore(program, machine, scheduler="random-walk", seed=seed, **options).failures[0]


@pytest.fixture(scope="module", name="failure")
def fixture_failure() -> simaie.Failure:
    return fail(WINDOW)


# -- what comes out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rmw-atomicity", "final-check"])
def test_the_kind_asked_for_is_kept_and_nothing_grows(failure, kind):
    small, report = failure.shrink(kind=kind)
    assert kind in {finding.kind for finding in small.findings}
    assert report.kind == kind
    assert Size.of(small.trace) == report.after <= report.before == Size.of(failure.trace)


def test_it_is_deterministic(failure):
    first, again = failure.shrink(), failure.shrink()
    assert first.failure.trace.digest == again.failure.trace.digest
    assert first.report == again.report


def test_what_comes_out_cannot_be_shrunk_further(failure):
    small = failure.shrink().failure
    assert small.shrink().report.after == Size.of(small.trace)


@pytest.mark.untraced
def test_the_checkers_that_found_it_judge(failure):
    def odd(trace):
        return [simaie.Finding("odd", "an odd number of steps", (0,))] if len(trace) % 2 else ()

    found = simaie.explore(crowd(), Machine("none"), checkers=[odd], scheduler="random-walk")
    if not found.failures:
        found = simaie.explore(crowd([ins("load", X)]), Machine("none"), checkers=[odd], scheduler="random-walk")
    (odd_one,) = found.failures
    assert odd_one.shrink(checkers=[odd]).failure.findings[0].kind == "odd"
    assert odd_one.shrink().failure.checkers == (odd,)
    with pytest.raises(UsageError, match="checkers"):
        odd_one.shrink(checkers=["rmw-atomicity"])
    named = simaie.explore(WINDOW, MACHINE, checkers=["rmw-atomicity"], scheduler="random-walk").failures[0]
    small = named.shrink().failure
    assert {finding.kind for finding in small.findings} == {"rmw-atomicity"}
    assert small.checkers == ("rmw-atomicity",)


def as_function(items):
    async def thread(cpu):
        for item in items:
            await getattr(cpu, item.name)(*item.args)

    return thread


def random_program(seed: int) -> Program:
    """Some instructions on a few places, by the seed."""
    rng = Random(seed)

    def instruction() -> simaie.Ins:
        place = X + 4 * rng.below(2)
        shapes = [ins("ldrex", place), ins("strex", place, rng.below(9)), ins("str_", place, rng.below(9)),
                  ins("swp", place, rng.below(9)), ins("ldr", place, into="r")]
        return shapes[rng.below(len(shapes))]

    threads = [[instruction() for _ in range(2 + rng.below(4))] for _ in range(2 + rng.below(2))]
    if seed % 4 == 0:
        threads = [as_function(items) for items in threads]
    return Program(f"random-{seed}", isa="arm", threads=threads, init={X: 0, X + 4: 0})


@pytest.mark.untraced
def test_whatever_fails_shrinks_to_what_fails_alike_replays_and_is_no_larger():
    shrunk = 0
    for seed in range(20):
        scheme = ("none", "aie-rfc", "cas")[seed % 3]
        machine = Machine(scheme, host=("sc", "tso")[seed % 2], address_bits=12)
        report = simaie.explore(random_program(seed), machine, scheduler="random-walk", seed=seed, executions=40)
        for failure in report.failures:
            small, how = failure.shrink(executions=120)
            assert how.kind in {finding.kind for finding in small.findings}
            assert how.after <= how.before
            assert simaie.replay(small).trace.digest == small.trace.digest
            shrunk += 1
    assert shrunk >= 4


def test_the_budget_is_kept_and_its_end_is_said(failure):
    _, report = failure.shrink(executions=3)
    assert report.executions == 3
    assert report.exhausted


def test_ctrl_c_keeps_the_best_so_far(failure):
    sizes = []

    def impatient(spent, limit, best):
        sizes.append(best)
        if spent == 10:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        failure.shrink(progress=impatient)
    small, report = caught.value.report
    assert report.interrupted
    assert report.executions == 10
    assert Size.of(small.trace) == sizes[-1]


def test_a_shrunk_failure_replays_from_its_file(failure, tmp_path):
    small = failure.shrink().failure
    again = simaie.replay(small.save(tmp_path / "small.json"))
    assert again.trace.digest == small.trace.digest


def test_an_execution_that_does_not_fail_is_one_clear_error(failure):
    fine = simaie.replay(failure, program=Program("fine", isa="x86", threads=[[], []]), mode="best-effort")
    with pytest.raises(UsageError, match="nothing to shrink"):
        fine.shrink()


@pytest.mark.parametrize("options", [{"kind": "deadlock"}, {"executions": 0}])
def test_what_makes_no_sense_is_refused(failure, options):
    with pytest.raises(UsageError):
        failure.shrink(**options)


# -- strength ------------------------------------------------------------------------------------------


def violated(failure: simaie.Failure) -> set[str]:
    return {finding.kind for finding in (*failure.findings, *failure.strongest)}


ABA = Program("aba", isa="arm", init={X: 0},
              threads=[[ins("ldrex", X), ins("strex", X, 7)], [ins("str_", X, 1), ins("str_", X, 0)]])  # fmt: skip


@pytest.mark.parametrize("checkers", [("llsc-atomicity",), ("llsc-atomicity-strict",), ("llsc-atomicity-value",)])
@pytest.mark.parametrize("named", [False, True])
def test_the_level_at_which_it_fails_stays_whichever_checker_found_it(checkers, named):
    """Named or not, the kind that is kept says less than the level."""
    found = fail(ABA, Machine("cas"), checkers=checkers, executions=2000)
    small, report = found.shrink(kind=checkers[0] if named else None)
    assert {checkers[0], "llsc-atomicity-value"} == {*report.kept}
    assert violated(small) == {checkers[0], "llsc-atomicity-value"}
    assert small.checkers == checkers
    assert len(small.trace.instructions) == 4


def test_where_only_the_weaker_level_is_violated_that_is_enough():
    silent = Program("silent", isa="arm", threads=[ABA.threads[0], [ins("str_", X, 0)] * 3], init={X: 0})
    small, report = fail(silent, Machine("cas")).shrink()
    assert report.kept == ("llsc-atomicity",)
    assert len(small.trace.instructions) == 3


def test_the_strict_rule_is_not_the_default_kind_if_another_is_violated():
    checkers = ["llsc-atomicity-strict", "llsc-atomicity-value"]
    found = fail(ABA, Machine("cas"), checkers=checkers, executions=2000)
    assert found.findings[0].kind == "llsc-atomicity-strict"
    assert found.shrink().report.kind == "llsc-atomicity-value"


@pytest.mark.parametrize("named", [False, True])
def test_a_lost_store_stays_one_and_does_not_become_a_store_of_the_value_that_was_there(named):
    """Under an atomic instruction, as under a store-conditional."""
    stores = [ins("store", X, 0), ins("store", X, 5), ins("store", X, 0)]
    program = Program("lost", isa="x86", threads=[[ins("lock_inc", X)], stores], init={X: 0})
    report = simaie.explore(program, Machine("none"), scheduler="dfs", failures=None)
    found = report.strongest
    assert found is not None
    small, how = found.shrink(kind="rmw-atomicity" if named else None)
    assert how.kept == ("rmw-atomicity", "rmw-atomicity-value")
    assert violated(small) == {*how.kept}
    assert any(event.writes_ram and event.op.value == 5 for event in small.trace.events)
    assert [group.strength.level for group in report.signatures] == [3, 2]


def test_a_refused_outcome_stays_refused_unless_another_kind_is_named():
    found = fail(crowd(bystander), Machine("none"))
    assert found.findings[0].kind == "rmw-atomicity"
    small, report = found.shrink()
    assert {*report.kept} == violated(small) == {"rmw-atomicity", "rmw-atomicity-value", "final-check"}
    assert small.program.cuts == ()
    named, report = found.shrink(kind="rmw-atomicity")
    assert report.kept == ("rmw-atomicity", "rmw-atomicity-value")
    assert FINAL_CHECK in named.program.cuts


def test_calls_that_fit_no_order_stay_so():
    async def counting(cpu):
        async with cpu.call("add", 1) as call:
            call.returns(await cpu.lock_xadd(X, 1))

    threads = [[ins("lock_inc", Y)], [ins("lock_inc", Y)], counting, counting]
    program = Program("counting", isa="x86", threads=threads, init={X: 0, Y: 0})
    options = {"checkers": ["rmw-atomicity", "linearizable-counter"], "failures": None, "executions": 200}
    report = simaie.explore(program, Machine("none"), scheduler="random-walk", **options)
    both = [f for f in report.failures if "linearizability" in violated(f) and f.findings[0].kind == "rmw-atomicity"]
    assert both
    for found in both[:3]:
        assert violated(found.shrink().failure) >= {"rmw-atomicity", "linearizability"}


def test_a_deadlock_stays_one():
    """Its other finding takes no more than the first step."""

    def early(trace):
        return [simaie.Finding("early", "", (0,))]

    async def waits(cpu):
        await cpu.store(X, 1)
        await cpu.wait_until(Y, lambda value: value == 1)

    async def looks(cpu):
        if not await cpu.load(X):
            await cpu.store(Y, 1)

    program = Program("stuck", isa="x86", threads=[waits, looks], init={X: 0, Y: 0})
    options = {"checkers": [early, "progress"], "failures": None, "executions": 200}
    failures = simaie.explore(program, scheduler="random-walk", **options).failures
    found = next(failure for failure in failures if len(failure.findings) == 2)
    stuck = found.findings[1].kind
    small, report = found.shrink()
    assert report.kept == ("early", stuck)
    assert violated(small) == {"early", stuck}


def test_a_forbidden_outcome_is_shrunk_and_stays_the_same_outcome(tmp_path):
    """Also from its file: no comparison is made again."""
    threads = [[ins("store", X, 1), ins("load", Y, into="r")], [ins("store", Y, 1), ins("load", X, into="r")]]
    idle = [ins("store", Y + 64, 1)]
    program = Program("sb", isa="x86", threads=[*threads, idle], init={X: 0, Y: 0})
    forbidden = simaie.compare(program, host="pso", allowed_host="sc").forbidden[0].failure
    for given in (forbidden, simaie.replay(forbidden.save(tmp_path / "forbidden.json"))):
        small, report = given.shrink()
        assert {*report.kept} == {"forbidden-outcome"} <= violated(small)
        assert small.trace.outcome == given.trace.outcome
        assert small.program.cuts == ()
        assert report.after < report.before


# -- choices -------------------------------------------------------------------------------------------


def test_local_choices_that_do_not_matter_become_0_and_those_that_do_stay():
    async def chooser(cpu):
        for _ in range(3):
            await cpu.choose(2)
        if await cpu.choose(2):
            await cpu.store(X, 1)

    program = Program("choices", isa="x86", threads=[chooser], init={X: 0}, final=lambda m: m[X] == 0)
    small = fail(program, Machine()).shrink().failure
    assert small.trace.schedule == Schedule((), (Choice(3, 1),))


# -- the program ---------------------------------------------------------------------------------------


def crowd(*extra) -> Program:
    threads = [[ins("store", Y, 1), ins("lock_inc", X), ins("store", Y, 2)], [ins("lock_inc", X)], *extra]
    return Program("crowd", isa="x86", threads=threads, init={X: 0}, final=lambda m: m[X] == 2)


async def bystander(cpu):
    await cpu.store(Y, 3)


def test_vcpus_and_instructions_that_have_nothing_to_do_with_it_are_left_out():
    small = fail(crowd([ins("load", X)] * 5, bystander), Machine("none")).shrink(kind="rmw-atomicity").failure
    assert small.program.cuts == (FINAL_CHECK, Cut(0, (0, 2)), Cut(2), Cut(3))
    assert small.program.cut_from is not None


def test_instructions_of_functions_are_left_out_too():
    async def busy(cpu):
        for place in range(20):
            await cpu.lock_inc(Y + 64 * place)
        await cpu.lock_inc(X)
        for place in range(20):
            await cpu.lock_inc(Y + 64 * place)

    program = Program("busy", isa="x86", threads=[busy, busy, bystander], init={X: 0})
    small, report = fail(program, Machine("none")).shrink()
    assert report.after[2:] == (2, 4)
    assert report.executions < 100
    assert Cut(2) in small.program.cuts


def test_where_the_guests_own_algorithm_is_at_fault_only_ends_and_vcpus_are_left_out():
    """Without its lock the object would break at once, but that would say nothing of the failure that was found."""

    async def locked(cpu):
        for _ in range(3):
            while await cpu.xchg(Y, 1):
                pass
            async with cpu.call("add", 1) as call:
                call.returns(await cpu.xadd(X, 1))
            await cpu.store(Y, 0)
        async with cpu.call("add", 1) as call:
            call.returns(await cpu.xadd(X, 1))
        await cpu.load(Y)

    program = Program("careless", isa="x86", threads=[locked, locked, bystander], init={X: 0, Y: 0})
    found = fail(program, Machine(), checkers=["linearizable-counter"], executions=20_000)
    small = found.shrink(kind="linearizability").failure
    assert Cut(2) in small.program.cuts
    assert all(not cut.items for cut in small.program.cuts if cut.thread >= 0 and not cut.removes_all)


def test_of_two_findings_of_the_kind_the_one_with_the_shorter_way_is_kept():
    reader = [ins("load", Y), *[ins("load", Y + 64)] * 6, ins("load", X)]
    program = Program("races", isa="x86", threads=[[ins("store", X, 1), ins("store", Y, 1)], reader])
    found = simaie.explore(program, checkers=["data-races"], scheduler="round-robin").failures[0]
    small = found.shrink().failure
    assert Cut(1, (1, 2, 3, 4, 5, 6, 7)) in small.program.cuts


def test_behind_a_loop_the_end_is_left_out_in_ever_smaller_parts():
    loop = [ins("label", "again"), ins("load", Y, into="r"), ins("reg_lt", "r", 0, into="f"), ins("cbnz", "f", "again")]
    reader = [*loop, ins("load", X), *[ins("load", Y + 64)] * 7]
    program = Program("race", isa="x86", threads=[[ins("store", X, 1)], reader], init={Y: 0})
    found = simaie.explore(program, checkers=["data-races"], scheduler="round-robin").failures[0]
    assert Cut(1, (5, 6, 7, 8, 9, 10, 11)) in found.shrink().failure.program.cuts


def test_a_loop_is_left_out_as_a_whole_or_not_at_all():
    """With its load-linked missing, the loop would go round for ever: under this scheme, without ever taking a step."""
    attempt = [ins("label", "again"), ins("ldrex", Y), ins("strex", Y, 1, into="f"), ins("cbnz", "f", "again")]
    threads = [[*attempt, ins("ldrex", X), ins("strex", X, 1)], [*attempt, ins("str_", X, 5)]]
    program = Program("loops", isa="arm", threads=threads, init={X: 0, Y: 0})
    small = fail(program, Machine("aie-rfc", address_bits=12), executions=20_000).shrink().failure
    assert Cut(1, (0, 1, 2, 3)) in small.program.cuts
    assert Cut(0, (0, 1, 2, 3)) in small.program.cuts


def test_nothing_is_left_out_unless_allowed():
    small = fail(crowd(bystander), Machine("none")).shrink(cut=False).failure
    assert small.program.cuts == ()


def test_nothing_is_left_out_where_the_final_check_must_fail_since_it_counts_on_all_of_the_program():
    small = fail(crowd(), Machine("none")).shrink(kind="final-check").failure
    assert small.program.cuts == ()


def _buffering(trace: simaie.Trace, drain: int) -> int:
    """The step at which the store that drains at `drain` entered its buffer."""
    instruction = trace.events[drain].instruction
    return next(step for step, event in enumerate(trace.events) if event.instruction is instruction)


@pytest.mark.parametrize("host", ["tso", "pso"])
def test_drains_of_store_buffers_are_shrunk_too(host):
    """Store buffering: both loads before either drain, which the default brings about with one switch."""
    threads = [[ins("store", X, 1), ins("load", Y, into="r")], [ins("store", Y, 1), ins("load", X, into="r")]]
    program = Program("sb", isa="x86", threads=threads, final=lambda m: any(m.registers.values()))
    small, report = fail(program, Machine(host=host)).shrink()
    assert len(small.trace.schedule) <= 1
    assert report.after.switches == 1
    before = list(predecessors(small.trace.events))
    drains = [step for step, event in enumerate(small.trace.events) if "~" in event.actor]
    assert drains
    assert all(_buffering(small.trace, step) in before[step] for step in drains)


def test_a_cut_program_comes_back_from_its_file(tmp_path):
    program = corpus.program("two-sc-one-generation")
    small = fail(program, Machine("none", address_bits=12)).shrink(kind="llsc-atomicity").failure
    assert small.program.cuts
    again = simaie.replay(small.save(tmp_path / "small.json"))
    assert again.program.cuts == small.program.cuts
    assert again.trace.digest == small.trace.digest


# -- schedules as text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule((Switch(0, "1"), Switch(4, "0.1"))),
        Schedule((Switch(3, "dma0"),), (Choice(1, 2), Choice(7, 1))),
    ],
)
def test_a_schedule_reads_as_it_is_written(schedule):
    assert Schedule.parse(schedule.text) == schedule


@pytest.mark.parametrize("text", ["1", "1@", "@3", "1@x", "=a@3", "1@0,0@1"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(UsageError):
        Schedule.parse(text)


# -- the parts -----------------------------------------------------------------------------------------


def test_turns_give_the_same_execution_again(failure):
    trace = failure.trace
    again = run_once(WINDOW, MACHINE, InTurns(turns_of(trace), choice_values(trace)))
    assert again.digest == trace.digest


def test_turns_that_do_not_fit_are_passed_over():
    turns = [Turn("7", 3), Turn("1", 99), Turn("0", 1)]
    trace = run_once(WINDOW, MACHINE, InTurns(turns, ()))
    assert [turn.actor for turn in turns_of(trace)] == ["1", "0"]


def test_a_step_depends_on_what_its_vcpu_did_and_on_conflicting_steps_only():
    threads = [[ins("store", X, 1), ins("store", Y, 1)], [ins("load", X), ins("load", Y + 8)]]
    program = Program("two", isa="x86", threads=threads)
    trace = run_once(program, Machine(), InTurns([Turn("0", 1), Turn("1", 2), Turn("0", 1)], ()))
    before = [set(steps) for steps in predecessors(trace.events)]
    assert before == [set(), {0}, {1}, {0}]
    assert causal_past(before, [3]) == {0, 3}


@pytest.mark.parametrize("seed", range(10))
def test_the_landmarks_of_an_execution_lead_through_it_again(seed):
    trace = fail(WINDOW, Machine("aie-rfc"), seed=seed).trace
    again = run_once(WINDOW, Machine("aie-rfc"), FollowSegments(*segments_of(trace.events), choice_values(trace)))
    assert again.digest == trace.digest


def test_a_leg_ends_at_its_landmark_however_many_steps_that_takes():
    """Alone, the second vCPU has to make the nodes that it finds if the first has made them."""
    threads = [[ins("lock_inc", X)], [ins("lock_inc", X + 64), ins("store", Y, 1)], [ins("store", Y, 2)]]
    program = Program("nodes", isa="x86", threads=threads, init={X: 0})
    machine = Machine("aie-rfc", address_bits=47)
    whole = run_once(program, machine, InTurns([Turn("0", 99), Turn("1", 9), Turn("2", 99)], ()))
    segments, points = segments_of(whole.events)
    rest = [segment for segment in segments if segment.actor != "0"]
    without_first = run_once(program, machine, FollowSegments(rest, points, ()))

    def next_of_1(trace):
        """What vCPU 1 was about to do when vCPU 2 came in."""
        first = next(step for step, event in enumerate(trace.events) if event.actor == "2")
        return next(str(event.op) for event in trace.events[first:] if event.actor == "1")

    assert next_of_1(without_first) == next_of_1(whole)
    assert [turn.actor for turn in turns_of(without_first)][:2] == ["1", "2"]


def test_landmarks_leave_local_choices_to_their_values():
    async def chooser(cpu):
        cpu.observe("got", await cpu.choose(3))
        await cpu.store(X, 1)

    program = Program("chooser", isa="x86", threads=[chooser, bystander], init={X: 0})
    for choices, got in [((2,), 2), ((), 0), ((7,), 0)]:
        assert run_once(program, Machine(), FollowSegments([], {}, choices)).outcome["0:got"] == got
