"""What a program as data can have: table, reader, lists of instructions and vCPUs agree on every instruction."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from simaie import Limits, Machine, Program, explore, ins
from simaie.errors import ProgramTextError, SimaieError, UsageError
from simaie.guest.code import Ins, instructions_of
from simaie.guest.isa import ISAS
from simaie.guest.operands import HIGHEST, LOWEST, MAX_ARITY, Parameter, Row
from simaie.guest.register_instructions import LOCAL
from simaie.guest.text import parse_program, program_text
from simaie.strategies import programs

X = 0x100
ROWS = {isa: [row for row in instructions_of(cls).values() if row is not None] for isa, cls in ISAS.items()}
CANDIDATES = (-1, 0, 1, 2, 3, 4, 5, 8, 16, 31, 32, 64, 4096, 1 << 63, HIGHEST, LOWEST)
TEXTS = ("", "a", "l", "al", "rw", "iorw", "x", "ish", "ld", "store", "full", "st-ld+st-st", "none", "sy", "é", "a|b")


def values(parameter: Parameter) -> tuple[int | str, ...]:
    if parameter.text:
        return TEXTS
    return (*CANDIDATES, "r") if parameter.constants or parameter.name == "arity" else (LOWEST, -1, 0, HIGHEST, "r")


def usual(parameter: Parameter) -> int | str:
    return {"address": X, "arity": 2}.get(parameter.name, 1)


def variants(row: Row):
    """The instruction with the least operands, and with each value for each parameter."""
    needed = [usual(p) for p in row.parameters if p.required]
    places = [p for p in row.parameters if p.required]
    yield ins(row.mnemonic, *needed)
    for index, parameter in enumerate(places):
        for value in values(parameter):
            yield ins(row.mnemonic, *needed[:index], value, *needed[index + 1 :])
    for parameter in row.parameters:
        if not parameter.required:
            for value in values(parameter):
                yield Ins(row.mnemonic, tuple(needed), None, ((parameter.name, value),))


def accepted(isa: str, item: Ins) -> Program | None:
    try:
        return Program("one", isa=isa, threads=[[ins("mov", 1, into="r"), item]], handler=[])  # for `signal`
    except UsageError:
        return None


def run(program: Program) -> None:
    explore(program, Machine("native"), executions=1, checkers=[])


@pytest.mark.one_in(4)
@pytest.mark.untraced
@pytest.mark.parametrize("isa", ISAS)
def test_every_row_runs_as_it_says_and_is_written_and_read_back(isa):
    """What a list accepts is written, read back, and carried out; what it refuses the reader refuses with its place."""
    count = 0
    for item in [item for row in ROWS[isa] for item in variants(row)]:
        program = accepted(isa, item)
        if program is None:
            cell = f"{item.name} {', '.join([*map(shown, item.args), *(f'{n}={shown(v)}' for n, v in item.options)])}"
            with pytest.raises(ProgramTextError) as caught:
                parse_program(f'program "one"\nisa {isa}\n\nP0\nr = mov 1\n{cell}\n')
            assert caught.value.line == 6
            continue
        count += 1
        again = parse_program(program_text(program))
        assert again.digest == program.digest
        assert [*again.threads[0]] == [*program.threads[0]]
        run(program)
    assert count > len(ROWS[isa])


def shown(value: int | str) -> str:
    return '""' if value == "" else f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize("isa", ISAS)
def test_a_row_says_whether_there_is_a_result(isa):
    for row in ROWS[isa]:
        program = accepted(isa, ins(row.mnemonic, *(usual(p) for p in row.parameters if p.required), into="r"))
        assert (program is not None) == row.result, row
        if program is not None:
            run(program)


@pytest.mark.untraced
@pytest.mark.one_in(3)
@pytest.mark.parametrize("isa", ISAS)
def test_a_vcpu_refuses_the_widths_that_its_table_refuses(isa):
    for row in ROWS[isa]:
        parameter = next((p for p in row.parameters if p.name == "width"), None)
        for width in (0, 1, 2, 3, 4, 8, 16, 32, 4096) if parameter else ():
            program = Program("one", isa=isa, threads=[one(row, width)])
            if width in parameter.constants:
                run(program)
                continue
            with pytest.raises(SimaieError):
                run(program)


def one(row: Row, width: int):
    operands = [usual(p) for p in row.parameters if p.required]

    async def guest(cpu):
        await getattr(cpu, row.mnemonic)(*operands, width=width)

    return guest


@pytest.mark.parametrize("isa", ISAS)
def test_what_takes_no_data_is_not_offered(isa):
    names = set(instructions_of(ISAS[isa]))
    assert names.isdisjoint({"join", "wait_until", "map_page", "leave", "atomic", "call"})
    assert names >= LOCAL


@pytest.mark.parametrize(
    "cell",
    [
        "join 1", "wait_until 0x100, 1", "map_page 0x100, 4", "spawn 5", "spawn", "r = store 0x100, 1",
        "load 0x100, width=0", "load 0x100, width=3", "load 0x100, width=32", "load 0x100, width=4096",
        "load 0x100, width=r", "load 0x100, width=4, width=8", "store 0x100, value=r", "store 0x100", "load",
        "load 0x100, 1", "choose 0", f"choose {MAX_ARITY + 1}", "choose 1000000000", 'choose 2, "why"',
        "mov r, width=4", "r = branch L", "cbz r, 5", "lock_adc 0x100, 1, carry=2", "load 0100",
        f"load {'9' * 78}", f"load 0x{'f' * 64}", f"load {'9' * 5000}", f"load {HIGHEST + 1}", f"load {LOWEST - 1}",
    ],
)  # fmt: skip
def test_the_reader_refuses_each_with_its_place(cell):
    with pytest.raises(ProgramTextError) as caught:
        parse_program(f'program "p"\nisa x86\n\nP0\n{cell}\nlabel L\n')
    assert caught.value.line == 5


@pytest.mark.parametrize(
    "line",
    [
        "init 0100 = 1", "init 0x100 = 01", f"init 0x100 = {'9' * 78}", f"init {'9' * 78} = 1", "init -1 = 1",
        "init 0x100 : 3 = 1", "init 0x100 : 0 = 1", "watch 0x100 : 0", "watch 0x100 : 100000000",
        f"watch 0x100 : {'9' * 5000}", "watch -1 : 4", "watch 00 : 4",
    ],
)  # fmt: skip
def test_so_does_it_each_number_of_the_header(line):
    with pytest.raises(ProgramTextError) as caught:
        parse_program(f'program "p"\nisa x86\n{line}\n\nP0\nload 0x100\n')
    assert caught.value.line == 3


@pytest.mark.parametrize("value", [0, 255, 256, 10**20, HIGHEST, LOWEST, -1, -256])
def test_the_largest_numbers_are_read_back(value):
    program = Program("p", isa="x86", threads=[[ins("store", X, value), ins("mov", value, into="r")]],
                      init={X: (value, 16)}, watch={X: 1024})  # fmt: skip
    again = parse_program(program_text(program))
    assert again.digest == program.digest
    assert again.image == program.image
    run(program)


@pytest.mark.parametrize("value", [HIGHEST + 1, LOWEST - 1, 1 << 100_000], ids=["above", "below", "huge"])
def test_what_could_not_be_read_back_is_no_program(value):
    for make in (
        lambda: Program("p", isa="x86", threads=[[ins("store", X, value)]]),
        lambda: Program("p", isa="x86", threads=[[ins("mov", value)]]),
        lambda: Program("p", isa="x86", threads=[[]], init={X: value}),
        lambda: Program("p", isa="x86", threads=[[]], init={value: 1}),
        lambda: Program("p", isa="x86", threads=[[]], watch={X: value}),
    ):
        with pytest.raises(UsageError):
            make()


@pytest.mark.parametrize("bits", [0, 1, 63, 64, 65, (1 << 64) - 1])
def test_a_sign_is_extended_from_any_bit(bits):
    program = Program("p", isa="x86", threads=[[ins("reg_sext", 5, bits, into="r"), ins("reg_shr", 5, bits, into="s"),
                                                ins("reg_sar", 5, bits), ins("reg_shl", 5, bits)]])  # fmt: skip
    run(program)


@pytest.mark.one_in(3)
@pytest.mark.untraced
@pytest.mark.parametrize("isa", sorted(ISAS))
def test_every_drawn_program_is_read_back(isa):
    @settings(max_examples=40, deadline=None, database=None)
    @given(programs(isa, vcpus=3, instructions=5))
    def read_back(program):
        again = parse_program(program_text(program))
        assert again.digest == program.digest
        assert [[*thread] for thread in again.threads] == [[*thread] for thread in program.threads]
        assert (again.image, again.watch, again.checkers) == (program.image, program.watch, program.checkers)

    read_back()


@pytest.mark.untraced
def test_many_vcpus_and_many_numbers_are_read_and_run_quickly():
    lines = "\n".join(f"init {number << 12:#x} = 1" for number in range(5_000))
    program = parse_program(f'program "p"\nisa x86\nwatch none\n{lines}\n\nP0\nload 0x1000\n')
    assert explore(program, Machine(limits=Limits(steps=5)), executions=2, checkers=[]).executions
