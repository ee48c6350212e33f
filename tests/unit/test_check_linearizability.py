"""Histories of calls that no order explains are found with the call that does not fit, and no others."""

from itertools import permutations

import pytest
from handmade import Tape, X, Y
from hypothesis import given, settings
from hypothesis import strategies as st

import simaie
from simaie import Machine, Program, UsageError
from simaie.block import Block, Call
from simaie.check import CHECKERS, linearizable
from simaie.check.calls import Timed, history
from simaie.check.linearization import linearize
from simaie.check.specifications import Specification, counter, mutex, queue, register, set_, stack
from simaie.finding import Verdict
from simaie.trace import AccessKind, Ending, Fault

PENDING = "pending"


def recorded(*calls, ending=Ending.FINISHED, gaps=True, **fields):
    """A trace of calls (vCPU, begin, end, name, args, result), whose first and last steps are at those times."""
    end = max(max(b, e) for _, b, e, *_ in calls) + 1
    tape, blocks, count = Tape(), [], {}
    for time in range(end):
        marks = [c for c in calls if time in c[1:3]]
        for vcpu, begin, _, name, args, result in marks:
            number = count.get(vcpu, 0)
            count[vcpu] = number + 1
            tape.begin(vcpu, AccessKind.LOAD).load(vcpu)
            if time == begin:
                blocks.append(Call(vcpu, name, number, None, args, result, result is not PENDING))
        for vcpu, _, stop, *_ in marks:
            if time == stop:
                next(b for b in blocks if b.vcpu == vcpu and b.after is None).after = count[vcpu]
    return tape.trace(ending, blocks=tuple(blocks), **fields)


def by_hand(specification, *calls):
    return list(linearizable(specification)(recorded(*calls)))


# -- histories by hand ---------------------------------------------------------------------------------


def test_calls_that_overlap_may_take_effect_in_either_order():
    for seen in (0, 1):
        assert not by_hand(register(), ("0", 0, 3, "write", (1,), None), ("1", 1, 2, "read", (), seen))


def test_a_call_that_began_after_another_was_over_must_see_it():
    calls = ("0", 0, 1, "write", (1,), None), ("1", 2, 3, "read", (), 0)
    (finding,) = by_hand(register(), *calls)
    assert finding.kind == "linearizability"
    assert finding.verdict is Verdict.VIOLATED
    assert finding.steps == (2, 3)
    assert finding.vcpus == ("1",)
    assert "read() = 0" in finding.message
    assert not by_hand(register(), calls[0], ("1", 2, 3, "read", (), 1))


def test_the_evidence_is_the_longest_prefix_with_an_order_and_the_first_call_that_does_not_fit():
    trace = recorded(
        ("0", 0, 1, "push", (1,), None),
        ("0", 2, 3, "push", (2,), None),
        ("1", 4, 5, "pop", (), 1),  # must be 2
        ("1", 6, 7, "pop", (), 5),
    )
    found = linearize(history(trace), stack(), 1_000)
    assert [str(timed.call) for timed in found.order] == ["push(1) = None", "push(2) = None"]
    assert str(found.misfit.call) == "pop() = 1"


def test_a_pending_call_may_have_taken_effect_or_not():
    write = ("0", 0, 5, "write", (1,), PENDING)
    for seen in (0, 1):
        assert not by_hand(register(), write, ("1", 1, 2, "read", (), seen))
    assert by_hand(register(), write, ("1", 1, 2, "read", (), 1), ("1", 3, 4, "read", (), 0))
    assert by_hand(register(), write, ("1", 1, 2, "read", (), 7))


def test_a_call_without_a_step_lies_between_the_steps_around_it():
    tape = Tape().begin("0", AccessKind.LOAD).load("0").begin("1", AccessKind.LOAD).load("1")
    tape.begin("0", AccessKind.LOAD).load("0")
    calls = (Call("0", "write", 1, 1, (1,), None, True), Call("1", "read", 0, 1, (), 0, True))
    assert not list(linearizable(register())(tape.trace(blocks=calls)))


def test_blocks_that_are_no_calls_are_ignored():
    trace = Tape().begin("0", AccessKind.LOAD).load("0").trace(blocks=(Block("0", "b", 0, 1),))
    assert not list(linearizable(register())(trace))


def test_the_calls_of_each_key_are_judged_alone():
    right = [("0", 4 * i, 4 * i + 1, "add", (i,), True) for i in range(5)]
    findings = by_hand(set_(), *right, ("1", 30, 31, "contains", (3,), False), ("1", 32, 33, "contains", (4,), True))
    assert len(findings) == 1
    assert "(3,)" in findings[0].message


def test_a_call_without_a_key_makes_all_be_judged_together():
    specification = Specification("pair", 0, register().apply, key=lambda name, args: args[0] if args else None)
    assert by_hand(specification, ("0", 0, 1, "write", (1,), None), ("0", 2, 3, "read", (), 0))


