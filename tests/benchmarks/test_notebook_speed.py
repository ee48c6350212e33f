"""How long each notebook takes from scratch. Run by hand: `make benchmark`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra `notebook`")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

# The warnings are those of jupyter_client and the event loop, which this project does not call.
pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_a_minute(path, tmp_path):
    """From starting the kernel to the last cell."""
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    began = time.perf_counter()
    client.execute()
    taken = time.perf_counter() - began
    print(f"\n{path.stem}: {taken:.1f} s")
    assert taken < 60
