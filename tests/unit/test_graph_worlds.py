"""Stopped worlds and indivisible sections on hosts of execution graphs."""

from __future__ import annotations

import pytest
from graph_enumeration import key_of
from graph_programs import X, Y, xadd

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.engine.graph.again import repeated
from simaie.engine.graph.layout import BeginAnew
from simaie.engine.graph.search import GraphSearch
from simaie.errors import NotModelledError, SchemeError
from simaie.host.graph_reference import GraphScMemory
from simaie.op import Kind
from simaie.prng import Random
from simaie.protocols import ExecutionInfo
from simaie.schemes.cas import CompareAndSwap
from simaie.trace import Ending

EXCLUSIVE, SECTION = ("begin_exclusive", "end_exclusive"), ("begin_section", "end_section")


def scheme_of(codes):
    """A scheme whose locked instructions perform the steps that `codes` has for their address.

    A step is an operation of the host without arguments, ``lock`` or ``unlock``, or a load, store or addition with its
    place and value. The result is made of all that was loaded.
    """

    class Steps(CompareAndSwap):
        name = "steps"

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.mutex = self.host.mutex("mutex")

        async def atomic_rmw(self, cpu, address, width, function):
            found = 0
            for name, *args in codes[address]:
                if name == "load":
                    found = found * 4 + await self.host.load(args[0], 4)
                elif name == "store":
                    await self.host.store(args[0], 4, args[1])
                elif name == "add":
                    found = found * 4 + await self.host.fetch(args[0], 4, function)
                else:
                    await getattr(self.mutex if name in ("lock", "unlock") else self.host, name)()
            return found

    return Steps


def program_of(*threads):
    """A program of locked instructions and the scheme that performs them, from the steps of each by vCPU."""
    codes, made = {}, []
    for thread in threads:
        made.append([])
        for number, steps in enumerate(thread):
            address = 0x1000 + 0x40 * len(codes)
            codes[address] = steps
            made[-1].append(xadd(address, f"r{number}"))
    return Program("steps", isa="x86", threads=made, watch={X: 4, Y: 4}), scheme_of(codes)


def generated(seed):
    """The program of a seed: two or three vCPUs, of whose instructions about half have a section."""
    random = Random(seed)
    count = 2 + (random.below(3) == 0)
    threads = []
    for vcpu in range(count):
        threads.append([])
        for _ in range(1 + random.below(2)):
            steps = [_step(random, vcpu) for _ in range(1 + random.below(3 if count == 2 else 2))]
            if random.below(2):
                begin, end = random.choice((EXCLUSIVE, SECTION))
                first = random.below(len(steps) + 1)
                last = first + random.below(len(steps) + 1 - first)
                steps = [*steps[:first], (begin,), *steps[first:last], (end,), *steps[last:]]
            threads[-1].append(steps)
    return program_of(*threads)


def _step(random, vcpu):
    place = random.choice((X, Y))
    return random.choice((("load", place), ("store", place, vcpu + 1), ("load", place), ("add", place)))


def explored(program, scheme, host="armv8", **options):
    machine = Machine(scheme, host=host, address_bits=20)
    return simaie.explore(
        program, machine, **{"scheduler": "dpor", "executions": 100_000, "failures": None, "checkers": ()} | options
    )


def states(report):
    return {str(outcome) for outcome in report.outcomes}


# -- what is ordered -------------------------------------------------------------------------------------

SIDES = [[("store", X, 1)], [("load", Y)]], [[("store", Y, 1)], [("load", X)]]


def fenced(steps, *fence):
    return [steps[0], [(name,) for name in fence], steps[1]]


@pytest.mark.parametrize(("fence", "weak"), [(EXCLUSIVE, 3), (SECTION, 4)])
def test_stopping_the_world_is_a_barrier_of_all_vcpus_and_a_section_is_one_of_its_own(fence, weak):
    """Store buffering with a barrier on one side only: the other vCPU leaves its code when the world is stopped."""
    assert len(states(explored(*program_of(*SIDES)))) == 4
    one = program_of(fenced(SIDES[0], *fence), SIDES[1])
    assert len(states(explored(*one))) == weak
    both = program_of(fenced(SIDES[0], *fence), fenced(SIDES[1], *fence))
    assert len(states(explored(*both))) == 3


