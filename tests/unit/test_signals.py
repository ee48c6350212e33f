"""Signals: a handler of the guest runs where a decision lets an exception arrive, with or without the reservation."""

from __future__ import annotations

from math import comb

import pytest
from exhaustive.test_sections import assert_each_trace_once

import simaie
from simaie import GuestFault, Machine, Program, ins
from simaie.errors import NotModelledError, ProgramTextError, UsageError
from simaie.guest.cut import Cut, without
from simaie.guest.text import parse_program, program_code, program_text
from simaie.op import Kind

X, Y = 0x100, 0x108
PAIR = [ins("ldxr", X, into="r"), ins("stxr", X, 9, into="f")]
ABA = [ins("str_", X, 7), ins("str_", X, 0)]
ALONE = Program("alone", isa="aarch64", threads=[PAIR], init={X: 0}, handler=ABA)


def machine(scheme="cas", signals=1, times=0, kills=0, host="sc", before="*"):
    options = {"scheme": scheme, "times": times, "signals": signals, "kills": kills, "vcpus": "0", "before": before}
    return Machine(("interrupted", options), address_bits=12, host=host)


def explored(program, scheduler="dpor", **options):
    return simaie.explore(program, machine(**options), scheduler=scheduler, failures=None)


def outcomes(report):
    return {outcome.items for outcome in report.outcomes}


def guest(thread, handler, **options):
    return Program("guest", isa="aarch64", threads=[thread], init={X: 0}, handler=handler, **options)


# -- how many, and where ---------------------------------------------------------------------------------


@pytest.mark.parametrize("signals", [1, 2, 3])
def test_signals_arrive_before_each_instruction_and_before_the_end(signals):
    """Of one vCPU with two instructions: up to n signals at three places, in order."""
    for scheduler in ("dpor", "dfs"):
        report = explored(ALONE, scheduler, signals=signals)
        assert report.complete
        assert report.statistics.executions == comb(signals + 3, 3)


def test_a_signal_that_arrives_last_is_the_last_of_the_thread():
    found = outcomes(explored(guest([ins("str_", X, 1)], [ins("str_", X, 2)])))
    assert found == {((f"[{X:#x}]", 1),), ((f"[{X:#x}]", 2),)}


@pytest.mark.parametrize("scheme", ["cas", "tlib", "hst"])
def test_each_trace_with_signals_is_run_once(scheme):
    handler = [ins("ldxr", X, into="h"), ins("stxr", X, 7, into="g")]
    program = Program("pair", isa="aarch64", threads=[PAIR, [ins("str_", X, 5)]], init={X: 0}, handler=handler)
    assert_each_trace_once(program, machine(scheme))


def test_signals_exceptions_and_kills_are_told_apart():
    program = Program("all", isa="aarch64", threads=[PAIR[:1], [ins("str_", X, 5)]], init={X: 0}, handler=ABA[:1])
    assert_each_trace_once(program, machine(times=1, kills=1))


@pytest.mark.parametrize("host", ["tso", "armv8"])
def test_hosts_that_reorder_run_handlers(host):
    assert explored(ALONE, host=host).statistics.executions == 4
    assert explored(ALONE, host=host, scheme="cas:on_exception=leave").verdict == "violated"


@pytest.mark.parametrize(("before", "executions"), [("stxr", 2), ("*xr", 3), ("thread-exit", 2), ("nothing", 1)])
def test_signals_arrive_only_where_a_pattern_lets_them(before, executions):
    assert explored(ALONE, before=before).statistics.executions == executions


LOCK = [ins("label", "taken"), ins("swp", X, 1, into=".old"), ins("cbnz", ".old", "taken"), ins("str_", X, 0)]


def test_a_lock_that_is_waited_for_can_be_proved_if_no_signal_arrives_in_the_loop():
    """The signal arrives or not, with the lock held. A handler that waits for that lock waits for ever."""
    threads = [LOCK, LOCK]
    program = Program("lock", isa="aarch64", threads=threads, init={X: 0}, handler=[ins("str_", Y, 1)])
    report = explored(program, before="str")
    assert (report.verdict, report.complete, report.statistics.executions) == ("holds", True, 2 * 6)
    program = Program("deadlock", isa="aarch64", threads=threads, init={X: 0}, handler=LOCK)
    report = explored(program, before="str")
    assert report.complete
    assert {each.kind for failure in report.kept for each in failure.findings} == {"livelock"}


