"""Every instruction of every instruction set runs under the schemes, with the right result and the right effect."""

from __future__ import annotations

from typing import Any

import pytest
from instruction_cases import CASES, Case, X
from runs import execute

from simaie import Machine, Program, ins
from simaie.check import DEFAULT
from simaie.guest.code import instructions_of
from simaie.guest.cpu import Cpu
from simaie.guest.isa import ISAS

#: A scheme that wraps another one has to pass every instruction on to it.
WRAPPED = "interrupted:scheme=native,times=0"
SCHEMES = ("native", "cas", "aie-rfc", WRAPPED)
COMMON = set(Cpu.instruction_names())
LISTS = [(isa, scheme) for isa in CASES for scheme in SCHEMES]


def own_instructions(isa: str) -> set[str]:
    """The instructions that the instruction set does not share with all others."""
    return {name for name in ISAS[isa].instruction_names() if name not in COMMON}


@pytest.mark.parametrize("isa", sorted(ISAS))
def test_every_instruction_has_a_case(isa):
    assert set(CASES[isa]) == own_instructions(isa)


def outcome(isa: str, scheme: str, name: str, case: Case) -> tuple[Any, int]:
    """What the instruction returned, and the value of the location afterwards; fails if a checker finds anything."""
    seen = []

    async def guest(cpu):
        if case.first is not None:
            before, args, options = case.first
            await getattr(cpu, before)(*args, **options)
        seen.append(await getattr(cpu, name)(*case.args, **case.options))

    order = ISAS[isa].byte_order
    memory = case.before.to_bytes(case.width, order)
    program = Program(name, isa=isa, threads=[guest], init={X: memory}, watch={X: case.width})
    trace = execute(program, Machine(scheme, address_bits=16))
    findings = [finding for checker in DEFAULT for finding in checker(trace)]
    assert not findings, (name, case, findings)
    assert trace.endian == order
    return seen[0], trace.outcome[f"[{X:#x}]"]


@pytest.mark.parametrize(("isa", "scheme"), LISTS)
def test_each_instruction_returns_what_its_manual_says_and_leaves_it_in_memory(isa, scheme):
    for name, cases in CASES[isa].items():
        for case in cases:
            expected = case.result, case.before if case.after is None else case.after
            if ("native" if scheme == WRAPPED else scheme) in case.failing:
                expected = 1 - case.result, case.before
            assert outcome(isa, scheme, name, case) == expected, (name, case)


@pytest.mark.parametrize("isa", sorted(CASES))
def test_each_case_is_an_instruction_of_a_list_too(isa):
    """With the same operands, as far as they are numbers of at most 16 bytes."""
    known = instructions_of(ISAS[isa])
    for name, cases in CASES[isa].items():
        for case in cases:
            args = [value & (1 << 128) - 1 for value in case.args]
            Program("list", isa=isa, threads=[[ins(name, *args, **case.options)]])
            assert known[name].result is (case.result is not None), name


@pytest.mark.parametrize("isa", sorted(CASES))
def test_a_store_conditional_without_its_load_linked_fails(isa):
    for name, cases in CASES[isa].items():
        for case in cases:
            if case.first is not None:
                result, after = outcome(isa, "native", name, case._replace(first=None))
                assert (result, after) == (1 - case.result, case.before), name
