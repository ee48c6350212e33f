"""What is a step of compiled code: constant, private and shared memory, and each fault with its place."""

from typing import Any

import pytest
from elf_guests import ELF, searched

from simaie import Limits, Machine, Verdict, explore
from simaie.binary import BinaryProgram, binary_program
from simaie.binary.thread import BinaryThread
from simaie.errors import GuestSpinError
from simaie.op import Kind
from simaie.replaying.run import run
from simaie.trace import Trace

SPREAD = ("aarch64", "x86_64", "arm")


def memory(target: str, *threads: str, **options: Any) -> BinaryProgram:
    return binary_program(ELF / f"memory.{target}.elf", list(threads), **{"final": "always", **options})


def first_trace(program: BinaryProgram, scheme: str = "native") -> Trace:
    """Return the trace of one execution."""
    from simaie.plugins import SCHEDULERS, resolve

    return run(program, Machine(scheme), resolve(SCHEDULERS, "round-robin")())


def accesses(program: BinaryProgram) -> list[tuple[Kind, int]]:
    """Return the kind and the width of each access to memory of an execution."""
    return [(event.op.kind, event.op.width) for event in first_trace(program).events if event.op.width]


@pytest.mark.parametrize("target", SPREAD)
def test_registers_constants_and_the_stack_are_no_steps(target):
    assert accesses(memory(target, "constants:3")) == []


@pytest.mark.parametrize("target", SPREAD)
def test_a_memory_operand_is_accessed_once(target):
    """x86 has one instruction for it, whose operand Sleigh reads several times."""
    assert accesses(memory(target, "add_constants")) in (
        [(Kind.LOAD, 4), (Kind.STORE, 4)],
        [(Kind.LOAD, 4), (Kind.LOAD, 4), (Kind.STORE, 4)],  # the compiler loads `total` for its index, and to add
    )


def test_a_plain_read_modify_write_of_x86_is_one_instruction_of_two_steps():
    program = memory("x86_64", "plain_add", "plain_add", watch=["total"])
    outcomes = {dict(outcome.items)["[0x12024]"] for outcome in searched(program, "native").outcomes}
    assert outcomes == {1, 2}
    [instruction] = {event.instruction for event in first_trace(memory("x86_64", "plain_add")).events if event.op.width}
    assert instruction is not None
    assert (instruction.access.value, instruction.mnemonic) == ("plain-rmw", "add")


def test_a_locked_one_is_atomic():
    outcomes = searched(memory("x86_64", "locked_add", "locked_add", watch=["total"]), "native").outcomes
    assert [dict(outcome.items)["[0x12024]"] for outcome in outcomes] == [2]


def test_a_locked_access_of_the_private_stack_is_a_fence():
    kinds = [event.op.kind for event in first_trace(memory("x86_64", "stack_fence")).events]
    assert kinds[:2] == [Kind.FENCE, Kind.STORE]


def test_a_bit_offset_in_a_register_selects_another_word():
    program = memory("x86_64", "set_bit set_far_bit", watch=["words"])
    trace = first_trace(program)
    written = [(event.op.address, event.op.function.name) for event in trace.events if event.op.function is not None]
    place = program.binary.symbols["words"].address
    assert written == [(place, "bts 3"), (place + 8, "bts 6")]


@pytest.mark.parametrize("target", SPREAD)
def test_a_stack_becomes_shared_when_an_address_into_it_escapes(target):
    program = memory(target, "lend", "borrow", final="lent_check")
    assert searched(program, "native").verdict is Verdict.HOLDS
    trace = first_trace(program)
    mnemonics = [event.instruction.mnemonic for event in trace.events if event.instruction and event.actor == "0"]
    assert "publish" in mnemonics
    assert mnemonics.count("publish") <= 8, "only what lives on the stack"


@pytest.mark.parametrize("target", SPREAD)
def test_shared_stacks_have_the_same_verdicts(target):
    program = memory(target, "lend", "borrow", final="lent_check", shared_stacks=True)
    assert searched(program, "native").verdict is Verdict.HOLDS
    assert len(accesses(memory(target, "constants:3", shared_stacks=True))) >= 8


def test_a_stack_that_escapes_is_ordered_on_a_weak_host():
    program = memory("aarch64", "lend", "borrow", final="lent_check")
    assert searched(program, "cas:barriers=guest", "pso").verdict is Verdict.HOLDS


