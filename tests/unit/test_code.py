"""Programs as data: arithmetic against its definition, hidden registers, what is observed."""

from __future__ import annotations

from typing import Any

import pytest
from simaie_schedulers.round_robin import RoundRobin

from simaie import explore
from simaie.errors import UsageError
from simaie.guest.code import Ins, ins
from simaie.guest.program import Program
from simaie.guest.register_instructions import ALU
from simaie.machine import Machine
from simaie.replaying.run import run

X = 0x100
TOP = 1 << 64
EDGES = (0, 1, 2, 7, 63, 64, 65, 255, TOP // 2 - 1, TOP // 2, TOP - 1)


def alone(*code: Ins) -> dict[str, int]:
    """The outcome of one thread."""
    return run(Program("alone", isa="x86", threads=[code]), Machine(), RoundRobin()).outcome.as_dict()


def signed(value: int) -> int:
    return value - TOP if value >= TOP // 2 else value


EXACT: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a * 2**b if b < 64 else 0,
    "shr": lambda a, b: a // 2**b if b < 64 else 0,
    "sar": lambda a, b: signed(a) // 2**b if b < 64 else -(signed(a) < 0),
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "slt": lambda a, b: signed(a) < signed(b),
    "sle": lambda a, b: signed(a) <= signed(b),
}


@pytest.mark.parametrize("name", sorted(EXACT))
def test_arithmetic_is_exact_modulo_64_bits(name: str) -> None:
    """At the edges, by constants and by registers alike."""
    pairs = [(a, b) for a in EDGES for b in EDGES]
    code = []
    for number, (a, b) in enumerate(pairs):
        code += [ins("mov", a, into=".a"), ins("mov", b, into=".b"), ins(f"reg_{name}", ".a", ".b", into=f"r{number}")]
        code.append(ins(f"reg_{name}", a, b, into=f"c{number}"))
    outcome = alone(*code)
    for number, (a, b) in enumerate(pairs):
        want = int(EXACT[name](a, b)) % TOP
        assert (outcome[f"0:r{number}"], outcome[f"0:c{number}"]) == (want, want), (a, b)


def test_sign_extension_from_any_width() -> None:
    """The lowest bits are a two's complement number of that width; what is above them does not matter."""
    widths = (1, 8, 16, 31, 32, 63, 64)
    for bits in widths:
        for value in {0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1, TOP - 1}:
            low = value % 2**bits
            want = low - 2**bits if low >= 2 ** (bits - 1) else low
            assert alone(ins("reg_sext", value, bits, into="r"))["0:r"] == want % TOP
    assert set(ALU) == {*EXACT, "sext"}


def test_negative_constants_are_what_registers_hold() -> None:
    """In arithmetic -1 is all ones, as it is in a register."""
    outcome = alone(ins("mov", -1, into=".a"), ins("reg_eq", ".a", -1, into="same"), ins("reg_lt", 5, -1, into="less"))
    assert outcome == {"0:same": 1, "0:less": 1}


def test_a_register_whose_name_begins_with_a_dot_is_not_observed_unless_asked() -> None:
    """Neither as the target of a register instruction nor of one of the vCPU."""
    code = [
        ins("store", X, 5),
        ins("load", X, into=".r"),
        ins("reg_add", ".r", 1, into=".s"),
        ins("mov", ".s", into=".t"),
    ]
    assert alone(*code) == {}
    assert alone(*code, ins("observe", ".t", into="x"), ins("observe", "y"), ins("observe", 3, into="z")) == {
        "0:x": 6,
        "0:y": 0,
        "0:z": 3,
    }


def test_select_takes_one_of_two() -> None:
    """The first unless the condition is 0."""
    outcome = alone(*[ins("select", c, 10, 20, into=f"r{c}") for c in (0, 1, 7)])
    assert outcome == {"0:r0": 20, "0:r1": 10, "0:r7": 10}


@pytest.mark.parametrize(
    "item",
    [ins("mov"), ins("mov", 1, 2, into="r"), ins("select", 1, 2), ins("reg_add", 1), ins("observe"), ins("cbz", "r"),
     ins("branch"), ins("label")],
)  # fmt: skip
def test_a_register_instruction_has_its_number_of_arguments(item: Ins) -> None:
    """Refused when the program is made."""
    with pytest.raises(UsageError, match="argument"):
        alone(item)


def test_instructions_without_a_target_change_nothing() -> None:
    """Not even the constants that they name."""
    outcome = alone(ins("reg_add", 1, 2), ins("mov", 7), ins("select", 1, 2, 3), ins("store", X, 4), ins("load", X),
                    ins("reg_add", 1, 2, into="r"))  # fmt: skip
    assert outcome == {"0:r": 3}


def test_only_a_register_of_two_dots_holds_a_pair():
    low, high = 0x1122_3344_5566_7788, 0x99AA_BBCC_DDEE_FF00
    code = [
        ins("reg_join", low, high, into="..pair"), ins("stp", 0x100, "..pair"), ins("ldp", 0x100, into="..again"),
        ins("reg_shr", "..again", 64, into="high"), ins("reg_and", "..again", -1, into="low"),
        ins("ldp", 0x100, into="half"),
    ]  # fmt: skip
    program = Program("pair", isa="aarch64", threads=[code], init={0x100: bytes(16)}, watch={0x100: 16})
    (outcome,) = explore(program, scheduler="dpor").outcomes
    assert outcome.as_dict() == {"0:high": high, "0:low": low, "0:half": low, "[0x100]": high << 64 | low}
    with pytest.raises(UsageError, match="128 bits"):
        Program("pair", isa="aarch64", threads=[[ins("reg_join", 1, 2, into="r")]])
