"""What README and the documentation show as code is run as it stands there.

A page is one session, from top to bottom, in a folder of its own: blocks of Python share one namespace; a block with a
``title="FILE"`` is written to that file; in blocks of ``console``, lines that begin with ``$ simaie`` or ``$ pytest``
are run. A command may find something, so that any verdict passes; bad usage, an error or a crash does not.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from simaie import plugins
from simaie.cli import main
from simaie.cli.status import Status

ROOT = Path(__file__).resolve().parents[2]
BINARIES = ROOT / "tests" / "binaries"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERDICTS = {Status.HOLDS, Status.VIOLATED, Status.INCONCLUSIVE}


class Block(NamedTuple):
    """A fenced block: its language, the file that it is, if it is one, and its text."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for found in re.finditer(r"^```(\w+)([^\n]*)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        title = re.search(r'title="([^"]+)"', found[2])
        yield Block(found[1], title[1] if title else "", found[3])


def shell_lines(block: Block) -> Iterator[list[str]]:
    for line in block.text.splitlines():
        if line.startswith(("$ simaie ", "$ pytest ")):
            yield shlex.split(line[2:], comments=True)


def is_run(block: Block) -> bool:
    return (block.language == "python" and not block.title) or any(shell_lines(block))


RUN = [page for page in PAGES if any(map(is_run, blocks(page)))]


@pytest.fixture
def repeatable_examples():
    """The properties draw the same each time, however busy the machine is."""
    settings.register_profile("docs", derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    before = settings.get_current_profile_name()
    settings.load_profile("docs")
    yield
    settings.load_profile(before)


@pytest.mark.parametrize("page", RUN, ids=[str(page.relative_to(ROOT)) for page in RUN])
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, repeatable_examples):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        if block.title:
            Path(block.title).write_text(block.text, "utf-8")
            if block.language == "c":
                compile_as_committed(Path(block.title))
        elif block.language == "python":
            exec(compile(block.text, page.name, "exec"), namespace)  # running them is the point
        for command in shell_lines(block):
            run_shell_line(command)


def compile_as_committed(source: Path) -> None:
    """Put the shared object next to a source in C that was made of the same text, because no compiler may be here."""
    same = [path for path in (BINARIES / "src").glob("*.c") if path.read_text("utf-8") == source.read_text("utf-8")]
    assert len(same) == 1, f"{source} is not one of tests/binaries/src"
    shutil.copy(BINARIES / "elf" / f"{same[0].stem}.aarch64.so", source.with_suffix(".so"))


def run_shell_line(words: list[str]) -> None:
    if words[0] == "simaie":
        assert main(expanded(words[1:])) in VERDICTS, shlex.join(words)
        return
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *expanded(words[1:])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=dict(os.environ))
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a test fails, as the page says


def expanded(words: list[str]) -> list[str]:
    """As a shell expands them: of a name with a star the files that are there."""
    return [str(found) for word in words for found in (sorted(Path().glob(word)) if "*" in word else [word])]


def test_pages_are_found_and_run():
    """A change of how blocks are written must not make the tests above pass by running nothing."""
    assert ROOT / "README.md" in RUN
    assert len(RUN) >= 15


def test_the_readme_names_every_scheme_scheduler_and_host():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    rows = {"scheme": plugins.SCHEMES, "scheduler": plugins.SCHEDULERS, "machine": plugins.HOSTS}
    for kind, group in rows.items():
        row = next(line for line in lines if line.startswith(f"| *{kind}*"))
        assert set(plugins.names(group)) <= set(re.findall(r"`([a-z0-9-]+)`", row))
