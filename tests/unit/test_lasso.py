"""Lassos: executions that can go on for ever end where a fair cycle closes, and no other execution ends so."""

from __future__ import annotations

import dataclasses
import json

import pytest
from runs import X

import simaie
from simaie import corpus
from simaie.check.lassos import changing
from simaie.cli import main
from simaie.errors import UsageError
from simaie.guest.program import Program
from simaie.machine import Limits, Machine
from simaie.schemes.native import Native
from simaie.trace import Ending

Y = X + 0x40
#: No vCPU waits in a loop; an execution ends at a lasso.
LASSOS = Limits(tries=None, steps=150)


def made(*threads, isa="arm", devices=()):
    return Program("lasso", isa=isa, threads=threads, devices=devices, init={X: 0, Y: 0})


def on(scheme="native", **options):
    return Machine(scheme, limits=LASSOS, **options)


def explored(program, machine, executions, **options):
    return simaie.explore(
        program, machine, scheduler="random-walk", executions=executions, checkers=["progress"], **options
    )


def lasso_of(program, machine, executions=50):
    (failure,) = explored(program, machine, executions).failures
    assert failure.trace.ending is Ending.LASSO
    return failure


async def adds(cpu):
    while True:
        old = await cpu.ldrex(X)
        if not await cpu.strex(X, old + 1):
            return


class LastLinkWins(Native):
    """One reservation for all vCPUs, which each load-linked takes."""

    name = "last-link-wins"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.owner, self.mutex = self.host.cell("owner", ""), self.host.mutex("monitor")

    async def load_linked(self, cpu, address, width):
        """Take the reservation, then load."""
        await self.take(cpu)
        return await self.load(cpu, address, width)

    async def take(self, cpu):
        await self.owner.store(cpu.name)

    async def store_conditional(self, cpu, address, width, value):
        """Store if no other vCPU has taken the reservation since."""
        await self.mutex.lock()
        stores = await self.owner.load() == cpu.name
        if stores:
            await self.store(cpu, address, width, value)
            await self.owner.store("")
        await self.mutex.unlock()
        return stores


class FirstLinkWins(LastLinkWins):
    """The repaired twin: a load-linked waits until no vCPU has the reservation."""

    name = "first-link-wins"

    async def take(self, cpu):
        while await self.owner.compare_and_swap("", cpu.name) != "":
            pass


class Instrumented(Native):
    """An access for measurement after each load-linked, which ends the reservation of the host's monitor."""

    name = "instrumented"

    async def load_linked(self, cpu, address, width):
        """Load, then count the access."""
        value = await super().load_linked(cpu, address, width)
        await self.clear_exclusive(cpu)
        return value


# -- what is found -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [LastLinkWins, "hst", "hst-weak", "tlib"])
def test_two_vcpus_that_take_each_others_reservation_are_a_livelock(scheme):
    """In these published schemes, too, the last load-linked wins."""
    failure = lasso_of(made(adds, adds), on(scheme))
    (finding,) = failure.findings
    assert (finding.kind, finding.verdict, finding.vcpus) == ("livelock", "violated", ("0", "1"))
    assert finding.steps == tuple(range(failure.trace.cycle, len(failure.trace)))
    assert {failure.trace.events[step].actor for step in finding.steps} == {"0", "1"}


@pytest.mark.untraced
@pytest.mark.parametrize("scheme", [FirstLinkWins, "native", "cas", "aie-rfc"])
def test_schemes_in_which_one_of_them_always_succeeds_have_none(scheme):
    report = explored(made(adds, adds), on(scheme), 30)
    assert (report.verdict, report.statistics.lassos) == ("inconclusive", 0)


def test_an_access_between_load_linked_and_store_conditional_is_a_livelock_that_a_search_proves():
    program = made(adds, adds)
    report = simaie.explore(program, Machine(Instrumented), scheduler="dpor")
    assert {finding.kind for failure in report.failures for finding in failure.findings} == {"livelock"}
    report = simaie.explore(program, Machine("native"), scheduler="dpor")
    assert (report.verdict, report.complete) == ("holds", True)
    assert lasso_of(program, on(Instrumented)).findings[0].kind == "livelock"


async def takes(cpu):
    while await cpu.swp(X, 1):
        pass
    await cpu.str_(Y, 1)


async def takes_for_ever(cpu):
    while True:
        await cpu.swp(X, 1)
        await cpu.str_(X, 0)


def test_a_vcpu_that_fails_for_ever_while_another_runs_for_ever_starves():
    program = made(takes_for_ever, takes)
    report = explored(program, on(), 200, failures=None)
    found = [f for failure in report.failures for f in failure.findings if f.kind == "starvation"]
    assert found
    assert {finding.vcpus for finding in found} == {("1", "0")}


