"""What the llsc checkers find is the same in all executions that differ in the order of independent operations only.

An execution of a generated program is judged, and again after many swaps of independent neighbours. Every
finding must be the same: its kind, its words, and its steps, each named by its actor and its number there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from simaie_schedulers.random_walk import RandomWalk

from exhaustive.canonical import are_dependent
from exhaustive.programs import GuestThread
from exhaustive.searches import run
from simaie.check import LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE, judge
from simaie.dependence import waits_for_drain
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind, owner_of
from simaie.prng import Random
from simaie.schemes.scheme import Scheme
from simaie.trace import Event, Trace

X = 0x100
LEVELS = (LLSC_STRICT, LLSC_ARCHITECTURAL, LLSC_VALUE)
#: By instruction set: load-linked, store-conditional, store and load, by width; and what ends a reservation besides.
NAMES: dict[str, tuple[dict[int, str], dict[int, str], dict[int, str], str]] = {
    "arm": ({4: "ldrex", 8: "ldrexd"}, {4: "strex", 8: "strexd"}, {}, "clrex"),
    "riscv": ({}, {}, {1: "sb", 4: "sw", 8: "sd"}, "exception"),
    "ppc": ({4: "lwarx", 8: "ldarx"}, {4: "stwcx", 8: "stdcx"}, {1: "stb", 4: "stw", 8: "std"}, "exception"),
}
KINDS = ["ll", "sc", "sc", "store", "store", "load", "end"]
OTHERS = ["store", "store", "load", "ll", "sc"]
SIZES = ((3, 2), (4, 1), (3, 1, 1), (2, 2), (5, 2))


class Blind(Scheme):
    """A store-conditional that always stores, by a store that may wait in a buffer."""

    def load_linked(self, cpu: Any, address: int, width: int) -> Any:
        return self.load(cpu, address, width)

    async def store_conditional(self, cpu: Any, address: int, width: int, value: int) -> bool:
        await self.store(cpu, address, width, value)
        return True


def program(isa: str, seed: int) -> Program:
    """A program of accesses of several widths to 16 bytes; its first vCPU begins with a load-linked."""
    random = Random(seed)
    threads = [_thread(isa, _steps(random, size, number)) for number, size in enumerate(SIZES[seed % len(SIZES)])]
    return Program(f"{isa} {seed}", isa=isa, threads=threads, init={X: (0, 16)})


def _steps(random: Random, size: int, number: int) -> list[tuple[str, int, int, int]]:
    steps = []
    for at in range(size):
        kind = "ll" if number == at == 0 else random.choice(OTHERS if number else KINDS)
        width = random.choice([1, 4, 8, 8] if kind == "store" else [4, 4, 8])
        steps.append((kind, X + random.choice([0, 0, 0, 8] if width == 8 else [0, 0, 4]), width, random.below(2)))
    return steps


def _thread(isa: str, steps: Sequence[tuple[str, int, int, int]]) -> GuestThread:
    linked, conditional, store, end = NAMES[isa]

    async def thread(cpu: Any) -> None:
        for kind, address, width, value in steps:
            if kind == "ll":
                await (getattr(cpu, linked[width])(address) if linked else cpu.lr(address, width=width))
            elif kind == "sc" and conditional:
                await getattr(cpu, conditional[width])(address, value)
            elif kind == "sc":
                await cpu.sc(address, value, width=width)
            elif kind == "store":
                await (getattr(cpu, store[width])(address, value) if store else cpu.str_(address, value, width=width))
            elif kind == "load":
                await cpu.load(address, width=width)
            else:
                await getattr(cpu, end)()

    return thread


def found(trace: Trace) -> list[tuple[object, ...]]:
    """The findings of all levels, in words that do not depend on the order of independent steps."""
    names, counts = [], dict[str, int]()
    for event in trace.events:
        counts[event.actor] = counts.get(event.actor, -1) + 1
        names.append((event.actor, counts[event.actor]))
    return sorted(
        (finding.kind, finding.message, tuple(names[step] for step in finding.steps), finding.addresses, finding.vcpus)
        for finding in judge(trace, LEVELS)
    )


def swapped(trace: Trace, random: Random) -> tuple[Trace, int]:
    """An equivalent execution, and how many swaps lead there."""
    events, swaps, fenced = list(trace.events), 0, Kind.FENCE in trace.kinds
    for _ in range(6 * len(events)):
        at = random.below(len(events) - 1)
        if not are_ordered(events[at], events[at + 1], fenced):
            events[at : at + 2] = events[at + 1], events[at]
            swaps += 1
    same = Trace(
        program=trace.program, events=events, ending=trace.ending, outcome=trace.outcome, schedule=trace.schedule,
        waiting=trace.waiting, isa=trace.isa, reservation_ends=trace.reservation_ends,
    )  # fmt: skip
    return same, swaps


def are_ordered(a: Event, b: Event, fenced: bool) -> bool:
    """Whether two neighbours must stay in this order. fenced: whether fences may keep stores in order."""
    if a.actor == b.actor or are_dependent(a, b):
        return True
    vcpu = owner_of(a.actor)
    if vcpu != owner_of(b.actor):
        return False
    if vcpu not in (a.actor, b.actor):  # two drains
        return fenced or not {a.op.address // 8, a.op.address // 8 + 1}.isdisjoint({b.op.address // 8})
    step, drain = (a, b) if a.actor == vcpu else (b, a)
    return waits_for_drain(step.op) or step.op.value is drain.op


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("scheme", ["blind", "none", "cas", "native", "aie-rfc"])
def test_equivalent_executions_have_the_same_findings(scheme, host):
    swaps, findings = _compare(scheme, host, range(60))
    assert swaps > 300
    assert findings >= {"blind": 15, "none": 2, "cas": 1, "aie-rfc": 5, "native": 0}[scheme]


@pytest.mark.soak
@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize("scheme", ["blind", "none", "cas", "native", "aie-rfc"])
def test_equivalent_executions_of_many_programs_have_the_same_findings(scheme, host):
    _compare(scheme, host, range(60, 5_000))


def _compare(scheme: str, host: str, seeds: Sequence[int]) -> tuple[int, int]:
    """How many swaps were made, and how much was found."""
    machine = Machine(Blind if scheme == "blind" else scheme, host=host, address_bits=12)
    swaps = findings = 0
    for seed in seeds:
        made = program(sorted(NAMES)[seed % len(NAMES)], seed)
        trace = run(made, RandomWalk(), machine, seed)
        if len(trace) < 2:
            continue
        expected, random = found(trace), Random(seed)
        assert scheme != "native" or all(kind == "llsc-atomicity-strict" for kind, *_ in expected), made.name
        findings += len(expected)
        for _ in range(2):
            again, made_swaps = swapped(trace, random)
            swaps += made_swaps
            assert found(again) == expected, made.name
    return swaps, findings