@pytest.mark.parametrize("as_data", [True, False])
def test_a_guest_signals_itself(as_data):
    """The reservation is cleared as by a signal that arrives; no decision is needed."""
    thread = [PAIR[0], ins("signal"), PAIR[1]] if as_data else itself
    for scheme, verdict in (("cas", "holds"), ("cas:on_exception=leave", "violated")):
        report = simaie.explore(guest(thread, ABA), Machine(scheme, address_bits=12), scheduler="dpor")
        assert (report.verdict, report.statistics.executions) == (verdict, 1)


async def itself(cpu):
    await cpu.ldxr(X)
    await cpu.signal()
    await cpu.stxr(X, 9)


async def joins(cpu):
    await cpu.join(await cpu.spawn(child))


async def child(cpu):
    await cpu.store(Y, 3)


async def looks(cpu):
    cpu.observe("seen", await cpu.load(Y))


def test_a_signal_arrives_while_a_vcpu_waits_for_another_and_children_have_the_handler():
    report = explored(guest(joins, looks))
    assert {dict(items).get("0:seen") for items in outcomes(report)} == {None, 0, 3}
    scheme = ("interrupted", {"times": 0, "signals": 1, "vcpus": "0.0"})
    report = simaie.explore(guest(joins, looks), Machine(scheme), scheduler="dpor")
    assert {dict(items).get("0.0:seen") for items in outcomes(report)} == {None, 0, 3}


# -- the handler -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "found"),
    [("native", False), ("cas", False), ("hst", False), ("cas:on_exception=leave", True), ("aie-rfc", True)],
)
def test_a_reservation_that_survives_the_handler_is_found(scheme, found):
    report = explored(ALONE, scheme=scheme)
    kinds = {each.kind for failure in report.kept for each in failure.findings}
    assert kinds == ({"llsc-atomicity"} if found else set())
    failed = {dict(items)["0:f"] for items in outcomes(report)}
    assert failed == ({0} if found else {0, 1})


def test_the_registers_of_the_interrupted_code_are_those_of_before():
    code = [ins("load", X, into="r"), ins("store", Y, "r"), ins("load", Y, into="y")]
    report = explored(guest(code, [ins("mov", 5, into="r"), ins("store", X, "r")], watch={}))
    assert {dict(items)["0:y"] for items in outcomes(report)} == {0, 5}


async def counts(cpu):
    cpu.observe("handled", 1 + cpu.observations.get("handled", 0))
    await cpu.load(Y)


def test_no_signal_arrives_in_a_handler():
    report = explored(guest([ins("load", X)], counts), signals=2)
    assert {dict(items).get("0:handled", 0) for items in outcomes(report)} == {0, 1, 2}
    assert report.statistics.executions == comb(2 + 2, 2)


async def faults(cpu):
    await cpu.load(X)
    raise GuestFault("page", X, "absent")


async def handles(cpu):
    try:
        await cpu.store(X, 1)
    except GuestFault as fault:
        cpu.observe(fault.cause, 1)


def test_a_fault_in_the_handler_is_raised_in_the_interrupted_code():
    report = explored(guest(handles, faults), signals=2)
    assert {dict(items).get("0:page", 0) for items in outcomes(report)} == {0, 1}


def test_no_handler_runs_for_a_killed_vcpu():
    kills, later = [], []

    def checker(trace):
        for step, event in enumerate(trace.events):
            if event.value and event.op.note.endswith("kill"):
                kills.append(step)
                later.extend(trace.events[step + 1 :])
        return ()

    program = guest([ins("str_", X, 1)], [ins("str_", X, 2)])
    simaie.explore(program, machine(kills=1), scheduler="dpor", failures=None, checkers=[checker])
    assert len(kills) == 4  # before the only step, in the handler, after it, and in a handler after the step
    assert later == []


