"""Misuse of the API: each mistake is a UsageError that says what is wrong, and never an exception of Python's own.

A row is the call, and words that its message must have: the argument or the place, so that it says where.
"""

from __future__ import annotations

import asyncio

import pytest

import simaie
from simaie import Choice, Ins, Limits, Machine, Page, Program, Schedule, Switch, UsageError, explore, ins
from simaie.errors import (
    ForeignAwaitError,
    GuestError,
    HostError,
    Interrupted,
    SchedulerError,
    SchemeError,
    SimaieError,
)
from simaie.exploration.barriers import minimal_barriers
from simaie.guest.cut import Cut, without
from simaie.protocols import Scheduler
from simaie.schemes.scheme import Scheme

X = 0x1000


async def stores(cpu):
    await cpu.store(X, 1)


async def takes_nothing():
    pass


async def chooses(cpu):
    await cpu.choose(3)
    await cpu.store(X, 1)


def program(**given):
    return Program(**{"name": "victim", "isa": "arm", "threads": [stores], **given})


def run(*args, **given):
    return explore(program(), *args, **{"executions": 2, **given})


def run_of(**given):
    return explore(program(**given), executions=2)


def final(function):
    return run_of(final=function)


def session(**given):
    return simaie.interactive(program(**given))


@pytest.fixture(scope="module")
def failure():
    return explore(program(final=lambda state: state[X] == 2), executions=1).failures[0]


