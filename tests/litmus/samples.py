"""The sample files of this folder, and the corpus that may stand beside the project."""

from __future__ import annotations

from pathlib import Path

from simaie.litmus import LitmusTest, load, parse

FOLDER = Path(__file__).parent / "files"
PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = sorted(FOLDER.glob("*.litmus"))


def sample(name: str) -> LitmusTest:
    """Load a sample file."""
    return load(FOLDER / f"{name}.litmus")


def with_parts(*, arch: str = "PPC", init: str = "", rows: str = "L: nop;", final: str = "") -> LitmusTest:
    """Read a test of one thread that is put together from parts."""
    return parse(f"{arch} t\n{{{init}}}\nP0;\n{rows}\n{final}\n")


def corpus() -> Path | None:
    """Find the folder `shared/litmus` beside the project, or beside a folder that holds it."""
    found = (parent / "shared" / "litmus" for parent in PROJECT.parents)
    return next((folder for folder in found if (folder / "index.json").is_file()), None)
