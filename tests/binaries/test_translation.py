"""The translation of machine code: against an oracle, and the table of atomic instructions."""

from pathlib import Path

import elf_oracle
import pytest
from elf_guests import TARGETS
from make_atomics import becomes

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


#: Methods of vCPU classes that no decoder makes of machine code: of instructions that are newer than the compilers'
#: usual targets, of accesses of two registers, and of hints.
NOT_DECODED = {
    "arm": set(),
    "aarch64": {"ldiapp", "ldp", "stilp", "stp"},
    "riscv": set(),
    "mips": {"lldp", "llwp", "scdp", "scwp"},
    "ppc": {"ldat", "lq", "lwat", "stdat", "stq", "stwat"},
}


def test_the_table_has_every_other_atomic_instruction_of_the_vcpu_classes():
    """A new method must be decoded, or be listed as one that is not."""
    plain = {"load", "store", "spawn", "join", "wait_until", "choose", "observe", "exception", "map_page"}
    for isa, abis, also in (
        ("arm", ("arm", "thumb"), {"ldr", "str_", *(f"{name}{size}" for name in ("ldrex", "strex") for size in "bhd"),
                                   "swpb"}),
        ("aarch64", ("aarch64",), {"ldr", "str_", "ldrsb", "ldrsh", "ldrsw"}),
        ("riscv", ("riscv64",), {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd"}),
        ("mips", ("mips",), {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "sb", "sh", "sw", "sd", "lld", "scd"}),
        ("ppc", ("ppc64le",), {"lbz", "lhz", "lha", "lwz", "lwa", "ld", "stb", "sth", "stw", "std"}),
    ):  # fmt: skip
        calls = " ".join(call for name, _, _, call in TABLE if name in abis)
        methods = set(isa_class(isa).instruction_names()) - plain - also
        assert {method for method in methods if f"{method}(" not in calls} == NOT_DECODED[isa], isa


def test_a_write_to_the_register_that_is_always_zero_is_dropped():
    image = elf_oracle.image_of("arithmetic", "riscv64")
    function = next(symbol for symbol in image.symbols.values() if symbol.is_function and symbol.size >= 8)
    hint, back = bytes.fromhex("1600"), bytes.fromhex("8280")  # c.slli zero, 5; ret
    [region] = [each for each in image.constants if each.start <= function.address < each.end]
    at = function.address - region.start
    content = region.content[:at] + hint + back + region.content[at + 4 :]
    changed = Image("hint", content, image.abi, [region._replace(content=content)], image.writable, image.symbols)
    block = Code(changed).block(function.address)
    assert block(None, [0] * CAPACITY, None) == 0


@pytest.mark.parametrize("abi", sorted(DECODERS))
def test_decoders_take_any_bytes(abi):
    for a, b in elf_oracle.arguments(4, 3_000):
        DECODERS[abi](a.to_bytes(4, "little") + b.to_bytes(4, "little"))
