"""The instructions of the load/store architectures, each against its definition in the manual."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest

from simaie.barrier import parse_barrier
from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.errors import UsageError
from simaie.guest.isa import ISAS
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import ExecutionInfo, Scheduler

X, Y = 0x1000, 0x2000
TOP = 0xFFFF_FFFF_FFFF_FFFF


class First(Scheduler):
    """Always continues."""

    def choose(self, offer):
        return offer.default


def run(
    isa: str, *calls: tuple[Any, ...], init: int = 0, machine: Machine | None = None
) -> tuple[list[Any], int, Any]:
    """(what the instructions returned, the 8 bytes at X afterwards, the trace); a dict ends the options of a call."""
    seen = []

    async def guest(cpu):
        for name, *args in calls:
            options = args.pop() if args and isinstance(args[-1], dict) else {}
            seen.append(await getattr(cpu, name)(*args, **options))

    program = Program("alone", isa=isa, threads=[guest], init={X: (init, 8), Y: (0, 8)}, watch={X: 8})
    trace = run_inline(Execution(program, machine or Machine(), First(), ExecutionInfo(0, 0, 1)))
    return seen, trace.outcome[f"[{X:#x}]"], trace


def fences(isa: str, *calls: tuple[Any, ...]) -> list[str]:
    """Which orders the fences of a program keep, as the host was told."""
    _, _, trace = run(isa, *calls)
    return [event.op.orders.text for event in trace.events if event.op.kind is Kind.FENCE]


def test_every_isa_has_addresses():
    for cls in ISAS.values():
        user, system = cls.address_bits
        assert 16 <= user <= system <= 64
    assert Machine().facts("aarch64").address_bits == 48
    assert Machine(full_system=True).facts("riscv").address_bits == 52
    assert Machine().facts("ppc").address_bits == 64


#: The instructions that access another width than a word of 4 bytes if none is named: pairs of 8 bytes each.
PAIRS = {"aarch64": {"casp", "ldaxp", "ldiapp", "ldp", "ldxp", "stilp", "stlxp", "stp", "stxp"}}


@pytest.mark.parametrize("isa", ISAS)
def test_an_instruction_without_a_width_accesses_a_word(isa):
    cls = ISAS[isa]
    parameters = {name: signature(getattr(cls, name)).parameters for name in cls.instruction_names()}
    defaults = {name: of["width"].default for name, of in parameters.items() if "width" in of}
    assert {name for name, width in defaults.items() if width != 4} == PAIRS.get(isa, set())
    assert all(defaults[name] == 8 for name in PAIRS.get(isa, ()))


@pytest.mark.parametrize("isa", ISAS)
def test_an_instruction_orders_nothing_unless_it_is_told_to(isa):
    cls = ISAS[isa]
    parameters = {name: signature(getattr(cls, name)).parameters for name in cls.instruction_names()}
    keys = ("aq", "rl", "order")
    orders = {(name, key): of[key].default for name, of in parameters.items() for key in keys if key in of}
    assert {named for named, default in orders.items() if default not in (0, "")} == set()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize(("isa", "name"), [("aarch64", "cas"), ("x86", "cmpxchg"), ("x86", "lock_cmpxchg")])
def test_a_compare_and_swap_looks_at_as_many_bytes_of_its_operands_as_it_accesses(isa, name, width):
    above = 1 << 8 * width
    assert run(isa, (name, X, above | 5, above | 7, {"width": width}), init=5)[:2] == ([5], 7)


# ISA, loading instruction, its options, what is in memory -> what is in the register
LOADS: list[tuple[str, str, dict[str, int], int, int]] = [
    ("aarch64", "ldr", {"width": 1}, 0x1234, 0x34),
    ("aarch64", "ldr", {"width": 8}, TOP, TOP),
    ("aarch64", "ldrsb", {"register": 4}, 0x80, 0xFFFF_FF80),
    ("aarch64", "ldrsh", {}, 0x8000, TOP - 0x7FFF),
    ("aarch64", "ldrsw", {}, 0x7FFF_FFFF, 0x7FFF_FFFF),
    ("aarch64", "ldar", {"width": 2}, 0x12345, 0x2345),
    ("aarch64", "ldapr", {}, 5, 5),
    ("aarch64", "ldxp", {"width": 4}, TOP, TOP),
    ("riscv", "lb", {}, 0x80, TOP - 0x7F),
    ("riscv", "lbu", {}, 0x80, 0x80),
    ("riscv", "lh", {}, 0x7FFF, 0x7FFF),
    ("riscv", "lhu", {}, 0xFFFF, 0xFFFF),
    ("riscv", "lw", {"aq": 1}, 0x8000_0000, TOP - 0x7FFF_FFFF),
    ("riscv", "lwu", {}, 0x8000_0000, 0x8000_0000),
    ("riscv", "ld", {}, TOP, TOP),
    ("riscv", "lr", {}, 0xFFFF_FFFF, TOP),
    ("riscv", "lr", {"width": 8, "aq": 1, "rl": 1}, TOP - 1, TOP - 1),
    ("mips", "lb", {}, 0xFF, TOP),
    ("mips", "lhu", {}, 0xFFFF, 0xFFFF),
    ("mips", "lw", {}, 0xFFFF_FFFE, TOP - 1),
    ("mips", "lw", {}, 0x1234_5678, 0x1234_5678),
    ("mips", "ll", {}, 0xFFFF_FFFE, TOP - 1),
    ("mips", "lld", {}, TOP - 1, TOP - 1),
    ("ppc", "lbz", {}, 0xFF, 0xFF),
    ("ppc", "lha", {}, 0xFFFF, TOP),
    ("ppc", "lwz", {}, 0xFFFF_FFFF, 0xFFFF_FFFF),
    ("ppc", "lwa", {}, 0xFFFF_FFFF, TOP),
    ("ppc", "lharx", {}, 0x12345, 0x2345),
]


@pytest.mark.parametrize(("isa", "name", "options", "memory", "register"), LOADS)
def test_a_load_extends_what_it_loads(isa, name, options, memory, register):
    assert run(isa, (name, X, options), init=memory)[0] == [register]


STORES = [
    ("aarch64", "str_", {"width": 2}, 2),
    ("aarch64", "stlr", {"width": 1}, 1),
    ("aarch64", "stlr", {"width": 8}, 8),
    ("riscv", "sb", {}, 1),
    ("riscv", "sh", {}, 2),
    ("riscv", "sw", {"rl": 1}, 4),
    ("riscv", "sd", {}, 8),
    ("mips", "sb", {}, 1),
    ("mips", "sh", {}, 2),
    ("mips", "sw", {}, 4),
    ("mips", "sd", {}, 8),
    ("ppc", "stb", {}, 1),
    ("ppc", "sth", {}, 2),
    ("ppc", "stw", {}, 4),
    ("ppc", "std", {}, 8),
]


@pytest.mark.parametrize(("isa", "name", "options", "width"), STORES)
def test_a_store_writes_the_low_bytes_of_a_register_and_no_other(isa, name, options, width):
    _, memory, _ = run(isa, (name, X, TOP - 1, options))
    assert memory == (TOP - 1) & (1 << 8 * width) - 1


# ISA, load, store, the width, what the store returns when it stored and when not
EXCLUSIVES = [
    *[("aarch64", load, store, {"width": w}, w, 0, 1) for load, store in (("ldxr", "stlxr"), ("ldaxr", "stxr"))
      for w in (1, 2, 4, 8)],
    ("aarch64", "ldxp", "stlxp", {"width": 4}, 8, 0, 1),
    ("aarch64", "ldaxp", "stxp", {"width": 4}, 8, 0, 1),
    ("riscv", "lr", "sc", {}, 4, 0, 1),
    ("riscv", "lr", "sc", {"width": 8, "rl": 1}, 8, 0, 1),
    ("mips", "ll", "sc", {}, 4, 1, 0),
    ("mips", "lld", "scd", {}, 8, 1, 0),
    ("ppc", "lbarx", "stbcx", {}, 1, 1, 0),
    ("ppc", "lharx", "sthcx", {}, 2, 1, 0),
    ("ppc", "lwarx", "stwcx", {}, 4, 1, 0),
    ("ppc", "ldarx", "stdcx", {}, 8, 1, 0),
]  # fmt: skip


@pytest.mark.parametrize(("isa", "load", "store", "options", "width", "stored", "failed"), EXCLUSIVES)
def test_a_store_conditional_stores_once_and_says_whether(isa, load, store, options, width, stored, failed):
    calls = ((load, X, options), (store, X, 5, options), (store, X, 6, options))
    results, memory, _ = run(isa, *calls)
    assert results[1:] == [stored, failed]
    assert memory == 5
    *_, trace = run(isa, (load, X + 1, options))
    assert bool(trace.faults) == (width > 1)  # it must be aligned


@pytest.mark.parametrize(("isa", "load", "store", "failed"), [("riscv", "lr", "sc", 1), ("mips", "ll", "sc", 0)])
def test_a_store_conditional_to_another_location_fails(isa, load, store, failed):
    assert run(isa, (load, Y), (store, X, 5))[:2] == ([0, failed], 0)


def test_clrex_gives_the_reservation_up():
    assert run("aarch64", ("ldxr", X), ("clrex",), ("stxr", X, 5))[:2] == ([0, None, 1], 0)


# operand and memory of 4 bytes -> what each function leaves
FUNCTIONS = {
    "add": (3, 0xFFFF_FFFF, 2),
    "xor": (6, 3, 5),
    "or": (6, 3, 7),
    "and": (6, 3, 2),
    "clear": (6, 3, 1),
    "swap": (6, 3, 6),
    "smin": (1, 0xFFFF_FFFF, 0xFFFF_FFFF),
    "smax": (1, 0xFFFF_FFFF, 1),
    "umin": (1, 0xFFFF_FFFF, 1),
    "umax": (1, 0xFFFF_FFFF, 0xFFFF_FFFF),
}
LSE = {"add": "add", "clr": "clear", "eor": "xor", "set": "or"} | {n: n for n in ("smin", "smax", "umin", "umax")}
AMO = {n: n for n in ("add", "xor", "or", "and", "swap")}
AMO |= {"min": "smin", "max": "smax", "minu": "umin", "maxu": "umax"}
ATOMICS = [("aarch64", "ld" + name, {"order": "al"}, function) for name, function in LSE.items()]
ATOMICS += [("aarch64", "swp", {"order": "a"}, "swap")]
ATOMICS += [("riscv", "amo" + name, {"aq": 1}, function) for name, function in AMO.items()]


@pytest.mark.parametrize(("isa", "name", "options", "function"), ATOMICS)
def test_an_atomic_applies_its_function_and_returns_the_old_value(isa, name, options, function):
    operand, before, after = FUNCTIONS[function]
    results, memory, trace = run(isa, (name, X, operand, options), init=before)
    assert [value & 0xFFFF_FFFF for value in results] == [before]
    assert memory == after
    assert [event.op.kind for event in trace.events if event.op.address == X] in ([Kind.FETCH], [Kind.EXCHANGE])


@pytest.mark.parametrize("name", LSE)
def test_a_store_form_does_the_same_and_returns_nothing(name):
    operand, before, after = FUNCTIONS[LSE[name]]
    assert run("aarch64", ("st" + name, X, operand, {"order": "l"}), init=before)[:2] == ([None], after)


def test_what_an_amo_loads_is_sign_extended():
    assert run("riscv", ("amoadd", X, 1), init=0xFFFF_FFFF)[:2] == ([TOP], 0)
    assert run("riscv", ("amoadd", X, 1, {"width": 8}), init=0xFFFF_FFFF)[:2] == ([0xFFFF_FFFF], 1 << 32)


def test_a_compare_and_swap_stores_if_the_expected_value_is_there():
    assert run("aarch64", ("cas", X, 1, 2), init=1)[:2] == ([1], 2)
    assert run("aarch64", ("cas", X, 3, 2, {"order": "al"}), init=1)[:2] == ([1], 1)
    assert run("aarch64", ("casp", X, 1, TOP, {"width": 4}), init=1)[:2] == ([1], TOP)


# what each barrier of each manual orders
FENCES: list[tuple[str, tuple[Any, ...], list[str]]] = [
    ("arm", ("dmb",), ["full"]),
    ("arm", ("dmb", "store"), ["st-st"]),
    ("arm", ("dsb", "ishst"), ["st-st"]),
    ("arm", ("isb",), []),
    ("aarch64", ("dmb",), ["full"]),
    ("aarch64", ("dmb", "ish"), ["full"]),
    ("aarch64", ("dmb", "ishld"), ["ld-ld+ld-st"]),
    ("aarch64", ("dsb", "ld"), ["ld-ld+ld-st"]),
    ("aarch64", ("dmb", "oshst"), ["st-st"]),
    ("aarch64", ("dsb", "oshst"), ["st-ld+st-st"]),
    ("aarch64", ("dsb", "st"), ["st-ld+st-st"]),
    ("aarch64", ("dsb",), ["full"]),
    ("aarch64", ("dsb", "st-st"), ["st-st"]),
    ("arm", ("dsb", "st"), ["st-st"]),
    ("aarch64", ("isb",), []),
    ("riscv", ("fence",), ["full"]),
    ("riscv", ("fence", "iorw", "iorw"), ["full"]),
    ("riscv", ("fence", "w", "r"), ["st-ld"]),
    ("riscv", ("fence", "r", "rw"), ["ld-ld+ld-st"]),
    ("riscv", ("fence", "rw", "w"), ["ld-st+st-st"]),
    ("riscv", ("fence", "i", "o"), []),
    ("riscv", ("fence_tso",), ["ld-ld+ld-st+st-st"]),
    ("riscv", ("fence_i",), []),
    ("mips", ("sync",), ["full"]),
    ("mips", ("sync", 4), ["st-st"]),
    ("mips", ("sync", 0x11), ["ld-ld+ld-st"]),
    ("mips", ("sync", 0x12), ["ld-st+st-st"]),
    ("mips", ("sync", 0x13), ["ld-ld"]),
    ("mips", ("sync", 7), ["full"]),
    ("ppc", ("sync",), ["full"]),
    ("ppc", ("lwsync",), ["ld-ld+ld-st+st-st"]),
    ("ppc", ("eieio",), ["st-st"]),
    ("ppc", ("isync",), []),
]


@pytest.mark.parametrize(("isa", "call", "kinds"), FENCES)
def test_a_fence_orders_what_its_manual_says(isa, call, kinds):
    found = fences(isa, call)
    assert [parse_barrier(kind) for kind in found] == [parse_barrier(kind) for kind in kinds]


#: Instruction -> the orders of the barriers before and after its access: emulated as QEMU does it, with the guest's or
#: with all barriers; and what the architecture itself needs.
ORDERED: list[tuple[tuple[Any, ...], list[tuple[str, str]]]] = [
    (("ldr", X), [("", ""), ("", ""), ("", "")]),
    (("str_", X, 1), [("", ""), ("", ""), ("", "")]),
    (("ldapr", X), [("", "full"), ("", "full"), ("", "ld-ld+ld-st")]),
    (("ldar", X), [("", "full"), ("st-ld", "full"), ("st-ld", "ld-ld+ld-st")]),
    (("stlr", X, 1), [("full", ""), ("full", ""), ("ld-st+st-st", "")]),
    (("ldaxr", X), [("", "full"), ("", "full"), ("", "ld-ld+ld-st")]),
    (("swp", X, 1, {"order": "a"}), [("", "full"), ("", "full"), ("", "ld-ld+ld-st")]),
    (("swp", X, 1, {"order": "l"}), [("full", ""), ("full", ""), ("ld-st+st-st", "")]),
    (("swp", X, 1, {"order": "al"}), [("full", "full"), ("full", "full"), ("ld-st+st-st", "ld-ld+ld-st")]),
]


@pytest.mark.parametrize(("call", "expected"), ORDERED, ids=[f"{call[0]} {call[-1]}" for call, _ in ORDERED])
def test_an_access_with_an_order_has_its_barriers_on_the_right_sides(call, expected):
    for scheme, (before, after) in zip(["none:barriers=guest", "none:barriers=full", "native"], expected, strict=True):
        _, _, trace = run("aarch64", call, machine=Machine(scheme))
        access = next(step for step, event in enumerate(trace.events) if event.op.kind is not Kind.FENCE)
        for part, orders in ((trace.events[:access], before), (trace.events[access:], after)):
            notes = [event.op.orders.text for event in part if event.op.kind is Kind.FENCE]
            assert [parse_barrier(note) for note in notes] == [parse_barrier(each) for each in [orders] if each], scheme


@pytest.mark.parametrize(
    ("isa", "name"), [("aarch64", "yield_"), ("aarch64", "wfe"), ("riscv", "pause"), ("mips", "pause"), ("arm", "wfe")]
)
def test_a_hint_lets_others_go_first(isa, name):
    _, _, trace = run(isa, (name,))
    assert Kind.PAUSE in [event.op.kind for event in trace.events]


@pytest.mark.parametrize(
    ("isa", "call"),
    [
        ("aarch64", ("dmb", "inner")),
        ("aarch64", ("ldr", X, {"width": 3})),
        ("aarch64", ("ldxp", X, {"width": 2})),
        ("aarch64", ("cas", X, 1, 2, {"order": "la"})),
        ("aarch64", ("stadd", X, 1, {"order": "a"})),
        ("riscv", ("fence", "x", "w")),
        ("riscv", ("lr", X, {"width": 2})),
        ("riscv", ("sc", X, 1, {"aq": 2})),
    ],
)
def test_what_no_instruction_has_is_the_callers_mistake(isa, call):
    with pytest.raises(UsageError):
        run(isa, call)
