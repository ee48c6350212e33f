"""Some test notices nearly every small change of the code that verdicts rest on; each exception has its reason.

Long: every mutant is a run of the tests. `make mutation` runs it, with as many mutants as MUTANTS says.
"""

from __future__ import annotations

import concurrent.futures
import os
import queue
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).with_name("explained.toml")
COUNT, SEED, WORKERS = int(os.environ.get("MUTANTS", "100")), int(os.environ.get("MUTANTS_SEED", "1")), 2


def explained() -> dict[tuple[str, str, str], str]:
    """Why no test can notice a mutant, or need not, by its key."""
    rows = tomllib.loads(EXPLAINED.read_text("utf-8"))["mutant"]
    return {(row["file"], row["before"], row["after"]): row["reason"] for row in rows}


def test_each_explanation_has_a_reason_and_a_line_that_is_still_there():
    """An explanation of code that has changed explains nothing."""
    for (file, before, _), reason in explained().items():
        lines = (PROJECT / file).read_text("utf-8").splitlines()
        assert before in [line.strip() for line in lines], (file, before)
        assert len(reason.split()) > 3


@pytest.mark.mutation
def test_no_mutant_survives_unexplained(tmp_path: Path) -> None:
    from mutation.mutants import AREAS, copied, draw, passes, survives

    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(WORKERS):
        copies.put(copied(tmp_path / str(number)))

    everything = sorted({folder for folders in AREAS.values() for folder in folders})
    assert passes(tmp_path / "0" / PROJECT.name, everything), "without a change the tests fail: nothing can be said"

    def run(mutant):
        copy = copies.get()
        try:
            return survives(mutant, copy)
        finally:
            copies.put(copy)

    mutants, known = draw(COUNT, SEED), explained()
    unexplained = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for mutant, alive in zip(mutants, pool.map(run, mutants), strict=True):
            fate = "noticed" if not alive else "explained" if mutant.key in known else "SURVIVES"
            print(f"{fate:9} {mutant}", flush=True)
            if fate == "SURVIVES":
                unexplained.append(str(mutant))
    assert not unexplained
