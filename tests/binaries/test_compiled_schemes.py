"""Schemes whose helpers are compiled C: what an emulator executes, under the memory model of its host."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from simaie import Machine, Page, Program, Report, Verdict, compare, explore, ins, replay
from simaie.binary.helper import helpers_of
from simaie.errors import (
    InputError,
    NotEmulatedError,
    ReplayError,
    SchemeError,
    UnknownNameError,
    UnmodelledCodeError,
    UsageError,
)
from simaie.guest.text import parse_program, program_text
from simaie.host.loaded import Loaded, data_of, plain
from simaie.replaying import helper_record
from simaie.schemes.compiled import _number as number_of

ELF = Path(__file__).parent / "elf"
X = 0x100
LLSC = [ins("ldrex", X, into="old"), ins("strex", X, 9, into="failed")]
ADD = [ins("lock_add", X, 1)]


def scheme(helpers: str, order: str = "release") -> str:
    return f"compiled:file={ELF / f'{helpers}_scheme.{order}.so'}"


def searched(program: Program, name: str, host: str = "sc") -> Report:
    return explore(program, Machine(name, host=host), scheduler="dpor")


def adds() -> Program:
    return Program("adds", isa="x86", threads=[ADD, ADD], init={X: 0}, final=lambda state: state[X] == 2)


def loads(address: int) -> Program:
    return Program("loads", isa="x86", threads=[[ins("load", address, into="r")]] * 2)


def one(*code: object, isa: str = "x86") -> Program:
    return Program("one", isa=isa, threads=[list(code)], init={X: 7})


@pytest.mark.parametrize("host", ["sc", "pso", "armv8"])
@pytest.mark.parametrize("order", ["release", "relaxed"])
def test_a_spinlock_without_release_breaks_on_weak_hosts_only(order, host):
    report = searched(adds(), scheme("spinlock", order), host)
    assert report.verdict is (Verdict.VIOLATED if (order, host) in broken() else Verdict.HOLDS)
    if report.verdict is Verdict.HOLDS:
        assert report.executions == 10  # all, since a loop that spins is a wait


def broken() -> set[tuple[str, str]]:
    return {("relaxed", "pso"), ("relaxed", "armv8")}


def test_aie_in_c_is_atomic_for_read_modify_writes():
    """The tree is raced for, on both levels."""
    report = searched(adds(), scheme("aie"))
    assert report.verdict is Verdict.HOLDS
    assert report.executions == 128


def test_aie_in_c_without_a_release_breaks_on_weak_hosts():
    for host in ("pso", "armv8"):
        assert searched(adds(), scheme("aie", "relaxed"), host).verdict is Verdict.VIOLATED


def test_aie_in_c_loses_a_plain_store_as_its_model_does():
    lost = Program("lost", isa="arm", threads=[LLSC, [ins("str_", X, 5)]], init={X: 0})
    for name in (scheme("aie"), "aie-rfc"):
        report = searched(lost, name)
        assert {finding.kind for finding in report.failures[0].findings} == {"llsc-atomicity"}


@pytest.mark.parametrize("host", ["sc", "tso", "armv8"])
def test_hst_in_c_needs_fences_against_a_storer_that_puts_the_value_back(host):
    program = Program("a-b-a", isa="arm", threads=[LLSC, [ins("str_", X, 5), ins("str_", X, 0)]], init={X: 0})
    assert searched(program, scheme("hst"), host).verdict is Verdict.HOLDS
    without = searched(program, scheme("hst", "relaxed"), host).verdict
    assert without is (Verdict.HOLDS if host == "sc" else Verdict.VIOLATED)


@pytest.mark.parametrize("code", [
    [*LLSC, ins("load", X, into="r")],
    [ins("strex", X, 9, into="failed"), ins("load", X, into="r")],  # nothing is reserved
    [LLSC[0], ins("clrex"), LLSC[1], ins("load", X, into="r")],
    [LLSC[0], ins("str_", X, 5), LLSC[1], ins("load", X, into="r")],
])  # fmt: skip
def test_aie_in_c_alone_is_what_the_architecture_says(code):
    program = one(*code, isa="arm")
    assert compare(program, scheme("aie")).verdict is Verdict.HOLDS


def test_each_step_of_a_helper_has_its_source_line():
    events = searched(adds(), scheme("spinlock", "relaxed"), "pso").failures[0].trace.events
    notes = {event.op.note for event in events}
    assert {"spinlock_scheme.c:9", "spinlock_scheme.c:16"} <= notes


def test_helpers_allocate_blocks_that_other_vcpus_read():
    report = explore(loads(0x400), Machine(scheme("odd")), scheduler="dpor", failures=None)
    assert {outcome.items for outcome in report.outcomes} == {(("0:r", 0x400), ("1:r", 0x400))}
    assert report.complete


def test_helpers_swap_in_the_memory_of_the_guest():
    program = one(ins("lock_cmpxchg", X, 7, 8, into="a"), ins("lock_cmpxchg", X, 7, 9, into="b"))
    report = searched(program, scheme("odd"))
    assert [outcome.items for outcome in report.outcomes] == [(("0:a", 7), ("0:b", 8), ("[0x100]", 8))]


def test_numbers_on_a_stack_keep_the_loads_on_which_they_depend():
    helpers = helpers_of(str(ELF / "spinlock_scheme.release.so"))
    thread = helpers.thread("lock", 0, None, (0, 0), blocks={}, mutex=None)
    place = thread.low + 64
    thread.poke(place, 8, Loaded(0x1_0000_0005, 4))
    for width, value in ((8, 0x1_0000_0005), (4, 5)):
        found = thread.peek(place, width)
        assert (plain(found), data_of(found)) == (value, 4)
    assert type(thread.peek(place + 8, 8)) is int
    thread.poke(place + 4, 4, 0)
    assert thread.peek(place, 8) == 5
    assert type(thread.peek(place, 8)) is int


def test_mutexes_of_helpers_are_those_of_the_host():
    assert searched(adds(), scheme("odd"), "pso").verdict is Verdict.HOLDS


def test_a_fault_of_a_helper_is_one_of_the_scheme():
    with pytest.raises(SchemeError, match="scheme_load faults"):
        searched(loads(0x200), scheme("odd"))


def test_a_location_of_two_widths_is_refused():
    with pytest.raises(UnmodelledCodeError, match="use one type for each location"):
        searched(loads(0x300), scheme("odd"))


def test_what_the_file_lacks_is_not_emulated():
    with pytest.raises(NotEmulatedError, match="no scheme_load_linked"):
        searched(one(*LLSC, isa="arm"), scheme("spinlock"))
    with pytest.raises(NotEmulatedError, match="8 bytes at most"):
        searched(one(ins("ldxp", X, width=8, into="r"), isa="aarch64"), scheme("aie"))


def test_bad_files_are_errors_that_name_them(tmp_path):
    for name, error, says in (
        ("compiled", UsageError, "compiled:file="),
        (f"compiled:file={tmp_path / 'none.so'}", InputError, "none.so"),
        (f"compiled:file={ELF / 'guide.aarch64.so'}", InputError, "it has no helper"),
        (f"compiled:file={ELF / 'hooks.arm.so'}", InputError, "64-bit host"),
    ):
        with pytest.raises(error, match=says):
            searched(adds(), name)
    content = (ELF / "odd_scheme.release.so").read_bytes()
    (tmp_path / "odd.so").write_bytes(content.replace(b"scheme_unlock\0", b"scheme_unlokk\0"))
    with pytest.raises(UnknownNameError, match="scheme_unlock"):
        searched(adds(), f"compiled:file={tmp_path / 'odd.so'}")


@pytest.mark.parametrize("host", ["sc", "pso", "armv8"])
def test_exclusives_of_helpers_are_what_compilers_make_of_atomics(host):
    held = searched(adds(), scheme("exclusive", "llsc"), host)
    assert (held.verdict, held.complete) == (Verdict.HOLDS, True)
    without = searched(adds(), scheme("exclusive", "unordered"), host).verdict
    assert without is (Verdict.HOLDS if host == "sc" else Verdict.VIOLATED)


@pytest.mark.soak
def test_aie_in_c_with_exclusives_is_atomic_for_read_modify_writes():
    report = searched(adds(), scheme("aie", "llsc"))
    assert (report.verdict, report.executions) == (Verdict.HOLDS, 792)


@pytest.mark.parametrize(("address", "says"), [
    (0x200, "no exclusive load of the same location"), (0x300, "no exclusive load"), (0x400, "no exclusive load"),
    (0x500, "16 bytes"),
])  # fmt: skip
def test_exclusives_of_helpers_that_are_no_atomic_are_refused(address, says):
    with pytest.raises(UnmodelledCodeError, match=says):
        searched(one(ins("load", address, into="r")), scheme("exclusive", "llsc"))


@pytest.mark.parametrize("full_system", [False, True])
def test_helpers_see_physical_addresses(full_system):
    """Two guest addresses of one location, for which AIE has one lock."""
    page = 1 << 12
    program = Program(
        "aliases", isa="x86", threads=[[ins("lock_add", page + X, 1)], [ins("lock_add", 2 * page + X, 1)]],
        pages={page: Page(3 * page), 2 * page: Page(3 * page)}, init={3 * page + X: 0},
        final=lambda state: state[3 * page + X] == 2,
    )  # fmt: skip
    machine = Machine(scheme("aie"), host="pso", full_system=full_system)
    assert explore(program, machine, scheduler="dpor", executions=60).verdict is not Verdict.VIOLATED
    unlocked = Machine("compiled:file=" + str(ELF / "spinlock_scheme.relaxed.so"), host="pso", full_system=full_system)
    assert explore(program, unlocked, scheduler="dpor").verdict is Verdict.VIOLATED


def test_helpers_know_the_vcpus_that_a_guest_starts():
    async def child(cpu):
        await cpu.lock_add(X, 1)

    async def parent(cpu):
        started = [await cpu.spawn(child) for _ in range(2)]
        for each in started:
            await cpu.join(each)

    program = Program("starts", isa="x86", threads=[parent], init={X: 0}, final=lambda state: state[X] == 2)
    assert searched(program, scheme("spinlock")).verdict is Verdict.HOLDS
    assert searched(program, scheme("spinlock", "relaxed"), "pso").verdict is Verdict.VIOLATED


def test_the_numbers_of_vcpus_differ():
    names = [*map(str, range(32)), *(f"{first}.{second}" for first in range(4) for second in range(8))]
    assert {number_of(SimpleNamespace(name=name)) for name in names} == set(range(64))
    for name in ("32", "4.0", "0.8", "0.0.0", "dma"):
        with pytest.raises(UsageError, match=f"vCPU {name}: "):
            number_of(SimpleNamespace(name=name))


def saved_with_its_helpers(tmp_path: Path, content: bytes) -> tuple[Path, Path]:
    """Return the replay file of a failure in a folder of its own, and the helpers."""
    helpers, folder = tmp_path / "helpers.so", tmp_path / "other"
    helpers.write_bytes(content)
    folder.mkdir()
    program = parse_program(program_text(Program("adds", isa="x86", threads=[ADD, ADD], init={X: 0})))
    report = explore(program, Machine(f"compiled:file={helpers}", host="pso"), scheduler="dpor")
    return report.failures[0].save(folder / "failure.json"), helpers


def test_a_replay_file_carries_the_helpers(tmp_path):
    path, helpers = saved_with_its_helpers(tmp_path, (ELF / "spinlock_scheme.relaxed.so").read_bytes())
    helpers.write_bytes((ELF / "spinlock_scheme.release.so").read_bytes())  # others, under the same name
    first = replay(path)
    helpers.unlink()
    for failure in (first, replay(path), pickle.loads(pickle.dumps(replay(path)))):
        again = failure.save(tmp_path / "again.json")
        assert replay(again).trace.digest == failure.trace.digest
        assert again.read_bytes() == path.read_bytes().replace(b"../helpers.so", b"helpers.so")
    assert replay(path).shrink().failure.machine.scheme == f"compiled:file={helpers}"


def test_helpers_that_a_replay_file_does_not_carry_must_be_unchanged(tmp_path, monkeypatch):
    monkeypatch.setattr(helper_record, "MOST_CARRIED", 10)
    content = (ELF / "spinlock_scheme.relaxed.so").read_bytes()
    path, helpers = saved_with_its_helpers(tmp_path, content)
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "helpers.so").write_bytes(content)
    (moved / "other").mkdir()
    assert replay(path).findings
    helpers.write_bytes(content + b" ")
    with pytest.raises(ReplayError, match="gone or has changed"):
        replay(path)
    assert replay(shutil.copy(path, moved / "other")).findings, "next to the replay file as it was"


def test_damaged_helpers_in_a_replay_file_are_refused(tmp_path):
    path, helpers = saved_with_its_helpers(tmp_path, (ELF / "spinlock_scheme.relaxed.so").read_bytes())
    helpers.unlink()
    record = json.loads(path.read_text())
    for content in (zlib.compress(b"other"), b"no zlib", zlib.compress(bytes(1 << 20))):
        record["machine"]["helpers"]["content"] = base64.b64encode(content).decode()
        path.write_text(json.dumps(record))
        with pytest.raises(ReplayError, match=r"digest|damaged"):
            replay(path)