SOUND_AND_WRONG = {
    "counter": (counter(), [("add", (2,), 0), ("increment", (), None), ("read", (), 3)], ("add", (1,), 2)),
    "register": (register(), [("cas", (0, 4), True), ("cas", (0, 5), False), ("read", (), 4)], ("cas", (4, 5), False)),
    "stack": (stack(), [("push", (1,), None), ("push", (2,), None), ("pop", (), 2), ("pop", (), 1)], ("pop", (), 1)),
    "queue": (queue(-1), [("enqueue", (1,), None), ("enqueue", (2,), None), ("dequeue", (), 1)], ("dequeue", (), -1)),
    "set": (set_(), [("add", (1,), True), ("add", (1,), False), ("remove", (1,), True)], ("contains", (1,), True)),
    "mutex": (mutex(), [("lock", (), None), ("try_lock", (), False), ("unlock", (), None)], ("unlock", (), None)),
}


@pytest.mark.parametrize("name", SOUND_AND_WRONG)
def test_the_ready_specifications(name):
    specification, sound, wrong = SOUND_AND_WRONG[name]
    calls = [("0", 2 * i, 2 * i + 1, *call) for i, call in enumerate([*sound, wrong])]
    assert not by_hand(specification, *calls[:-1])
    assert len(by_hand(specification, *calls)) == 1
    assert f"linearizable-{name}" in CHECKERS


# -- limits and misuse ------------------------------------------------------------------------------------


def test_a_search_that_is_cut_short_is_inconclusive_and_never_holds():
    calls = [(str(i), i, 40 + i, "write", (i,), None) for i in range(12)]
    calls.append(("99", 90, 91, "read", (), 99))
    (finding,) = linearizable(register(), limit=500)(recorded(*calls))
    assert finding.verdict is Verdict.INCONCLUSIVE
    (finding,) = linearizable(register())(recorded(*calls[:6], calls[-1]))
    assert finding.verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    "apply",
    [
        lambda state, name, args: 1 / 0,
        lambda state, name, args: state,
        lambda state, name, args: ([], None),
        lambda state, name: (state, None),
    ],
)
def test_a_specification_that_breaks_its_contract_is_one_usage_error(apply):
    with pytest.raises(UsageError, match=r"specification"):
        by_hand(Specification("bad", 0, apply), ("0", 0, 1, "read", (), None), ("0", 2, 3, "read", (), None))


def test_a_call_that_the_specification_does_not_know_is_one_usage_error_that_lists_those_it_does():
    with pytest.raises(UsageError, match=r"pop, push"):
        by_hand(stack(), ("0", 0, 1, "peek", (), None))


def test_a_key_that_raises_is_one_usage_error():
    with pytest.raises(UsageError, match=r"key"):
        by_hand(Specification("bad", 0, register().apply, key=lambda name, args: args[5]), ("0", 0, 1, "read", (), 0))


@pytest.mark.parametrize("wrong", [None, 3, register, object()])
def test_what_is_no_specification_is_one_usage_error(wrong):
    with pytest.raises(UsageError):
        linearizable(wrong)


def test_a_call_that_never_ends_in_a_finished_execution_is_one_usage_error():
    tape = Tape().begin("0", AccessKind.LOAD).load("0")
    blocks = (Call("0", "read", 0),)
    with pytest.raises(UsageError, match=r"vCPU 0"):
        list(linearizable(register())(tape.trace(blocks=blocks)))
    assert not list(linearizable(register())(tape.trace(Ending.STEP_LIMIT, blocks=blocks)))
    assert not list(linearizable(register())(tape.trace(blocks=blocks, faults=(Fault("0", 1, "it faulted"),))))


# -- against the definition ------------------------------------------------------------------------------


def explained(calls, specification):
    """By definition: some order of the completed calls and some of the pending ones fits."""
    done = [c for c in calls if c.end is not None]
    waiting = [c for c in calls if c.end is None]
    for mask in range(1 << len(waiting)):
        chosen = done + [c for i, c in enumerate(waiting) if mask >> i & 1]
        if any(_fits(order, specification) for order in permutations(chosen)):
            return True
    return False


def _fits(order, specification):
    state = specification.initial
    for place, timed in enumerate(order):
        if any(later.end is not None and later.end <= timed.begin for later in order[place + 1 :]):
            return False
        effect = specification.apply(state, timed.call.name, timed.call.args)
        if effect is None or (timed.call.completed and effect[1] != timed.call.result):
            return False
        state = effect[0]
    return True


