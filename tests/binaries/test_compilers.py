"""C files as targets: the compiler that is found, what it is told, and what is said when it fails."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from elf_guests import ELF

import simaie
from simaie import Machine, UsageError, Verdict, explore
from simaie.binary import binary_program, compilers
from simaie.cli import main
from simaie.errors import InputError
from simaie.replaying.reproduce import command_of

CALLS = ["fas", "fas"]


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder that is the only one on the path."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(compilers, "find_spec", lambda name: None)
    return folder


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "locks.c"
    path.write_text("int main;\n")
    return path


def install(folder: Path, name: str, machine: str, then: str = "") -> None:
    """Write a compiler that says that it compiles for `machine`, and takes an ELF file of the tests for its result."""
    elf = ELF / "locks.arm.elf"
    script = folder / name
    script.write_text(f"""#!{sys.executable} -IS
import shutil, sys
if "-dumpmachine" in sys.argv:
    print({machine!r})
    raise SystemExit
{then}
shutil.copy({str(elf)!r}, sys.argv[sys.argv.index("-o") + 1])
""")
    script.chmod(0o755)


def command(source: Path, cc: str | None = None) -> str:
    made = compilers.compile_c(source, cc)
    assert made.content == (ELF / "locks.arm.elf").read_bytes()
    return made.command


def test_the_first_compiler_on_the_path_compiles(tools, source, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    install(tools, "arm-linux-gnueabihf-gcc", "arm-linux-gnueabihf")
    assert command(source).startswith("arm-linux-gnueabihf-gcc ")
    install(tools, "clang", "x86_64-pc-linux-gnu")
    assert command(source).startswith("clang ")
    install(tools, "gcc", "x86_64-linux-gnu")
    assert command(source).startswith("gcc ")
    assert "locks.c -lgcc -o" in command(source)


def test_a_compiler_that_makes_no_elf_files_is_not_taken_by_itself(tools, source, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    install(tools, "clang", "arm64-apple-darwin")
    with pytest.raises(UsageError, match="no C compiler"):
        command(source)


@pytest.mark.parametrize(
    ("machine", "flag"),
    [
        ("x86_64-linux-gnu", "-mcx16"), ("aarch64-linux-gnu", "-mno-outline-atomics"), ("i686-linux-gnu",
        "-fcf-protection=none"), ("mips-linux-gnu", "-msoft-float"), ("powerpc64le-linux-gnu", "-mno-vsx"),
        ("riscv64-linux-gnu", "-march=rv64imac"), ("arm-linux-gnueabihf", "-fno-tree-vectorize"),
    ],
)  # fmt: skip
def test_the_flags_are_those_of_the_machine_and_the_caller_has_the_last_word(tools, source, machine, flag):
    install(tools, "anycc", machine)
    words = command(source, "anycc -O1").split()
    assert flag in words
    assert words.index("-O2") < words.index("-O1")
    assert words.index(flag) < words.index("-O1")


def test_an_unknown_machine_has_no_flags_of_its_own(tools, source):
    install(tools, "anycc", "vax-dec-ultrix")
    assert [word for word in command(source, "anycc").split() if word.startswith("-m")] == []


def test_a_target_by_name_finds_its_cross_compiler(tools, source):
    install(tools, "aarch64-linux-gnu-gcc", "aarch64-linux-gnu")
    assert command(source, "aarch64 -O1").startswith("aarch64-linux-gnu-gcc ")
    with pytest.raises(UsageError, match="gcc-arm-linux-gnueabihf"):
        command(source, "arm")


def test_zig_compiles_for_a_target_without_another_compiler(tools, source, monkeypatch):
    monkeypatch.setattr(compilers, "find_spec", lambda name: name == "ziglang")
    asked: list[list[str]] = []

    def run(words, **options):
        asked.append(words)
        shutil.copy(ELF / "locks.arm.elf", words[words.index("-o") + 1])
        return compilers.subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(compilers.subprocess, "run", run)
    compilers.compile_c(source, "ppc64le")
    [words] = asked
    assert words[1:4] == ["-m", "ziglang", "cc"]
    assert words[words.index("-target") + 1] == "powerpc64le-linux-musl"
    assert "-mno-power8-vector" in words


@pytest.mark.parametrize("cc", ["", "none-such-compiler -O2", "gcc 'open"])
def test_a_compiler_that_is_not_there_is_refused(tools, source, cc):
    with pytest.raises(UsageError):
        compilers.compile_c(source, cc)


def test_what_a_compiler_says_is_one_bounded_error(tools, source):
    install(tools, "badcc", "x86_64-linux-gnu", "sys.exit('\\n'.join(f'locks.c:{n}: no' for n in range(90)))")
    with pytest.raises(InputError, match=r"locks\.c: the compiler fails with status 1") as caught:
        compilers.compile_c(source, "badcc")
    lines = str(caught.value).splitlines()
    assert lines[1] == "locks.c:0: no"
    assert len(lines) == 22
    assert "70 more" in lines[-1]


def test_a_compiler_that_makes_nothing_or_cannot_be_run_is_an_error(tools, source):
    install(tools, "idle", "x86_64-linux-gnu", "raise SystemExit")
    with pytest.raises(InputError, match="made no file"):
        compilers.compile_c(source, "idle")
    (tools / "broken").write_text("no program")
    (tools / "broken").chmod(0o755)
    with pytest.raises(UsageError, match="cannot be run"):
        compilers.compile_c(source, "broken")


def test_a_compiler_that_does_not_end_is_an_error(tools, source, monkeypatch):
    install(tools, "slow", "x86_64-linux-gnu", "import time; time.sleep(60)")
    monkeypatch.setattr(compilers, "_SECONDS", 0.2)
    with pytest.raises(InputError, match="does not end"):
        compilers.compile_c(source, "slow")


def test_a_missing_source_is_an_error(tools, tmp_path):
    with pytest.raises(InputError, match="No such file"):
        binary_program(tmp_path / "none.c", CALLS)
    with pytest.raises(InputError, match=r"folder|directory"):
        compilers.compile_c(tmp_path)


def test_a_c_file_is_a_program(tools, source, tmp_path):
    install(tools, "gcc", "arm-linux-gnueabihf")
    program = binary_program(source, CALLS, final="check", cc="gcc")
    assert program.compiled_by == compilers.compile_c(source, "gcc").command
    report = explore(program, Machine("aie-rfc"), scheduler="dpor", checkers=["final-check", "progress"])
    assert report.verdict is Verdict.VIOLATED
    assert "locks.c --thread fas --thread fas --cc gcc" in command_of(report.failures[0])
    saved = report.failures[0].save(tmp_path / "failure.json")
    (tools / "gcc").unlink()
    source.unlink()
    assert simaie.replay(saved).verdict is Verdict.VIOLATED  # the replay file has the shared object


def test_a_compiler_is_only_for_a_c_file():
    with pytest.raises(UsageError, match=r"\.c"):
        binary_program(ELF / "locks.arm.elf", CALLS, cc="gcc")
    with pytest.raises(UsageError, match="cc"):
        binary_program("locks.c", CALLS, cc=7)  # type: ignore[arg-type]  # the point


def test_the_command_line_compiles_and_shows_the_command(tools, source, capsys):
    install(tools, "gcc", "arm-linux-gnueabihf")
    threads = ["--thread", "ticket", "--thread", "ticket", "--final", "check"]
    search = ["--scheduler", "dpor", "--checker", "final-check"]
    assert main(["explore", str(source), "--cc", "gcc -O1", *threads, *search]) == 0
    assert f"compiled by: {compilers.compile_c(source, 'gcc -O1').command}" in capsys.readouterr().err
    assert main(["explore", str(source), "--cc", "gcc"]) == 2
    assert "--thread" in capsys.readouterr().err
    install(tools, "cc", "arm-linux-gnueabihf")
    assert main(["explore", str(source)]) == 2
    assert "ticket" in capsys.readouterr().err


def test_a_real_compiler_makes_a_guest(tmp_path):
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("there is no gcc here that makes ELF files")
    source = tmp_path / "count.c"
    source.write_text("#include <simaie.h>\nint n;\nvoid add(void) { n++; }\nint check(void) { return n == 2; }\n")
    program = binary_program(source, ["add", "add"], final="check", cc="gcc")
    assert explore(program, Machine("native"), checkers=["final-check"]).verdict is Verdict.VIOLATED
    source.write_text("int n = ;\n")
    with pytest.raises(InputError, match=r"count\.c:1:9"):
        binary_program(source, ["add"], cc="gcc")
