"""A campaign for continuous integration: the units as JUnit XML, and the findings as SARIF."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import quote

import simaie
from simaie.campaign.summary import Finding, Status, UnitStatus
from simaie.finding import Verdict
from simaie.printable import clean_lines

__all__ = ["junit_xml", "sarif_json"]

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def junit_xml(status: Status) -> str:
    """Return the units as test cases: violated ones fail, refused and open ones are skipped with the reason.

    A unit whose findings are all accepted passes. A unit with marked shards, which nothing else has made fail, is an
    error, and so is a target that cannot be loaded.
    """
    suite = ET.Element("testsuite", name="simaie campaign")
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for unit in status.units:
        counts["tests"] += 1
        case = ET.SubElement(suite, "testcase", name=_text(unit.name), classname="simaie", time=f"{unit.seconds:.3f}")
        what = _outcome(case, unit, [each for each in status.unaccepted if unit.name in each.units])
        if what:
            counts[what] += 1
    for target, problem in status.problems.items():
        counts["tests"] += 1
        counts["errors"] += 1
        case = ET.SubElement(suite, "testcase", name=_text(target), classname="simaie", time="0")
        ET.SubElement(case, "error", message=_text(problem))
    for name, count in counts.items():
        suite.set(name, str(count))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _outcome(case: ET.Element, unit: UnitStatus, findings: list[Finding]) -> str:
    if findings:
        failure = ET.SubElement(case, "failure", message=_text("; ".join(each.text for each in findings)))
        failure.text = _text("\n\n".join(f"{each.finding}: {each.summary}\n{each.command}" for each in findings))
        return "failures"
    if unit.marked and unit.state != "refused" and unit.verdict is Verdict.INCONCLUSIVE:
        ET.SubElement(case, "error", message=_text(unit.reason))
        return "errors"
    if unit.verdict is Verdict.INCONCLUSIVE:
        ET.SubElement(case, "skipped", message=_text(unit.reason))
        return "skipped"
    return ""


def _text(text: str) -> str:
    """Return a text without characters that XML cannot have."""
    return clean_lines(text)


def sarif_json(status: Status) -> str:
    """Return the findings as a SARIF log, one result for each; an accepted one is suppressed, with the reason.

    Each result has a file, since GitHub takes no others: that of the program. For a program of the corpus and for
    generated ones, which have no file, it is the store.
    """
    kinds = sorted({kind for finding in status.findings for kind in finding.kinds})
    driver: dict[str, Any] = {
        "name": "simaie",
        "version": simaie.__version__,
        "rules": [{"id": kind, "shortDescription": {"text": f"a violation of {kind}"}} for kind in kinds],
    }
    files = {unit.name: unit.unit.file for unit in status.units}
    results = [_result(finding, files, status.store) for finding in status.findings]
    log = {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=1) + "\n"


def _result(finding: Finding, files: dict[str, str], store: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.kinds[0],
        "level": "error",
        "message": {"text": f"{finding.text} (under {finding.scheme})\n{finding.summary}\n{finding.command}"},
        "partialFingerprints": {"simaieFinding/v1": finding.finding},
        "occurrenceCount": finding.count,
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(next(filter(None, map(files.get, finding.units)), store))},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": name} for name in finding.units],
        }],
    }  # fmt: skip
    if finding.accepted:
        result["suppressions"] = [{"kind": "external", "justification": finding.accepted}]
    return result


def _uri(path: str) -> str:
    """Return the address of a file: a relative one is taken from the root of the repository."""
    return Path(path).as_uri() if Path(path).is_absolute() else quote(Path(path).as_posix())
