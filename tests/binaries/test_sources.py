"""What a reader sees of compiled code: the instruction, its lines through inlined callers, and the source."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from elf_guests import ELF, JUDGES

import simaie
from simaie import Machine, explore
from simaie.binary import binary_program
from simaie.binary.lines import Lines
from simaie.binary.sources import read_sources
from simaie.cli import main
from simaie.replaying.recorded import recorded
from simaie.show.picture.document import page_document
from simaie.show.picture.subject import subject_of
from simaie.show.source import AROUND
from simaie.show.trace_json import failure_document

SRC = Path(__file__).parent / "src"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An ELF file next to its sources."""
    made = tmp_path_factory.mktemp("sources")
    shutil.copy(ELF / "locks.aarch64.elf", made / "locks.elf")
    shutil.copytree(SRC, made, dirs_exist_ok=True)
    return made


@pytest.fixture(scope="module")
def failure(folder):
    program = binary_program(folder / "locks.elf", ["fas", "fas"], final="check")
    return explore(program, Machine("none"), scheduler="dpor", checkers=JUDGES).failures[0]


def source_of(given):
    return page_document(subject_of(given))["source"]


def lines_of(name: str) -> list[str]:
    return (SRC / name).read_text().splitlines()


def test_each_step_has_its_instruction_and_lines(failure):
    source = source_of(failure)
    places = [event.instruction.place for event in failure.trace.events if event.instruction is not None]
    assert len(source["steps"]) == len(failure.trace.events)
    shown = [source["spots"][number] for number in source["steps"] if number >= 0]
    assert [text for text, _ in shown] == [place.disassembly for place in places]
    assert [" < ".join(f"{file}:{line}" for file, line in frames) for _, frames in shown] == list(map(str, places))
    assert any(re.fullmatch(r"ldaxr w\d+, \[x\d+\]", text) for text, _ in shown), shown


def test_the_lines_around_each_place_are_the_text_of_the_file(failure):
    source = source_of(failure)
    [(file, listing)] = source["files"].items()
    assert file == "locks.c"
    text = [line.expandtabs(4) for line in lines_of("locks.c")]
    assert all(listing[number] == text[number - 1] for number in listing)
    asked = {line for _, frames in source["spots"] for _, line in frames}
    expected = {number for line in asked for number in range(line - AROUND, line + AROUND + 1)}
    assert set(listing) == {number for number in expected if 1 <= number <= len(text)}


def test_a_replay_file_carries_what_is_shown(failure, tmp_path):
    saved = failure.save(tmp_path / "failure.json")
    again = recorded(saved)
    assert source_of(again) == source_of(failure)
    assert source_of(simaie.replay(saved)) == source_of(failure)
    events = [event for event in failure_document(again)["trace"]["events"] if "code" in event]
    assert any(event["code"].startswith("ldaxr w") for event in events)


def test_a_recording_without_sources_is_shown_without_them(failure, tmp_path):
    saved = failure.save(tmp_path / "failure.json")
    record = json.loads(saved.read_text())
    del record["program"]["binary"]["sources"], record["trace"]["disassembly"]
    saved.write_text(json.dumps(record))
    source = source_of(recorded(saved))
    assert source["files"] == {}
    assert {text for text, _ in source["spots"]} == {""}
    assert all(frames for _, frames in source["spots"])


def test_lines_of_inlined_callers_are_shown_from_the_inside_out(tmp_path):
    shutil.copy(ELF / "memory.aarch64.elf", tmp_path / "memory.elf")
    shutil.copytree(SRC, tmp_path, dirs_exist_ok=True)
    program = binary_program(tmp_path / "memory.elf", ["outer"], final="never")
    found = explore(program, Machine("native"), checkers=JUDGES).failures[0]
    source = source_of(found)
    [[(_, first), (_, second), (_, third)]] = [frames for _, frames in source["spots"] if len(frames) == 3]
    text = lines_of("memory.c")
    assert [text[number - 1].strip() for number in (first, second, third)] == [
        source["files"]["memory.c"][number].strip() for number in (first, second, third)
    ]


def test_a_program_that_is_no_machine_code_has_no_source():
    found = explore(simaie.corpus.program("first-registration-window"), Machine("aie-rfc"), scheduler="dpor")
    assert source_of(found.failures[0]) == {}


def test_only_source_files_are_read(folder, tmp_path):
    class Named(Lines):
        def __init__(self, paths: dict[str, str]) -> None:
            self._given = paths

        @property
        def paths(self) -> dict[str, str]:
            return self._given

    (tmp_path / "secret").write_text("secret")
    (tmp_path / "a.c").write_text("int a;\nint b;\n")
    named = {"secret": str(tmp_path / "secret"), "a.c": "elsewhere/a.c", "gone.c": "gone.c"}
    assert read_sources(Named(named), tmp_path) == {"a.c": ("int a;", "int b;")}


def test_the_page_of_a_failure_contains_the_source(failure, tmp_path):
    saved, page = failure.save(tmp_path / "failure.json"), tmp_path / "walk.html"
    assert main(["show", str(saved), "--html", str(page)]) == 0
    assert "fas_word" in page.read_text()
    assert "ldaxr w" in page.read_text()