@pytest.mark.parametrize(("begin", "end"), [EXCLUSIVE, SECTION])
@pytest.mark.parametrize("host", ["armv8", "rvwmo"])
def test_what_is_in_a_section_takes_effect_at_once(begin, end, host):
    writer = [[(begin,), ("store", X, 1), ("store", Y, 1), (end,)]]
    halves = states(explored(*program_of(writer, [[("load", X)], [("load", Y)]]), host))
    whole = states(explored(*program_of(writer, [[(begin,), ("load", X), ("load", Y), (end,)]]), host))
    assert len(whole) == 2
    assert len(halves) == 4 - (begin == "begin_exclusive")


def test_no_instruction_is_cut_by_a_stopped_world_but_by_a_section():
    reader = [[("load", X), ("load", Y)]]
    for (begin, end), count in ((EXCLUSIVE, 2), (SECTION, 4)):
        writer = [[(begin,), ("store", X, 1), ("store", Y, 1), (end,)]]
        assert len(states(explored(*program_of(writer, reader)))) == count


# -- against other searches ------------------------------------------------------------------------------


def found(program, scheme, host):
    """The keys of the graphs that the search finds, as a list."""
    search, keys = GraphSearch(program, Machine(scheme, host=host, address_bits=20)), []
    while True:
        try:
            if not search.advance():
                return keys
            keys.append(key_of(search.graph[0]))
            assert_sections_are_whole(search.trace().complete())
        except BeginAnew:
            keys.clear()


def assert_sections_are_whole(trace):
    """No other vCPU does anything in a section, and none is inside an instruction while the world is stopped."""
    owner, kind, inside = None, None, {}
    for event in trace.events:
        assert owner in (None, event.actor)
        if event.op.kind in (Kind.BEGIN_EXCLUSIVE, Kind.BEGIN_SECTION):
            owner, kind = event.actor, event.op.kind
        if kind is Kind.BEGIN_EXCLUSIVE:
            assert not any(left for actor, left in inside.items() if actor != owner)
        if event.op.kind in (Kind.END_EXCLUSIVE, Kind.END_SECTION):
            owner = kind = None
        number = event.instruction.number
        mine = [each for each in trace.events if each.actor == event.actor and each.instruction.number == number]
        after = mine[mine.index(event) + 1 :]
        inside[event.actor] = bool(after) and after[0].op.kind is not Kind.BEGIN_EXCLUSIVE


def compared(seed, hosts):
    program, scheme = generated(seed)
    graphs, executions = explored(program, scheme, GraphScMemory), explored(program, scheme, "sc")
    assert graphs.complete
    assert graphs.outcomes.keys() == executions.outcomes.keys()
    assert graphs.statistics.executions <= executions.statistics.executions
    for host in hosts:
        keys = found(program, scheme, host)
        assert len(keys) == len(set(keys))


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", [35, 19, 340, *range(6)])
def test_the_search_finds_the_outcomes_of_dpor_on_sc_and_no_graph_twice(seed):
    compared(seed, ["armv8"])


@pytest.mark.soak
@pytest.mark.parametrize("first", range(100, 300, 20))
def test_the_search_finds_the_outcomes_of_dpor_on_sc_for_many_programs(first):
    for seed in range(first, first + 20):
        compared(seed, ["armv8", "rvwmo"])


# -- waiting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [GraphScMemory, "armv8", "rvwmo"])
def test_a_vcpu_that_waits_inside_an_instruction_lets_nobody_stop_the_world(host):
    stopper = [[("lock",), ("begin_exclusive",), ("end_exclusive",), ("unlock",)]]
    waiter = [[("load", X), ("lock",), ("unlock",)]]
    report = explored(*program_of(stopper, waiter), host, checkers=("progress",))
    assert {failure.trace.ending for failure in report.failures} == {Ending.DEADLOCK}
    assert 0 < len(report.failures) < report.statistics.executions
    strong = explored(*program_of(stopper, waiter), "sc", checkers=("progress",))
    assert {failure.trace.ending for failure in strong.failures} == {Ending.DEADLOCK}
    first = [[("lock",), ("unlock",)]]  # that is before its instruction has begun
    assert not explored(*program_of(stopper, first), host, checkers=("progress",)).failures


