"""Every command is interrupted and killed at random times: no traceback, no torn file, no process that stays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from simaie import Machine, explore
from simaie.cli.status import Status
from simaie.replaying.file import read_replay_file
from simaie.replaying.target import find_target

from .processes import ENDLESS, PROGRAMS, PYTEST, SIMAIE, Ran, begun, is_running, soon

pytestmark = pytest.mark.soak

TIMES = int(os.environ.get("SIMAIE_SOAK_TIMES", "40"))
#: Within these seconds an interrupt comes, and within these more the command has to end.
RANGE, GRACE = 3.0, 15.0
LITMUS = Path(__file__).parents[1] / "litmus" / "programs"
#: A line of a traceback in code of ours; Python itself starts up before that, and may be interrupted then.
OURS = re.compile(r'File ".*/(simaie|simaie_schedulers|pytest_simaie)/')
TESTS = PROGRAMS + """
import pytest

@pytest.mark.simaie(scheduler="random-walk", executions=3000)
@pytest.mark.parametrize("number", range(50))
def test_programs(number):
    return racy if number % 7 == 3 else sound
"""
COMMANDS: dict[str, tuple[object, ...]] = {
    "explore": ("explore", "{programs}:racy", *ENDLESS, "--save", "{folder}", "--format", "json"),
    "explore-text": ("explore", "{programs}:racy", *ENDLESS, "--save", "{folder}"),
    "explore-trio": ("explore", "{programs}:racy", *ENDLESS, "--driver", "trio", "--save", "{folder}"),
    "explore-sound": ("explore", "{programs}:sound", *ENDLESS),
    "explore-index": ("explore", "{programs}:sound", "--scheduler", "pct", "--index", 10**8),
    "check-determinism": ("explore", "{programs}:sound", "--check-determinism", "--executions", 500),
    "replay": ("replay", "{failure}"),
    "show": ("show", "{failure}", "--html", "{folder}/page.html", "--svg", "{folder}/page.svg"),
    "check": ("check", "{failure}"),
    "shrink": ("shrink", "{failure}", "--out", "{folder}/short.json"),
    "fuzz": ("fuzz", "--isa", "arm", "--scheme", "cas", "--examples", 10**9, "--save", "{folder}", "--format", "json"),
    "litmus": ("litmus", *["{litmus}"] * 9, "--format", "json"),
    "litmus-2": ("litmus", *["{litmus}"] * 9, "-j", 2),
    "compare": ("compare", "{litmus}", "--scheme", "native:barriers=none", "--host", "tso", "--save", "{folder}"),
    "barriers": ("barriers", "{litmus}", "--host", "pso", "--save", "{folder}"),
    "audit": ("audit", "--explain", "--format", "json"),
    "list": ("list", "schemes"),
}  # fmt: skip


@pytest.fixture(name="place")
def fixture_place(tmp_path: Path) -> dict[str, str]:
    """What commands need, by name."""
    programs = tmp_path / "programs.py"
    programs.write_text(PROGRAMS)
    racy = find_target(f"{programs}:racy")
    failure = explore(racy, Machine(), scheduler="random-walk").failures[0].save(tmp_path / "failure.json")
    names = {"programs": programs, "failure": failure, "litmus": LITMUS, "folder": tmp_path / "folder"}
    return {name: str(path) for name, path in names.items()}


def assert_whole(folder: Path) -> int:
    """No file is torn or empty; returns how many there are. What is hidden is left of processes that were killed."""
    files = [file for file in folder.glob("*") if not file.name.startswith(".")] if folder.exists() else []
    for file in files:
        assert file.stat().st_size, file
        if file.suffix == ".json":
            read_replay_file(file)
    return len(files)


def assert_quiet(ran: Ran) -> None:
    assert not OURS.search(ran.err), ran
    assert "TrioInternalError" not in ran.err, ran
    assert "Exception ignored" not in ran.err, ran


def filled(words: tuple[object, ...], place: dict[str, str], number: int) -> tuple[list[str], Path]:
    """The command, and the folder that it writes to, a new one for each run."""
    named = place | {"folder": f"{place['folder']}-{number}"}
    return [str(word).format(**named) for word in words], Path(named["folder"])


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_at_random_times(place: dict[str, str], name: str) -> None:
    random, statuses = Random(name), Counter[int]()
    for number in range(TIMES):
        words, folder = filled(COMMANDS[name], place, number)
        with begun(*SIMAIE, *words) as process:
            time.sleep(random.uniform(0.05, RANGE))
            began = time.monotonic()
            if process.popen.poll() is None:
                process.press_ctrl_c()
            ran = process.ended()
        assert time.monotonic() - began < GRACE, ran
        statuses[ran.status] += 1
        assert_quiet(ran)
        assert_whole(folder)
        if "json" in words and ran.status in (Status.HOLDS, Status.VIOLATED, Status.INCONCLUSIVE):
            json.loads(ran.out)
        if name == "explore" and ran.status == Status.VIOLATED:
            assert sorted(ran.document["saved"]) == sorted(map(str, folder.glob("*.json")))
    print(name, dict(statuses))
    assert statuses[Status.ERROR] == 0


def test_ctrl_c_at_random_times_in_pytest(tmp_path: Path) -> None:
    random, statuses = Random(1), Counter[int]()
    for number in range(TIMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "test_it.py").write_text(TESTS)
        with begun(*PYTEST, cwd=folder) as process:
            soon((folder / "running").exists)
            time.sleep(random.uniform(0.0, RANGE))
            began = time.monotonic()
            if process.popen.poll() is None:
                process.press_ctrl_c()
            ran = process.ended()
        assert time.monotonic() - began < GRACE
        statuses[ran.status] += 1
        assert ran.status in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED), ran
        assert_whole(folder / ".simaie")
    print("pytest", dict(statuses))
    assert statuses[pytest.ExitCode.INTERRUPTED] > TIMES // 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["explore", "explore-trio", "fuzz", "litmus-2"])
def test_kills_at_random_times(place: dict[str, str], name: str, number: signal.Signals) -> None:
    random, statuses, saved = Random(name), Counter[int](), 0
    allowed = {-number, Status.HOLDS, Status.VIOLATED, Status.TERMINATED}
    for run in range(TIMES):
        words, folder = filled(COMMANDS[name], place, run)
        with begun(*SIMAIE, *words) as process:
            if run % 2 and name != "litmus-2":
                soon(lambda folder=folder: list(folder.glob("*.json")))
                time.sleep(random.uniform(0.0, 0.3))
            else:
                time.sleep(random.uniform(0.05, RANGE))
            children = process.children() if process.popen.poll() is None else []
            ran = process.end(number)
            soon(lambda children=children: not any(map(is_running, children)))
        statuses[ran.status] += 1
        assert ran.status in allowed, ran
        assert_quiet(ran)
        saved += assert_whole(folder)
    print(name, number.name, dict(statuses), saved, "files")
    assert saved or name == "litmus-2"


def test_workers_killed_at_random_times(place: dict[str, str]) -> None:
    """The results are those of a run that nothing happens to; only a file at which two workers died lacks one."""
    words, _ = filled(("litmus", *["{litmus}"] * 9, "--format", "json"), place, 0)
    with begun(*SIMAIE, *words) as process:
        whole = process.ended().document["tests"]
    random = Random(2)
    for _ in range(TIMES):
        killed = 0
        with begun(*SIMAIE, *words, "-j", "2") as process:
            while process.popen.poll() is None and killed < 5:
                if children := process.children():
                    os.kill(random.choice(children), signal.SIGKILL)
                    killed += 1
                time.sleep(random.uniform(0.05, 0.6))
            ran = process.ended()
        assert_quiet(ran)
        assert len(ran.document["tests"]) + len(ran.document["errors"]) == len(whole)
        assert len(ran.document["errors"]) <= killed // 2


def test_a_full_disk(place: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small file system needs the right to mount: {mounted.stderr.decode()}")
    try:
        words = ("explore", f"{place['programs']}:racy", *ENDLESS, "--save", folder, "--format", "json")
        with begun(*SIMAIE, *words) as process:
            assert "No space left" in process.line()
            ran = process.end(signal.SIGINT)
        assert (ran.status, ran.document["verdict"]) == (Status.ERROR, "violated")
        files = list(folder.iterdir())
        assert sorted(map(str, files)) == sorted(ran.document["saved"])
        assert assert_whole(folder) == len(files) > 0
        print("a full disk:", len(files), "files")
    finally:
        subprocess.run(["umount", folder], check=True)
