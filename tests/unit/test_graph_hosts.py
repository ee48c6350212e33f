"""The hosts armv8 and rvwmo: how many executions the classical shapes have, and what each is."""

from __future__ import annotations

import pytest
from graph_enumeration import graphs_of
from graph_programs import FENCE, SHAPES, X, Y, increments, load, shape, store

import simaie
from simaie import Machine, Program, ins
from simaie.corpus import catalogue as corpus
from simaie.engine.graph.search import GraphSearch
from simaie.engine.graph.walk import End, Walk
from simaie.engine.memo.lazy import operations_of
from simaie.errors import NondeterminismError, SchemeError, UsageError
from simaie.exploration.search import ExhaustiveSearch, SearchLimits
from simaie.host.graph.consistency import has_cycle
from simaie.host.graph.linear import linear, source_in
from simaie.host.graph_reference import GraphScMemory, GraphTsoMemory
from simaie.schemes.cas import CompareAndSwap
from simaie.trace import Ending

#: The graphs of each shape: without barriers on armv8, and under sequential consistency.
COUNTS = {
    "SB": (4, 3), "MP": (4, 3), "LB": (4, 3), "LB+data": (3, 3), "S": (4, 3), "R": (4, 3), "2+2W": (4, 3),
    "IRIW": (16, 15), "WRC": (8, 7),
}  # fmt: skip


def explored(program, scheme="native", host="armv8", **options):
    """An exploration by dpor to the end, without checkers; addresses are as wide as in a user's process."""
    machine = Machine(scheme, host=host, address_bits=options.pop("bits", 47))
    return simaie.explore(
        program, machine, scheduler="dpor", executions=100_000, failures=None, checkers=(), **options
    )


@pytest.mark.parametrize("name", COUNTS)
def test_each_shape_has_its_graphs(name):
    weak, strong = COUNTS[name]
    for host in ("armv8", "rvwmo"):
        report = explored(shape(name), host=host)
        assert (report.statistics.executions, report.complete) == (weak, True)
    assert explored(shape(name), host=GraphScMemory).statistics.executions == strong


@pytest.mark.parametrize(("name", "weak"), [("SB", True), ("R", True), ("MP", False), ("LB", False), ("IRIW", False)])
def test_tso_as_graphs_reorders_stores_with_later_loads_only(name, weak):
    assert explored(shape(name), host=GraphTsoMemory).statistics.executions == COUNTS[name][not weak]


@pytest.mark.parametrize(("name", "orders"), [("MP", "full"), ("LB", "ld-st"), ("S", "ld-st+st-st"), ("2+2W", "st-st")])
@pytest.mark.parametrize("host", ["armv8", "rvwmo"])
def test_the_right_barriers_leave_the_executions_of_sc(name, orders, host):
    report = explored(shape(name), f"cas:barriers={orders}", host)
    assert report.statistics.executions == 3


def test_the_barriers_of_the_guest_keep_store_buffering_away():
    fenced = [[code[0], ins("mfence"), code[1]] for code in SHAPES["SB"]]
    program = Program("SB+mfences", isa="x86", threads=fenced)
    counts = [explored(program, f"cas:barriers={b}").statistics.executions for b in ("none", "guest")]
    assert counts == [4, 3]


def test_a_dsb_of_the_guest_keeps_stores_before_all_and_what_an_emulator_emits_is_a_dmb():
    """DSB ST keeps no load before a later store; of the orders that it keeps, there is no DMB but the full one."""
    for name, count in (("SB", 3), ("LB", 4)):
        names = {"store": "str_", "load": "ldr"}
        code = [[ins(names[each.name], *each.args, into=each.into) for each in thread] for thread in SHAPES[name]]
        fenced = [[first, ins("dsb", option="st"), second] for first, second in code]
        report = explored(Program("dsb", isa="aarch64", threads=fenced), "native:reservation=exact")
        assert report.statistics.executions == count
    fenced = [[first, FENCE, second] for first, second in SHAPES["LB"]]
    for barriers, count in (("st-ld+st-st", 3), ("st-st", 4)):
        report = explored(Program("dmb", isa="x86", threads=fenced), f"cas:barriers={barriers}")
        assert report.statistics.executions == count