async def spins(cpu):
    while not await cpu.ldr(X):
        pass


async def counts(cpu):
    for _ in range(40):
        await cpu.ldr(X)


def test_a_spin_that_no_vcpu_ends_is_a_livelock_of_its_vcpu():
    (finding,) = lasso_of(made(spins, counts), on()).findings
    assert (finding.kind, finding.vcpus) == ("livelock", ("0",))


def test_a_vcpu_that_waits_for_one_that_spins_is_a_victim_too():
    async def holds(cpu):
        child = await cpu.spawn(spins)
        await cpu.join(child)

    (finding,) = lasso_of(made(holds), on()).findings
    assert finding.vcpus == ("0", "0.0")


# -- what is no lasso --------------------------------------------------------------------------------


async def raises_a_flag(cpu):
    for _ in range(3):
        await cpu.ldr(Y)
    await cpu.str_(X, 1)


async def grows(cpu):
    value = 0
    while True:
        value += 1
        await cpu.str_(X, value)


async def chooses(cpu):
    while await cpu.choose(2):
        await cpu.ldr(X)


@pytest.mark.parametrize(
    "threads", [(spins, raises_a_flag), (counts, counts), (grows,), (chooses,)], ids=lambda threads: threads[0].__name__
)
def test_what_a_fair_schedule_or_choice_ends_is_no_lasso(threads):
    report = explored(made(*threads), on(), 12)
    assert (report.verdict, report.statistics.lassos) == ("inconclusive", 0)


async def frees(cpu):
    await cpu.swp(X, 0)


#: One vCPU spins by a read-modify-write until the other one frees what both exchange.
FREED = Program("freed", isa="arm", threads=[takes, frees], init={X: 1, Y: 0})
WEAK = Limits(tries=None, steps=150, fairness="weak")


def test_under_weak_fairness_a_vcpu_need_not_get_a_mutex_that_is_free_again_and_again(tmp_path):
    """The mutex of the scheme is taken for each exchange, so that the vCPU which frees waits for it now and then."""
    failure = lasso_of(FREED, Machine("global-lock", limits=WEAK))
    trace, (finding,) = failure.trace, failure.findings
    assert (finding.kind, finding.vcpus) == ("livelock", ("0", "1"))
    assert {event.actor for event in trace.events[trace.cycle :]} == {"0"}
    again = simaie.replay(failure.save_in(tmp_path), program=FREED)
    assert (again.trace.digest, again.trace.cycle) == (trace.digest, trace.cycle)
    assert "--fairness weak" in failure.how_to_reproduce
    assert explored(FREED, on("global-lock"), 20).statistics.lassos == 0


@pytest.mark.parametrize("threads", [(spins, raises_a_flag), (takes, frees)], ids=["load", "exchange"])
def test_under_weak_fairness_too_a_vcpu_that_can_always_step_does(threads):
    program = Program("freed", isa="arm", threads=threads, init={X: int(threads[0] is takes), Y: 0})
    assert explored(program, Machine(limits=WEAK), 12).statistics.lassos == 0


def test_what_is_fair_is_one_of_two():
    with pytest.raises(UsageError, match="fairness"):
        Limits(fairness="fair")


async def toggles(cpu):
    while True:
        await cpu.str_(X, 1)
        await cpu.str_(X, 0)


def test_work_without_an_end_is_not_told_from_a_livelock():
    report = explored(made(toggles), on(), 3)
    assert (report.verdict, report.failing, report.statistics.lassos) == ("inconclusive", 0, 3)
    assert "may be work without an end" in report.reason


@pytest.mark.parametrize("name", ["first-registration-window", "treiber-stack-reuse-x86"])
def test_programs_of_the_corpus_that_end_have_none(name):
    entry = corpus.entry(name)
    machine = on(("native", entry.needs.options), address_bits=entry.needs.address_bits)
    figures = explored(entry.program, machine, 5).statistics
    assert (figures.lassos, figures.blocked) == (0, 0)


def test_an_exhausted_search_that_met_a_lasso_is_not_complete():
    report = simaie.explore(made(spins), on(), scheduler="dfs", failures=None)
    assert (report.verdict, report.complete, report.executions) == ("violated", False, 1)


def test_a_search_without_lassos_is_a_proof():
    report = simaie.explore(made(adds, adds), on("cas"), scheduler="dfs", checkers=["progress"])
    assert (report.verdict, report.complete) == ("holds", True)


@pytest.mark.parametrize("host", ["tso", "armv8"])
def test_other_hosts_are_refused(host):
    with pytest.raises(UsageError, match="on the host 'sc' only"):
        on(host=host)


# -- replaying ---------------------------------------------------------------------------------------