#: (call, words of the message)
PROGRAMS = [
    (lambda: program(name=None), "a name"),
    (lambda: program(name=3), "a name"),
    (lambda: program(isa=None), "instruction set"),
    (lambda: program(isa=["arm"]), "instruction set"),
    (lambda: program(isa="z80"), "'z80'"),
    (lambda: program(threads=None), "threads of program 'victim'"),
    (lambda: program(threads=3), "threads of program 'victim'"),
    (lambda: program(threads=stores), "threads of program 'victim'"),
    (lambda: program(threads="ab"), "threads of program 'victim'"),
    (lambda: program(threads={stores}), "threads of program 'victim'"),
    (lambda: program(threads={0: stores}), "threads of program 'victim'"),
    (lambda: program(threads=[]), "has no threads"),
    (lambda: program(threads=[None]), "thread 0 of program 'victim'"),
    (lambda: program(threads=[int]), "thread 0 of program 'victim'"),
    (lambda: program(threads=[lambda cpu: None]), "thread 0 of program 'victim'"),
    (lambda: program(threads=[["load"]]), "item 0 is 'load'"),
    (lambda: program(init=[X]), "init of program 'victim'"),
    (lambda: program(init=[(X, 1)]), "init of program 'victim'"),
    (lambda: program(init=5), "init of program 'victim'"),
    (lambda: program(init={"x": 1}), "an address in init"),
    (lambda: program(init={True: 1}), "an address in init"),
    (lambda: program(init={-1: 1}), "an address in init"),
    (lambda: program(init={1 << 64: 1}), "an address in init"),
    (lambda: program(init={X: "x"}), "the value at 0x1000"),
    (lambda: program(init={X: None}), "the value at 0x1000"),
    (lambda: program(init={X: 1.5}), "the value at 0x1000"),
    (lambda: program(init={X: (1,)}), "the value at 0x1000"),
    (lambda: program(init={X: (1, 2, 3)}), "the value at 0x1000"),
    (lambda: program(init={X: (1, 3)}), "the value at 0x1000"),
    (lambda: program(init={X: (1, [4])}), "the value at 0x1000"),
    (lambda: program(init={X: (1, True)}), "the value at 0x1000"),
    (lambda: program(final=3), "the final check of program 'victim'"),
    (lambda: program(final="s[X] == 1"), "the final check of program 'victim'"),
    (lambda: final(lambda state: "yes"), "the final check of program 'victim'"),
    (lambda: final(lambda state: state["x"] == 1), "the address that the final check reads"),
    (lambda: final(lambda state: state[1.5] == 1), "the address that the final check reads"),
    (lambda: final(lambda state: state[-4] == 0), "the address that the final check reads"),
    (lambda: final(lambda state: state.read(X, width=3) == 1), "the width that the final check reads"),
    (lambda: program(watch=[X]), "watch of program 'victim'"),
    (lambda: program(watch=X), "watch of program 'victim'"),
    (lambda: program(watch={"x": 4}), "an address in watch"),
    (lambda: program(watch={-4: 4}), "an address in watch"),
    (lambda: program(watch={True: 4}), "an address in watch"),
    (lambda: program(watch={X: 0}), "the location at 0x1000"),
    (lambda: program(watch={X: "4"}), "the location at 0x1000"),
    (lambda: program(watch={X: True}), "the location at 0x1000"),
    (lambda: program(pages=[Page(0)]), "pages of program 'victim'"),
    (lambda: program(pages={"x": Page(0)}), "a page's address"),
    (lambda: program(pages={X: 0x2000}), "page 0x1000 of program 'victim'"),
    (lambda: program(pages={X + 1: Page(0)}), "page 0x1001 of program 'victim'"),
    (lambda: program(pages={-4096: Page(0)}), "a page's address"),
    (lambda: Page("x"), "the frame of a page"),
    (lambda: Page(None), "the frame of a page"),
    (lambda: Page(5), "the frame of a page"),
    (lambda: Page(-4096), "the frame of a page"),
    (lambda: Page(X, writable="no"), "writable"),
    (lambda: Page(X, present=3), "present"),
    (lambda: program(devices=stores), "devices of program 'victim'"),
    (lambda: program(devices=None), "devices of program 'victim'"),
    (lambda: program(devices=[3]), "device 0 of program 'victim'"),
    (lambda: program(devices=[[ins("load", X)]]), "device 0 of program 'victim'"),
    (lambda: program(description=3), "description of program 'victim'"),
    (lambda: program(checkers="progress"), "checkers of program 'victim'"),
    (lambda: program(checkers=None), "checkers of program 'victim'"),
    (lambda: program(checkers=lambda trace: ()), "checkers of program 'victim'"),
    (lambda: run_of(checkers=[3]), "a checker is a function of a trace"),
    (lambda: ins(5), "the name of an instruction"),
    (lambda: ins(None), "the name of an instruction"),
    (lambda: program(threads=[[ins("nonsense")]]), "thread 0 of program 'victim', item 0"),
    (lambda: ins("load", 1.5), "operand 0 of 'load'"),
    (lambda: ins("load", None), "operand 0 of 'load'"),
    (lambda: ins("load", [X]), "operand 0 of 'load'"),
    (lambda: ins("store", X, True), "operand 1 of 'store'"),
    (lambda: ins("load", X, into=5), "into of 'load'"),
    (lambda: Ins("load", [X]), "args of 'load'"),
    (lambda: Ins("load", X), "args of 'load'"),
    (lambda: Ins("load", (X,), None, 3), "options of 'load'"),
    (lambda: Ins("load", (X,), None, (3,)), "an option of 'load'"),
    (lambda: program(threads=[[ins("label", 3)]]), "item 0: label"),
    (lambda: program(threads=[[ins("branch", "x")]]), "no label 'x'"),
    (lambda: Cut.parse(None), "a cut"),
    (lambda: Cut.parse("x"), "a cut"),
    (lambda: without(None, []), "program"),
    (lambda: without(program(), 5), "cuts"),
    (lambda: without(program(), ["0"]), "a cut"),
    (lambda: without(program(), [Cut("0")]), "the thread of a cut"),
    (lambda: without(program(), [Cut(5)]), "no thread 5"),
]

