"""ELF files as input: what is refused and how, damaged files, the command line, failures that carry their file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from elf_guests import ELF, JUDGES, locks

import simaie
from simaie import Limits, Machine, SimaieError, UsageError, Verdict, explore
from simaie.binary import binary_program
from simaie.binary.elf import load_image
from simaie.binary.program import program_of_bytes
from simaie.binary.scenario import Scenario
from simaie.cli import main
from simaie.errors import GuestError, GuestSpinError, InputError, ReplayError, UnknownNameError, UnmodelledCodeError
from simaie.prng import Random
from simaie.replaying.binary_record import MOST_CARRIED

ARM = ELF / "locks.arm.elf"
FAS = ["--thread", "fas", "--thread", "fas", "--final", "check"]


def program(content: bytes, *threads: str, **options: Any) -> simaie.Program:
    return program_of_bytes("some.elf", content, Scenario.of(threads or ("fas",), None, None, (), 4096, False), "some")


# -- what is refused --------------------------------------------------------------------------------------


def refused(content: bytes) -> str:
    with pytest.raises(InputError, match=r"^some\.elf: ") as caught:
        program(content)
    return str(caught.value)


def test_a_file_that_is_no_elf_file_is_refused():
    assert "no ELF file" in refused(b"#!/bin/sh\n")
    assert "no ELF file" in refused(b"")


def test_another_machine_is_refused_and_the_known_ones_are_named():
    content = bytearray(ARM.read_bytes())
    content[18] = 22  # EM_S390
    assert "s390" in refused(bytes(content))
    assert "aarch64" in refused(bytes(content))


def test_release_6_of_mips_has_its_own_instructions_and_compressed_code_is_refused():
    content = bytearray((ELF / "locks.mips.elf").read_bytes())
    for flags, name in ((0x9000_1401, "mipsr6"), (0xA000_1401, "mipsr6"), (0x7000_1401, "mips")):
        content[36:40] = flags.to_bytes(4, "big")
        assert load_image("some.elf", bytes(content)).abi.name == name
    for flags in (0x9200_1401, 0x7400_1401):
        content[36:40] = flags.to_bytes(4, "big")
        assert "microMIPS or MIPS16" in refused(bytes(content))


@pytest.mark.parametrize("size", [4, 16, 51, 200, 2_000])
def test_a_truncated_file_is_refused(size):
    assert refused(ARM.read_bytes()[:size])


def test_a_segment_of_an_impossible_size_is_refused_before_it_is_made():
    content = bytearray(ARM.read_bytes())
    table = int.from_bytes(content[28:32], "little")
    content[table + 20 : table + 24] = (0xF000_0000).to_bytes(4, "little")  # p_memsz
    assert "too large" in refused(bytes(content))


def test_a_file_of_another_type_is_refused():
    content = bytearray(ARM.read_bytes())
    content[16] = 4  # ET_CORE
    assert "no memory image" in refused(bytes(content))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        binary_program(tmp_path / "none.elf", ["f"])
    with pytest.raises(InputError, match=r"folder|directory"):
        binary_program(tmp_path, ["f"])


def test_an_unknown_function_or_variable_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'ticket'"):
        binary_program(ARM, ["tickt"])
    with pytest.raises(UnknownNameError, match="no function"):
        binary_program(ARM, ["counter"])
    with pytest.raises(UnknownNameError, match="variable"):
        binary_program(ARM, ["fas"], watch=["check"])


@pytest.mark.parametrize(
    "options",
    [
        {"threads": []}, {"threads": "fas"}, {"threads": [""]}, {"threads": [7]}, {"threads": ["clh:x"]},
        {"threads": ["clh:1:2:3:4:5:6:7:8:9"]}, {"threads": ["clh:99999999999999999999"]},
        {"threads": ["clh:&nothing"]},
        {"init": 7}, {"final": "check check"}, {"watch": "counter"}, {"stack": 10}, {"stack": 1 << 40},
        {"shared_stacks": 1},
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(options):
    with pytest.raises(UsageError):
        binary_program(ARM, **{"threads": ["fas"], **options})


def test_a_wrong_number_of_arguments_is_refused_if_the_debug_information_has_types():
    calls = ELF / "calls.aarch64.so"
    for text, says in (("stack_push", "takes 1 argument, not 0, as in stack_push:1"), ("stack_pop:1", "no argument")):
        with pytest.raises(UsageError, match=says):
            binary_program(calls, [text])
    assert binary_program(calls, ["stack_push:1 stack_pop"])
    assert binary_program(ARM, ["clh"]), "without types any number is as good"


def test_a_machine_of_another_byte_order_is_refused():
    with pytest.raises(UsageError, match="big-endian"):
        explore(locks("mips", "fas"), Machine("native", endian="little"))


@pytest.mark.parametrize("endian", [None, "big"])
def test_a_machine_without_a_byte_order_has_that_of_the_file(endian):
    report = explore(locks("mips", "fas"), Machine("native", endian=endian), scheduler="round-robin", executions=1)
    assert report.machine.endian == "big"
    assert report.machine.arguments == Machine("native").arguments


def test_an_instruction_that_is_not_modelled_is_named_with_its_place():
    guest = binary_program(ELF / "memory.x86_64.elf", ["unmodelled"])
    with pytest.raises(UnmodelledCodeError, match=r"cpuid.*memory\.c:\d+.*-mgeneral-regs-only"):
        explore(guest, Machine("native"))


def test_an_init_that_never_ends_or_faults_is_an_error():
    memory = ELF / "memory.x86_64.elf"
    with pytest.raises(InputError, match="wait_for"):
        binary_program(memory, ["nothing"], init="wait_for:1")
    with pytest.raises(InputError, match="null pointer"):
        binary_program(memory, ["nothing"], init="null")


# -- damaged files ----------------------------------------------------------------------------------------


def damaged(number: int) -> bytes:
    """Return an ELF file with some bytes changed, or cut; the same for the same number."""
    draw = Random(number)
    files = sorted([*ELF.glob("locks.*.elf"), *ELF.glob("locks.*.o")])
    content = bytearray(files[draw.below(len(files))].read_bytes())
    if draw.below(4) == 0:
        del content[draw.below(len(content)) :]
    for _ in range(draw.below(8) + 1 if content else 0):
        size = min(len(content), (64, 400, len(content))[draw.below(3)])
        content[draw.below(size)] = (0, 255, 1, 128, draw.below(256))[draw.below(5)]
    return bytes(content)


def survive(number: int) -> None:
    """Load a damaged file and run what is left of it; only simaie's own errors may come out."""
    try:
        guest = program(damaged(number), "fas", "fas")
        machine = Machine("native", limits=Limits(steps=500))
        explore(guest, machine, executions=2, scheduler="random-walk", checkers=["guest-fault", "progress"])
    except SimaieError as error:
        if isinstance(error, GuestError) and not isinstance(error, GuestSpinError):
            raise  # a mistake of the translator