@pytest.mark.untraced
def test_a_lasso_is_shrunk_saved_replayed_and_repeated(tmp_path):
    failure = lasso_of(made(adds, adds), on(LastLinkWins)).shrink(executions=60, cut=False).failure
    trace = failure.trace
    assert trace.ending is Ending.LASSO
    assert (trace.cycle, len(trace)) == (5, 15)  # both link, and one is about to fail; then each fails and links again
    again = simaie.replay(failure.save_in(tmp_path), program=failure.program, machine=failure.machine)
    assert (again.trace.digest, again.trace.cycle, again.findings) == (trace.digest, trace.cycle, failure.findings)
    repeated = failure.repeated(5)
    size = len(trace) - trace.cycle
    assert len(repeated) == trace.cycle + 5 * size
    assert (repeated.ending, repeated.cycle) == (Ending.LASSO, len(repeated) - size)
    rounds = [
        [(event.actor, event.op.kind, event.value) for event in repeated.events[at : at + size]]
        for at in range(trace.cycle, len(repeated), size)
    ]
    assert rounds == [rounds[0]] * 5


def test_what_is_no_lasso_cannot_be_repeated():
    failure = lasso_of(made(adds, adds), on(LastLinkWins))
    with pytest.raises(UsageError, match="positive"):
        failure.repeated(0)
    trace = failure.repeated(1)
    trace.cycle = None
    with pytest.raises(UsageError, match="only a lasso"):
        dataclasses.replace(failure, trace=trace).repeated(1)


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_both_drivers_end_at_the_same_step(driver):
    report = explored(made(adds, adds), on(LastLinkWins), 50, driver=driver)
    (failure,) = report.failures
    assert (failure.index, failure.trace.cycle, len(failure.trace)) == (1, 5, 15)


def test_the_command_names_what_ends_an_execution_at_a_lasso():
    assert "--lassos" in Machine("cas", limits=Limits(tries=None)).arguments
    assert Machine("cas", limits=Limits(tries=3)).arguments[-2:] == ["--tries", "3"]
    assert Machine("cas").arguments == ["--scheme", "cas"]


# -- judging and drawing -----------------------------------------------------------------------------


def test_who_changes_memory_is_known_from_the_cycle_alone():
    trace = lasso_of(made(takes_for_ever, takes), on(), 200).trace
    assert trace.cycle is not None
    assert changing(trace) <= {"0", "1"}
    assert changing(lasso_of(made(spins), on()).trace) == frozenset()


def test_the_table_marks_where_the_cycle_begins_and_ends():
    from simaie.show.arrows import conflict_arrows
    from simaie.show.trace_table import RowKind, trace_table

    failure = lasso_of(made(adds, adds), on(LastLinkWins))
    rows = trace_table(failure.trace, failure.findings).rows
    marks = [number for number, row in enumerate(rows) if row.kind in (RowKind.CYCLE_BEGIN, RowKind.CYCLE_END)]
    assert [rows[number].kind for number in marks] == [RowKind.CYCLE_BEGIN, RowKind.CYCLE_END]
    assert marks[1] == len(rows) - 1
    following = next(row for row in rows[marks[0] :] if row.step is not None)
    assert following.step == failure.trace.cycle
    for text in (failure.to_html(), failure.to_svg(), str(failure)):
        assert "the cycle begins" in text
    conflicts = conflict_arrows(failure.trace, failure.findings)
    assert failure.to_svg().count('class="sim-arrow"') == len(conflicts) + 1  # the last one leads back


# -- the command line --------------------------------------------------------------------------------

ADDS = """
import simaie

async def adds(cpu):
    while True:
        old = await cpu.ldrex(0x40)
        if not await cpu.strex(0x40, old + 1):
            return

program = simaie.Program("adds", isa="arm", threads=[adds, adds], init={0x40: 0})
"""


def test_the_command_line_finds_saves_and_repeats_a_lasso(tmp_path, capsys):
    (tmp_path / "adds.py").write_text(ADDS)
    target, saved = f"{tmp_path / 'adds.py'}:program", tmp_path / "saved"
    search = ["explore", target, "--scheme", "hst", "--scheduler", "random-walk", "--checker", "progress"]
    assert main([*search, "--lassos", "--steps", "150", "--executions", "30", "--save", str(saved)]) == 1
    (file,) = saved.glob("*.json")
    replay = ["replay", str(file), "--program", target, "--format", "json"]
    capsys.readouterr()
    assert main([*replay, "--repeat", "4"]) == 1
    shown = json.loads(capsys.readouterr().out)
    (finding,) = shown["findings"]
    assert len(shown["trace"]["events"]) == finding["steps"][0] + 4 * len(finding["steps"])
    assert main([*search, "--lassos", "--tries", "2"]) == 2
    assert "--tries and --lassos" in capsys.readouterr().err
