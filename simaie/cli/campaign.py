"""The commands ``simaie campaign ...``: run, look at, replay, and merge campaigns."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from simaie.campaign.campaign_file import CampaignFile, Explore, read_campaign_file
from simaie.campaign.coordinator import Budget, Progress, run_campaign
from simaie.campaign.crew import Crew, Processes
from simaie.campaign.merging import merge_stores
from simaie.campaign.status import campaign_in, counted, status_of
from simaie.campaign.store import Store
from simaie.campaign.summary import Status as CampaignStatus
from simaie.campaign.witnesses import Fate, Retried, find, named_program, retry, save_witness
from simaie.cli.campaign_view import fixed_lines, report_lines, status_lines
from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.replay import run_replay
from simaie.cli.status import Status, complain
from simaie.cli.status import status_of as status_of_verdict
from simaie.errors import UsageError
from simaie.exploration.jobs import number_of_jobs
from simaie.protocols import require_count, require_positive
from simaie.saving import require_parent, save_file
from simaie.show.progress import bar

__all__ = [
    "Given", "Spent", "merge_into", "replay_finding", "run_again", "run_new", "serve_dashboard", "show_fixed",
    "show_report", "show_status",
]  # fmt: skip

_SUFFIX = ".simaie"


class Given(NamedTuple):
    """What to explore, as on the command line."""

    targets: tuple[str, ...]
    schemes: tuple[str, ...]
    hosts: tuple[str, ...]
    schedulers: tuple[str, ...]
    seeds: int | None


class Spent(NamedTuple):
    """What a run may spend, as on the command line."""

    jobs: str | None
    dask: str | None
    seconds: float | None
    executions: int | None


def run_new(
    given: Given, store: Path | None, spent: Spent, junit: Path | None, sarif: Path | None, output: Format
) -> Status:
    """Plan and run a campaign."""
    campaign, usual = _campaign(given)
    path = usual if store is None else store
    require_parent(path)
    return _run(path, campaign, spent, junit, sarif, output)


def run_again(
    store: Path, spent: Spent, junit: Path | None, sarif: Path | None, output: Format, *, again: bool = False
) -> Status:
    """Go on with the campaign of a store; `again` runs shards again at which workers died."""
    return _run(store, None, spent, junit, sarif, output, again=again)


def _campaign(given: Given) -> tuple[CampaignFile, Path]:
    """Return the campaign, and the usual place of its store."""
    files = [target for target in given.targets if target.endswith(".toml")]
    if files:
        if len(given.targets) > 1 or any(given[1:]):
            raise UsageError(f"{files[0]}: a campaign file says everything; leave out other targets and options")
        return read_campaign_file(Path(files[0])), Path(files[0]).with_suffix(_SUFFIX)
    require_count(seeds=given.seeds)
    named = {"schemes": given.schemes, "hosts": given.hosts, "schedulers": given.schedulers, "seeds": given.seeds}
    explore = Explore(targets=given.targets, **{name: value for name, value in named.items() if value})  # type: ignore[arg-type]  # by name
    return CampaignFile(explore=(explore,)), Path(f"campaign{_SUFFIX}")


def _run(
    path: Path,
    campaign: CampaignFile | None,
    spent: Spent,
    junit: Path | None,
    sarif: Path | None,
    output: Format,
    *,
    again: bool = False,
) -> Status:
    require_positive(seconds=spent.seconds)
    require_count(executions=spent.executions)
    for place in filter(None, (junit, sarif)):
        require_parent(place)
    with _workers(spent) as crew, guest_output_aside(), _progress() as progress:
        budget = None
        if spent.seconds is not None or spent.executions is not None:
            budget = Budget(spent.seconds, spent.executions)
        found, interrupted = found_until_interrupted(
            partial(run_campaign, path, campaign, crew, budget=budget, progress=progress, again=again)
        )
    for target, problem in found.problems.items():
        complain(f"{target}: {problem}")
    _write(found, junit, sarif)
    _print(found, output, report_lines)
    if any(unit.state == "open" and unit.unit.kind != "test" for unit in found.units):
        complain(f"it is not finished; go on with: {shlex.join(['simaie', 'campaign', 'resume', str(path)])}")
    return status_unless_interrupted(_status(found), interrupted)


@contextlib.contextmanager
def _workers(spent: Spent) -> Iterator[Callable[[], Crew]]:
    if spent.dask is None:
        jobs = 1 if spent.jobs is None else number_of_jobs(spent.jobs)
        yield lambda: Processes(jobs)
        return
    if spent.jobs is not None:
        raise UsageError("--dask says how many workers there are; leave out --jobs")
    from simaie.campaign.on_dask import dask_crew  # an optional extra

    with dask_crew(spent.dask) as crew:
        yield crew


@contextlib.contextmanager
def _progress() -> Iterator[Progress | None]:
    with bar() as draw:
        yield None if draw is None else lambda *figures: draw(*_numbers(*figures))


def _numbers(store: Store, executions: int, seconds: float, busy: int) -> tuple[float, str]:
    """Return the share of units that are finished, and the figures of a progress line."""
    done, planned = store.finished()
    _, traces, findings, _ = store.totals()
    rate = f", {executions / seconds:,.0f}/s" if seconds > 1 else ""
    words = f"{done:,}/{planned:,} units, {counted(executions, 'execution')}{rate}, {counted(traces, 'trace')}"
    return done / max(1, planned), f"{words}, {counted(findings, 'finding')}, {counted(busy, 'shard')} under way"


def show_status(path: Path, output: Format) -> Status:
    """Print the figures of a campaign."""
    found = _read(path)
    _print(found, output, status_lines)
    return _status(found)


def show_report(path: Path, html: Path | None, junit: Path | None, sarif: Path | None, output: Format) -> Status:
    """Print what a campaign has found, and write the files."""
    from simaie.campaign.page import campaign_page

    for place in filter(None, (html, junit, sarif)):
        require_parent(place)
    found = _read(path)
    if html is not None:
        save_file(html, campaign_page(found))
    _write(found, junit, sarif)
    _print(found, output, report_lines)
    return _status(found)


def replay_finding(path: Path, name: str, out: Path | None, everything: bool, output: Format) -> Status:
    """Write the witness of a finding, and replay it with the program and the scheme of its unit."""
    if out is not None:
        require_parent(out)
    with Store(path, read_only=True) as store:
        finding = find(status_of(store), name)
        file = save_witness(store, finding, out)
        unit = store.units()[finding.shortest[0]]
    complain(f"the replay file is {file}")
    program = named_program(unit) or ""
    target = program if ".py:" in program else None
    scheme = unit.scheme if ".py:" in unit.scheme else None
    host = unit.host if ".py:" in unit.host else None
    return run_replay(file, target, False, None, output, everything, unit.checkers, scheme=scheme, host=host)


def show_fixed(path: Path, output: Format) -> Status:
    """Run all witnesses, and print what became of the findings."""
    with Store(path, read_only=True) as store, guest_output_aside():
        retried = [retry(store, finding) for finding in status_of(store).findings]
    if output is Format.JSON:
        print_json(Document.CAMPAIGN_FIXED.named({"findings": msgspec.to_builtins(retried)}))
    else:
        print_lines(fixed_lines(retried))
    return _status_of_fates(retried)


def _status_of_fates(retried: list[Retried]) -> Status:
    fates = {each.fate for each in retried}
    if Fate.STILL in fates:
        return Status.VIOLATED
    return Status.INCONCLUSIVE if Fate.CHANGED in fates else Status.HOLDS


def merge_into(path: Path, others: list[Path], output: Format) -> Status:
    """Merge stores, and print the result."""
    added = merge_stores(path, others)
    complain(f"{added:,} shards were added to {path}")
    return show_status(path, output)


def serve_dashboard(path: Path, port: int) -> Status:
    """Serve the dashboard until Ctrl-C."""
    from simaie.campaign.serve import Dashboard

    _read(path)
    try:
        dashboard = Dashboard(path, port)
    except OSError as error:
        raise UsageError(f"--port {port}: the port cannot be used: {error.strerror}; name another one") from error
    complain(f"the dashboard of {path} is at {dashboard.address}")
    with dashboard:
        dashboard.serve_forever()
    return Status.HOLDS


def _read(path: Path) -> CampaignStatus:
    with Store(path, read_only=True) as store:
        campaign_in(store)
        return status_of(store)


def _write(found: CampaignStatus, junit: Path | None, sarif: Path | None) -> None:
    from simaie.campaign.ci import junit_xml, sarif_json

    if junit is not None:
        save_file(junit, junit_xml(found))
    if sarif is not None:
        save_file(sarif, sarif_json(found))


def _print(found: CampaignStatus, output: Format, lines: Callable[[CampaignStatus], list[object]]) -> None:
    if output is Format.JSON:
        print_json(found.as_dict())
    else:
        print_lines(lines(found))  # type: ignore[arg-type]  # lines and tables


def _status(found: CampaignStatus) -> Status:
    status = status_of_verdict(found.verdict)
    return Status.ERROR if found.problems and status is not Status.VIOLATED else status