MACHINES = [
    (lambda: Machine(5), "scheme must be a name"),
    (lambda: Machine((5, {})), "scheme must be a name"),
    (lambda: Machine(host=(5, {})), "host must be a name"),
    (lambda: Machine(None), "scheme must be a name"),
    (lambda: Machine(["cas"]), "scheme must be a name"),
    (lambda: Machine("aie-rcf"), "did you mean 'aie-rfc'"),
    (lambda: Machine(("cas", 3)), "the options of 'cas'"),
    (lambda: Machine(("cas", ["x"])), "the options of 'cas'"),
    (lambda: Machine(("cas", {3: 4})), "an option's name"),
    (lambda: run(Machine("cas:colour=red")), "'colour'"),
    (lambda: run(Machine("cas:self=1")), "'self'"),
    (lambda: run(Machine("cas:host=1")), "'host'"),
    (lambda: run(Machine("cas:pages=1")), "'pages'"),
    (lambda: run(Machine("cas:machine=1")), "'machine'"),
    (lambda: run(Machine("aie-rfc:granule=x")), "granule"),
    (lambda: run(Machine("cas:barriers=7")), "barriers"),
    (lambda: run(Machine(int)), "int"),
    (lambda: run(Machine(object())), "scheme must be a name"),
    (lambda: run(Machine(lambda *args: 3)), "a scheme must derive from simaie.Scheme"),
    (lambda: run(Machine(lambda: 3)), "cannot be made"),
    (lambda: Machine(host=5), "host must be the name"),
    (lambda: Machine(host=None), "host must be the name"),
    (lambda: Machine(host="ram"), "unknown host 'ram'"),
    (lambda: Machine(host_word="64"), "host_word"),
    (lambda: Machine(host_word=[64]), "host_word"),
    (lambda: Machine(full_system="no"), "full_system"),
    (lambda: Machine(address_bits="32"), "address_bits"),
    (lambda: Machine(address_bits=True), "address_bits"),
    (lambda: Machine(endian=["little"]), "endian"),
    (lambda: Machine(limits=5), "limits"),
    (lambda: Machine(limits={"steps": 5}), "limits"),
    (lambda: Limits(steps="5"), "steps"),
    (lambda: Limits(steps=True), "steps"),
    (lambda: Limits(threads=1.5), "threads"),
    (lambda: Limits(spin_seconds="1"), "spin_seconds"),
    (lambda: Limits(spin_seconds=float("nan")), "spin_seconds"),
    (lambda: Limits(spin_seconds=-1), "spin_seconds"),
]

