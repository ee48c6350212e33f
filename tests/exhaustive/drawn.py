"""Random guest programs in three forms: steps of the brute-force interpreter, a program, a litmus test.

All accesses fall into 16 bytes, so that accesses of several widths overlap. What a thread stores, compares with or
skips depends on what it has read.
"""

from __future__ import annotations

from collections.abc import Sequence

from exhaustive.brute_force import Step
from simaie import Ins, Program, ins
from simaie.prng import Random

__all__ = ["BASE", "INSTRUCTIONS", "MEMORY", "SIZE", "as_litmus", "as_outcome", "as_program", "draw"]

BASE, SIZE = 0x100, 16
#: What an outcome calls these bytes.
MEMORY = f"[{BASE:#x}]"
Threads = Sequence[Sequence[Step]]

#: Guest instruction set -> the name of each kind of step there.
INSTRUCTIONS = {
    "x86": {"load": "load", "store": "store", "xchg": "xchg", "add": "lock_xadd", "cas": "lock_cmpxchg",
            "fence": "mfence"},
    "aarch64": {"load": "ldr", "store": "str_", "xchg": "swp", "add": "ldadd", "cas": "cas", "ll": "ldxr",
                "sc": "stxr", "fence": "dmb"},
}  # fmt: skip
_CAS_HEAVY = ["load", "store", "cas", "cas"]
_MIXED = ["load", "store", "xchg", "add", "cas", "fence", "skip"]
_EXCLUSIVE = ["ll", "sc", "ll", "sc", "store", "load", "cas"]
#: Number of vCPUs -> how many steps each takes.
_SIZES = ((3, 3), (4, 3), (2, 2, 2), (3, 2, 1), (2, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1, 1))


def draw(isa: str, seed: int) -> list[list[Step]]:
    """Program number `seed`: of x86 also with unaligned accesses, of AArch64 also with exclusives."""
    random = Random(seed)
    kinds = random.choice([_CAS_HEAVY, _MIXED] if isa == "x86" else [_CAS_HEAVY, _MIXED, _EXCLUSIVE])
    widths = random.choice([(4,), (4,), (1, 2, 4), (4, 8)])
    places = 1 + random.below(2)
    threads = []
    for size in random.choice(_SIZES):
        steps: list[Step] = []
        for number in range(size):
            steps.append(_step(random, random.choice(kinds), widths, places, number, steps))
            if isa == "x86" and steps[-1].width and random.below(6) == 0:
                steps[-1] = _moved_by(steps[-1], random.below(3))
        threads.append(steps)
    return threads


def _moved_by(step: Step, distance: int) -> Step:
    """The same access, not aligned."""
    return step._replace(address=min(step.address + distance, BASE + SIZE - step.width))


def _step(
    random: Random, kind: str, widths: Sequence[int], places: int, number: int, before: Sequence[Step]
) -> Step:
    read = [step.into for step in before if step.into and step.kind not in ("skip", "sc")]
    if kind == "skip":
        return Step("skip", into=random.choice(read), count=1) if read else Step("fence")
    if kind == "fence":
        return Step("fence")
    width = random.choice(widths)
    address = BASE + width * random.below(places)
    operands = [1, 2, *read[-1:]]
    into = "" if kind == "store" else f"r{number}"
    if kind == "sc":
        linked = [step for step in before if step.kind == "ll"]
        if linked and random.below(4):
            address, width = linked[-1].address, linked[-1].width
    return Step(kind, address, width, random.choice(operands), random.choice([0, 1, *read[-1:]]), into)


def as_program(threads: Threads, isa: str, name: str) -> Program:
    """The same as lists of instructions."""
    return Program(
        name, isa=isa, threads=[_code(steps, INSTRUCTIONS[isa]) for steps in threads], init={BASE: (0, SIZE)}
    )


