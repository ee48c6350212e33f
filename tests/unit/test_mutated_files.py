"""Mutated files: nothing but an error of simaie's own comes out, quickly and within bounded memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
from file_mutations import COMMANDS, KINDS, MEGABYTES, SECONDS, examine, originals, text_of

from simaie.cli import main

ENDINGS_AND_COMMANDS = [(ending, command) for ending, commands in COMMANDS.items() for command in commands]
NAMES = [command[0] for _, command in ENDINGS_AND_COMMANDS]
#: Holds, violated, bad input, inconclusive; a crash has another status.
STATUSES = {0, 1, 2, 3}


@pytest.mark.untraced
@pytest.mark.parametrize("ending", KINDS)
def test_some_hundred_mutations(ending):
    seen = examine(ending, range(150))
    assert seen["slowest"] < SECONDS
    assert seen["grown"] < MEGABYTES


@pytest.mark.soak
@pytest.mark.parametrize("ending", KINDS)
def test_ten_thousand_mutations(ending):
    seen = examine(ending, range(10_000))
    print(f"{ending}: {seen}")
    assert seen["slowest"] < SECONDS
    assert seen["grown"] < MEGABYTES


def files(ending, folder, numbers):
    texts = originals(folder)[ending]
    for number in numbers:
        path = folder / f"{number}{ending}"
        path.write_text(text_of(ending, texts, number), "utf-8", errors="surrogatepass")
        yield path


@pytest.mark.parametrize(("ending", "command"), ENDINGS_AND_COMMANDS, ids=NAMES)
def test_a_command_ends_with_a_status_of_its_own(ending, command, tmp_path, capsys):
    for path in files(ending, tmp_path, range(20_000, 20_012)):
        assert main([*command, str(path)]) in STATUSES, path.name
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.soak
@pytest.mark.parametrize(("ending", "command"), ENDINGS_AND_COMMANDS, ids=NAMES)
def test_hundreds_of_files_by_command(ending, command, tmp_path):
    for path in files(ending, tmp_path, range(30_000, 30_100)):
        run = [sys.executable, "-m", "simaie", *command, str(path)]
        done = subprocess.run(run, capture_output=True, text=True, errors="replace", timeout=SECONDS + 5, check=False)
        assert done.returncode in STATUSES, (path.read_text(errors="replace"), done.stderr)
        assert "Traceback" not in done.stderr