CALLS = [
    (lambda: explore(None), "program must be a simaie.Program"),
    (lambda: explore("first-registration-window"), "program must be a simaie.Program"),
    (lambda: explore(stores), "program must be a simaie.Program"),
    (lambda: run("cas"), "machine must be a simaie.Machine"),
    (lambda: run(machine=False), "machine must be a simaie.Machine"),
    (lambda: run(Machine), "machine must be a simaie.Machine"),
    (lambda: run(scheduler=5), "scheduler must be"),
    (lambda: run(scheduler=None), "scheduler must be"),
    (lambda: run(scheduler=int), "scheduler must be"),
    (lambda: run(scheduler="dfss"), "unknown scheduler 'dfss'"),
    (lambda: run(scheduler=Scheduler), "lacks the method 'choose'"),
    (lambda: run(scheduler=("dfs", 3)), "the options of 'dfs'"),
    (lambda: run(scheduler="dfs:self=1"), "'self'"),
    (lambda: run(scheduler="dfs:preemptions=x"), "preemptions"),
    (lambda: run(scheduler="pct:depth=x"), "depth"),
    (lambda: run(scheduler=("scripted", {"schedule": 5})), "schedule"),
    (lambda: run(scheduler=("scripted", {"schedule": Schedule((Switch("x", 1),))})), "a schedule has Switch"),
    (lambda: run(scheduler=("scripted", {"schedule": Schedule((), (Choice(0, "x"),))})), "a schedule has Choice"),
    (lambda: run(seed="x"), "seed"),
    (lambda: run(seed=None), "seed"),
    (lambda: run(seed=True), "seed"),
    (lambda: run(seed=1.0), "seed"),
    (lambda: run(executions="many"), "executions"),
    (lambda: run(executions=None), "executions"),
    (lambda: run(executions=0), "executions"),
    (lambda: run(seconds="1"), "seconds"),
    (lambda: run(seconds=0), "seconds"),
    (lambda: run(failures="all"), "failures"),
    (lambda: run(checkers=None), "checkers"),
    (lambda: run(checkers=5), "checkers"),
    (lambda: run(checkers="progress"), "checkers"),
    (lambda: run(checkers=lambda trace: ()), "checkers"),
    (lambda: run(checkers=[None]), "a checker is a function of a trace"),
    (lambda: run(checkers=["nope"]), "'nope'"),
    (lambda: run(checkers=[lambda: ()]), "the checker"),
    (lambda: run(checkers=[lambda trace: None]), "the checker"),
    (lambda: run(checkers=[lambda trace: "bad"]), "the checker"),
    (lambda: run(driver="asyncio"), "driver"),
    (lambda: run(driver=["inline"]), "driver"),
    (lambda: run(coverage="no"), "coverage"),
    (lambda: run(check_determinism="no"), "check_determinism"),
    (lambda: run(progress=5), "progress"),
    (lambda: run(progress="yes"), "progress"),
    (lambda: simaie.compare(None), "must be a Program"),
    (lambda: simaie.compare(5), "must be a Program"),
    (lambda: simaie.compare(program(), 5), "scheme must be a name"),
    (lambda: simaie.compare(program(), machine="cas"), "machine must be a simaie.Machine"),
    (lambda: simaie.compare(program(), "cas", machine=Machine()), "not both"),
    (lambda: simaie.compare(program(), host=5), "host must be the name"),
    (lambda: simaie.compare(program(), allowed_host=5), "host must be the name"),
    (lambda: simaie.compare(program(), single_copy=5), "single_copy"),
    (lambda: simaie.compare(program(), spurious_failures="maybe"), "spurious_failures"),
    (lambda: simaie.compare(program(), executions="many"), "executions"),
    (lambda: simaie.compare(program(), executions=None), "executions"),
    (lambda: simaie.compare(program(), seconds="x"), "seconds"),
    (lambda: simaie.compare(program(), progress=5), "progress"),
    (lambda: minimal_barriers(None, host="tso"), "programs"),
    (lambda: minimal_barriers(5, host="tso"), "programs"),
    (lambda: minimal_barriers(program(), host="tso"), "programs"),
    (lambda: minimal_barriers([5], host="tso"), "must be a Program"),
    (lambda: minimal_barriers([program()], host=5), "host must be the name"),
    (lambda: minimal_barriers([program()], machine="cas"), "machine must be a simaie.Machine"),
    (lambda: minimal_barriers([program()], host="tso", executions="x"), "executions"),
    (lambda: minimal_barriers([program()], host="tso", progress=5), "progress"),
    (lambda: simaie.interactive(None), "program must be a simaie.Program"),
    (lambda: simaie.interactive(program(), "cas"), "machine must be a simaie.Machine"),
    (lambda: simaie.interactive(program(), checkers=None), "checkers"),
    (lambda: simaie.interactive(program(), driver="x"), "driver"),
    (lambda: session().step("9"), "9"),
    (lambda: session().step(None), "None"),
    (lambda: session(threads=[chooses]).choose("x"), "the choice at step 0"),
    (lambda: session(threads=[chooses]).choose([1]), "the choice at step 0"),
    (lambda: session(threads=[chooses]).choose(True), "the choice at step 0"),
    (lambda: session().run(5), "scheduler must be"),
    (lambda: session().run(steps="x"), "steps"),
    (lambda: session().run(seed="x"), "seed"),
    (lambda: session().undo("x"), "steps"),
    (lambda: session().undo(None), "steps"),
    (lambda: session().save(None), "path"),
    (lambda: simaie.replay(None), "must be a path"),
    (lambda: simaie.replay(5), "must be a path"),
    (lambda: simaie.replay(b"failure.json"), "must be a path"),
    (lambda: Schedule.parse(None), "a schedule's text"),
    (lambda: Schedule.parse(5), "a schedule's text"),
    (lambda: Schedule.parse("nonsense"), "a schedule is spelt"),
    (lambda: Schedule.parse("1@-1"), "a schedule is spelt"),
    (lambda: Schedule.parse("=\u00b2@1"), "a schedule is spelt"),
    (lambda: Schedule.parse("1@" + "9" * 5000), "a schedule is spelt"),
    (lambda: Schedule("1@0"), "Schedule.parse"),
    (lambda: Schedule(5), "Schedule.parse"),
]

FAILURES = [
    (lambda failure: simaie.replay(failure, program=5), "program"),
    (lambda failure: simaie.replay(failure, machine="cas"), "machine must be a simaie.Machine"),
    (lambda failure: simaie.replay(failure, driver="x"), "driver"),
    (lambda failure: simaie.replay(failure, mode="gently"), "mode"),
    (lambda failure: simaie.replay(failure, checkers=5), "checkers"),
    (lambda failure: failure.save(None), "path"),
    (lambda failure: failure.save(5.0), "path"),
    (lambda failure: failure.shrink(kind=5), "5"),
    (lambda failure: failure.shrink(executions="x"), "executions"),
    (lambda failure: failure.shrink(checkers=5), "checkers"),
    (lambda failure: failure.render("nope"), "'nope'"),
    (lambda failure: failure.render(5), "5"),
    (lambda failure: failure.trace.plot_conflicts(granule=0), "a granule"),
    (lambda failure: failure.trace.plot_conflicts(granule="x"), "a granule"),
]