@pytest.mark.parametrize("target", SPREAD)
def test_each_thread_has_its_own_thread_local_variables(target):
    program = memory(target, "thread_local", "thread_local", final="thread_local_check")
    assert searched(program, "native").verdict is Verdict.HOLDS


@pytest.mark.parametrize("target", SPREAD)
def test_a_spin_without_a_pause_waits_and_ends_as_a_livelock_if_nothing_changes(target):
    assert searched(memory(target, "wait_for:1", "set:1"), "native").verdict is Verdict.HOLDS
    alone = searched(memory(target, "wait_for:1"), "native")
    assert [finding.kind for finding in alone.failures[0].findings] == ["livelock"]
    assert len(alone.failures[0].trace) < 10


@pytest.mark.parametrize("target", SPREAD)
def test_a_delay_loop_takes_no_steps(target):
    assert len(accesses(memory(target, "delay:20000"))) <= 2


#: Function -> the cause of the fault, and a part of its message.
FAULTS = {
    "null": ("address", "a null pointer"),
    "read_null": ("address", "no memory at 0x4"),
    "wild": ("address", "no memory at 0x7fff0000"),
    "write_constant": ("permission", "read-only memory"),
    "jump": ("fetch", "where there is no code"),
    "overflow": ("address", "a stack overflow"),
    "endless": ("endless", "an endless loop"),
    "trap": ("trap", "a trap instruction"),
    "system_call": ("system-call", "(getpid)"),
}


@pytest.mark.parametrize(
    ("target", "function"), [("aarch64", name) for name in FAULTS] + [("x86_64", "overflow"), ("arm", "jump")]
)
def test_a_fault_of_compiled_code_is_a_finding_with_its_place(target, function):
    report = searched(memory(target, function), "native")
    [finding] = report.failures[0].findings
    assert finding.kind == "guest-fault"
    [fault] = report.failures[0].trace.faults
    assert FAULTS[function][1] in fault.message
    assert "memory.c:" in fault.message
    assert "`" in fault.message, "the disassembly"


@pytest.mark.parametrize(("target", "mnemonic"), [("aarch64", "`br "), ("x86_64", "`jmp "), ("arm", "`bx ")])
def test_a_jump_out_of_the_code_is_shown_at_the_jump(target, mnemonic):
    report = searched(memory(target, "jump"), "native")
    assert mnemonic in report.failures[0].trace.faults[0].message


def test_a_guest_that_a_watchdog_stops_is_named_with_its_place(monkeypatch):
    monkeypatch.setattr(BinaryThread, "rounds", 0)
    with pytest.raises(GuestSpinError, match=r"<endless\+\d+> at memory\.c:\d+"):
        explore(memory("aarch64", "endless"), Machine("native", limits=Limits(spin_seconds=0.02)))


def test_a_division_by_zero_faults_on_x86_and_not_on_arm():
    assert searched(memory("x86_64", "divide"), "native").verdict is Verdict.VIOLATED
    assert searched(memory("aarch64", "divide"), "native").verdict is Verdict.HOLDS


@pytest.mark.parametrize("kind", ["x86_64", "aarch64"])
def test_a_shared_object_is_linked(kind):
    path = ELF / f"position.{kind}.so"
    good = binary_program(path, ["work", "work"], final="check")
    bad = binary_program(path, ["careless", "careless"], final="check")
    assert searched(good, "native").verdict is Verdict.HOLDS
    assert searched(bad, "native").verdict is Verdict.VIOLATED


@pytest.mark.parametrize("target", ["arm", "x86_64"])
def test_a_memo_of_compiled_code_has_the_same_executions(target, monkeypatch):
    """The reference engine and the memo agree on every execution, to the digest."""

    def digests() -> list[str]:
        program = binary_program(ELF / f"locks.{target}.elf", ["dec", "dec"], final="check")
        options: dict[str, Any] = {"scheduler": "random-walk", "executions": 60, "failures": None}
        report = explore(program, Machine("aie-rfc" if target == "arm" else "none"), **options)
        return [failure.trace.digest for failure in report.failures]

    with_memo = digests()
    monkeypatch.setenv("SIMAIE_MEMO", "0")
    assert digests() == with_memo
    assert len(with_memo) > 5
