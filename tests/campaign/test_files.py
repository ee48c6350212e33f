"""Campaign files: what is wrong is named by file and key. Files for other tools have every unit and finding."""

from __future__ import annotations

import datetime
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from simaie.campaign import CampaignFile, Explore, read_campaign_file
from simaie.campaign.ci import junit_xml, sarif_json
from simaie.campaign.page import campaign_page
from simaie.errors import InputError
from simaie.finding import Verdict

from .made import RACE, SMALL, run_here

WRONG = {
    "seeds = 3": "unknown field `seeds`",
    "[[explore]]\nseeds = 3": "targets",
    "[[explore]]\ntargets = []": r"explore\[0\]\.targets",
    "[[explore]]\ntargets = ['a']\nseeds = 0": r"explore\[0\]\.seeds: Expected `int` >= 1",
    "[[explore]]\ntargets = ['a']\nseed = 1": "unknown field `seed`",
    "[[explore]]\ntargets = ['a']\nhosts = 'sc'": r"explore\[0\]\.hosts",
    "[[explore]": "not TOML",
    "": "nothing to do",
    "seconds = -1.0\n[[explore]]\ntargets = ['a']": "seconds",
    "[[fuzz]]\nisas = ['arm']": "schemes",
    "[[explore]]\ntargets = ['a']\n[[accepted]]\nfinding = 'x'\nreason = ''\nuntil = 2030-01-01": "reason",
    "[[explore]]\ntargets = ['a']\n[[accepted]]\nfinding = 'x'\nreason = 'y'\nuntil = 'soon'": "until",
}


def test_a_file_means_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        f"seconds = 5\n[[explore]]\ntargets = ['{RACE}']\nschemes = ['cas']\nseeds = 2\n"
        "[[fuzz]]\nisas = ['arm']\nschemes = ['cas']\n[[accepted]]\nfinding = 'ab'\nreason = 'x'\nuntil = 2030-02-01\n"
    )
    found = read_campaign_file(path)
    assert found.explore == (Explore(targets=(RACE,), schemes=("cas",), seeds=2),)
    assert (found.seconds, found.fuzz[0].isas, found.accepted[0].until) == (5, ("arm",), datetime.date(2030, 2, 1))


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_refused_with_the_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=WRONG[text]) as refused:
        read_campaign_file(path)
    assert str(refused.value).startswith(str(path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "b.toml"):
        with pytest.raises(InputError, match=str(path)):
            read_campaign_file(path)


def test_junit_and_sarif_have_each_unit_and_finding(tmp_path: Path) -> None:
    named = msgspec.structs.replace(SMALL, explore=(*SMALL.explore, Explore(targets=("no-such-program",))))
    status = run_here(tmp_path / "a.simaie", named)
    suite = ET.fromstring(junit_xml(status))
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "2", "errors": "1", "skipped": "1",
    }  # fmt: skip
    (finding,) = status.findings
    log = json.loads(sarif_json(status))
    (result,) = log["runs"][0]["results"]
    assert result["partialFingerprints"] == {"simaieFinding/v1": finding.finding}
    assert (result["level"], result["occurrenceCount"], "suppressions" in result) == ("error", finding.count, False)


def test_each_finding_has_a_file_in_sarif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub refuses a log in which one result has none. A program of the corpus has none, and so gets the store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my race.py").write_text(f"from simaie import corpus\n\nrace = corpus.program({RACE!r})\n")
    addresses = []
    for target in ("my race.py:race", str(tmp_path / "my race.py:race"), RACE):
        campaign = CampaignFile(explore=(Explore(targets=(target,), schemes=("aie-rfc",), schedulers=("dpor",)),))
        run_here(Path("a.simaie"), campaign)
        (result,) = json.loads(sarif_json(run_here(Path("a.simaie"), None)))["runs"][0]["results"]
        addresses.append(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    assert addresses == ["my%20race.py", (tmp_path / "my race.py").as_uri(), "a.simaie"]


def test_a_unit_with_a_marked_shard_is_an_error_in_junit(tmp_path: Path) -> None:
    status = run_here(tmp_path / "a.simaie", executions=1)
    units = [
        msgspec.structs.replace(unit, marked=1, state=state, verdict=verdict, reason="it hung")
        for unit in status.units[:1]
        for state, verdict in (
            ("done", Verdict.INCONCLUSIVE), ("refused", Verdict.INCONCLUSIVE), ("done", Verdict.VIOLATED),
        )
    ]  # fmt: skip
    suite = ET.fromstring(junit_xml(msgspec.structs.replace(status, units=tuple(units), findings=())))
    assert [[child.tag for child in case] for case in suite] == [["error"], ["skipped"], []]


def test_an_accepted_finding_is_suppressed(tmp_path: Path) -> None:
    status = run_here(tmp_path / "a.simaie")
    known = msgspec.structs.replace(
        status, findings=tuple(msgspec.structs.replace(each, accepted="known") for each in status.findings)
    )
    assert json.loads(sarif_json(known))["runs"][0]["results"][0]["suppressions"][0]["justification"] == "known"
    assert ET.fromstring(junit_xml(known)).get("failures") == "0"


def test_what_a_store_says_cannot_become_markup(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>\x1b[31m\0"
    status = run_here(tmp_path / "a.simaie")
    hostile = msgspec.structs.replace(
        status,
        store=nasty,
        why=nasty,
        problems={nasty: nasty},
        findings=tuple(
            msgspec.structs.replace(each, finding=nasty, scheme=nasty, text=nasty, summary=nasty, command=nasty)
            for each in status.findings
        ),
        units=tuple(msgspec.structs.replace(unit, name=nasty, reason=nasty) for unit in status.units),
        runs=tuple(msgspec.structs.replace(run, workers=nasty, revision=nasty, ending=nasty) for run in status.runs),
    )
    page = campaign_page(hostile)
    assert "<script" not in page
    assert "&lt;script" in page
    assert "\x1b" not in page
    assert "\0" not in page
    ET.fromstring(junit_xml(hostile))


def test_a_page_without_findings_says_so(tmp_path: Path) -> None:
    clean = CampaignFile(explore=(Explore(targets=(RACE,), schemes=("cas",), schedulers=("dpor",)),))
    page = campaign_page(run_here(tmp_path / "a.simaie", clean))
    assert "There are no findings." in page
    assert "Proved (1)" in page