#: (what the guest awaits, words of the message)
GUESTS = [
    (lambda cpu: cpu.load("x"), "address"),
    (lambda cpu: cpu.load(None), "address"),
    (lambda cpu: cpu.load(4096.0), "address"),
    (lambda cpu: cpu.load(True), "address"),
    (lambda cpu: cpu.load([X]), "address"),
    (lambda cpu: cpu.load(X, width=3), "width"),
    (lambda cpu: cpu.load(X, width=0), "width"),
    (lambda cpu: cpu.load(X, width=32), "width"),
    (lambda cpu: cpu.load(X, width=-4), "width"),
    (lambda cpu: cpu.load(X, width="4"), "width"),
    (lambda cpu: cpu.load(X, width=None), "width"),
    (lambda cpu: cpu.load(X, width=True), "width"),
    (lambda cpu: cpu.load(X, width=4.0), "width"),
    (lambda cpu: cpu.store(X, "v"), "value"),
    (lambda cpu: cpu.store(X, None), "value"),
    (lambda cpu: cpu.store(X, 1.0), "value"),
    (lambda cpu: cpu.store(X, [1]), "value"),
    (lambda cpu: cpu.str_(X, "v"), "value"),
    (lambda cpu: cpu.swp(X, "v"), "value"),
    (lambda cpu: cpu.ldrex(X, width=3), "width"),
    (lambda cpu: cpu.dmb(5), "kind"),
    (lambda cpu: cpu.join(3), "join"),
    (lambda cpu: cpu.join(None), "join"),
    (lambda cpu: cpu.join("0"), "join"),
    (lambda cpu: cpu.spawn(3), "spawn"),
    (lambda cpu: cpu.spawn(None), "spawn"),
    (lambda cpu: cpu.spawn([ins("load", X)]), "spawn"),
    (lambda cpu: cpu.wait_until(X, 1), "wait_until"),
    (lambda cpu: cpu.wait_until(X, None), "wait_until"),
    (lambda cpu: cpu.wait_until("x", lambda value: True), "address"),
    (lambda cpu: cpu.wait_until(X, lambda value: True, width=3), "width"),
    (lambda cpu: cpu.choose("x"), "choose"),
    (lambda cpu: cpu.choose(0), "choose"),
    (lambda cpu: cpu.choose(2.0), "choose"),
    (lambda cpu: cpu.choose(True), "choose"),
    (lambda cpu: cpu.choose(None), "choose"),
    (lambda cpu: cpu.choose(2, 3), "what is chosen"),
    (lambda cpu: cpu.observe("r", "x"), "observed as 'r'"),
    (lambda cpu: cpu.observe("r", None), "observed as 'r'"),
    (lambda cpu: cpu.observe("r", [1]), "observed as 'r'"),
    (lambda cpu: cpu.observe(3, 1), "the name of what is observed"),
    (lambda cpu: cpu.map_page("x", Page(0)), "the address of a page"),
    (lambda cpu: cpu.map_page(X, 5), "map_page"),
    (lambda cpu: cpu.map_page(X, None), "map_page"),
    (lambda cpu: cpu.exception(5), "the cause of an exception"),
    (lambda cpu: cpu.atomic(5).__aenter__(), "5"),
    (lambda cpu: cpu.loda(X), "'loda'"),
]


def named(rows):
    return [pytest.param(call, words, id=f"{number}-{words}") for number, (call, words) in enumerate(rows)]


def test_the_table_is_not_empty():
    assert len(PROGRAMS) + len(MACHINES) + len(CALLS) + len(FAILURES) + len(GUESTS) > 250


@pytest.mark.parametrize(("call", "words"), named(PROGRAMS + MACHINES + CALLS))
def test_a_misuse_is_a_usage_error_that_names_the_argument(call, words):
    with pytest.raises(UsageError) as raised:
        call()
    assert words in str(raised.value)


@pytest.mark.parametrize(("call", "words"), named(FAILURES))
def test_a_misuse_of_a_failure_is_a_usage_error(call, words, failure):
    with pytest.raises(UsageError) as raised:
        call(failure)
    assert words in str(raised.value)


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize("scheme", ["native", "aie-rfc"])
@pytest.mark.parametrize(("call", "words"), named(GUESTS))
def test_an_operand_that_is_none_is_a_usage_error_in_the_guests_line(call, words, scheme, driver):
    async def guest(cpu):
        awaitable = call(cpu)
        if awaitable is not None:
            await awaitable

    victim = program(threads=[guest], init={X: 0})
    with pytest.raises(UsageError) as raised:
        explore(victim, Machine(scheme), executions=2, driver=driver)
    assert words in str(raised.value)


