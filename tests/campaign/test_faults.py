"""Faults: whatever is killed, and whenever, the campaign ends with the results of an undisturbed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simaie.campaign import CampaignFile, Explore, OnExecutor, Processes, Store, run_campaign
from simaie.campaign.apart import run_apart
from simaie.campaign.coordinator import Budget
from simaie.campaign.crew import Crew
from simaie.campaign.guard import guarded
from simaie.campaign.schema import is_locked
from simaie.campaign.unit import Ending, Piece, Unit
from simaie.campaign.work import lost
from simaie.errors import InputError
from simaie.prng import derive

from .made import RACE, facts, run_here

#: Enough shards that a kill comes in between.
LONG = CampaignFile(
    explore=(
        Explore(targets=(RACE,), schemes=("aie-rfc", "cas"), seeds=40, executions=30),
        Explore(targets=(RACE,), schemes=("aie-rfc",), schedulers=("dpor",), steps=10),
    )
)
_RUN = "import sys; from tests.campaign.test_faults import coordinate; coordinate(sys.argv[1])"
_ROOT = Path(__file__).resolve().parents[2]
#: Far more than anything here takes, however busy the machine is.
_PATIENCE_SECONDS = 1200


def coordinate(path: str) -> None:
    """Run the campaign to its end, in a process of its own."""
    run_campaign(Path(path), LONG, lambda: Processes(2), budget=Budget())


def begin(path: Path) -> subprocess.Popen[bytes]:
    """Begin a coordinator, whose workers are in its process group."""
    return subprocess.Popen([sys.executable, "-c", _RUN, str(path)], cwd=_ROOT, start_new_session=True)


def shards_in(path: Path) -> int:
    """Return the number of shards that are done; 0 if there is no store yet."""
    try:
        with Store(path, read_only=True) as store:
            count: int = store.rows("SELECT count(*) FROM shards")[0][0]
            return count
    except InputError:
        return 0


def wait_for_shards(path: Path, process: subprocess.Popen[bytes], count: int) -> bool:
    """Wait until the store has a number of shards; return False if the coordinator ended before."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while shards_in(path) < count:
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the campaign does not go on"
        time.sleep(0.01)
    return True


