"""Whatever an instruction has for operands, a file is lowered and runs, or is refused with one `LitmusError`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simaie.exploration.litmus import HERD_SCHEME, explore_litmus
from simaie.litmus import LitmusError, load, parse
from simaie.litmus.lowering import lower
from simaie.litmus.lowering.dialects import DIALECTS
from simaie.machine import Machine
from simaie.prng import Random, derive

from .samples import SAMPLES

pytestmark = pytest.mark.untraced

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.litmus"))
_CELL = re.compile(r"[^|;{}\n]+(?=[|;])")
_PART = re.compile(r"[^,]+")
_TOKEN = re.compile(r"[A-Za-z_.%$#][A-Za-z0-9_.]*|-?\d+|\S")
#: Mnemonics and operands that the files may lack; most are strange to most dialects.
_MORE_MNEMONICS = """
lock;L:;jmp;je;JNE;sete;cmovne;shll $3,;sarb $1,;bts;btsl $5,;xaddl;lock xadd;cmpxchgb;lock cmpxchg;incb;lock neg;not
leaq;testb;lock subw;sbbl;pushq;movzbl;movzx;nop;mfence;sfence;frob;lock lock
"""
_MORE_OPERANDS = """
0;$-1;$9999999999999999999;(x);[x];4(x);(%rax,%rbx,8);[EAX+EBX*4];%al;AH;%ax;%eax;%rax;$x;x;L;%rip;;(y),(x)
"""
MNEMONICS = [word for line in _MORE_MNEMONICS.split("\n") for word in line.split(";") if word]
OPERANDS = _MORE_OPERANDS.strip().split(";")


def texts() -> dict[str, list[str]]:
    """The samples and programs of each architecture that can be lowered."""
    found: dict[str, list[str]] = {arch: [] for arch in DIALECTS}
    for path in (*SAMPLES, *PROGRAMS):
        arch = load(path).arch
        if arch in found:
            found[arch].append(path.read_text("utf-8"))
    return {arch: sources for arch, sources in found.items() if sources}


TEXTS = texts()


def parts() -> dict[str, tuple[list[str], list[str]]]:
    """By architecture: mnemonics with the blank behind them, and operands."""
    found = {}
    for arch, sources in TEXTS.items():
        cells = [cell.strip() for text in sources for cell in _CELL.findall(text[text.index("}") :])]
        words = [cell.partition(" ") for cell in cells if cell]
        operands = {operand for _, _, rest in words for operand in rest.split(",")}
        found[arch] = sorted({word for word, _, _ in words}) + MNEMONICS, sorted(operands) + OPERANDS
    return found


PARTS = parts()


def mutated(seed: int) -> str:
    """A file in which a few mnemonics or operands are others, or, of one in eight, any token is."""
    random = Random(seed)
    arch = random.choice(sorted(TEXTS))
    text = random.choice(TEXTS[arch])
    for _ in range(1 + random.below(3)):
        if random.below(8):
            text = with_another_part(text, *PARTS[arch], random)
        else:
            places = list(_TOKEN.finditer(text))
            start, end = random.choice(places).span()
            text = text[:start] + random.choice(["", text[start:end] * 2, "-1", ";", "|"]) + text[end:]
    return text


def with_another_part(text: str, mnemonics: list[str], operands: list[str], random: Random) -> str:
    """One mnemonic or operand of the program replaced."""
    body = text.find(";", text.find("P0"))
    cells = [match for match in _CELL.finditer(text, max(body, 0)) if match.group().strip()]
    if not cells:
        return text
    cell = random.choice(cells)
    word, blank, rest = cell.group().strip().partition(" ")
    if random.below(2) or not rest:
        word = random.choice(mnemonics)
    else:
        old = random.choice(list(_PART.finditer(rest)))
        rest = rest[: old.start()] + random.choice(operands) + rest[old.end() :]
    return f"{text[: cell.start()]} {word}{blank}{rest} {text[cell.end() :]}"


def refusal(text: str, machine: Machine) -> tuple[str, LitmusError | None]:
    """How far a file gets: it cannot be read, or lowered, or it strays, or it runs. Anything else is raised."""
    stage = "unreadable"
    try:
        test = parse(text)
        stage = "refused"
        lower(test)
        stage = "strays"
        explore_litmus(test, machine, executions=2)
    except LitmusError as error:
        return stage, error
    return "runs", None


def check(seeds: range) -> None:
    """Every kind of end must occur, or the mutations are too tame or too wild."""
    machines, seen = [Machine(HERD_SCHEME, host=host) for host in ("sc", "tso", "pso")], set()
    for seed in seeds:
        text = mutated(derive(7, seed))
        stage, error = refusal(text, machines[seed % 3])
        seen.add(stage)
        if error is not None:
            lines = text.split("\n")
            assert 1 <= error.column <= len(lines[error.line - 1]) + 1
            assert str(error).isprintable()
    assert seen == {"unreadable", "refused", "strays", "runs"}


def test_mutated_programs() -> None:
    """A thousand."""
    check(range(1_000))


@pytest.mark.soak
def test_many_mutated_programs() -> None:
    """A hundred thousand."""
    check(range(100_000))
