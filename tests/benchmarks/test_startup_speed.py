"""How long it takes to import simaie, against trio and msgspec in one run. Run by hand: `make benchmark`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

pytestmark = pytest.mark.benchmark
ROUNDS = 9


def cpu_seconds(code: str) -> float:
    """CPU time of a fresh process that runs `code`, the fastest of some; bytecode is cached, as after an install."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    found = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def test_importing_simaie_costs_no_more_than_its_dependencies():
    peers = cpu_seconds("import trio, msgspec")
    for code in ("import simaie", "from simaie import Machine, Program, explore"):
        ratio = cpu_seconds(code) / peers
        print(f"{code}: {ratio:.2f} of the time of importing trio and msgspec")
        assert ratio <= 1.2
