"""The wheel with compiled modules: it passes the tests of the memo and of searches by undo, and can be switched off.

All is one test, because a build takes long and each process of a parallel run would make its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: The tests that run compiled: every other test runs the sources.
TESTS = [
    "tests/unit/test_memo.py",
    "tests/unit/test_monitors.py",
    "tests/unit/test_dpor_undo.py",
    "tests/unit/test_compiled.py",
    "tests/exhaustive/test_memo_undo.py",
    "tests/exhaustive/test_dfs_undo.py",
    "tests/exhaustive/test_commuting.py",
    "tests/conformance/test_three_engines.py",
]
#: Prints whether all compiled modules are used, or none.
FILES = """
import simaie_schedulers.undo.order, simaie.engine.memo.node, simaie
from simaie.compiled import uses_compiled
modules = simaie_schedulers.undo.order, simaie.engine.memo.node
print([not module.__file__.endswith(".py") for module in modules], uses_compiled(), simaie.__file__)
"""


def run(python, *words, switch=""):
    environment = {**os.environ, "SIMAIE_COMPILED": switch}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run([python, *words], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_compiled_wheel_passes_the_tests_of_what_is_compiled(compiled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    used, off = run(compiled, "-c", FILES), run(compiled, "-c", FILES, switch="0")
    assert used.startswith("[True, True] True")
    assert off.startswith("[False, False] False")
    assert all(Path(text.split()[-1]).is_relative_to(compiled.parents[1]) for text in (used, off))
    shown, of_sources = (run(compiled, "-m", "simaie", "--version", switch=switch).strip() for switch in ("", "0"))
    assert shown == f"{of_sources} (compiled)"
    run(compiled, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(ROOT / name) for name in TESTS))
    run(compiled, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / TESTS[-1]), switch="0")
