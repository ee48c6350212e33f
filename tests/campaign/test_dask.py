"""Campaigns on a cluster of dask: the results of this machine, also after a worker died."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simaie.campaign import CampaignFile, Explore, Status, run_campaign
from simaie.campaign.crew import Crew, OnExecutor, Processes
from simaie.errors import InputError, UsageError

from .made import SMALL, facts, run_here
from .test_faults import HANGING

pytest.importorskip("distributed", reason="dask is an optional extra: pip install 'simaie[distributed]'")
#: The cluster closes its connections when it likes to, and dask warns of what others do.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def crew() -> Iterator[Callable[[], Crew]]:
    from simaie.campaign.on_dask import dask_crew

    with dask_crew("local:2") as made:
        yield made


def test_a_cluster_has_the_results_of_this_process(tmp_path: Path, crew: Callable[[], Crew]) -> None:
    status = run_campaign(tmp_path / "there.simaie", SMALL, crew)
    run_here(tmp_path / "here.simaie")
    assert facts(tmp_path / "there.simaie") == facts(tmp_path / "here.simaie")
    assert status.runs[0].workers == "2 dask workers"


@pytest.mark.soak
def test_the_corpus_and_the_litmus_tests_have_equal_reports_on_processes_and_on_a_cluster(
    tmp_path: Path, crew: Callable[[], Crew]
) -> None:
    folders = (parent / "shared" / "litmus" for parent in Path(__file__).resolve().parents)
    litmus = tuple(str(folder) for folder in folders if folder.is_dir())[:1]
    whole = CampaignFile(
        explore=(
            Explore(targets=("corpus", *litmus), seeds=1, executions=20),
            Explore(targets=("corpus",), schedulers=("dpor",), all_executions=100),
        )
    )
    run_campaign(tmp_path / "there.simaie", whole, crew)
    run_campaign(tmp_path / "here.simaie", whole, lambda: Processes(2))
    assert facts(tmp_path / "there.simaie") == facts(tmp_path / "here.simaie")


@pytest.mark.untraced
def test_the_shards_of_a_worker_that_died_run_elsewhere(tmp_path: Path, crew: Callable[[], Crew]) -> None:
    killed: list[int] = []

    def progress(*_: object) -> None:
        if not killed:
            (pid,) = _pids(made[0])[:1]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    made: list[Crew] = []

    def hired() -> Crew:
        made.append(crew())
        return made[0]

    status: Status = run_campaign(tmp_path / "there.simaie", SMALL, hired, progress=progress)
    assert killed
    assert not any(unit.marked for unit in status.units)
    run_here(tmp_path / "here.simaie")
    assert facts(tmp_path / "there.simaie") == facts(tmp_path / "here.simaie")


def test_a_guest_that_hangs_at_a_worker_is_marked_and_the_rest_goes_on(
    tmp_path: Path, crew: Callable[[], Crew]
) -> None:
    (tmp_path / "guest.py").write_text(HANGING)
    campaign = CampaignFile(
        explore=tuple(
            Explore(targets=(f"{tmp_path / 'guest.py'}:{name}",), seeds=1, executions=3) for name in ("hang", "fine")
        ),
    )
    first = CampaignFile(explore=campaign.explore[:1], shard_seconds=1.0)  # too short for the other if all is slow
    run_campaign(tmp_path / "a.simaie", first, crew)
    status = run_campaign(tmp_path / "a.simaie", campaign, crew)
    marked = {unit.name.split(":")[1].split()[0]: (unit.marked, unit.state) for unit in status.units}
    assert marked == {"hang": (1, "done"), "fine": (0, "done")}


def _pids(crew: Crew) -> list[int]:
    """Return the processes of the workers."""
    assert isinstance(crew, OnExecutor)
    return sorted(crew._executor._client.run(os.getpid).values())  # type: ignore[attr-defined]  # of dask


def test_a_wrong_address_is_an_error() -> None:
    from simaie.campaign import on_dask

    with pytest.raises(UsageError, match="positive"), on_dask.dask_crew("local:none"):
        pass
    with pytest.raises(InputError, match="no scheduler"), on_dask.dask_crew("nonsense://x"):
        pass


def test_a_worker_that_lacks_the_file_of_a_program_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers run in another folder than the coordinator, as on another machine, and the path is relative."""
    from dask.distributed import LocalCluster

    from simaie.campaign.on_dask import dask_crew

    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "SB.litmus").write_text("X86 SB\n{ }\n P0 | P1 ;\n MOV [x],$1 | MOV [y],$1 ;\nexists (x=1)\n")
    monkeypatch.chdir(here)
    campaign = CampaignFile(explore=(Explore(targets=("SB.litmus",), seeds=1, executions=2),))
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        with cluster.get_client() as client:
            client.run(os.chdir, str(there))
        with dask_crew(cluster.scheduler_address) as crew:
            status = run_campaign(here / "a.simaie", campaign, crew)
    assert status.executions == 2
    assert (there / "SB.litmus").read_bytes() == (here / "SB.litmus").read_bytes()
