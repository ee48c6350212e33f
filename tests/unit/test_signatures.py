"""Signatures: what is the same failure, what is not, and that each keeps its count, its first and its shortest."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from simaie import Failure, Machine, Program, explore, ins
from simaie.exploration import kept
from simaie.exploration.counterexamples import counterexamples
from simaie.exploration.signatures import Signatures
from simaie.finding import Finding
from simaie.replaying.signature import signature_of
from simaie.show.report_view import MOST_FAILURES, report_view

X, Y = 0x100, 0x340
LOOP = [ins("ldrex", X), ins("strex", X, 7)]


def fail(program: Program, machine: Machine | None = None, **options: Any) -> Failure:
    return explore(program, machine or Machine("none"), **{"scheduler": "random-walk", **options}).failures[0]


def two(first: list[Any], second: list[Any], isa: str = "x86", **options: Any) -> Failure:
    return fail(Program("two", isa=isa, threads=[first, second], init={X: 0}), **options)


def increments(address: int = X, *, before: int = 0) -> Failure:
    code = [*[ins("load", Y + 64 * n) for n in range(before)], ins("lock_inc", address)]
    return two(code, code)


# -- what it depends on ----------------------------------------------------------------------------------


def test_neither_address_nor_step_nor_seed_nor_vcpu_matters():
    wanted = increments().signature
    assert wanted.kinds == ("rmw-atomicity-value",)
    assert increments(X + 0x1000).signature == wanted
    assert increments(before=3).signature == wanted
    assert {two([ins("lock_inc", X)], [ins("lock_inc", X)], seed=seed).signature for seed in range(8)} == {wanted}
    idle: list[Any] = []
    shifted = Program("three", isa="x86", threads=[idle, [ins("lock_inc", X)], [ins("lock_inc", X)]], init={X: 0})
    assert fail(shifted).signature == wanted


def test_the_instructions_of_the_guilty_steps_matter():
    wanted = increments().signature
    assert two([ins("lock_dec", X)], [ins("lock_dec", X)]).signature != wanted
    assert two([ins("lock_inc", X)], [ins("store", X, 5)]).signature != wanted


def test_how_the_scheme_carries_an_instruction_out_matters():
    """A store-conditional that is one compare-and-swap, and one that is a load and a store."""
    threads = [LOOP, [ins("str_", X, 1), ins("str_", X, 0)]]
    program = Program("aba", isa="arm", threads=threads, init={X: 0})
    options = {"executions": 2000, "checkers": ["llsc-atomicity-value"]}
    assert fail(program, Machine("none"), **options).signature != fail(program, Machine("cas"), **options).signature


def test_the_level_matters_whichever_checker_found_it():
    silent = Program("silent", isa="arm", threads=[LOOP, [ins("str_", X, 0)]], init={X: 0})
    loud = Program("loud", isa="arm", threads=[LOOP, [ins("str_", X, 1)]], init={X: 0})
    weak, strong = fail(silent), fail(loud)
    assert [finding.kind for finding in weak.findings] == [finding.kind for finding in strong.findings]
    assert weak.signature.kinds == ("llsc-atomicity",)
    assert strong.signature.kinds == ("llsc-atomicity-value",)
    assert strong.strength > weak.strength
    strict = fail(loud, checkers=["llsc-atomicity-strict"])
    assert strict.signature == strong.signature


@pytest.mark.parametrize("scheme", ["aie-rfc", "aie-v2"])
def test_names_of_the_emulators_own_places_lose_their_numbers(scheme):
    def signature(address: int) -> Any:
        threads = [[ins("lock_inc", address)]] * 2
        program = Program("places", isa="x86", threads=threads, init={address: 0})
        machine = Machine(scheme, address_bits=47)  # as many levels for either address
        trace = explore(program, machine, executions=1, failures=None, checkers=[every_step]).failures[0].trace
        return signature_of(trace, every_step(trace))

    def every_step(trace: Any) -> list[Finding]:
        return [Finding("every-step", "", tuple(range(len(trace))))]

    assert signature(0x100) == signature(0xABC40)
    assert not set("0123456789") & set(signature(0x100).text)


def test_the_text_and_its_digest_are_the_same_in_every_process():
    code = """