def test_a_mutex_held_across_instructions_is_no_deadlock_if_another_vcpu_releases_it():
    taker = [[("load", X), ("lock",), ("unlock",)]]
    holder = [[("lock",), ("add", X), ("unlock",)]]
    stopper = [[("begin_exclusive",), ("load", X), ("end_exclusive",)]]
    program, scheme = program_of(stopper, holder, taker)
    graphs, executions = explored(program, scheme, GraphScMemory), explored(program, scheme, "sc")
    assert graphs.outcomes.keys() == executions.outcomes.keys()
    assert graphs.complete


@pytest.mark.parametrize(
    ("steps", "error", "match"),
    [
        ([("begin_exclusive",), ("begin_exclusive",)], SchemeError, "already owns"),
        ([("end_section",)], SchemeError, "does not own"),
        ([("begin_exclusive",), ("lock",)], NotModelledError, "waits with"),
        ([("begin_section",)], NotModelledError, "ends although"),
    ],
)
def test_sections_that_do_not_fit_are_refused(steps, error, match):
    with pytest.raises(error, match=match):
        explored(*program_of([steps]))


# -- schemes, schedulers, replay -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["cas", "hst", "pst", "pico-htm", "tlib"])
def test_the_schemes_that_stop_the_world_keep_exclusives_apart(scheme):
    pair = [ins("ldaxr", X, into="old"), ins("stlxr", X, 1, into="failed")]
    program = Program("pairs", isa="aarch64", threads=[pair, pair], watch={X: 4})
    report = explored(program, scheme, checkers=("llsc-atomicity",))
    assert report.verdict == "holds"
    assert {outcome.as_dict()["0:failed"] + outcome.as_dict()["1:failed"] for outcome in report.outcomes} >= {0, 1}


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize("scheduler", ["random-walk", "pct", "pos"])
def test_other_schedulers_stop_the_world_too(scheduler):
    for seed in (35, 3):
        program, scheme = generated(seed)
        every = states(explored(program, scheme))
        some = explored(program, scheme, scheduler=scheduler, executions=60)
        assert states(some) <= every
        assert len(states(some)) > 1


def test_decisions_lead_to_each_graph_with_sections():
    program, scheme = generated(24)
    machine = Machine(scheme, host="armv8", address_bits=20)
    search, count = GraphSearch(program, machine), 0
    while True:
        try:
            if not search.advance():
                break
        except BeginAnew:
            count = 0
            continue
        count += 1
        trace, outline = search.trace().complete(), search.outline(search.graph[0])
        assert repeated(program, machine, ExecutionInfo(0, 0, len(program.threads)), outline, trace.digest) is not None
    assert count == 10


def test_a_deadlock_before_a_stopped_world_replays():
    stopper = [[("lock",), ("begin_exclusive",), ("end_exclusive",), ("unlock",)]]
    program, scheme = program_of(stopper, [[("load", X), ("lock",), ("unlock",)]])
    for scheduler in ("dpor", "random-walk"):
        failure = explored(program, scheme, scheduler=scheduler, executions=50, checkers=("progress",)).failures[0]
        assert simaie.replay(failure, program=program).trace.digest == failure.trace.digest


def test_a_load_before_a_section_may_come_later_in_its_vcpu_than_one_that_reads_from_it():
    """Decisions that lead there run the section first."""
    torn, machine = corpus.program("hole-torn-16"), Machine("pst", host="armv8", address_bits=12)
    found = simaie.explore(torn, machine, scheduler="dpor").failures[0]
    script = f"scripted:schedule={found.trace.schedule.text}"
    again = simaie.explore(torn, machine, scheduler=script, executions=1).failures[0]
    assert again.trace.digest == found.trace.digest