def test_a_damaged_file_is_an_error_of_simaie_or_a_program():
    for number in range(30):
        survive(number)


@pytest.mark.soak
def test_many_damaged_files():
    for number in range(20_000):
        survive(number)


# -- the command line ---------------------------------------------------------------------------------------


def test_an_elf_file_is_a_target(capsys):
    assert main(["explore", str(ARM), *FAS, "--scheme", "aie-rfc", "--scheduler", "dpor", "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "violated"
    assert "--thread fas --thread fas --final check" in report["failures"][0]["command"]


def test_the_byte_order_comes_from_the_file():
    assert main(["explore", str(ELF / "locks.mips.elf"), *FAS, "--scheduler", "dpor", "--checker", "final-check"]) == 0


def test_compare_takes_an_elf_file():
    options = ["--thread", "ticket", "--thread", "ticket", "--scheme", "none"]
    assert main(["compare", str(ELF / "locks.x86_64.elf"), *options, "--watch", "counter"]) == 1


def test_progress_of_an_elf_file_is_proved(capsys):
    argv = ["prove-progress", str(ELF / "locks.x86_64.elf"), "--scheme", "cas", "--format", "json"]
    assert main([*argv, "--thread", "ticket", "--thread", "ticket"]) == 0
    assert json.loads(capsys.readouterr().out)["states"] == 54
    assert main(argv) == 2
    assert "--thread" in capsys.readouterr().err


def test_what_is_missing_is_said(capsys):
    assert main(["explore", str(ARM)]) == 2
    assert "--thread" in capsys.readouterr().err
    assert main(["explore", str(ARM), "--final", "check"]) == 2
    assert main(["explore", "first-registration-window", "--thread", "fas"]) == 2


def test_an_elf_file_is_recognised_by_its_first_bytes(tmp_path):
    copy = tmp_path / "program"
    copy.write_bytes(ARM.read_bytes())
    assert main(["explore", str(copy), *FAS, "--scheduler", "dpor", "--checker", "final-check"]) == 0


# -- failures -------------------------------------------------------------------------------------------------


def failure(guest: simaie.Program, scheme: str = "aie-rfc") -> simaie.Failure:
    return explore(guest, Machine(scheme), scheduler="dpor", checkers=JUDGES).failures[0]


def test_a_failure_carries_its_elf_file_and_replays_without_it(tmp_path):
    copy = tmp_path / "here" / "locks.elf"
    copy.parent.mkdir()
    copy.write_bytes(ARM.read_bytes())
    found = failure(binary_program(copy, ["fas", "fas"], final="check"))
    saved = found.save(tmp_path / "failure.json")
    copy.unlink()
    again = simaie.replay(saved)
    assert again.trace.digest == found.trace.digest
    assert [finding.kind for finding in again.findings] == [finding.kind for finding in found.findings]


def test_a_large_elf_file_is_named_and_must_be_the_same(tmp_path):
    copy = tmp_path / "locks.elf"
    copy.write_bytes(ARM.read_bytes() + bytes(MOST_CARRIED))
    found = failure(binary_program(copy, ["fas", "fas"], final="check"))
    saved = found.save(tmp_path / "failure.json")
    assert json.loads(saved.read_text())["program"]["binary"]["content"] is None
    simaie.replay(saved)
    copy.write_bytes(ARM.read_bytes())
    # The program that failed is still alive in this process; a file that was changed is found in another one.
    del found
    record = json.loads(saved.read_text())
    record["program"]["digest"] = record["program"]["digest"][::-1]
    saved.write_text(json.dumps(record))
    with pytest.raises(ReplayError, match="changed"):
        simaie.replay(saved)


@pytest.mark.parametrize("content", ["AAAA", "eJwDAAAAAAE="])
def test_a_damaged_elf_file_in_a_replay_file_is_refused(tmp_path, content):
    saved = failure(locks("arm", "fas")).save(tmp_path / "failure.json")
    record = json.loads(saved.read_text())
    record["program"]["binary"]["content"] = content
    record["program"]["digest"] = "0" * 32
    saved.write_text(json.dumps(record))
    with pytest.raises(ReplayError):
        simaie.replay(saved)


def test_a_failure_of_compiled_code_is_shrunk():
    shrunk = failure(locks("arm", "fas")).shrink()
    assert shrunk.failure.verdict is Verdict.VIOLATED


def test_instructions_have_source_lines_through_inlined_callers_and_symbols(tmp_path):
    found = failure(locks("arm", "fas"))
    instructions = [event.instruction for event in found.trace.events if event.instruction is not None]
    linked = next(each for each in instructions if each.mnemonic.startswith("ldrex"))
    assert str(linked.place).startswith("locks.c:")
    assert str(linked).startswith("ldrex [fas_word+0] at locks.c:")
    outer = binary_program(ELF / "memory.aarch64.elf", ["outer"], final="never")
    places = [str(event.instruction.place) for event in failure(outer, "native").trace.events if event.op.width]
    assert [place.count(" < ") for place in places] == [2], places
    from simaie.replaying.recorded import recorded

    shown = recorded(found.save(tmp_path / "failure.json")).trace.events
    assert [str(event.instruction) for event in shown] == [str(event.instruction) for event in found.trace.events]


def test_a_refused_state_is_shown_by_symbols():
    [finding] = [each for each in failure(locks("arm", "bare")).findings if each.kind == "final-check"]
    assert "[counter+0]=1" in finding.message


def test_the_digest_of_a_program_covers_its_file_and_what_is_run(tmp_path):
    base = locks("arm", "fas").digest
    assert locks("arm", "fas").digest == base
    assert locks("arm", "cas").digest != base
    assert binary_program(ARM, ["fas", "fas"]).digest != base
    assert binary_program(ARM, ["fas", "fas"], final="check", shared_stacks=True).digest != base
    other = Path(tmp_path, "locks.arm.elf")
    other.write_bytes(ARM.read_bytes() + b"\0")
    assert binary_program(other, ["fas", "fas"], final="check").digest != base


def test_a_program_is_pickled_and_explored_elsewhere():
    import pickle

    copy = pickle.loads(pickle.dumps(locks("arm", "fas")))
    assert copy.digest == locks("arm", "fas").digest
    assert failure(copy).trace.digest == failure(locks("arm", "fas")).trace.digest
