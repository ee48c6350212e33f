"""Explanations: one for each kind of finding, made of what the trace shows; an unknown kind in its own words."""

from __future__ import annotations

import pytest
from mutants import MUTANTS
from runs import every, execute, small

import simaie
from simaie import Finding, Machine, Program, ins
from simaie.audit import audit, counterexamples
from simaie.check import CHECKERS, judge
from simaie.guest import corpus
from simaie.schemes.scheme import Scheme
from simaie.show.explain import EXPLANATIONS, explain, explain_failure
from simaie.show.failure_view import failure_view

X = 0x100


def fail(program, machine, **options):
    return simaie.explore(program, machine, scheduler="random-walk", **options).failures[0]


@pytest.fixture(scope="module", name="window")
def fixture_window():
    program = corpus.program("first-registration-window")
    return fail(program, Machine("aie-rfc", address_bits=12)).shrink().failure


def test_a_lost_update_names_both_instructions_all_three_values_and_the_check_that_came_too_early(window):
    text = explain(window.trace, window.findings[0])
    read, foreign, write = window.findings[0].steps
    assert "vCPU 0's lock inc [0x100]" in text
    assert "vCPU 1's store [0x100] wrote 5" in text
    assert all(f"(step {step})" in text for step in (read, foreign, write))
    assert "load radix/10 = none (step 0)" in text  # what the store had looked at
    assert "cas radix/10" in text  # and who changed it


def test_every_hole_of_the_audit_has_a_minimal_counterexample_with_an_explanation_of_its_own():
    rows = [6, 8, 14, 15, 17, 23, 24, 26, 30]
    shown = list(counterexamples(audit(rows=rows), rows=rows))
    assert len({(row.program, row.scheme) for row, _ in shown}) == len(shown) >= 15
    for row, shrunk in shown:
        finding = next(f for f in shrunk.failure.findings if f.kind == shrunk.report.kind)
        text = explain(shrunk.failure.trace, finding)
        assert finding.message not in text or row.row == 30  # where the message is the best start
        assert "(step" in text
        assert len(shrunk.failure.trace.schedule) <= 3


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.spoiled.__name__)
def test_whatever_a_spoiled_scheme_does_is_explained(mutant):
    for trace in every(mutant.program(), small(mutant.spoiled)):
        for finding in judge(trace, CHECKERS.values()):
            assert explain(trace, finding)


class Leaky(Scheme):
    """Leaks a lock, takes two, touches a structure without its guard."""

    name = "leaky"

    def __init__(self, host, pages, machine):
        super().__init__(host, pages, machine)
        self.lock = host.mutex("the lock")
        self.data = host.cell("the data", 0, self.lock)

    async def atomic_rmw(self, cpu, address, width, function):
        await self.data.update("touch", lambda value: (value + 1, None))
        await self.lock.lock()
        return await self._read_modify_write(address, width, function)


def test_locks_and_structures_are_explained_by_who_held_what():
    program = Program("leaks", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0})
    failure = fail(program, Machine(Leaky))
    told = {finding.kind: explain(failure.trace, finding) for finding in failure.findings}
    assert "did not hold" in told["unguarded-update"]
    assert "It was never let go. vCPU" in told["lock-leak"]
    assert "waits for the lock" in told["deadlock"]


def test_store_buffers_are_explained_by_what_overtook_what():
    threads = [[ins("store", X, 1), ins("load", X + 64, into="r")], [ins("store", X + 64, 1), ins("load", X, into="r")]]
    program = Program("sb", isa="x86", threads=threads, final=lambda m: any(m.registers.values()))
    failure = fail(program, Machine(host="tso"))
    text = explain(failure.trace, failure.findings[0])
    assert "vCPU 0's store [0x100] waited in the store buffer" in text
    assert "only after vCPU 0: load [0x140]" in text


def test_stores_that_overtake_stores_are_told():
    """Message passing: the flag's store leaves its buffer before the data's."""
    reader = [ins("load", X + 64, into="flag"), ins("load", X, into="data")]
    program = Program("mp", isa="x86", threads=[[ins("store", X, 1), ins("store", X + 64, 1)], reader],
                      final=lambda m: (m.registers["1:flag"], m.registers["1:data"]) != (1, 0))
    failure = fail(program, Machine(host="pso")).shrink(kind="final-check").failure
    text = explain(failure.trace, failure.findings[0])
    assert "vCPU 0's store [0x100] waited in the store buffer" in text
    assert "vCPU 0's store [0x140], which comes later in the program" in text


def test_who_loops_without_end_is_told_by_the_round():
    async def loops(cpu):
        while not await cpu.load(X):
            await cpu.load(X + 64)

    program = Program("loops", isa="x86", threads=[loops], init={X: 0})
    trace = execute(program, Machine(limits=simaie.Limits(steps=4_000)))
    (finding,) = judge(trace, [CHECKERS["starvation"]])
    assert finding.kind == "livelock"
    assert "The last round: vCPU 0: load [0x100]/4 = 0" in explain(trace, finding)


def test_torn_loads_and_races_are_told_by_their_accesses():
    wide = corpus.program("wide-access-on-narrow-host")
    torn = fail(wide, Machine("aie-rfc", address_bits=12, host_word=32), checkers=["single-copy-atomicity"])
    assert "partly old and partly new" in explain(torn.trace, torn.findings[0])
    race = Program("race", isa="x86", threads=[[ins("store", X, 1)], [ins("load", X)]])
    racing = fail(race, Machine(), checkers=["data-races"])
    assert "the other way round" in explain(racing.trace, racing.findings[0])


@pytest.mark.parametrize("kind", [*EXPLANATIONS, "no such kind"])
@pytest.mark.parametrize("steps", [(), (0,), (0, 1), (3, 2, 1), (99,), (-1, 2, 3)])
def test_a_finding_that_names_other_steps_than_expected_is_explained_somehow(window, kind, steps):
    assert explain(window.trace, Finding(kind, "something is wrong", steps))


def test_a_kind_without_explanation_is_told_in_its_own_words_with_its_steps(window):
    text = explain(window.trace, Finding("no such kind", "something is wrong", (4,)))
    assert text.startswith("something is wrong")
    assert "load [0x100]/4 = 0 (step 4)" in text


def test_what_a_guest_or_a_file_puts_into_names_cannot_reach_the_terminal(window):
    finding = Finding("no such kind", "\x1b[31mred\nline", (4,))
    assert "\x1b" not in explain(window.trace, finding)


def test_a_failure_explains_itself(window):
    assert window.explain() == explain_failure(window)
    assert all(explain(window.trace, finding) in window.explain() for finding in window.findings)


def test_the_view_has_the_trace_and_the_explanations(window):
    text = "\n".join(line.plain for line in failure_view(window))
    words = " ".join(text.split())
    assert all(" ".join(explain(window.trace, f).split()) in words for f in window.findings)
