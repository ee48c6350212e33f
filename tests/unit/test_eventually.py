"""Blocks of ``cpu.eventually`` are to end in every fair execution; a lasso or a deadlock shows that one does not."""

from __future__ import annotations

import pytest

import simaie
from simaie import Limits, Machine, Program, ins
from simaie.errors import UsageError
from simaie.replaying.trace_record import trace_of, trace_record

X, Y = 0x100, 0x200
LASSOS = Limits(steps=80, tries=None)


async def _server(cpu):
    """Store for ever, so that memory changes."""
    while True:
        await cpu.store(X, 1)
        await cpu.store(X, 0)


def _client(wanted, *, each=False):
    async def client(cpu):
        seen = None
        if each:
            while True:
                async with cpu.eventually("is served"):
                    await cpu.store(Y, 1)
                    await cpu.store(Y, 0)
        async with cpu.eventually("is served"):
            while seen != wanted:
                await cpu.store(Y, 1)
                await cpu.store(Y, 0)
                seen = await cpu.load(X)

    return client


def _found(*threads, machine=None, **options):
    program = Program("served", isa="x86", threads=threads, init={X: 0, Y: 0})
    machine = Machine("cas", limits=LASSOS) if machine is None else machine
    report = simaie.explore(program, machine, failures=None, checkers=["progress"], **options)
    return report, {(each.kind, each.verdict) for failure in report.failures for each in failure.findings}


def test_a_block_that_stays_open_on_a_cycle_is_violated():
    """Both vCPUs change memory for ever, so that only the block tells that this is no work without an end."""
    report, kinds = _found(_server, _client(2), scheduler="round-robin", executions=1)
    assert kinds == {("livelock", "inconclusive"), ("eventually", "violated")}
    (failure,) = report.failures
    (finding,) = [each for each in failure.findings if each.kind == "eventually"]
    assert finding.vcpus == ("1",)
    assert "is served" in finding.message


def test_a_block_that_ends_on_the_cycle_is_not():
    """Each round begins and ends the block: it is open where the cycle closes, and no round keeps it open."""
    report, kinds = _found(_server, _client(2, each=True), scheduler="round-robin", executions=1)
    assert (report.statistics.lassos, report.verdict) == (1, "inconclusive")
    assert not kinds


def test_a_deadlock_violates_the_open_blocks():
    """With waits instead of rounds the search ends where no vCPU can step; the memo and the reference engine agree."""

    async def waits(cpu):
        async with cpu.eventually("sees 1"):
            while await cpu.load(X) != 1:
                pass

    async def ends(cpu):
        async with cpu.eventually("stores"):
            await cpu.store(Y, 1)

    _, kinds = _found(waits, ends, machine=Machine("cas"), scheduler="dpor")
    assert kinds == {("livelock", "violated"), ("eventually", "violated")}
    report, _ = _found(waits, ends, machine=Machine("cas"), scheduler="random-walk", executions=40)
    assert {each.trace.obligations for each in report.failures} == {report.failures[0].trace.obligations}
    assert [each.name for each in report.failures[-1].trace.obligations] == ["sees 1"]


def test_what_ends_is_clean():
    """A block that ends in every execution has no finding, and leaves nothing open."""

    async def stores(cpu):
        async with cpu.eventually("stores"):
            await cpu.store(X, 1)

    async def waits(cpu):
        async with cpu.eventually("sees 1"):
            while await cpu.load(X) != 1:
                pass

    report, kinds = _found(stores, waits, machine=Machine("cas"), scheduler="dpor")
    assert report.complete
    assert not kinds
    assert report.example.trace.obligations == ()


def test_a_block_inside_itself_is_refused():
    """Two open blocks of one name could not be told apart."""

    async def twice(cpu):
        async with cpu.eventually("a"), cpu.eventually("a"):
            pass

    with pytest.raises(UsageError, match="inside itself"):
        _found(twice)


def test_the_recorded_trace_has_the_open_blocks(tmp_path):
    """A saved trace is judged as the execution is, and the failure replays and shrinks."""
    report, _ = _found(_server, _client(2), scheduler="round-robin", executions=1)
    failure = report.failures[0]
    record = trace_record(failure.trace, report.program)
    assert trace_of(record, "served", failure.trace.schedule).obligations == failure.trace.obligations
    again = simaie.replay(failure.save(tmp_path / "a.json"), program=report.program)
    assert {each.kind for each in again.findings} == {"livelock", "eventually"}


# -- whole threads --------------------------------------------------------------------------------

SPINS = [ins("label", "again"), ins("load", Y, into="seen"), ins("cbz", "seen", "again")]


def _stated(*threads, machine, eventually, **options):
    program = Program("served", isa="x86", threads=threads, init={X: 0, Y: 0}, eventually=eventually)
    report = simaie.explore(program, machine, failures=None, checkers=["progress"], **options)
    return report, [each for failure in report.failures for each in failure.findings if each.kind == "eventually"]


def test_a_thread_that_is_to_end_is_a_block_of_all_that_it_does():
    """The server runs for ever, which violates nothing."""

    async def client(cpu):
        while await cpu.load(X) != 2:
            await cpu.store(Y, 1)
            await cpu.store(Y, 0)

    machine = Machine("cas", limits=LASSOS)
    options = {"machine": machine, "scheduler": "round-robin", "executions": 1}
    report, found = _stated(_server, client, eventually={"1": "is served"}, **options)
    assert [finding.vcpus for finding in found] == [("1",)]
    assert "is served" in found[0].message
    assert report.verdict == "violated"
    report, found = _stated(_server, client, eventually={}, **options)
    assert (report.verdict, found) == ("inconclusive", [])


@pytest.mark.parametrize("host", ["sc", "tso"])
def test_a_thread_that_is_a_list_of_instructions_may_have_to_end(host):
    async def stores(cpu):
        await cpu.store(X, 1)

    async def wakes(cpu):
        await cpu.store(Y, 1)

    options = {"machine": Machine("cas", host=host), "scheduler": "dpor", "eventually": {"0": "spins", "1": "stores"}}
    _, found = _stated(SPINS, stores, **options)
    assert {finding.vcpus for finding in found} == {("0",)}
    report, found = _stated(SPINS, wakes, **options)
    assert (report.verdict, found) == ("holds", [])


def test_a_thread_that_has_to_end_on_a_host_of_graphs():
    spins = [ins("label", "again"), ins("ldr", Y, into="seen"), ins("cbz", "seen", "again")]
    program = Program("alone", isa="aarch64", threads=[spins], init={Y: 0}, eventually={"0": "ends"})
    report = simaie.explore(program, Machine("native", host="armv8"), scheduler="dpor", checkers=["progress"])
    assert [each.kind for each in report.failures[0].findings] == ["eventually", "livelock"]


@pytest.mark.parametrize("eventually", [{"2": "is served"}, {0: "is served"}, {"0": 1}, ["0"]])
def test_a_thread_that_is_not_there_is_refused(eventually):
    with pytest.raises(UsageError, match="eventually"):
        Program("served", isa="x86", threads=[_server, _server], eventually=eventually)
