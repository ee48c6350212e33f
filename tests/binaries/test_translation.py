"""The translation of machine code: against an oracle, and the table of atomic instructions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import elf_oracle
import pytest
from elf_guests import TARGETS
from make_atomics import becomes

from simaie.binary.abi import MIPS_RELEASE_6
from simaie.binary.atomics import DECODERS
from simaie.binary.cells import CAPACITY
from simaie.binary.image import Image
from simaie.binary.translation import Code
from simaie.guest.isa import isa_class

ORACLES = tuple(target for target in TARGETS if target != "ppc64le")  # which Unicorn does not have
TABLE = [line.split("\t") for line in (Path(__file__).parent / "atomics.txt").read_text().splitlines()]


def mismatches(target: str, seed: int, count: int) -> list[tuple[str, int, int, int, int]]:
    unicorn = pytest.importorskip("unicorn", reason="the oracle, Unicorn, is not installed")
    image = elf_oracle.image_of("arithmetic", target)
    ours, theirs = elf_oracle.translated(image), elf_oracle.by_unicorn(image, unicorn)
    found = []
    for name in elf_oracle.functions(image):
        for a, b in elf_oracle.arguments(seed, count):
            wanted, got = theirs(name, a, b), ours(name, a, b)
            if wanted != got:
                found.append((name, a, b, wanted, got))
    return found


@pytest.mark.parametrize("target", ORACLES)
def test_functions_return_what_an_oracle_returns(target):
    assert mismatches(target, seed=1, count=4) == []


@pytest.mark.soak
@pytest.mark.parametrize("target", ORACLES)
def test_functions_return_what_an_oracle_returns_for_many_arguments(target):
    assert mismatches(target, seed=2, count=200) == []


def test_all_targets_agree_on_what_c_functions_return():
    """Also for POWER, which has no oracle."""
    images = {target: elf_oracle.image_of("arithmetic", target) for target in ("ppc64le", "aarch64")}
    power, arm = (elf_oracle.translated(image) for image in images.values())
    for name in elf_oracle.functions(images["ppc64le"]):
        for a, b in elf_oracle.arguments(3, 12):
            assert power(name, a, b) == arm(name, a, b), (name, a, b)


def test_each_atomic_instruction_becomes_the_call_that_the_table_says():
    for isa, code, source, call in TABLE:
        assert becomes(isa, bytes.fromhex(code)) == call, source


#: Methods of vCPU classes that no decoder makes of machine code: plain accesses of two registers, which are lifted, and
#: instructions of MIPS64, which is no target here.
NOT_DECODED = {
    "arm": set(),
    "aarch64": {"ldp", "stp"},
    "riscv": set(),
    "mips": {"lldp", "scdp"},
    "ppc": set(),
}


def test_the_table_has_every_other_atomic_instruction_of_the_vcpu_classes():
    """A new method must be decoded, or be listed as one that is not."""
    plain = {"load", "store", "spawn", "join", "wait_until", "choose", "observe", "exception", "signal", "map_page"}
    for isa, abis, also in (
        ("arm", ("arm", "thumb"), {"ldr", "str_", *(f"{name}{size}" for name in ("ldrex", "strex") for size in "bhd"),
                                   "swpb"}),
        ("aarch64", ("aarch64",), {"ldr", "str_", "ldrsb", "ldrsh", "ldrsw"}),
        ("riscv", ("riscv64",), {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd"}),
        ("mips", ("mips", "mipsr6"), {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd", "lld",
                                      "scd"}),
        ("ppc", ("ppc64le",), {"lbz", "lhz", "lha", "lwz", "lwa", "ld", "stb", "sth", "stw", "std"}),
    ):  # fmt: skip
        calls = " ".join(call for name, _, _, call in TABLE if name in abis)
        methods = set(isa_class(isa).instruction_names()) - plain - also
        assert {method for method in methods if f"{method}(" not in calls} == NOT_DECODED[isa], isa


def test_a_write_to_the_register_that_is_always_zero_is_dropped():
    hint, back = bytes.fromhex("1600"), bytes.fromhex("8280")  # c.slli zero, 5; ret
    _, block = patched("riscv64", hint + back)
    assert block(None, [0] * CAPACITY, None) == 0


class Recorder:
    """Stands for a thread and its vCPU: no address is private, and each method returns one value."""

    def __init__(self, returned: int) -> None:
        self.returned, self.calls = returned, []

    def reach(self, at: int, address: int) -> bool:
        return False

    def escapes(self, value: int) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        async def method(*given: int, **options: int) -> int:
            self.calls.append((name, given, options))
            return self.returned

        return method


LOW, HIGH = 0x1111_2222_3333_4444, 0x5555_6666_7777_8888
BOTH = HIGH << 64 | LOW
CASES = [  # target, instruction and return, registers before, what the vCPU returns, its call, registers after
    ("aarch64", "9c0a4499c0035fd6", {"x20": 64}, LOW, ("ldiapp", (64,), {"width": 4}),
     {"x28": 0x3333_4444, "x4": 0x1111_2222, "x20": 72}),
    ("aarch64", "ff1a47d9c0035fd6", {"x23": 64}, BOTH, ("ldiapp", (64,), {"width": 8}), {"x7": HIGH, "x23": 64}),
    ("aarch64", "390a01d9c0035fd6", {"x17": 64, "x25": LOW, "x1": HIGH}, 0, ("stilp", (48, BOTH), {"width": 8}),
     {"x17": 48}),
    ("aarch64", "417c7fc8c0035fd6", {"x2": 64}, BOTH, ("ldxp", (64,), {"width": 8}), {"x1": LOW}),  # into XZR
    ("ppc64le", "8c84647c2000804e", {"r4": 64, "r5": HIGH}, 9,
     ("lwat", (64, HIGH & 0xFFFF_FFFF), {"function": 16, "compare": 64}), {"r3": 9}),
    ("ppc64le", "e0ffc5e02000804e", {"r5": 64}, BOTH, ("lq", (32,), {}), {"r6": HIGH, "r7": LOW}),
    ("mipsr6", "7c82187603e0000900000000", {"a0": 64}, LOW, ("llwp", (64,), {}), {"v0": LOW >> 32, "v1": 0x3333_4444}),
    ("mipsr6el", "7618827c0900e00300000000", {"a0": 64}, LOW, ("llwp", (64,), {}),
     {"v0": 0x3333_4444, "v1": LOW >> 32}),
    ("mipsr6", "7c82006603e0000900000000", {"a0": 64, "v0": 7}, 1, ("scwp", (64, 7 << 32), {}), {"v0": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("target", "code", "before", "returned", "call", "after"), CASES)
def test_newer_instructions_pass_operands_and_write_results(target, code, before, returned, call, after):
    translated, block = patched(target, bytes.fromhex(code))
    registers, recorder = [0] * CAPACITY, Recorder(returned)
    for name, value in before.items():
        registers[translated.cells.number(name)] = value
    with pytest.raises(StopIteration):
        block(recorder, registers, recorder).send(None)
    assert recorder.calls == [call]
    assert {name: registers[translated.cells.number(name)] for name in after} == after


def patched(target: str, new: bytes) -> tuple[Code, Callable[..., Any]]:
    """Return the code of an image and the block of one of its functions, which begins with other bytes."""
    image = elf_oracle.image_of("arithmetic", target.replace("r6", ""))
    abi = MIPS_RELEASE_6[image.abi.endian] if "r6" in target else image.abi
    function = next(each for each in image.symbols.values() if each.is_function and each.size >= len(new))
    [region] = [each for each in image.constants if each.start <= function.address < each.end]
    at = function.address - region.start
    content = region.content[:at] + new + region.content[at + len(new) :]
    changed = Image("patched", new, abi, [region._replace(content=content)], image.writable, image.symbols)
    code = Code(changed)
    return code, code.block(function.address)


def test_invalid_forms_of_power_are_not_decoded():
    """LQ into an odd register, and over its own base."""
    for word in (0xE0E50000, 0xE0C60000):
        assert DECODERS["ppc64le"](word.to_bytes(4, "little")) is None


@pytest.mark.parametrize("abi", sorted(DECODERS))
def test_decoders_take_any_bytes(abi):
    for a, b in elf_oracle.arguments(4, 3_000):
        DECODERS[abi](a.to_bytes(4, "little") + b.to_bytes(4, "little"))
