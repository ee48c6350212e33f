"""No file runs Python of its own choice: whatever it names, only what the caller names or trusts is imported."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

import simaie
from simaie import Machine, Program, explore, ins
from simaie.cli import main
from simaie.errors import InputError, UnnamedCodeError
from simaie.guest.text import parse_program, read_program
from simaie.replaying.target import find_target

X = 0x100
EVIL = """
import pathlib
from simaie import Program
pathlib.Path(__file__).with_name("it ran").touch()

def p(trace):
    return []

async def add(cpu):
    await cpu.add(0x100, 1)

program = Program("racy", isa="x86", threads=[add, add], init={0x100: 0}, final=lambda m: m[0x100] == 2)
"""
GUEST = """program "asks for more"
isa x86
init 0x100 = 0
check "{checker}"

P0         | P1
add 0x100, 1 | add 0x100, 1
"""
PLAIN = Program("plain", isa="x86", threads=[[ins("add", X, 1)]] * 2, init={X: 0})


@pytest.fixture(name="evil")
def fixture_evil(tmp_path, monkeypatch):
    """A Python file that leaves a mark when it is imported, in the folder in which commands run."""
    path = tmp_path / "evil.py"
    path.write_text(EVIL)
    monkeypatch.chdir(tmp_path)
    return path


def ran(evil: Path) -> bool:
    """Whether it was imported since; it is forgotten then, since the same text is imported once in a process."""
    for name in [name for name in sys.modules if name.startswith("simaie_target_")]:
        del sys.modules[name]
    mark = evil.with_name("it ran")
    found = mark.exists()
    mark.unlink(missing_ok=True)
    return found


def digest_of(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


@pytest.fixture(name="saved")
def fixture_saved(tmp_path):
    """A replay file of a program that no process knows."""
    failure = explore(PLAIN, Machine("native"), checkers=[lambda trace: [simaie.Finding("any", "x")]]).failures[0]
    return failure.save(tmp_path / "saved.json")


def pointing(saved: Path, source: str, digest: str, *, what: str) -> Path:
    """The replay file, with its program or its checker said to be code of the file `source`."""
    document = json.loads(saved.read_text())
    document["checkers"] = []
    if what == "program":
        document["program"] |= {"name": "racy", "digest": "0" * 32, "text": None, "corpus": None,
                                "source": source, "variable": "program", "source_digest": digest}  # fmt: skip
    else:
        document["checkers"] = [{"name": "p", "custom": True, "source": source, "source_digest": digest}]
    path = saved.with_name("stranger.json")
    path.write_text(json.dumps(document))
    return path


COMMANDS = [
    ["replay"], ["replay", "--best-effort"], ["replay", "--format", "json"], ["check"], ["shrink"], ["show"],
    ["show", "--html", "a.html"], ["show", "--svg", "a.svg", "--perfetto", "a.json"],
]  # fmt: skip


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("what", ["program", "checker"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_imports_what_a_replay_file_names(evil, saved, capsys, words, what, absolute):
    source = str(evil) if absolute else "evil.py"
    stranger = pointing(saved, source, digest_of(evil), what=what)
    assert main([words[0], str(stranger), *words[1:]]) in (0, 1, 2, 3)
    assert not ran(evil)
    assert "evil.py" in capsys.readouterr().err, "it says which code is missing"


@pytest.mark.parametrize("what", ["program", "checker"])
def test_nor_does_the_api_unless_it_is_trusted_and_beside_the_file(evil, saved, what):
    stranger = pointing(saved, "evil.py", digest_of(evil), what=what)
    with pytest.raises(UnnamedCodeError):
        simaie.replay(stranger)
    assert not ran(evil)
    if what == "checker":
        assert simaie.replay(stranger, trust=True).findings == ()
        assert ran(evil)
    for source, digest in ((str(evil), digest_of(evil)), ("evil.py", "0" * 16), ("none.py", "0" * 16)):
        with pytest.raises(UnnamedCodeError):
            simaie.replay(pointing(saved, source, digest, what=what), trust=True)
        assert not ran(evil)


@pytest.mark.parametrize("name", ["evil.py:p", "evil:p", "/tmp/evil.py:p", "simaie.schemes.native:Native"])
def test_a_machine_is_found_among_what_is_installed_only(evil, saved, name):
    document = json.loads(saved.read_text())
    for field in ("scheme", "host"):
        stranger = saved.with_name("stranger.json")
        stranger.write_text(json.dumps({**document, "machine": {**document["machine"], field: name}, "checkers": []}))
        assert main(["check", str(stranger)]) == 2
        assert not ran(evil)


@pytest.mark.parametrize("checker", ["evil.py:p", "{folder}/evil.py:p", "./evil.py:p"])
@pytest.mark.parametrize(
    "words", [["explore"], ["explore", "--scheduler", "dpor"], ["compare"], ["barriers", "--host", "tso"]]
)
def test_no_command_imports_what_a_program_text_names(evil, tmp_path, words, checker):
    path = tmp_path / "stranger.guest"
    path.write_text(GUEST.format(checker=checker.format(folder=tmp_path)))
    assert main([words[0], str(path), *words[1:]]) in (0, 1, 2, 3)
    assert not ran(evil)


@pytest.mark.untraced
def test_a_program_text_is_judged_by_code_that_the_caller_names_or_trusts(evil, tmp_path, capsys):
    path = tmp_path / "stranger.guest"
    path.write_text(GUEST.format(checker="evil.py:p"))
    assert main(["explore", str(path)]) == 2
    assert "--checker evil.py:p" in capsys.readouterr().err
    for words in (["--checker", "evil.py:p"], ["--trust"]):
        assert main(["explore", str(path), "--executions", "2", *words]) in (0, 3)
        assert ran(evil)
    text = path.read_text()
    for program in (parse_program(text), read_program(path), find_target(str(path))):
        with pytest.raises(InputError):
            explore(program)
        with pytest.raises(InputError):
            simaie.interactive(program)
        assert not ran(evil)
    assert explore(parse_program(text, trust=True), executions=2).executions == 2
    assert ran(evil)


def test_a_text_in_a_replay_file_names_no_code_either(evil, saved):
    document = json.loads(saved.read_text())
    text = GUEST.format(checker="evil.py:p")
    document["program"] |= {"text": text, "source": None, "corpus": None, "digest": parse_program(text).digest}
    document["checkers"] = []
    stranger = saved.with_name("stranger.json")
    stranger.write_text(json.dumps(document))
    for words in COMMANDS:
        main([words[0], str(stranger), *words[1:]])
        assert not ran(evil)


def test_what_is_saved_says_how_it_is_replayed(evil, capsys):
    assert main(["explore", "evil.py:program", "--save", "found"]) == 1
    said = capsys.readouterr().out
    (file,) = Path("found").glob("*.json")
    assert f"simaie replay {file} --program {evil}:program" in said
    assert main(["replay", str(file), "--program", "evil.py:program"]) == 1
    assert main(["check", str(file), "--trust"]) == 1
    assert ran(evil)


def test_a_shrunk_program_that_is_named_is_cut_as_it_was(evil, capsys):
    failure = explore(find_target("evil.py:program"), scheduler="random-walk", executions=50).failures[0]
    small = failure.shrink().failure
    file = small.save("small.json")
    again = simaie.replay(file, program="evil.py:program")
    assert again.trace.digest == small.trace.digest


def test_what_is_imported_is_what_was_read(evil, saved, monkeypatch):
    """The text whose digest was compared runs, even if the file is exchanged in the meantime."""
    failure = explore(find_target("evil.py:program"), scheduler="random-walk", executions=50).failures[0]
    file = failure.save("found.json")
    from simaie.guest import identity

    monkeypatch.setattr(identity, "_known", type(identity._known)())
    assert simaie.replay(file, trust=True).findings
    assert not list(Path().glob("__pycache__/*evil*")), "no cache, which could hold something else"
    assert os.path.exists("it ran")
