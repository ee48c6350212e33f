"""Replay files that earlier code wrote replay to the same execution: the digests of a version never change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import simaie
from simaie.errors import DivergenceError
from simaie.op import Role
from simaie.replaying.file import VERSION, read_replay_file
from simaie.replaying.recorded import recorded
from simaie.trace import Event

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.json"))
CURRENT = sorted(FOLDER.glob(f"*-{VERSION}.json"))
TEXTUAL = sorted(FOLDER.glob("*-[12].json"))
TRACED = sorted(set(FILES) - set(FOLDER.glob("*-1.json")))


def test_there_are_files_of_each_version():
    assert len(CURRENT) == 8
    assert len(FILES) == 8 * VERSION


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_replays_strictly_with_its_findings(path):
    record, again = read_replay_file(path), simaie.replay(path)
    assert record.is_of(again.trace)
    assert [(f.kind, f.steps) for f in again.findings] == [(f.kind, f.steps) for f in record.findings]
    assert again.program.digest == record.program.digest


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.stem)
def test_it_is_written_again_as_it_was(path, tmp_path):
    record, again = read_replay_file(path), read_replay_file(simaie.replay(path).save(tmp_path / "again.json"))
    assert (again.digest, again.steps) == (record.digest, record.steps)


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.stem)
def test_the_words_of_an_operation_are_not_compared_but_its_digest_is(path, tmp_path):
    data = json.loads(path.read_text())
    for step in data["steps"]:
        step[1] = "in other words"
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(data))
    assert simaie.replay(changed).trace.digest == data["digest"]
    data["steps"][-1][2] = "00000000"
    changed.write_text(json.dumps(data))
    with pytest.raises(DivergenceError) as caught:
        simaie.replay(changed)
    assert caught.value.step == len(data["steps"]) - 1


@pytest.mark.parametrize("path", TEXTUAL, ids=lambda path: path.stem)
def test_files_with_digests_of_text_are_followed_actor_by_actor(path, tmp_path):
    data = json.loads(path.read_text())
    data["digest"], data["steps"][0][2] = "0" * 32, "00000000"
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(data))
    assert simaie.replay(changed).trace.digest != data["digest"]
    data["steps"][1][0] = "7"
    changed.write_text(json.dumps(data))
    with pytest.raises(DivergenceError):
        simaie.replay(changed)


@pytest.mark.parametrize("path", TRACED, ids=lambda path: path.stem)
def test_the_trace_in_a_file_is_that_of_its_replay(path):
    held, again = recorded(path).trace, simaie.replay(path).trace
    assert held.digest == again.digest
    assert [cell_of(event) for event in held.events] == [cell_of(event) for event in again.events]


def cell_of(event: Event) -> tuple[str, Role, int | None] | None:
    cell = event.op.cell
    return None if cell is None else (cell.name, cell.role, cell.address)
