"""Constrained loops of RISC-V must succeed at some time; what a loop may not do, and what excuses its failures."""

from __future__ import annotations

from typing import Any

import pytest

import simaie
from simaie import Limits, Machine, Program, Verdict, prove_progress

X, NEAR, FAR = 0x1000, 0x1020, 0x1100
LASSOS = Limits(tries=None, steps=150)


def adds(between: Any = None, **options: Any) -> Any:
    """A loop that adds one, with something between its LR and its SC."""

    async def thread(cpu: Any) -> None:
        while True:
            old = await cpu.lr(X)
            if between is not None:
                await between(cpu)
            if not await cpu.sc(X, old + 1, **options):
                return

    return thread


def stores(address: int) -> Any:
    async def thread(cpu: Any) -> None:
        while True:
            await cpu.sw(address, 1)
            await cpu.sw(address, 0)

    return thread


def program(*threads: Any, isa: str = "riscv", devices: Any = ()) -> Program:
    return Program("loop", isa=isa, threads=threads, devices=devices, init={X: 0, NEAR: 0, FAR: 0})


def findings(*threads: Any, scheme: str = "hst", **options: Any) -> Any:
    """The findings of one lasso."""
    report = simaie.explore(
        program(*threads, **options), Machine(scheme, limits=LASSOS), scheduler="random-walk", executions=60,
        checkers=["progress"], seed=1,
    )  # fmt: skip
    return report.failures[0].findings


def broken(found: Any) -> set[str]:
    """The vCPUs whose loops must succeed and do not."""
    return {each.vcpus[0] for each in found if each.kind == "livelock" and "promises that such" in each.message}


@pytest.mark.parametrize("isa", ["riscv", "riscv_ztso"])
def test_a_constrained_loop_that_fails_for_ever_breaks_the_rule(isa):
    """In this scheme the last load-linked wins, so that the vCPUs let each other fail."""
    found = findings(adds(), adds(), isa=isa)
    assert broken(found) == {"0", "1"}
    assert {each.verdict for each in found} == {Verdict.VIOLATED}


def test_the_rule_is_broken_also_if_another_vcpu_gets_on_elsewhere():
    found = findings(adds(), adds(), stores(FAR))
    assert [each.kind for each in found] == ["starvation", "livelock", "livelock"]
    assert broken(found) == {"0", "1"}


def test_a_scheme_that_lets_one_succeed_keeps_the_promise():
    assert prove_progress(program(adds(), adds()), Machine("cas")).verdict is Verdict.HOLDS
    proof = prove_progress(program(adds(), adds()), Machine("hst"))
    assert proof.failure is not None
    assert broken(proof.failure.findings) == {"0", "1"}


async def loads(cpu: Any) -> None:
    await cpu.lw(FAR)


async def hints(cpu: Any) -> None:
    await cpu.pause()


async def links_again(cpu: Any) -> None:
    await cpu.lr(X)


@pytest.mark.parametrize(("between", "why"), [(loads, "lw"), (hints, "pause"), (links_again, "LR without an SC")])
def test_a_loop_that_does_more_may_fail_and_the_finding_says_why(between, why):
    found = findings(adds(between), adds(between))
    assert not broken(found)
    assert why in found[0].message


def test_the_store_conditional_must_have_the_address_and_size_of_the_load_reserved():
    found = findings(adds(width=8), adds(width=8))
    assert not broken(found)
    assert "size" in found[0].message


def test_a_store_conditional_that_fails_without_an_operation_counts():
    async def elsewhere(cpu):
        while True:
            await cpu.lr(X)
            if not await cpu.sc(FAR, 1):
                return

    found = findings(elsewhere, elsewhere)
    assert not broken(found)
    assert "another address" in found[0].message


def test_the_end_of_a_time_slice_is_a_trap_that_excuses_the_failures():
    proof = prove_progress(program(adds(), adds()), Machine("time-sliced:scheme=native"))
    assert [each.kind for each in proof.failure.findings] == ["livelock"]
    assert not broken(proof.failure.findings)


def test_of_two_loops_the_constrained_one_must_succeed():
    assert broken(findings(adds(), adds(loads))) == {"0"}


def test_stores_to_the_reservation_set_excuse_the_failures():
    """The set may be a block of 64 bytes."""
    assert not broken(findings(adds(), adds(), stores(NEAR)))

    async def device(dev: Any) -> None:
        while True:
            await dev.store(NEAR, 1)
            await dev.store(NEAR, 0)

    assert not broken(findings(adds(), adds(), devices=[device]))


def test_a_vcpu_may_starve_while_others_succeed():
    async def toggles(cpu: Any) -> None:
        while True:
            await cpu.sc(X, 1 - await cpu.lr(X))

    found = findings(adds(), toggles, scheme="native")
    assert [each.kind for each in found] == ["starvation"]


def test_other_architectures_promise_nothing():
    async def arm(cpu: Any) -> None:
        failed = 1
        while failed:
            old = await cpu.ldrex(X)
            failed = await cpu.strex(X, old + 1)

    found = findings(arm, arm, isa="arm")
    assert [each.kind for each in found] == ["livelock"]
    assert "promises" not in found[0].message
