"""What executions cover of a scheme: steps of its helpers by outcome, and the pairs of instructions that met."""

from __future__ import annotations

import itertools

import pytest

import simaie
from simaie import Machine, Program, ins
from simaie.engine import meetings
from simaie.engine.meetings import Meetings
from simaie.show.report_view import report_view

X = 0x100
LINK, STORE = ins("ldrex", X, into="seen"), ins("strex", X, 1, into="failed")


def program(*threads, isa="arm"):
    return Program("meet", isa=isa, threads=threads, init={X: 0})


PAIR = program([LINK, STORE], [ins("str_", X, 5)])


def covered(prog, scheme="cas", **options):
    report = simaie.explore(
        prog, Machine(scheme, address_bits=12), **{"failures": None, "coverage": True, "scheduler": "dpor", **options}
    )
    return report.statistics.coverage, report


def test_both_outcomes_of_a_compare_and_swap_are_steps_of_their_own():
    coverage, _ = covered(PAIR)
    steps = {"ldrex: load", "str: store", "strex: cas not swapped", "strex: cas swapped"}
    assert (set(coverage.steps), coverage.never_ran) == (steps, ())


def test_an_outcome_that_no_execution_has_is_named():
    """Alone, the compare-and-swap always swaps, and no other instruction is there."""
    coverage, report = covered(program([LINK, STORE]))
    assert coverage.never_ran == ("strex: cas not swapped",)
    assert (coverage.met, coverage.never_met) == ((), ())
    shown = [line.plain for line in report_view(report)]
    assert "never ran: strex: cas not swapped" in shown
    assert "never ran: strex: cas not swapped" in report._repr_html_()
    assert list(report.as_dict()["statistics"]["coverage"]["never_ran"]) == ["strex: cas not swapped"]


def test_the_branches_of_aie_are_named():
    """One vCPU finds no other in the tree, and keeps its reservation."""
    coverage, _ = covered(program([LINK, STORE]), "aie-rfc")
    assert {"ldrex: cas radix not swapped", "strex: test set no"} <= set(coverage.never_ran)
    coverage, _ = covered(program([LINK, STORE], [LINK, STORE]), "aie-rfc")
    assert {"ldrex: cas radix not swapped", "strex: test set no"}.isdisjoint(coverage.never_ran)


def test_pairs_meet_in_the_orders_that_were_run():
    coverage, _ = covered(PAIR)
    assert set(coverage.met) == {("ldrex", "str"), ("str", "ldrex"), ("str", "strex"), ("strex", "str")}
    assert coverage.never_met == ()
    one, _ = covered(PAIR, scheduler="scripted:schedule=")
    assert set(one.met) == {("strex", "str")}
    assert set(one.never_met) == {("ldrex", "str"), ("str", "ldrex"), ("str", "strex")}


def test_after_too_many_accesses_it_is_not_known_what_never_met(monkeypatch):
    monkeypatch.setattr(meetings, "MOST_ACCESSES", 3)
    assert covered(PAIR, scheduler="scripted:schedule=")[0].never_met is not None  # three accesses
    monkeypatch.setattr(meetings, "MOST_ACCESSES", 2)
    coverage, report = covered(PAIR)
    assert coverage.never_met is None
    assert report.as_dict()["statistics"]["coverage"]["never_met"] is None
    assert any("not known" in line.plain for line in report_view(report))


def test_loads_and_other_bytes_meet_nothing():
    loads = program([ins("ldr", X)], [ins("ldr", X)], [ins("str_", X + 4, 1)])
    coverage, _ = covered(loads)
    assert (coverage.met, coverage.never_met) == ((), ())


def test_a_loop_that_is_held_back_meets_nothing_by_it():
    """The wait of the loop belongs to PAUSE, which accesses nothing."""

    async def waits(cpu):
        while not await cpu.load(X):
            await cpu.pause()

    coverage, _ = covered(program(waits, [ins("store", X, 1)], isa="x86"))
    assert set(coverage.met) == {("load", "store"), ("store", "load")}
    assert coverage.never_met == ()


def test_calls_that_no_scheme_emulates_are_no_steps_of_it():
    async def waits(cpu):
        if await cpu.futex_wait(X, 0, spurious=True):
            await cpu.park(spurious=True)

    async def wakes(cpu):
        await cpu.futex_wake(X)
        await cpu.unpark("0")

    coverage, _ = covered(program(waits, wakes, isa="x86"))
    assert (coverage.steps, coverage.never_ran) == ((), ())


@pytest.mark.parametrize("scheme", ["native", "cas", "aie-rfc"])
def test_every_driver_and_search_covers_the_same(scheme):
    ways = ({}, {"scheduler": "dfs"}, {"driver": "trio"}, {"scheduler": "random-walk", "executions": 200})
    found = [covered(PAIR, scheme, **way)[0] for way in ways]
    assert len({(each.steps, each.never_ran, each.met, each.never_met) for each in found}) == 1


def test_several_processes_cover_the_same():
    found = [covered(PAIR, scheduler="random-walk", executions=100, jobs=jobs)[0] for jobs in (1, 2)]
    assert len({(each.steps, each.never_ran, each.met, each.never_met) for each in found}) == 1


def test_the_order_of_two_loads_makes_no_difference():
    """Both load what was stored, whichever comes first."""
    stores, loads, halves = (ins("str_", X, 1),), (ins("ldr", X),), (ins("lda", X),)
    for others in ((loads, halves), (halves, loads)):
        coverage, _ = covered(program(stores, *others), "native", scheduler="scripted:schedule=")
        assert coverage.met == (("str", "lda"), ("str", "ldr"))


def test_what_several_processes_saw_is_merged():
    both, halves = Meetings(), [Meetings(), Meetings()]
    report = simaie.explore(PAIR, Machine("cas"), scheduler="dfs", checkers=[refuse], failures=None)
    traces = [failure.trace for failure in report.failures]
    for half, trace in zip(itertools.cycle(halves), traces, strict=False):
        half.look_at(trace.events)
        both.look_at(trace.events)
    halves[0].merge(halves[1].take())
    assert halves[0].take() == both.take()


def refuse(trace):
    return [simaie.Finding("refused", "every execution is kept")]