@pytest.mark.parametrize(
    ("name", "barriers", "host", "count"),
    [
        ("MPQ", "none", "armv8", 144), ("MPQ", "full", "armv8", 81), ("MPQ", "none", GraphScMemory, 81),
        ("LBQ", "none", "armv8", 14), ("LBQ", "full", "armv8", 8), ("LBQ", "none", GraphScMemory, 8),
        pytest.param("SBQ", "none", "armv8", 1832, marks=pytest.mark.soak),
        pytest.param("SBQ", "none", GraphScMemory, 1718, marks=pytest.mark.soak),
        pytest.param("SB+xchgs", "none", "armv8", 4096, marks=pytest.mark.soak),
        pytest.param("SB+xchgs", "none", GraphScMemory, 3072, marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_the_counts_of_aie(name, barriers, host, count):
    scheme = f"aie-rfc:barriers={barriers},inner_nodes=raced"
    assert explored(shape(name), scheme, host).statistics.executions == count


@pytest.mark.parametrize("name", ["SB", "LBQ", "MPQ"])
@pytest.mark.parametrize("scheme", ["cas", "aie-rfc", "global-lock", "native"])
def test_sequential_consistency_as_graphs_is_dpor_on_sc(name, scheme):
    graphs, executions = explored(shape(name), scheme, GraphScMemory), explored(shape(name), scheme, "sc")
    assert graphs.outcomes == executions.outcomes
    assert graphs.complete
    assert executions.complete


@pytest.mark.parametrize("scheme", ["cas", "global-lock"])
def test_the_orders_of_atomics_come_once_each(scheme):
    for count, orders in ((2, 2), (3, 6), (4, 24)):
        report = explored(increments(count), scheme)
        assert (report.statistics.executions, report.complete) == (orders, True)


def test_host_atomics_of_exclusives_are_no_barrier_although_those_of_lse_are():
    program = shape("SBQ")
    assert explored(program, "cas:barriers=full").outcomes.total() == 3
    assert explored(program, "cas:barriers=full", "armv8:atomics=llsc").outcomes.total() == 4
    with pytest.raises(UsageError, match="atomics"):
        Machine(host="armv8:atomics=some")


# -- what a graph is -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SB", "LB", "MPQ", "IRIW"])
@pytest.mark.parametrize("host", ["armv8", "rvwmo"])
def test_a_linear_order_explains_every_value(name, host):
    scheme = "cas:barriers=none"
    _, found = graphs_of(shape(name), Machine(scheme, host=host))
    for graph in found:
        assert not has_cycle(graph)
        order = linear(graph)
        for number, event in enumerate(order):
            if event in graph.source:
                assert source_in(graph, order, number) == graph.source[event]


def test_the_outcome_and_the_operations_of_a_graph_need_no_order(monkeypatch):
    def refuse(graph):
        raise AssertionError("the order was asked for")

    monkeypatch.setattr("simaie.engine.graph.trace.linear", refuse)
    assert explored(shape("MP")).statistics.executions == 4
    search = GraphSearch(shape("MP"), Machine("native", host="armv8"))
    assert search.advance()
    trace = search.trace()
    seen = set()
    operations = operations_of(trace, seen)
    assert len(trace) == len(operations) == 4
    assert operations_of(trace, seen) == []
    monkeypatch.undo()
    assert sorted(map(str, operations)) == sorted(str(event.op) for event in trace.events)


@pytest.mark.parametrize("name", ["SB", "LB", "LBQ", "MPQ", "IRIW", "2+2W"])
def test_no_graph_comes_twice(name):
    for host in ("armv8", "rvwmo"):
        _, found = graphs_of(shape(name), Machine("cas:barriers=none", host=host))
        keys = {
            (frozenset(graph.source.items()), tuple(tuple(stores) for stores in graph.coherence.values()))
            for graph in found
        }
        assert len(keys) == len(found)


def test_accesses_of_several_sizes_share_their_bytes():
    halves = [ins("load", X, width=1, into="r"), ins("load", X + 1, width=1, into="s")]
    program = Program("mixed", isa="x86", threads=[[ins("store", X, 0x0102, width=2)], halves])
    outcomes = {str(each) for each in explored(program).outcomes}
    assert outcomes == {"1:r=0 1:s=0", "1:r=0 1:s=1", "1:r=2 1:s=0", "1:r=2 1:s=1"}
    strong = {str(each) for each in explored(program, host=GraphScMemory).outcomes}
    assert strong == outcomes - {"1:r=2 1:s=0"}


# -- everything that programs have ------------------------------------------------------------------


async def _writer(cpu):
    await cpu.store(X, 1)
    await cpu.store(Y, 1)


async def _waiter(cpu):
    await cpu.wait_until(Y, lambda value: value == 1)
    cpu.observe("x", await cpu.load(X))


def test_a_wait_is_over_when_a_store_lets_it_go_on():
    program = Program("await", isa="x86", threads=[_writer, _waiter])
    for barriers, seen in (("none", {0, 1}), ("full", {1})):
        report = explored(program, f"cas:barriers={barriers}")
        assert {each["1:x"] for each in report.outcomes} == seen
        assert report.complete


async def _spinner(cpu):
    while not await cpu.load(Y):
        await cpu.pause()
    cpu.observe("x", await cpu.load(X))


def test_a_guest_that_polls_waits_for_a_change():
    report = explored(Program("spin", isa="x86", threads=[_writer, _spinner]), "cas:barriers=full")
    assert {each["1:x"] for each in report.outcomes} == {1}
    assert report.complete


async def _parent(cpu):
    await cpu.store(X, 1)

    async def child(cpu):
        cpu.observe("x", await cpu.load(X))
        await cpu.store(Y, 1)

    thread = await cpu.spawn(child)
    await cpu.join(thread)
    cpu.observe("y", await cpu.load(Y))


def test_starting_and_joining_a_thread_are_fully_ordered():
    report = explored(Program("threads", isa="x86", threads=[_parent]), "cas:barriers=none")
    assert [str(each) for each in report.outcomes] == ["0.0:x=1 0:y=1"]
    assert report.complete


async def _chooser(cpu):
    await cpu.store(X, await cpu.choose(3))


def test_each_value_of_a_choice_is_tried():
    program = Program("choice", isa="x86", threads=[_chooser, [ins("load", X, into="r")]])
    assert {each["1:r"] for each in explored(program).outcomes} == {0, 1, 2}


def test_a_deadlock_is_an_execution():
    class Leaks(CompareAndSwap):
        name = "leaks"

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.lock = self.host.mutex("lock")

        async def atomic_rmw(self, cpu, address, width, function):
            await self.lock.lock()
            return await self.host.fetch(address, width, function)

    report = simaie.explore(increments(2), Machine(Leaks, host="armv8"), scheduler="dpor", failures=None)
    assert report.statistics.executions == 2
    assert {failure.trace.ending for failure in report.failures} == {Ending.DEADLOCK}


async def _endless(cpu):
    while True:
        await cpu.store(X, 1)


def test_a_guest_that_never_ends_is_cut_and_proves_nothing():
    machine = Machine(host="armv8", limits=simaie.Limits(steps=300))
    report = simaie.explore(Program("endless", isa="x86", threads=[_endless]), machine, scheduler="dpor")
    assert (report.verdict, report.statistics.truncated) == ("inconclusive", 1)


# -- limits ---------------------------------------------------------------------------------------------


class NeverEnds(Walk):
    """A way that leads to no execution, as all after it."""

    def go(self):
        self._others(self.graph)
        return End.DEAD


def test_the_time_ends_a_search_that_finds_no_execution(monkeypatch):
    monkeypatch.setattr("simaie.engine.graph.search.Walk", NeverEnds)
    report = simaie.explore(shape("MP"), Machine("native", host="armv8"), scheduler="dpor", seconds=0.05)
    assert (report.verdict, report.statistics.executions, report.complete) == ("inconclusive", 0, False)
    search = ExhaustiveSearch(shape("MP"), Machine("native", host="armv8"), SearchLimits(seconds=0.05))
    search.run(search.trace_of, lambda: False, lambda: None)
    assert (search.executions, search.limited, search.complete) == (0, True, False)


def test_an_interrupt_loses_no_execution_that_was_found(monkeypatch):
    class Interrupted(Walk):
        def go(self):
            if self.graph.added:
                raise KeyboardInterrupt
            return super().go()

    monkeypatch.setattr("simaie.engine.graph.search.Walk", Interrupted)
    with pytest.raises(simaie.Interrupted) as caught:
        simaie.explore(shape("MP"), Machine("native", host="armv8"), scheduler="dpor")
    assert (caught.value.report.statistics.executions, caught.value.report.interrupted) == (1, True)


# -- mistakes -------------------------------------------------------------------------------------------


class Shares(CompareAndSwap):
    """Keeps what one vCPU stored in Python state, where the next one finds it."""

    name = "shares"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.last = 0

    async def store(self, cpu, address, width, value):
        self.last += 1
        await self.host.store(address, width, self.last)


def test_a_scheme_whose_vcpus_share_python_state_is_refused():
    with pytest.raises(SchemeError):
        explored(shape("2+2W"), Shares)


class Hides(CompareAndSwap):
    """Takes the number that it loads out of its dependencies."""

    name = "hides"
    usual_barriers = "guest"
    async def load(self, cpu, address, width):
        value = await self.host.load(address, width)
        return int(repr(value))


def test_a_scheme_that_hides_dependencies_is_named_with_vcpu_and_operations():
    copies, fenced = [load(X, "r"), store(Y, "r")], [load(Y, "r"), FENCE, store(X)]
    with pytest.raises(NondeterminismError, match="store of 1") as caught:
        explored(Program("copies", isa="x86", threads=[copies, fenced]), Hides)
    assert caught.value.vcpu == "0"
    assert caught.value.expected != caught.value.got


# -- schedulers, replay ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MP", "LB", "2+2W", "MPQ", "LBQ"])
def test_random_executions_reach_what_the_search_reaches(name):
    machine = Machine("cas:barriers=none", host="armv8")
    options = {"failures": None, "checkers": ()}
    found = simaie.explore(shape(name), machine, scheduler="random-walk", executions=150, **options)
    assert set(found.outcomes) == set(explored(shape(name), "cas:barriers=none").outcomes)
    assert not found.statistics.pruned


def failing(name, forbidden):
    def accepts(final):
        return dict(final.registers.items()) != forbidden

    return Program(name, isa="x86", threads=SHAPES[name], final=accepts)


@pytest.mark.parametrize(
    ("name", "forbidden"), [("MP", {"1:r": 1, "1:s": 0}), ("LB", {"0:r": 1, "1:r": 1}), ("SB", {"0:r": 0, "1:r": 0})]
)
@pytest.mark.parametrize("scheduler", ["dpor", "random-walk", "pct", "portfolio"])
def test_a_failure_replays_and_shrinks(name, forbidden, scheduler, tmp_path):
    program, machine = failing(name, forbidden), Machine("cas:barriers=none", host="armv8")
    report = simaie.explore(program, machine, scheduler=scheduler, executions=3000)
    (failure,) = report.failures
    again = simaie.replay(failure.save(tmp_path / "failure.json"), program=program)
    assert again.trace.digest == failure.trace.digest
    shrunk = failure.shrink().failure
    assert shrunk.trace.accepted is False
    assert len(shrunk.trace.schedule) <= len(failure.trace.schedule)


def test_an_execution_that_takes_every_default_is_sequentially_consistent():
    for name in ("SB", "LB", "MP", "IRIW"):
        machine = Machine("native", host="armv8")
        report = simaie.explore(shape(name), machine, scheduler="scripted:schedule=", executions=1)
        assert set(report.outcomes) <= set(explored(shape(name), host="sc").outcomes)


def test_what_took_effect_early_is_explained():
    program = failing("MP", {"1:r": 1, "1:s": 0})
    report = simaie.explore(program, Machine("cas:barriers=none", host="armv8"), scheduler="dpor")
    (failure,) = report.failures
    assert "nothing orders the" in failure.explain()


@pytest.mark.parametrize("options", [{"driver": "trio"}, {"check_determinism": True}])
def test_what_the_search_cannot_do_is_refused(options):
    machine = Machine("native", host="armv8")
    with pytest.raises(UsageError, match="execution graphs"):
        simaie.explore(shape("MP"), machine, scheduler="dpor", **options)
    with pytest.raises(UsageError, match="session"):
        simaie.interactive(shape("MP"), machine)
    report = simaie.explore(shape("MP"), machine, scheduler="random-walk", executions=20, checkers=(), **options)
    assert report.statistics.executions == 20


def test_depth_first_search_of_all_decisions_reaches_the_same_outcomes():
    for name in ("SB", "MP", "LB", "2+2W", "MPQ"):
        every = simaie.explore(
            shape(name), Machine("cas:barriers=none", host="armv8"), scheduler="dfs", checkers=(), failures=None
        )
        assert every.complete
        assert set(every.outcomes) == set(explored(shape(name), "cas:barriers=none").outcomes)


@pytest.mark.parametrize(
    "name", ["2+2w-x86-fenced-pso-none", "anderson-lock-x86", "bitmap-alias", "epochs-unfenced-x86-large"]
)
def test_corpus_programs_have_as_many_graphs_as_dpor_has_executions(name):
    program = corpus.program(name)
    for scheme in ("cas", "aie-rfc"):
        graphs = explored(program, scheme, GraphScMemory, bits=None)
        executions = explored(program, scheme, "sc", bits=None)
        assert executions.complete
        assert graphs.outcomes == executions.outcomes
