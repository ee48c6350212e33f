"""What the architecture promises to be indivisible is one operation under `native`, and all else is several."""

from __future__ import annotations

import pytest

from simaie import Machine, Program, UsageError, compare, explore, ins
from simaie.cli import main
from simaie.exploration.architecture import architecture_machine
from simaie.exploration.outcomes import outcomes_of
from simaie.exploration.search import SearchLimits
from simaie.exploration.subject import search_subject

ONES = (1 << 128) - 1
LOW = 0x0807060504030201


def program(isa, *threads, address=0x40, width=8, value=0):
    return Program("split", isa=isa, threads=list(threads), init={address: (value, width)})


def store(isa, address, width, value=ONES):
    return [ins("store", address, value % (1 << 8 * width), width=width)]


def load(isa, address, width):
    return [ins("load", address, width=width, into="r")]


def allowed(prog, *, host=None, **options):
    """The values of "1:r" that the architecture allows."""
    machine = architecture_machine(prog.isa, Machine(address_bits=16), host=host, **options)
    found = outcomes_of(search_subject(prog), machine, SearchLimits())
    assert found.complete
    return {dict(state)["1:r"] for state in found.states}


def seen(isa, address, width, **options):
    return allowed(program(isa, store(isa, address, width), load(isa, address, width), address=address, width=width),
                   **options)


def whole(width):
    return {0, (1 << 8 * width) - 1}


@pytest.mark.parametrize(
    ("isa", "address", "width"),
    [
        ("x86", 0x38, 8), ("x86", 0x3B, 4), ("x86", 0x31, 8), ("x86", 0x3E, 2), ("arm", 0x3C, 4), ("aarch64", 0x38, 8),
        ("riscv", 0x38, 8), ("riscv", 0x3C, 4), ("mips", 0x38, 8), ("ppc", 0x38, 8), ("ppc", 0x3E, 2),
    ],
)  # fmt: skip
def test_what_is_promised_is_indivisible(isa, address, width):
    assert seen(isa, address, width) == whole(width)


@pytest.mark.parametrize(
    ("isa", "address"),
    [("x86", 0x3F), ("arm", 0x3D), ("aarch64", 0x33), ("riscv", 0x31), ("mips", 0x3D), ("ppc", 0x31)],
)
def test_what_is_not_promised_tears_at_every_byte(isa, address):
    assert seen(isa, address, 2) == {0, 0xFF, 0xFF00, 0xFFFF}


@pytest.mark.untraced
def test_eight_bytes_across_a_line_of_x86_tear_where_the_lines_meet():
    found = seen("x86", 0x3C, 8, host="sc")
    assert {0xFFFFFFFF, 0xFFFFFFFF << 32} < found
    assert whole(8) < found


def test_a_double_word_of_armv7_is_two_words_unless_there_is_lpae():
    assert seen("arm", 0x38, 8) == whole(8) | {0xFFFFFFFF, 0xFFFFFFFF << 32}
    assert seen("arm", 0x38, 8, single_copy="lpae") == whole(8)


def test_an_unaligned_access_of_aarch64_is_whole_within_16_bytes_with_lse2():
    assert seen("aarch64", 0x33, 2, single_copy="lse2") == whole(2)
    assert len(seen("aarch64", 0x3F, 2, single_copy="lse2")) == 4


def test_an_extension_of_another_architecture_changes_nothing_and_an_unknown_one_is_refused():
    assert len(seen("aarch64", 0x33, 2, single_copy="lpae")) == 4
    with pytest.raises(UsageError, match="single_copy"):
        Machine("native:single_copy=lse3").check_options()


def test_every_access_is_indivisible_if_that_is_asked():
    assert seen("x86", 0x3C, 8, single_copy="any") == whole(8)


@pytest.mark.parametrize(("one", "other"), [(0x3F, 0x40), (0x40, 0x3F)])
def test_the_parts_go_in_either_direction(one, other):
    """Either byte of a store across two lines may be seen without the other, by loads in either order."""
    both = [ins("load", one, width=1, into="a"), ins("load", other, width=1, into="b")]
    prog = program("x86", store("x86", 0x3F, 2), both, address=0x3F, width=2)
    found = outcomes_of(search_subject(prog), architecture_machine("x86", Machine()), SearchLimits())
    assert {(dict(s)["1:a"], dict(s)["1:b"]) for s in found.states} == {(0, 0), (0, 255), (255, 0), (255, 255)}


@pytest.mark.parametrize("endian", ["little", "big"])
def test_the_value_is_put_together_from_its_parts(endian):
    """Alone, a split access is what a whole one is, whichever part goes first."""
    code = [ins("str_", 0x41, LOW, width=8), ins("ldr", 0x41, width=8, into="r")]
    found = outcomes_of(search_subject(program("aarch64", code, address=0x48)), Machine(endian=endian), SearchLimits())
    assert found.executions == 4
    assert [dict(state)["0:r"] for state in found.states] == [LOW]