def _code(steps: Sequence[Step], names: dict[str, str]) -> list[Ins]:
    code: list[Ins] = []
    ends: dict[int, str] = {}
    for number, step in enumerate(steps):
        if number in ends:
            code.append(ins("label", ends[number]))
        if step.kind == "skip":
            end = min(number + 1 + step.count, len(steps))
            ends[end] = f"L{end}"
            code.append(ins("cbz", step.into, ends[end]))
            continue
        if step.kind == "fence":
            code.append(ins(names["fence"]))
            continue
        operands = {
            "load": (), "ll": (), "cas": (step.expected, step.value),
        }.get(step.kind, (step.value,))  # fmt: skip
        code.append(ins(names[step.kind], step.address, *operands, into=step.into or None, width=step.width))
    if len(steps) in ends:
        code.append(ins("label", ends[len(steps)]))
    return code


# -- as a litmus test of AArch64 -------------------------------------------------------------------------

_SUFFIX = {1: "B", 2: "H", 4: "", 8: ""}
_MNEMONICS = {"load": "LDR", "store": "STR", "xchg": "SWP", "add": "LDADD", "cas": "CAS", "ll": "LDXR", "sc": "STXR"}


def as_litmus(threads: Threads, name: str) -> str:
    """The same as the text of an AArch64 test that asks for every register and all of memory."""
    columns = [_column(steps) for steps in threads]
    height = max(map(len, columns))
    rows = [" | ".join(column[at] if at < len(column) else "" for column in columns) + " ;" for at in range(height)]
    written = [
        f"{number}:X{_number(step.into)}"
        for number, steps in enumerate(threads)
        for step in steps
        if step.into and step.kind != "skip"
    ]
    inits = "".join(f" {number}:X20=t;" for number in range(len(threads)))
    inits += "".join(f" uint64_t {register};" for register in written)  # else the states show 32 bits of it
    registers = "".join(f" {register};" for register in written)
    heads = " | ".join(f"P{number}" for number in range(len(threads)))
    head = f"AArch64 {name}\n{{ uint8_t t[{SIZE}];{inits} }}\n{heads} ;\n"
    return head + "\n".join(rows) + f"\nlocations [t;{registers}]\nforall (true)\n"


def as_outcome(name: str, held: int | str) -> tuple[str, int]:
    """What a state of that test says of one location, as an outcome of the program says it."""
    if isinstance(held, str):
        return MEMORY, int.from_bytes(bytes(map(int, held.strip("{}").split(","))), "little")
    return name.replace("X", "r"), held


def _number(register: str) -> int:
    return int(register[1:])


def _column(steps: Sequence[Step]) -> list[str]:
    lines: list[str] = []
    ends: set[int] = set()
    for number, step in enumerate(steps):
        if number in ends:
            lines.append(f"L{number}:")
        if step.kind == "skip":
            end = min(number + 1 + step.count, len(steps))
            ends.add(end)
            lines.append(f"CBZ X{_number(step.into)},L{end}")
        elif step.kind == "fence":
            lines.append("DMB SY")
        else:
            lines += _access(step)
    if len(steps) in ends:
        lines.append(f"L{len(steps)}:")
    return lines


def _access(step: Step) -> list[str]:
    register = "X" if step.width == 8 else "W"
    into = f"{register}{_number(step.into)}" if step.into else ""
    lines = [f"ADD X21,X20,#{step.address - BASE}", _moved("22", step.value)]
    value = f"{register}22"
    mnemonic = _MNEMONICS[step.kind] + _SUFFIX[step.width]
    if step.kind in ("load", "ll"):
        return [lines[0], f"{mnemonic} {into},[X21]"]
    if step.kind == "store":
        return [*lines, f"{mnemonic} {value},[X21]"]
    if step.kind == "sc":
        return [*lines, f"{mnemonic} W{_number(step.into)},{value},[X21]"]
    if step.kind == "cas":
        lines.append(_moved("23", step.expected))
        return [*lines, f"{mnemonic} {register}23,{value},[X21]", f"MOV {into},{register}23"]
    return [*lines, f"{mnemonic} {value},{into},[X21]"]


def _moved(register: str, value: int | str) -> str:
    return f"MOV X{register},#{value}" if isinstance(value, int) else f"MOV X{register},X{_number(value)}"
