"""Programs as data in text: what is written is read back as the same, and a mistake is shown where it stands."""

from __future__ import annotations

import subprocess
import sys

import pytest

import simaie
from simaie import Machine, Program, corpus, explore, ins
from simaie.cli import main
from simaie.errors import InputError, ProgramTextError, ReplayError, UsageError
from simaie.guest.code import Ins
from simaie.guest.isa import ISAS
from simaie.guest.register_instructions import LOCAL
from simaie.guest.text import is_data, parse_program, program_code, program_text, read_program
from simaie.prng import Random

X = 0x100
TEXT = """# one that looks away
program "taken back"
isa arm
init 0x100 = 5

P0                  | P1
r0 = ldrex 0x100    | str_ 0x100, 7
r1 = strex 0x100, 6 | str_ 0x100, 5   # as it was
"""


def same(one: Program, other: Program) -> bool:
    parts = ("name", "isa", "threads", "image", "watch", "description", "checkers", "digest")
    return all(
        [*map(list, a)] == [*map(list, b)] if name == "threads" else a == b
        for name in parts
        for a, b in [(getattr(one, name), getattr(other, name))]
    )


def test_one_column_for_each_vcpu():
    program = parse_program(TEXT)
    assert [list(thread) for thread in program.threads] == [
        [ins("ldrex", X, into="r0"), ins("strex", X, 6, into="r1")],
        [ins("str_", X, 7), ins("str_", X, 5)],
    ]
    assert program.name == "taken back"
    assert program.isa == "arm"
    assert program.image == ((X, 4, 5),)


def generated(seed: int) -> Program:
    random = Random(seed)
    words = ["r0", ".own", "two words", 'quo"te', "P0", "|", "init", "none", "é#", "", "a.b"]
    isa = sorted(ISAS)[random.below(len(ISAS))]

    def item() -> Ins:
        name = ["mov", "load", "store", "reg_add", "select"][random.below(5)]
        count = {"mov": 1, "load": 1, "store": 2, "reg_add": 2, "select": 3}[name]
        args = [words[random.below(len(words))] if random.below(2) else random.below(1 << 40) - 9 for _ in range(count)]
        options = {"width": 1 << random.below(4)} if name in ("load", "store") and random.below(2) else {}
        target = words[random.below(len(words))] if random.below(2) and name != "store" else None
        return ins(name, *args, into=target, **options)

    threads = [[item() for _ in range(random.below(4))] for _ in range(1 + random.below(3))]
    init = {64 * i: [7, (1 << 63, 8), b"\0\xff", -1][random.below(4)] for i in range(random.below(4))}
    watch = [None, {}, {X: 2}][random.below(3)]
    checkers = ["serializability"] * random.below(2)
    return Program(words[random.below(9)], isa=isa, threads=threads, init=init, watch=watch, checkers=checkers,
                   description=["", 'says "é"\n|'][random.below(2)])  # fmt: skip


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(100))
def test_what_is_written_is_read_back_as_the_same_program(seed):
    program = generated(seed)
    text = program_text(program)
    assert same(parse_program(text), program)
    assert program_text(parse_program(text)) == text


@pytest.mark.parametrize("seed", range(50))
def test_a_program_as_code_gives_the_same_when_pasted(seed):
    program = generated(seed)
    assert same(eval(program_code(program), {"Program": Program, "ins": ins, "Ins": Ins}), program)


def test_corpus_programs_that_are_data_have_a_text():
    programs = [p for name in corpus.names() if is_data(p := corpus.program(name))]
    assert programs
    assert all(same(parse_program(program_text(program)), program) for program in programs)


def place(text: str) -> tuple[int, int]:
    with pytest.raises(ProgramTextError) as caught:
        parse_program(text, "some.guest")
    assert str(caught.value).startswith(f"some.guest:{caught.value.line}:{caught.value.column}: ")
    return caught.value.line, caught.value.column