def pair(single_copy="isa"):
    """What LDXP of two X registers may return of a whole store, and whether the STXP after it stored."""

    async def writer(cpu):
        await cpu.casp(0x40, 0, ONES, width=8)

    async def reader(cpu):
        both = await cpu.ldxp(0x40)
        cpu.observe("low", both % (1 << 64))
        cpu.observe("high", both >> 64)
        cpu.observe("failed", await cpu.stxp(0x40, both))

    prog = program("aarch64", writer, reader, width=16)
    machine = architecture_machine("aarch64", Machine(), host="sc", spurious_failures=False, single_copy=single_copy)
    found = outcomes_of(search_subject(prog), machine, SearchLimits())
    assert found.complete
    states = [dict(state) for state in found.states]
    return {(state["1:low"], state["1:high"], state["1:failed"]) for state in states}


def test_a_pair_of_x_registers_is_loaded_exclusively_as_two_doublewords():
    """A torn pair is never stored back: the reservation covers both halves from the first on."""
    full = (1 << 64) - 1
    whole_pairs = {(0, 0, 0), (0, 0, 1), (full, full, 0)}
    assert pair() == whole_pairs | {(0, full, 1), (full, 0, 1)}
    assert pair(single_copy="lse2") == whole_pairs


def test_a_pair_of_w_registers_is_loaded_whole():
    writer = [ins("str_", 0x40, (1 << 64) - 1, width=8)]
    reader = [ins("ldxp", 0x40, width=4, into="r")]
    assert allowed(program("aarch64", writer, reader)) == whole(8)


def test_a_locked_instruction_of_x86_is_indivisible_at_any_address():
    threads = [[ins("lock_xadd", 0x3E, 0x10001, width=4)]] * 2
    reader = [ins("lock_xadd", 0x3E, 0, width=4, into="r")]
    assert allowed(program("x86", threads[0], reader, threads[1], address=0x3E, width=4)) == {0, 0x10001, 0x20002}


def test_an_unlocked_read_modify_write_across_a_line_is_split_as_its_load_and_store_are():
    prog = program("x86", store("x86", 0x3F, 2), [ins("add", 0x3F, 0, width=2, into="r")],
                   address=0x3F, width=2)
    assert allowed(prog, host="sc") == {0, 0xFF, 0xFF00, 0xFFFF}


# -- the emulator against it ----------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.parametrize(("isa", "address"), [("x86", 0x3C), ("arm", 0x38), ("riscv", 0x3C)])
def test_an_emulator_that_tears_what_nothing_promises_is_not_accused(isa, address):
    """On a host of 32 bits the access is two words, which the architecture allows here."""
    prog = program(isa, store(isa, address, 8), load(isa, address, 8), address=address)
    assert compare(prog, machine=Machine("none", host_word=32, address_bits=16)).verdict == "holds"


def test_an_emulator_that_tears_what_is_promised_is_accused():
    prog = program("x86", store("x86", 0x38, 8), load("x86", 0x38, 8), address=0x38)
    assert compare(prog, machine=Machine("none", host_word=32, address_bits=16)).verdict == "violated"
    prog = program("arm", store("arm", 0x38, 8), load("arm", 0x38, 8), address=0x38)
    machine = Machine("none", host_word=32, address_bits=16)
    assert compare(prog, machine=machine, single_copy="lpae").verdict == "violated"


@pytest.mark.parametrize("host", ["sc", "tso", "pso"])
@pytest.mark.parametrize(("isa", "address", "width"), [("x86", 0x3F, 2), ("x86", 0x38, 8), ("arm", 0x38, 8),
                                                       ("riscv", 0x3F, 2)])
def test_native_is_clean_by_the_single_copy_checker(isa, address, width, host):
    prog = program(isa, store(isa, address, width), load(isa, address, width), address=address, width=width)
    report = explore(prog, Machine(host=host), scheduler="dpor")
    assert report.verdict == "holds"
    assert report.complete


def test_dpor_and_dfs_find_the_same_outcomes_of_split_accesses():
    prog = program("riscv", store("riscv", 0x3F, 2), load("riscv", 0x3F, 2), [ins("store", 0x40, 7, width=1)],
                   address=0x3F, width=2)
    reports = [explore(prog, Machine(), scheduler=name) for name in ("dpor", "dfs")]
    assert all(report.verdict == "holds" for report in reports)
    one, other = (set(report.outcomes) for report in reports)
    assert one == other


GUEST = '''
from simaie import Program, ins

wide = Program("wide", isa="arm", init={0x38: (0, 8)}, threads=[
    [ins("str_", 0x38, (1 << 64) - 1, width=8)], [ins("ldr", 0x38, width=8, into="r")]])
'''


def test_an_extension_is_named_on_the_command_line(tmp_path, monkeypatch, capsys):
    """A double word that the emulator tears is the architecture's on Armv7, and a bug where there is LPAE."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guest.py").write_text(GUEST)
    arguments = ["compare", "guest.py:wide", "--scheme", "none", "--host-word", "32"]
    assert main(arguments) == 0
    assert main([*arguments, "--single-copy", "lpae"]) == 1
    assert main([*arguments, "--single-copy", "lpea"]) == 2
