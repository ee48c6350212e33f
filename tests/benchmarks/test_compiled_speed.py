"""What compiled guests cost next to the same guests written by hand, in one process. Run by hand: `make benchmark`."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from full_speed import slowness

from simaie import Machine, Program, explore
from simaie.binary import binary_program
from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall
from simaie.binary.compilers import compile_c
from simaie.binary.elf import load_image
from simaie.binary.layout import Layout
from simaie.binary.translation import code_of

pytestmark = pytest.mark.benchmark

ELF = Path(__file__).resolve().parents[1] / "binaries" / "elf"
LOCK, COUNTER = 0x100, 0x104
ROUNDS = 5


async def spin(cpu: Any) -> None:
    """As fas() of tests/binaries/src/locks.c."""
    while await cpu.xchg(LOCK, 1):
        while await cpu.load(LOCK):
            await cpu.pause()
    await cpu.add(COUNTER, 1)
    await cpu.store(LOCK, 0)


def by_hand() -> Program:
    init = {LOCK: 0, COUNTER: 0}
    return Program("spin", isa="x86", threads=[spin, spin], init=init, final=lambda state: state[COUNTER] == 2)


def compiled() -> Program:
    return binary_program(ELF / "locks.x86_64.elf", ["fas", "fas"], final="check")


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def search(program: Program) -> Callable[[], object]:
    return lambda: explore(program, Machine("native"), scheduler="random-walk", executions=1_000, failures=None)


def test_an_execution_of_compiled_code_costs_at_most_two_and_a_half_times_as_much():
    pairs = [(seconds(search(by_hand())), seconds(search(compiled()))) for _ in range(ROUNDS)]
    hand, elf = (min(column) for column in zip(*pairs, strict=True))
    print(f"{1_000 / elf:,.0f} executions a second, {elf / hand:.2f} times the cost of a guest written by hand")
    assert elf / hand < 2.5


def test_private_instructions_run_at_speed():
    """A loop of two or three instructions, against a loop in Python that does the same to two variables."""
    image = load_image("memory", (ELF / "memory.aarch64.elf").read_bytes())
    code, layout = code_of(image), Layout(image, 0)
    rounds = 300_000

    def loop() -> int:
        count, flag = rounds, 0
        while count:
            count = count - 1 & (1 << 64) - 1
            flag = int(count == 0)
        return flag

    def delay() -> int:
        call = CCall("delay", image.symbols["delay"].address, (rounds,))
        return run_alone(code, layout, call, Memory(image.initial, "little"), "delay")

    delay()
    pairs = [(seconds(loop), seconds(delay)) for _ in range(ROUNDS)]
    python, guest = (min(column) for column in zip(*pairs, strict=True))
    speed = 2 * rounds / guest
    print(f"{speed:,.0f} private instructions a second, {speed * slowness():,.0f} at full speed, "
          f"{guest / python:.1f} times a loop in Python")  # fmt: skip
    assert guest / python < 12


def large_source(functions: int) -> str:
    """C code of many functions of about 90 bytes of machine code each."""
    lines = ["static volatile unsigned sink;"]
    for number in range(functions):
        lines += [
            f"unsigned f{number}(unsigned a, unsigned b)", "{",
            f"    unsigned s = a * {7 * number + 3} + b;",
            f"    for (unsigned i = 0; i < (b & {number % 13 + 3}); i++)",
            f"        s = (s << {number % 7 + 1} ^ s >> {number % 5 + 1}) + i * {number + 11};",
            f"    if (s & {1 << number % 8})", "        s -= a;", "    return s + sink;", "}",
        ]  # fmt: skip
    return "\n".join(lines)


@pytest.mark.parametrize(("sections", "functions", "debug"), [(".text", 740, "-g0"), (".debug", 175, "-g")])
def test_a_file_of_50_kilobytes_is_loaded_in_a_moment(sections, functions, debug, tmp_path):
    """50 kB of machine code, or 50 kB of debug information, of which types and lines are read."""
    source = tmp_path / "large.c"
    source.write_text(large_source(functions))
    file, content, _ = compile_c(source, f"gcc -O2 -fno-tree-vectorize {debug}")
    elf = ELFFile(io.BytesIO(content))
    size = sum(section["sh_size"] for section in elf.iter_sections() if section.name.startswith(sections))
    assert 45_000 < size < 56_000

    def load() -> None:
        image = load_image(file, content)
        _ = image.signatures
        image.lines.chain(image.symbols["f3"].address)

    slow = slowness()
    spent = min(seconds(load) for _ in range(ROUNDS)) / slow
    print(f"{size:,} bytes of {sections}: {spent:.3f} s at full speed")
    assert spent < 0.2


LONG = 300


async def count_under_a_mutex(cpu: Any) -> None:
    """As run() of tests/binaries/src/whole.c, in as many steps."""
    for _ in range(LONG):
        while await cpu.lock_cmpxchg(LOCK, 0, 1):
            await cpu.wait_until(LOCK, lambda value: value == 0)
        await cpu.add(COUNTER, 1)
        await cpu.store(LOCK, 0)
        await cpu.load(COUNTER)


def test_a_whole_program_of_thousands_of_steps_costs_at_most_two_and_a_half_times_as_much_a_step():
    hand = Program("count", isa="x86", threads=[count_under_a_mutex] * 2, init={LOCK: 0, COUNTER: 0})
    whole = binary_program(ELF / "whole.x86_64.so", main=["2", str(LONG), "mutex"])

    def of_a_step(program: Program) -> float:
        reports = []
        spent = seconds(lambda: reports.append(
            explore(program, Machine("native"), scheduler="random-walk", executions=2, failures=None)
        ))  # fmt: skip
        return spent / reports[0].statistics.steps

    pairs = [(of_a_step(hand), of_a_step(whole)) for _ in range(2)]
    python, elf = (min(column) for column in zip(*pairs, strict=True))
    print(f"{1 / elf:,.0f} steps a second, {elf / python:.2f} times the cost by hand")
    assert elf / python < 2.5


DRAWS, INSTRUCTIONS_A_DRAW = 840, 6


def drawn(seed: int) -> int:
    """As run() of tests/binaries/src/work.c, in Python."""
    number, done = seed, 0
    while done != DRAWS:
        done = done + 1 & 0xFFFF_FFFF
        number ^= number << 13 & 0xFFFF_FFFF
        number ^= number >> 17
        number ^= number << 5 & 0xFFFF_FFFF
    return number


def test_a_whole_program_of_ten_thousand_instructions_costs_little_more_than_its_arithmetic_in_python():
    """Two threads, malloc, a mutex and printf; nearly all instructions are private, as in most programs."""
    executions = 50
    program = binary_program(ELF / "work.aarch64.so", main=[str(DRAWS)])

    def run() -> None:
        explore(program, Machine("native"), scheduler="random-walk", executions=executions, failures=None)

    def arithmetic() -> None:
        for _ in range(executions):
            drawn(1), drawn(2)

    run()
    pairs = [(seconds(arithmetic), seconds(run)) for _ in range(ROUNDS)]
    python, whole = (min(column) for column in zip(*pairs, strict=True))
    print(f"{executions / whole:,.0f} executions of {2 * DRAWS * INSTRUCTIONS_A_DRAW:,} instructions a second, "
          f"{whole / python:.1f} times the arithmetic in Python")  # fmt: skip
    assert whole / python < 20