def test_a_wrong_mnemonic_is_named_with_line_and_column_and_what_is_allowed():
    with pytest.raises(ProgramTextError) as caught:
        parse_program(TEXT.replace("str_ 0x100, 7", "strx 0x100, 7"))
    error = caught.value
    assert (error.line, error.column) == (7, 23)
    assert {*error.expected} >= {"ldrex", "strex", *LOCAL}
    assert "lock_inc" not in error.expected


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("str_ 0x100, 7", "str_ 0x100", (7, 23)),
        ("str_ 0x100, 7", "str_ 0x100, 7, size=4", (7, 23)),
        ("str_ 0x100, 7", "str_ 0x100,", (7, 34)),
        ("str_ 0x100, 7", "str_ 0x100, 7 | wfe", (7, 1)),
        ("| P1", "| P2", (6, 23)),
        ("isa arm", "isa z80", (3, 5)),
        ("isa arm\n", "", (5, 1)),
        ('program "taken back"\n', "", (5, 1)),
        ("init 0x100 = 5", "init 0x100 : 3 = 5", (4, 14)),
        ("init 0x100 = 5", 'init 0x100 = bytes "0"', (4, 20)),
        ("init 0x100 = 5", "init 0x100 = ;", (4, 14)),
        ('"taken back"', '"\\q"', (2, 9)),
        ("str_ 0x100, 7", "branch nowhere", (6, 1)),
    ],
)
def test_each_mistake_is_shown_where_it_stands(old, new, where):
    assert old in TEXT
    assert place(TEXT.replace(old, new)) == where


@pytest.mark.parametrize("text", ["", "program", "isa arm", 'program "x"\nisa arm\n', "\0"])
def test_what_is_no_program_is_refused(text):
    place(text)


def test_functions_and_pages_have_no_text():
    async def guest(cpu):
        await cpu.load(X)

    data = [ins("load", X)]
    for program in (
        Program("a", isa="arm", threads=[guest]),
        Program("b", isa="arm", threads=[data], final=lambda m: True),
        Program("c", isa="arm", threads=[data], devices=[guest]),
        Program("d", isa="arm", threads=[data], checkers=[lambda trace: ()]),
    ):
        assert not is_data(program)
        with pytest.raises(UsageError):
            program_text(program)


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path):
    with pytest.raises(InputError):
        read_program(tmp_path / "none.guest")
    (tmp_path / "bytes.guest").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError):
        read_program(tmp_path / "bytes.guest")


def test_the_command_line_takes_a_text_file_and_its_command_finds_the_failure_again(tmp_path, capsys):
    path = tmp_path / "taken.guest"
    path.write_text(TEXT)
    assert main(["explore", str(path), "--scheme", "cas", "--scheduler", "dpor"]) == 1
    failure = explore(read_program(path), Machine("cas"), scheduler="dpor").failures[0]
    assert failure.target == str(path)
    path.write_text(TEXT.replace("ldrex", "ldrx"))
    assert main(["explore", str(path)]) == 2
    capsys.readouterr()


def test_a_saved_failure_carries_the_text_of_a_program_that_no_file_names(tmp_path):
    """Another process, in which nobody knows the program, replays it from the file alone."""
    path = tmp_path / "failure.json"
    failure = explore(parse_program(TEXT), Machine("cas"), scheduler="dpor").failures[0]
    failure.save(path)
    script = f"import simaie; print(simaie.replay({str(path)!r}).trace.digest)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == failure.trace.digest


def test_a_damaged_text_in_a_saved_failure_is_a_replay_error(tmp_path, monkeypatch):
    path = tmp_path / "failure.json"
    explore(parse_program(TEXT), Machine("cas"), scheduler="dpor").failures[0].save(path)
    monkeypatch.setattr(sys.modules["simaie.replaying.resolving"], "find_program", lambda name, digest: None)
    assert simaie.replay(path).findings
    for old, new in (("strex", "strx"), ("0x100, 7", "0x100, 8")):
        (tmp_path / "damaged.json").write_text(path.read_text().replace(old, new))
        with pytest.raises(ReplayError):
            simaie.replay(tmp_path / "damaged.json")
