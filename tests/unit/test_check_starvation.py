"""An execution that a limit cut short: who was starved, and who went round in which loop. Never a proof."""

import pytest
from handmade import Tape, X, Y, kinds, run

import simaie
from simaie import Limits, Machine, Program, Scheduler, UsageError, Verdict
from simaie.check import checkers_of, judge, store_conditional_within
from simaie.check.starvation import STORE_CONDITIONAL_WITHIN, WINDOW, starvation
from simaie.host.host import Mutex
from simaie.op import Kind, Op
from simaie.trace import AccessKind, Ending

LOAD, STORE = AccessKind.LOAD, AccessKind.STORE
LINKED, CONDITIONAL = AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL


def spin(tape, vcpu, address=X):
    return tape.begin(vcpu, LOAD, "ldr", address).load(vcpu, address=address)


def spinning(vcpus="0", rounds=WINDOW):
    tape = Tape()
    for _ in range(rounds):
        for vcpu in vcpus:
            spin(tape, vcpu)
    return tape


def cut(tape, **waiting):
    """Cut short by the limit, with a plain load announced by each who is not given another operation."""
    load = Op(Kind.LOAD, None, X, 4)
    return tape.trace(Ending.STEP_LIMIT, waiting={name[1:]: op or load for name, op in waiting.items()})


def test_who_could_go_on_and_was_not_chosen_is_starved_by_the_schedule():
    tape = Tape().plain_store("1", address=Y)
    for _ in range(WINDOW):
        spin(tape, "0")
    (finding,) = starvation(cut(tape, v0=None, v1=None))
    assert (finding.kind, finding.vcpus, finding.steps) == ("starvation", ("1", "0"), (0,))
    assert finding.verdict is Verdict.INCONCLUSIVE


def test_who_waits_for_what_nobody_gave_back_is_not_starved():
    lock = Mutex("lock")
    tape = Tape().begin("0", AccessKind.ATOMIC).lock("0", lock)
    for _ in range(WINDOW):
        spin(tape, "0")
    assert "starvation" not in kinds(starvation(cut(tape, v0=None, v1=lock.lock())))


def test_who_never_gets_a_mutex_that_others_pass_on_is_starved():
    lock, tape = Mutex("lock"), Tape()
    for _ in range(WINDOW):
        tape.begin("0", AccessKind.ATOMIC).lock("0", lock).unlock("0", lock)
    (finding, *_) = starvation(cut(tape, v0=None, v1=lock.lock()))
    assert finding.kind == "starvation"
    assert "lock" in finding.message


def attempts(winner="1"):
    """vCPU 0's store-conditionals fail, those of the winner store."""
    tape, value = Tape(), 0
    for _ in range(WINDOW):
        for vcpu in "01":
            tape.begin(vcpu, LINKED, "ldrex").load(vcpu, value)
        for vcpu in "01":
            tape.begin(vcpu, CONDITIONAL, "strex")
            stored = vcpu == winner
            value += stored
            tape.op(vcpu, Op(Kind.STORE_CONDITIONAL, None, X, 4, value), int(stored))
            tape.events[-1].instruction.result = stored
    return tape


def test_whose_store_conditionals_all_fail_while_others_store_is_starved():
    (finding,) = starvation(cut(attempts(), v0=None, v1=None))
    assert (finding.kind, finding.vcpus, finding.addresses) == ("starvation", ("0", "1"), (X,))


@pytest.mark.parametrize(("length", "found"), [(1, True), (64, True), (65, False)])
def test_the_longest_loop_that_is_recognised_has_sixty_four_instructions(length, found):
    tape = Tape()
    for number in range(WINDOW):
        spin(tape, "0", X + 4 * (number % length))
    assert (kinds(starvation(cut(tape, v0=None))) == ["livelock"]) is found


def test_if_nobody_stores_it_is_a_livelock_with_its_loop():
    (finding,) = starvation(cut(attempts(winner="nobody"), v0=None, v1=None))
    assert (finding.kind, finding.vcpus) == ("livelock", ("0", "1"))
    assert finding.addresses == (X,) * 4
    assert all(word in finding.message for word in ("ldrex", "strex"))


def test_a_loop_that_changes_memory_is_work():
    tape = Tape()
    for value in range(WINDOW):
        tape.plain_store("0", value)
    assert not list(starvation(cut(tape, v0=None)))


def test_a_loop_that_writes_what_is_there_is_none():
    tape = Tape()
    for _ in range(WINDOW):
        tape.begin("0", AccessKind.ATOMIC, "xchg").op("0", Op(Kind.EXCHANGE, None, X, 4, 1), 1)
    assert kinds(starvation(cut(tape, v0=None))) == ["livelock"]


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.STEP_LIMIT])
def test_only_what_was_cut_short_is_looked_at(ending):
    assert not list(starvation(spinning().trace(ending, waiting={"0": Op(Kind.LOAD, None, X, 4)})))


def test_a_short_execution_says_nothing():
    assert not list(starvation(cut(spinning(rounds=WINDOW - 1), v0=None)))


def test_a_bound_on_failures_of_ones_own_is_a_property_that_can_be_violated():
    trace = attempts().trace()
    (finding,) = store_conditional_within(5)(trace)
    assert (finding.verdict, finding.vcpus) == (Verdict.VIOLATED, ("0",))
    assert not list(store_conditional_within(WINDOW)(trace))
    with pytest.raises(UsageError):
        store_conditional_within(0)


def test_the_bound_has_a_name_and_an_option():
    """By name it takes another bound; without one it allows 16 failures."""
    trace = attempts().trace()
    usual, five = checkers_of(["store-conditional-within", "store-conditional-within:attempts=5"])
    assert [finding.vcpus for finding in five(trace)] == [("0",)]
    assert usual is STORE_CONDITIONAL_WITHIN
    assert "16 are allowed" in next(iter(usual(trace))).message


# -- guests ------------------------------------------------------------------------------------------


async def endless(cpu):
    while await cpu.load(X) == 0:
        await cpu.store(Y, 0)  # a loop that only looks would be waited for


async def setter(cpu):
    await cpu.store(X, 1)


class FirstOnly(Scheduler):
    """As unfair as can be."""

    def choose(self, offer):
        return offer.candidates[0]


def test_an_unfair_schedule_is_told_from_a_guest_that_cannot_go_on():
    limits = Limits(steps=2 * WINDOW)
    program = Program("waits", isa="x86", threads=[endless, setter], init={X: 0})
    unfair = simaie.explore(program, Machine(limits=limits), scheduler=FirstOnly(), executions=1)
    assert (unfair.verdict, unfair.failing) == ("inconclusive", 0)
    assert "unfair" in unfair.reason
    fair = simaie.explore(program, Machine(limits=limits), scheduler="random-walk", executions=5)
    assert "unfair" not in fair.reason
    alone = Program("waits for nobody", isa="x86", threads=[endless], init={X: 0})
    report = simaie.explore(alone, Machine(limits=limits), scheduler="random-walk", executions=1)
    assert "repeats store" in report.reason


def test_an_execution_that_ended_gives_nothing_to_judge():
    assert judge(run([setter], "native", isa="x86"), [starvation]) == ()