from simaie import Machine, Program, explore, ins
threads = [[ins("lock_inc", 0x100)]] * 2
program = Program("two", isa="x86", threads=threads, init={0x100: 0}, final=lambda m: m[0x100] == 2)
signature = explore(program, Machine("none"), scheduler="random-walk").failures[0].signature
print(signature.text, signature.digest)
"""
    said = {
        subprocess.check_output([sys.executable, "-c", code], text=True, env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    program = Program("two", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0}, final=lambda m: m[X] == 2)
    here = fail(program).signature
    assert said == {f"{here.text} {here.digest}\n"}


# -- what is kept ----------------------------------------------------------------------------------------

COMMON, RARE = 130, 3


async def chooser(cpu: Any) -> None:
    """Fails in the final check in nearly every execution, and also by an assertion in the last ones."""
    number = await cpu.choose(COMMON + RARE)
    for _ in range(3 if number % 50 == 0 else 1 if number == 120 else 2):
        await cpu.store(X, 1)
    assert number < COMMON, "rare"


def many(**options: Any) -> Any:
    program = Program("many", isa="x86", threads=[chooser], init={X: 0}, final=lambda _: False)
    return explore(program, scheduler="dfs", **{"failures": None, **options})


def test_a_finding_after_the_hundredth_failure_is_not_lost():
    report = many()
    assert len(report.failures) == kept.MAX_KEPT < COMMON
    assert not any("assertion" in finding.kind for failure in report.failures for finding in failure.findings)
    strong, usual = sorted(report.signatures, key=lambda group: group.count)
    assert (strong.count, usual.count) == (RARE, COMMON)
    assert "assertion" in strong.signature.kinds
    assert strong.first.index == COMMON
    assert sum(group.count for group in report.signatures) == report.failing == COMMON + RARE
    assert report.unlisted == 0


def test_the_first_and_the_shortest_are_kept_however_late_they_come():
    usual = max(many().signatures, key=lambda group: group.count)
    assert (usual.first.index, usual.shortest.index) == (0, 120)
    assert len(usual.shortest.trace) < len(usual.first.trace)
    assert usual.shortest in many().kept or usual.shortest.index in {failure.index for failure in many().kept}


def test_the_limit_on_failures_ends_the_exploration_as_ever():
    report = many(failures=1)
    assert report.failing == report.executions == len(report.failures) == 1
    assert [group.count for group in report.signatures] == [1]
    assert many(failures=7).executions == 7


@pytest.mark.untraced
def test_json_has_every_signature_with_its_first_and_its_shortest():
    report = many()
    document = json.loads(json.dumps(report.as_dict()))
    assert [group["count"] for group in document["signatures"]] == [group.count for group in report.signatures]
    for said, group in zip(document["signatures"], report.signatures, strict=True):
        assert said["digest"] == group.signature.digest
        assert said["kinds"] == list(group.signature.kinds)
        assert said["first"]["digest"] == group.first.trace.digest
        assert said["shortest"]["index"] == group.shortest.index
    assert document["unlisted"] == 0
    assert document["failures"][0]["signature"] in [group["digest"] for group in document["signatures"]]


def test_the_text_lists_every_signature_and_how_to_have_one_that_is_not_shown():
    report = many()
    text = "\n".join(line.plain for line in report_view(report))
    assert all(group.signature.digest in text for group in report.signatures)
    assert report.signatures[0].shortest.index > MOST_FAILURES
    assert report.signatures[0].shortest.how_to_reproduce in text


def test_the_strongest_comes_first():
    threads = [LOOP, [ins("str_", X, 0), ins("str_", X, 1), ins("str_", X, 0)]]
    program = Program("mixed", isa="arm", threads=threads, init={X: 0})
    report = explore(program, Machine("cas"), scheduler="dfs", failures=None)
    assert [group.strength.level for group in report.signatures] == [3, 2]
    assert report.strongest == report.signatures[0].first
    late = Signatures()
    for index, group in enumerate(reversed(report.signatures)):
        late.add(replace(group.first, index=index))
    assert [group.strength.level for group in late.groups] == [3, 2]
    assert explore(program, Machine("native"), scheduler="dfs").strongest is None


# -- memory ----------------------------------------------------------------------------------------------


def failing(number: int, *kinds: str) -> Failure:
    """A failure of a signature of its own."""
    found = increments()
    return replace(found, findings=tuple(Finding(kind, "") for kind in kinds), index=number)


def test_beyond_the_limit_only_what_has_a_new_kind_is_kept_and_the_rest_is_counted():
    signatures = Signatures(most=2)
    for number, kinds in enumerate([("a",), ("b",), ("a", "b"), ("a", "b"), ("a", "c"), ("d",), ("e",), ("a",)]):
        signatures.add(failing(number, *kinds))
    assert [(group.signature.kinds, group.count) for group in signatures.groups] == [
        (("a",), 2), (("b",), 1), (("a", "c"), 1), (("d",), 1)
    ]  # fmt: skip
    assert signatures.unlisted == 3


@pytest.mark.untraced
def test_what_is_beyond_the_limit_is_said_in_the_report(monkeypatch):
    monkeypatch.setattr(kept, "Signatures", lambda: Signatures(most=0))
    report = many()
    assert report.signatures == ()
    assert report.unlisted == report.failing
    assert report.as_dict()["unlisted"] == report.failing
    assert any(f"{report.failing:,} failing executions" in line.plain for line in report_view(report))


def test_explorations_are_merged_in_their_order():
    first, second = Signatures(), Signatures()
    first.add(failing(0, "a"))
    second.add(failing(1, "a"))
    second.add(failing(2, "b"))
    first.merge(second.groups, unlisted=4)
    assert [(group.count, group.first.index) for group in first.groups] == [(2, 0), (1, 2)]
    assert first.unlisted == 4


# -- counterexamples -------------------------------------------------------------------------------------


def test_there_is_one_counterexample_for_each_signature_that_is_left_and_every_kind_has_one():
    """Two of three increments, of which any two are enough: whatever else is wrong in an execution is cut away."""
    threads = [[ins("lock_inc", X), ins("lock_inc", Y)], [ins("lock_inc", Y), ins("lock_inc", X)], [ins("lock_inc", X)]]
    program = Program("incs", isa="x86", threads=threads, init={X: 0, Y: 0})
    report = explore(program, Machine("none"), scheduler="random-walk", executions=60, failures=None)
    found = counterexamples(report.signatures)
    assert len({each.failure.signature for each in found}) == len(found) == 1
    assert found[0].count == report.failing


def test_a_kind_that_shrinking_loses_gets_a_counterexample_of_its_own():
    def odd(trace):
        return [Finding("odd", "", (len(trace) - 1,))] if any(e.op.address == Y for e in trace.events) else ()

    threads = [[ins("lock_inc", X), ins("store", Y, 1)], [ins("lock_inc", X)]]
    program = Program("odd", isa="x86", threads=threads, init={X: 0})
    report = explore(program, Machine("none"), scheduler="dfs", executions=200, failures=None,
                     checkers=["rmw-atomicity", odd])  # fmt: skip
    both = [group for group in report.signatures if len(group.signature.kinds) == 2]
    assert both
    found = counterexamples(both)
    assert {kind for each in found for kind in each.failure.signature.kinds} == {"odd", "rmw-atomicity-value"}
    assert [each.kind for each in found] == ["rmw-atomicity", "odd"]
