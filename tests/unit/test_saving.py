"""Files are saved whole or not at all, under names of their own, and never in the place of something else."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simaie import Machine, Program, explore
from simaie.errors import InputError
from simaie.replaying.file import read_replay_file
from simaie.saving import name_part, save_file, save_new

X = 0x100


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_replaces_a_regular_file_and_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "page.html"
    assert save_file(target, "first") == target
    target.chmod(0o600)
    save_file(target, "second \udcff")
    assert target.read_bytes() == rb"second \udcff"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names(target.parent) == ["page.html"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "fifo"])
def test_what_is_no_regular_file_is_neither_followed_nor_replaced(tmp_path: Path, kind: str) -> None:
    victim, target = tmp_path / "victim", tmp_path / "target"
    if kind == "folder":
        target.mkdir()
    elif kind == "fifo":
        os.mkfifo(target)
    else:
        target.symlink_to(victim)
    if kind == "link":
        victim.write_text("precious")
    before = os.lstat(target)
    with pytest.raises(InputError, match="target: cannot be written"):
        save_file(target, "new")
    assert os.lstat(target) == before
    assert not victim.exists() or victim.read_text() == "precious"
    assert names(tmp_path) == (["target", "victim"] if kind == "link" else ["target"])


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="this system has no /dev/null")
def test_a_device_is_not_replaced() -> None:
    with pytest.raises(InputError, match="no regular file"):
        save_file("/dev/null", "new")
    assert Path("/dev/null").is_char_device()


def test_made_up_names_replace_nothing(tmp_path: Path) -> None:
    """The same content is one file; other content, a link and a folder leave their names to whatever has them."""
    first = save_new(tmp_path, "same", ".json", "one")
    assert save_new(tmp_path, "same", ".json", "one") == first
    other = save_new(tmp_path, "same", ".json", "two")
    assert other != first
    for taken in (lambda: first.write_text("mine"), lambda: first.symlink_to(other), first.mkdir):
        first.unlink()
        taken()
        before = os.lstat(first)
        again = save_new(tmp_path, "same", ".json", "one")
        assert again != first
        assert again.read_text() == "one"
        assert os.lstat(first).st_mtime_ns == before.st_mtime_ns
    assert other.read_text() == "two"


def test_where_there_are_no_hard_links_names_replace_nothing_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    first = save_new(tmp_path, "same", ".json", "one")
    first.write_text("mine")
    second = save_new(tmp_path, "same", ".json", "one")
    assert (first.read_text(), second.read_text()) == ("mine", "one")
    assert names(tmp_path) == sorted([first.name, second.name])


@pytest.mark.parametrize("save", [lambda folder: save_file(folder / "a.json", "x" * 10_000),
                                  lambda folder: save_new(folder, "a", ".json", "x" * 10_000)])  # fmt: skip
def test_what_cannot_be_written_whole_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save) -> None:
    """A disk that is full says so when the file is written, or when it is closed."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"a.*json: cannot be written: No space left"):
        save(tmp_path / "folder")
    assert names(tmp_path / "folder") == []


@pytest.mark.parametrize("path", ["file/below.json", "\0.json", "x" * 300 + ".json"])
def test_an_impossible_place_is_one_error_that_names_it(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        save_file(tmp_path / path, "new")
    assert names(tmp_path) == ["file"]


def test_parts_of_names_are_plain_ascii() -> None:
    assert name_part("a b/c\\d:\u00e9\udc80\n*", 40) == "a_b_c_d_"
    assert name_part("x" * 99, 40) == "x" * 40


def failure_of(name: str, scheme: str = "none"):
    async def adder(cpu):
        await cpu.store(X, await cpu.load(X) + 1)

    program = Program(name, isa="x86", threads=[adder, adder], init={X: 0}, final=lambda state: state[X] == 2)
    return explore(program, Machine(scheme), scheduler="dfs").failures[0]


def test_a_failure_is_named_by_all_that_tells_it_from_others(tmp_path: Path) -> None:
    failure = failure_of("..adders")
    path = failure.save_in(tmp_path)
    beginning, digest = path.stem.rsplit("-", 1)
    assert beginning == f"adders-none-sc-x86-dfs-s0-i{failure.index}"
    assert len(digest) == 8
    assert read_replay_file(path).digest == failure.trace.digest
    assert failure.save_in(tmp_path) == path
    assert failure_of("..adders", "aie-v2").save_in(tmp_path) != path


def test_names_that_are_not_ascii_stay_apart(tmp_path: Path) -> None:
    hostile = ["\u00e9", "\u00fc", "\udc80", "../../etc/passwd", "\x1b[31m", "con", "A", "a", "-rf", "n" * 500]
    paths = [failure_of(name).save_in(tmp_path) for name in hostile]
    assert len({path.name.lower() for path in paths}) == len(hostile)
    assert all(path.parent == tmp_path and path.name.isascii() and path.name[0] not in ".-" for path in paths)
    assert all(len(path.name) < 230 for path in paths)
    hostile[2] = r"\udc80"  # JSON has no such character
    assert [read_replay_file(path).program.name for path in paths] == hostile


_WRITER = """
import sys
from simaie.saving import save_file, save_new
folder, me, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(times):
    save_file(f"{folder}/one.json", me * 5000)
    save_new(folder, "same", ".json", me * 5000)
    save_new(folder, "common", ".json", str(number) * 5000)
"""


def save_at_the_same_time(folder: Path, times: int) -> None:
    """Three processes save under the same names, while the files are read here."""
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, folder, me, str(times)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True) for me in "abc"
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    whole = {me * 5000 for me in "abc"}
    while any(writer.poll() is None for writer in writers):
        if (folder / "one.json").exists():
            assert (folder / "one.json").read_text() in whole
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert kept.pop("one.json") in whole
    assert sorted(text for name, text in kept.items() if name.startswith("same-")) == sorted(whole)
    common = [text for name, text in kept.items() if name.startswith("common-")]
    assert sorted(common) == sorted(str(number) * 5000 for number in range(times))
    assert len(kept) == 3 + times


def test_writers_of_one_name_neither_tear_nor_overwrite(tmp_path: Path) -> None:
    save_at_the_same_time(tmp_path, 20)


@pytest.mark.soak
def test_three_processes_save_one_name_a_thousand_times(tmp_path: Path) -> None:
    save_at_the_same_time(tmp_path, 1000)