def test_the_message_names_vcpu_and_line():
    async def guest(cpu):
        await cpu.load(X, width=3)

    line = guest.__code__.co_firstlineno + 1
    with pytest.raises(UsageError) as raised:
        explore(program(threads=[stores, guest]), executions=1)
    assert f"vCPU 1 at {__file__}:{line}: load: width" in str(raised.value)


def test_a_device_is_told_too():
    async def device(dev):
        await dev.dma_write(X, "v")

    with pytest.raises(UsageError, match="vCPU dma0: dma-write: value"):
        run_of(devices=[device])


def test_what_makes_sense_still_runs():
    async def guest(cpu):
        await cpu.store(X, True)
        await cpu.load(0, width=1)
        await cpu.load(1, width=1)
        cpu.observe("seen", await cpu.load(X) == 1)

    report = explore(program(threads=[guest], init={X: True}, watch={X: 1}), scheduler="dfs")
    assert report.verdict == "holds"
    (outcome,) = report.outcomes
    assert dict(outcome.items) == {"0:seen": 1, f"[{X:#x}]": 1}


def test_an_address_that_is_no_place_is_a_guest_fault():
    async def guest(cpu):
        await cpu.load(-4)

    report = explore(program(threads=[guest]), scheduler="dfs")
    assert [finding.kind for finding in report.failures[0].findings] == ["guest-fault"]


def test_a_thread_whose_function_takes_no_vcpu_is_named():
    with pytest.raises(GuestError, match="vCPU 0 cannot begin"):
        run_of(threads=[takes_nothing])


def test_a_spawned_function_that_is_no_coroutine_function_is_named():
    async def guest(cpu):
        await cpu.spawn(lambda child: None)

    with pytest.raises(GuestError, match=r"vCPU 0\.0 cannot begin"):
        run_of(threads=[guest])


@pytest.mark.parametrize("predicate", [lambda: True, lambda value: value["x"]])
def test_a_predicate_that_raises_is_the_guests(predicate):
    async def guest(cpu):
        await cpu.wait_until(X, predicate)

    with pytest.raises(GuestError, match="wait_until of vCPU 0"):
        run_of(threads=[guest])


# --- what does not derive from Exception ---------------------------------------------------------------


class Odd(BaseException):
    """Something of the user's own."""


ODD = [SystemExit(0), GeneratorExit(), Odd("odd"), RuntimeError("usual")]


def anew(error):
    """The same without the traceback of where it was raised before."""
    return type(error)(*error.args)


class FailingScheduler(Scheduler):
    """Raises in one of its methods."""

    def __init__(self, error, method):
        self.error, self.method = error, method

    def _maybe(self, method):
        if method == self.method:
            raise anew(self.error)

    def start(self, info):
        self._maybe("start")

    def choose(self, offer):
        self._maybe("choose")
        return offer.default

    def finish(self, trace):
        self._maybe("finish")

    def profile(self):
        self._maybe("profile")
        return {}


def failing_scheme(error, method):
    class Failing(Scheme):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            if method == "__init__":
                raise anew(error)

        def enter(self, cpu):
            if method == "enter":
                raise anew(error)

        async def store(self, cpu, address, width, value):
            if method == "store":
                raise anew(error)
            await self.host.store(address, width, value)

        async def thread_exit(self, cpu):
            if method == "thread_exit":
                raise anew(error)

    return Failing


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize("error", ODD, ids=repr)
class TestWhoRaised:
    """Whatever is raised, the error says who raised it, and no verdict is returned."""

    def test_guest(self, error, driver):
        async def guest(cpu):
            await cpu.store(X, 1)
            raise anew(error)

        with pytest.raises(GuestError, match=f"the guest of vCPU 1 raised {type(error).__name__}"):
            explore(program(threads=[stores, guest]), executions=1, driver=driver)

    def test_scheme(self, error, driver):
        for method in ("enter", "store", "thread_exit"):
            with pytest.raises(SchemeError, match=rf"Failing\.{method} raised {type(error).__name__}"):
                explore(program(), Machine(failing_scheme(error, method)), executions=1, driver=driver)
        with pytest.raises(SimaieError, match=f"Failing.* raised {type(error).__name__}.* when it was made"):
            explore(program(), Machine(failing_scheme(error, "__init__")), executions=1, driver=driver)

    def test_scheduler(self, error, driver):
        for method in ("start", "choose", "finish", "profile"):
            scheduler = FailingScheduler(error, method)
            with pytest.raises(SchedulerError, match=rf"FailingScheduler\.{method} raised {type(error).__name__}"):
                explore(program(threads=[stores, stores]), executions=1, scheduler=scheduler, driver=driver)

    def test_final_check(self, error, driver):
        def check(state):
            raise anew(error)

        with pytest.raises(GuestError, match=f"the final check of 'victim' raised {type(error).__name__}"):
            explore(program(final=check), executions=1, driver=driver)

    def test_checker(self, error, driver):
        def judges(trace):
            raise anew(error)

        with pytest.raises(UsageError, match=f"the checker 'judges' raised {type(error).__name__}"):
            explore(program(), executions=1, checkers=[judges], driver=driver)


