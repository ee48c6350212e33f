"""Files on the way to workers that lack them."""

from __future__ import annotations

from pathlib import Path

import pytest

from simaie.campaign.shipping import Parcel, parcel_for

from .made import RACE


@pytest.mark.parametrize("name", ["x.py", "SB.litmus", "list.guest", "stack.elf"])
def test_the_file_of_a_target_arrives_where_it_is_missing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path(name).write_bytes(b"content")
    parcel = parcel_for(f"{name}:program" if name.endswith(".py") else name)
    assert parcel is not None
    monkeypatch.chdir(tmp_path / "there")
    assert parcel.unpack()
    assert Path(name).read_bytes() == b"content"


def test_nothing_is_overwritten_and_a_folder_that_cannot_be_written_is_no_crash(tmp_path: Path) -> None:
    mine = tmp_path / "x.py"
    mine.write_text("mine")
    assert not Parcel(str(mine), b"other").unpack()
    assert mine.read_text() == "mine"
    assert not Parcel(str(mine / "below.py"), b"other").unpack()


def test_a_program_of_the_corpus_has_no_file() -> None:
    assert parcel_for(RACE) is None
    assert parcel_for("missing.py:program") is None