def test_transactions_that_a_signal_would_take_back_are_not_modelled():
    with pytest.raises(NotModelledError, match="signals are not modelled"):
        explored(ALONE, scheme="htm")


# -- use -------------------------------------------------------------------------------------------------


def test_a_failure_replays_on_both_drivers_and_in_parallel(tmp_path):
    leaves = machine("cas:on_exception=leave")
    report = simaie.explore(ALONE, leaves, scheduler="dpor", failures=None)
    digests = [failure.trace.digest for failure in report.failures]
    on_trio = simaie.explore(ALONE, leaves, scheduler="dpor", failures=None, driver="trio")
    assert digests == [failure.trace.digest for failure in on_trio.failures]
    report.failures[0].save(tmp_path / "failure.json")
    replayed = simaie.replay(tmp_path / "failure.json", program=ALONE)
    assert replayed.trace.digest == digests[0]
    assert sum(event.value for event in replayed.trace.events if event.op.kind is Kind.CHOICE) == 1


@pytest.mark.parametrize(("scheme", "verdict"), [("cas", "holds"), ("cas:on_exception=leave", "violated")])
def test_the_architecture_with_which_outcomes_are_compared_has_the_same_signals(scheme, verdict):
    """The value that the handler leaves is lost if the store-conditional succeeds across it."""
    handler = [ins("ldr", X, into="h"), ins("str_", Y, 1)]
    pair = [*PAIR, ins("ldr", Y, into="seen"), ins("reg_sub", 1, "f", into="stored")]
    program = Program("compared", isa="aarch64", threads=[pair], init={X: 0}, handler=handler)
    options = {"scheme": scheme, "times": 0, "signals": 1, "before": "stxr"}
    comparison = simaie.compare(program, ("interrupted", options))
    assert comparison.verdict == verdict
    assert "spuriously" in comparison.model_note
    assert simaie.compare(program, ("interrupted", {"scheme": "cas", "times": 0, "kills": 1})).verdict == "holds"


def test_parts_of_functions_take_exceptions_and_signals():
    """The part without the load between the pair; instructions of the handler count as they run."""
    program = guest(loads_in_between, ABA)
    for gone, verdict in (((1,), "violated"), ((2,), "violated"), ((0, 1), "holds")):
        part = without(program, [Cut.of(0, gone)])
        report = explored(part, scheme="cas:on_exception=leave")
        assert (report.verdict, report.complete) == (verdict, True)


async def loads_in_between(cpu):
    await cpu.ldxr(X)
    await cpu.load(Y)
    await cpu.exception()
    await cpu.stxr(X, 9)


def test_a_handler_is_a_column_of_the_text():
    text = program_text(ALONE)
    read = parse_program(text)
    assert read.digest == ALONE.digest
    assert list(read.handler) == ABA
    assert eval(program_code(ALONE), {"Program": Program, "ins": ins}).digest == ALONE.digest
    assert Program("alone", isa="aarch64", threads=[PAIR], init={X: 0}).digest != ALONE.digest
    assert "str_ 0x100, 7" in ALONE._repr_html_()


@pytest.mark.parametrize("columns", ["handler", "handler | P0", "P0 | handler | P1", "P0 | handler | handler"])
def test_the_handler_is_the_last_column_beside_a_vcpu(columns):
    with pytest.raises(ProgramTextError):
        parse_program(f'program "x"\nisa arm\n\n{columns}\n')


def test_a_program_without_a_handler_cannot_be_signalled():
    program = Program("alone", isa="aarch64", threads=[PAIR], init={X: 0})
    with pytest.raises(UsageError, match="handler"):
        explored(program)
    with pytest.raises(UsageError, match="handler"):
        explored(Program("itself", isa="aarch64", threads=[itself]), signals=0)
    assert explored(program, signals=0).verdict == "holds"
    with pytest.raises(UsageError, match="the handler of program"):
        Program("alone", isa="aarch64", threads=[PAIR], handler=7)


@pytest.mark.parametrize("signals", [-1, 101, True, "x"])
def test_wrong_numbers_of_signals_are_refused(signals):
    with pytest.raises(UsageError, match="signals must be"):
        machine(signals=signals).check_options()