# -- operands of instructions that a guest calls ------------------------------------------------------

WRONG_OPERANDS = {
    "lock_xadd: address": lambda cpu: cpu.lock_xadd("here", 1),
    "lock_xadd: value": lambda cpu: cpu.lock_xadd(X, "one"),
    "add: address": lambda cpu: cpu.add("here", 1),
    "lock_cmpxchg: address": lambda cpu: cpu.lock_cmpxchg("here", 0, 1),
    "lock_bts: address": lambda cpu: cpu.lock_bts("here", 1),
    "xchg: address": lambda cpu: cpu.xchg("here", 1),
    "store: address": lambda cpu: cpu.store("here", 1),
}


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize("words", WRONG_OPERANDS)
def test_a_wrong_operand_names_the_instruction_that_was_called(words, driver):
    async def guest(cpu):
        await WRONG_OPERANDS[words](cpu)

    with pytest.raises(UsageError) as caught:
        explore(program(isa="x86", threads=[guest]), executions=1, driver=driver)
    assert words in str(caught.value)


@pytest.mark.parametrize(("value", "wrapped"), [(-1, 255), (256, 0), (2**70 + 5, 5)])
def test_of_a_value_the_bytes_of_the_width_count_in_every_kind_of_access(value, wrapped):
    seen = set()

    async def guest(cpu):
        await cpu.store(X, value, width=1)
        seen.add(await cpu.load(X, width=1))
        for instruction in (cpu.lock_xadd, cpu.xadd, cpu.lock_add):
            await cpu.store(X, 0, width=1)
            await instruction(X, value, width=1)
            seen.add(await cpu.load(X, width=1))
        await cpu.store(X, 0, width=1)
        await cpu.lock_cmpxchg(X, 0, value, width=1)
        seen.add(await cpu.load(X, width=1))

    explore(program(isa="x86", threads=[guest]), executions=1)
    assert seen == {wrapped}


@pytest.mark.parametrize("driver", ["inline", "trio"])
@pytest.mark.parametrize("seconds", [0, 1])
def test_a_guest_that_awaits_asyncio_is_told_so_at_its_own_line(seconds, driver):
    async def sleeps(cpu):
        await asyncio.sleep(seconds)

    with pytest.raises(ForeignAwaitError) as caught:
        explore(program(threads=[sleeps]), executions=1, driver=driver)
    assert caught.value.where == f"{__file__}:{sleeps.__code__.co_firstlineno + 1}"
    assert "asyncio" in str(caught.value)


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_an_interrupt_is_no_error(driver):
    async def guest(cpu):
        await cpu.store(X, 1)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        explore(program(threads=[guest]), executions=1, driver=driver)


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_guest_that_exits_while_it_is_let_go_changes_nothing(driver):
    async def waits(cpu):
        try:
            await cpu.wait_until(X, lambda value: value == 2)
        finally:
            raise SystemExit(0)

    async def other(cpu):
        await cpu.store(X, 1)

    if driver == "inline":
        report = explore(program(threads=[waits, other]), executions=1)
        assert report.failures[0].findings[0].kind == "livelock"
    else:
        with pytest.raises(GuestError):
            explore(program(threads=[waits, other]), executions=1, driver=driver)


def test_a_host_memory_that_raises_is_named():
    from simaie.host.sc import ScMemory

    class Failing(ScMemory):
        def perform(self, actor, op):
            raise ValueError("odd")

    with pytest.raises(HostError, match=r"Failing\.perform raised ValueError"):
        run(Machine(host=Failing))