def workers_of(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def disturb(process: subprocess.Popen[bytes], kind: int) -> None:
    """Kill the coordinator (kind 0), one worker (1), or all of them (2)."""
    if kind == 0:
        process.kill()
    elif kind == 1:
        for worker in workers_of(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)


def killed_until_done(path: Path, kills: int, seed: int) -> int:
    """Run the campaign, with kills at random moments, to its end; return the number of kills.

    A coordinator loses one worker at most: a shard at which two workers die is marked, as it should be.
    """
    done = 0
    while True:
        process = begin(path)
        try:
            done = _disturbed(path, process, done, kills, seed)
            code = process.wait(_PATIENCE_SECONDS)
        finally:
            process.kill()
            process.wait()
        if code == 0:
            return done
        assert code == -signal.SIGKILL


def _disturbed(path: Path, process: subprocess.Popen[bytes], done: int, kills: int, seed: int) -> int:
    """Let the coordinator run until it is killed, or there were enough kills; return the number of kills so far."""
    goal = shards_in(path)
    kinds = [0, 1, 2]
    while done < kills:
        draw = derive(seed, done)
        goal += draw // 3 % 4
        kind = kinds[draw % len(kinds)]
        if not wait_for_shards(path, process, goal):
            return done
        disturb(process, kind)
        done += 1
        if kind != 1:
            return done
        kinds = [0, 2]
    return done


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "a.simaie"
    run_here(path, LONG)
    return path


@pytest.mark.untraced
@pytest.mark.skipif(sys.platform != "linux", reason="finds worker processes in /proc")
def test_kills_lose_and_repeat_nothing(tmp_path: Path, undisturbed: Path) -> None:
    path = tmp_path / "a.simaie"
    assert killed_until_done(path, kills=3, seed=3) == 3
    assert facts(path) == facts(undisturbed)
    assert not is_locked(path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_kills_lose_and_repeat_nothing(tmp_path: Path, undisturbed: Path, seed: int) -> None:
    path = tmp_path / "a.simaie"
    assert killed_until_done(path, kills=10, seed=seed) == 10
    assert facts(path) == facts(undisturbed)


def test_the_limits_of_a_shard_end_with_it() -> None:
    resource = pytest.importorskip("resource", reason="this system has no such limits")
    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)
    with guarded(60.0, 1 << 32):
        assert resource.getrlimit(resource.RLIMIT_AS)[0] == 1 << 32
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


HANGING = """
import ctypes
import os
from simaie import Program


async def good(cpu):
    await cpu.store(0x100, 1)


async def hangs(cpu):
    await cpu.store(0x100, 1)
    ctypes.PyDLL(None).pause()  # holds the lock of the interpreter, so that no thread can raise


async def eats(cpu):
    await cpu.store(0x100, len(bytearray(1 << 40)))


async def crashes(cpu):
    await cpu.store(0x100, 1)
    os._exit(3)


fine = Program("fine", isa="x86", threads=[good, good])
hang = Program("hang", isa="x86", threads=[good, hangs])
eat = Program("eat", isa="x86", threads=[good, eats])
crash = Program("crash", isa="x86", threads=[good, crashes])
"""


@pytest.fixture(params=["processes", "threads with a child each"])
def crew(request: pytest.FixtureRequest) -> Iterator[Callable[[], Crew]]:
    if request.param == "processes":
        yield lambda: Processes(2)
        return
    with ThreadPoolExecutor(2) as threads:
        yield lambda: OnExecutor(threads, 2, request.param, run_apart)


@pytest.mark.skipif(sys.platform != "linux", reason="needs limits that the kernel enforces")
def test_guests_that_hang_eat_memory_or_crash_are_marked_and_the_rest_goes_on(
    tmp_path: Path, crew: Callable[[], Crew]
) -> None:
    (tmp_path / "guest.py").write_text(HANGING)
    names = ("hang", "eat", "crash", "fine")
    campaign = CampaignFile(
        explore=(
            Explore(targets=tuple(f"{tmp_path / 'guest.py'}:{name}" for name in names), seeds=1, executions=3),
        ),
        shard_megabytes=2048,
    )
    only_hanging = Explore(targets=campaign.explore[0].targets[:1], seeds=1, executions=3)
    first = CampaignFile(explore=(only_hanging,), shard_seconds=1.0)  # too short for the others on a slow machine
    run_campaign(tmp_path / "a.simaie", first, crew)
    status = run_campaign(tmp_path / "a.simaie", campaign, crew)
    marked = {unit.name.split(":")[1].split()[0]: (unit.marked, unit.state) for unit in status.units}
    assert marked == {"hang": (1, "done"), "eat": (1, "done"), "crash": (1, "done"), "fine": (0, "done")}
    reasons = {unit.name.split(":")[1].split()[0]: unit.reason for unit in status.units}
    assert "took longer than 1 s" in reasons["hang"]
    assert "status 3" in reasons["crash"]
    assert "raised MemoryError at" in reasons["eat"]
    assert "limit is 2,048 MiB" in reasons["eat"]


@pytest.mark.parametrize(
    ("death", "why"),
    [(None, "limits: 5 s, 1 MiB"), (3, "status 3"), (-signal.SIGALRM, "longer than 5 s"), (-signal.SIGKILL, "memory"),
     (-signal.SIGSEGV, "SIGSEGV"), (-64, "SIGRTMAX"), (-99, "signal 99")],
)  # fmt: skip
def test_a_lost_shard_says_how_its_workers_died(death: int | None, why: str) -> None:
    unit = Unit(target=RACE, scheme="cas", executions=1, steps=1)
    result = lost(Piece(number=1, unit=unit, shard=0, most_seconds=5.0, most_bytes=1 << 20), death)
    assert (result.ending, why in result.problem) == (Ending.LOST, True)


#: Runs a shard in a child, of a guest that says so and then never gets on.
PARENT = """
import sys
from simaie.campaign import CampaignFile, Explore
from simaie.campaign.apart import run_apart
from simaie.campaign.planning import plan
from simaie.campaign.unit import Piece

campaign = CampaignFile(explore=(Explore(targets=(sys.argv[1],), seeds=1, executions=3),))
run_apart(Piece(number=0, unit=plan(campaign).units[0], shard=0))
"""


def test_a_child_ends_in_the_middle_of_a_shard_when_its_parent_is_killed(tmp_path: Path) -> None:
    guest = HANGING.replace("ctypes.PyDLL(None)", "print('it hangs', flush=True)\n    ctypes.CDLL(None)")
    (tmp_path / "guest.py").write_text(guest)
    command = [sys.executable, "-c", PARENT, f"{tmp_path / 'guest.py'}:hang"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stderr is not None
        assert b"it hangs" in parent.stderr.readline()
        parent.kill()
        parent.communicate(timeout=_PATIENCE_SECONDS)  # it returns when no process can write to the pipes any more