CALLS = {
    "register": st.sampled_from([("read", (), 0), ("read", (), 1), ("write", (1,), None), ("cas", (0, 1), True)]),
    "queue": st.sampled_from(
        [("enqueue", (1,), None), ("enqueue", (2,), None), ("dequeue", (), 1), ("dequeue", (), 2)]),
    "mutex": st.sampled_from([("lock", (), None), ("unlock", (), None), ("try_lock", (), False)]),
}
SPECIFICATIONS = {"register": register(), "queue": queue(), "mutex": mutex()}


@st.composite
def histories(draw, name):
    """Up to five calls on three vCPUs, with any lengths; some pending."""
    calls, free = [], {}
    for _ in range(draw(st.integers(1, 5))):
        vcpu = draw(st.sampled_from("012"))
        begin = free.get(vcpu, 0) + draw(st.integers(0, 3))
        end = begin + draw(st.integers(0, 5))
        if end >= 100:
            continue
        call, args, result = draw(CALLS[name])
        result = PENDING if draw(st.integers(0, 5)) == 0 else result
        free[vcpu] = 100 if result is PENDING else end + 1
        if begin < 100:
            calls.append((vcpu, begin, end, call, args, result))
    return calls


@pytest.mark.untraced
@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_search_agrees_with_the_definition(name, data):
    calls = data.draw(histories(name))
    timed = history(recorded(*calls)) if calls else []
    found = linearize(timed, SPECIFICATIONS[name], 100_000)
    assert (found.verdict is Verdict.HOLDS) is explained(timed, SPECIFICATIONS[name])
    assert _fits(found.order, SPECIFICATIONS[name])
    if found.misfit is not None:
        assert explained(up_to(timed, found.misfit, returned=False), SPECIFICATIONS[name])
        assert not explained(up_to(timed, found.misfit, returned=True), SPECIFICATIONS[name])


def up_to(calls, misfit, *, returned):
    """Up to the return of `misfit`, with or without it: calls still going on may take effect, with their results."""
    cut = []
    for timed in calls:
        over = timed.end is not None and (timed.end < misfit.end or (timed is misfit and returned))
        if timed.begin < misfit.end:
            cut.append(Timed(timed.call, timed.begin, timed.end if over else None, timed.steps))
    return cut


# -- guests under schemes --------------------------------------------------------------------------------


async def push(cpu, node):
    async with cpu.call("push", node) as call:
        while True:
            await cpu.str_(Y + 4 * node, await cpu.ldrex(X))
            if not await cpu.strex(X, node):
                break
        call.returns()


async def pop(cpu):
    async with cpu.call("pop") as call:
        while True:
            head = await cpu.ldrex(X)
            if head == 0:
                call.returns(None)
                return 0
            after = await cpu.ldr(Y + 4 * head)
            if not await cpu.strex(X, after):
                break
        call.returns(head)
    return head


async def popper(cpu):
    await pop(cpu)


async def pops_and_returns(cpu):
    first = await pop(cpu)
    await pop(cpu)
    if first:
        await push(cpu, first)


async def _then_pops(cpu):
    await pops_and_returns(cpu)
    await pop(cpu)


#: A Treiber stack of nodes 3, 2, 1: A-B-A is that 3 comes back while another pop still holds what was below it.
NODES = {X: 3, Y + 4: 0, Y + 8: 1, Y + 12: 2}
FULL = Specification("stack of three", (1, 2, 3), stack().apply)


@pytest.mark.parametrize(("scheme", "violated"), [("native", False), ("cas", True)])
def test_a_treiber_stack_breaks_by_a_b_a_under_compare_and_swap_only(scheme, violated):
    program = Program("treiber", isa="arm", threads=[popper, _then_pops], init=NODES)
    checkers = [linearizable(FULL)]
    report = simaie.explore(program, Machine(scheme), scheduler="dfs:preemptions=2", checkers=checkers)
    assert [f.kind for failure in report.failures for f in failure.findings] == ["linearizability"] * violated
    assert report.executions > 10


async def increments(cpu):
    async with cpu.call("add", 1) as call:
        call.returns(await cpu.load(X))
        await cpu.store(X, await cpu.load(X) + 1)


async def adds(cpu):
    async with cpu.call("add", 1) as call:
        call.returns(await cpu.lock_xadd(X, 1))


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize(("guest", "verdict"), [(increments, "violated"), (adds, "holds")])
def test_a_counter_by_load_and_store_is_none(guest, verdict, driver):
    program = Program("counter", isa="x86", threads=[guest, guest], init={X: 0})
    checkers = ["linearizable-counter"]
    assert simaie.explore(program, scheduler="dfs", checkers=checkers, driver=driver).verdict == verdict


def test_dpor_does_not_prove_what_depends_on_the_order_of_steps_that_do_not_conflict():
    program = Program("counter", isa="x86", threads=[adds, adds], init={X: 0})
    assert simaie.explore(program, scheduler="dpor", checkers=["linearizable-counter"]).verdict == "inconclusive"
