"""The JSON that commands print has the fields that the documentation names, neither more nor fewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simaie.cli.documents import Document, schema_of, type_of
from simaie.cli.status import Status, run

RACE = "first-registration-window"
LITMUS = """X86 SB
{ }
 P0          | P1          ;
 MOV [x],$1  | MOV [y],$1  ;
 MOV EAX,[y] | MOV EAX,[x] ;
exists (0:EAX=0 /\\ 1:EAX=0)
"""
#: By document, command lines that print it; SB is a litmus test, and SAVED the replay file of a failure.
COMMANDS: dict[Document, tuple[str, ...]] = {
    Document.EXPLORE: (f"explore {RACE} --executions 40", f"explore {RACE} --scheme cas --scheduler dpor"),
    Document.PROVE_PROGRESS: (f"prove-progress {RACE}", "prove-progress treiber-stack-arm --scheme hst"),
    Document.REPLAY: ("replay SAVED", "replay SAVED --best-effort"),
    Document.CHECK: ("check SAVED --checker data-races",),
    Document.SHRINK: ("shrink SAVED --executions 5",),
    Document.COMPARE: ("compare SB --scheme cas --host tso", "compare SB --scheme cas:mapping=none --host pso"),
    Document.COMPARE_ALL: ("compare SB missing.litmus --scheme cas",),
    Document.BARRIERS: ("barriers SB --host pso",),
    Document.MAPPING: ("barriers SB --scheme cas:mapping=qemu --host armv8",),
    Document.MATRIX: ("matrix --scheme cas --class aba-two-storers --explain",),
    Document.AUDIT: ("audit --row 6 --scheme aie-v2",),
    Document.LITMUS: ("litmus SB missing.litmus",),
    Document.FUZZ: ("fuzz --isa arm --scheme cas --examples 5",),
    Document.LIST: ("list schedulers", "list hosts"),
    Document.CAMPAIGN_STATUS: (f"campaign run {RACE} --seeds 1 --executions 1 --store c.simaie",),
    Document.CAMPAIGN_FIXED: ("campaign fixed c.simaie",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("documents")
    (made / "SB.litmus").write_text(LITMUS)
    return made


def printed(folder: Path, line: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the document that a command prints."""
    words = {"SB": str(folder / "SB.litmus"), "SAVED": str(folder / "saved.json")}
    if "SAVED" in line and not (folder / "saved.json").exists():
        save = ["explore", RACE, "--executions", "40", "--save", str(folder / "saved"), "--format", "json"]
        assert run(save) == Status.VIOLATED
        (folder / "saved.json").write_bytes(min((folder / "saved").glob("*.json")).read_bytes())
        capsys.readouterr()
    argv = [words.get(word, word).replace("c.simaie", str(folder / "c.simaie")) for word in line.split()]
    assert Status(run([*argv, "--format", "json"])) is not Status.CRASHED
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("document", "line"), [(each, line) for each in COMMANDS for line in COMMANDS[each]])
def test_a_document_has_its_form(
    folder: Path, document: Document, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if document is Document.CAMPAIGN_FIXED and not (folder / "c.simaie").exists():
        printed(folder, COMMANDS[Document.CAMPAIGN_STATUS][0], capsys)
    found = printed(folder, line, capsys)
    assert document is Document.LIST or found["schema"] == document.value
    msgspec.convert(found, type_of(document))
    if isinstance(found, dict):
        with pytest.raises(msgspec.ValidationError, match="missing required field"):
            msgspec.convert({name: found[name] for name in list(found)[2:]}, type_of(document))


@pytest.mark.parametrize("document", list(Document))
def test_a_schema_names_the_form_and_describes_each_part(document: Document) -> None:
    schema = schema_of(document)
    assert schema["title"] == document.value
    assert document in COMMANDS
    parts = [part for part in schema["$defs"].values() if part.get("type") == "object"]
    assert parts
    assert all(part["description"] for part in parts)
