"""Every notebook runs from scratch, and what it says is what is stored in it.

Compared are text and markup, which are the same in every run; drawings and charts of plots are left to the version of
Altair that made them, and their text form stands for them. (nbmake runs notebooks by the same nbclient, but compares
nothing.)
"""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis
import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra `notebook`")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("altair")
pytest.importorskip("anywidget")

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"
#: A cell that takes so long will never end; how long a notebook takes is measured in tests/benchmarks.
HANGS_SECONDS = 240
COMPARED = ("text/plain", "text/html", "text/markdown")
#: Where an object has no words of its own, Python names its place in memory.
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")

# Of jupyter_client and the event loop, which this project does not call.
pytestmark = pytest.mark.filterwarnings("default")


def outputs_of(notebook):
    """What each cell of code says: (cell, kind of output, text).

    The kernel sends a stream in pieces, whenever some time has passed: pieces that follow each other are one output.
    """
    found = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream":
                before = found.pop()[2] if found and found[-1][:2] == (index, output.name) else ""
                found.append((index, output.name, before + output.text))
            found += [(index, kind, output.data[kind]) for kind in COMPARED if kind in output.get("data", {})]
    return found


def test_a_stream_that_arrives_in_pieces_is_one_output():
    pieces = [nbformat.v4.new_output("stream", text=text) for text in ("a", "b")]
    other = nbformat.v4.new_output("execute_result", {"text/plain": "c"})
    cell = nbformat.v4.new_code_cell(outputs=[*pieces, other, *pieces])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert outputs_of(notebook) == [(0, "stdout", "ab"), (0, "text/plain", "c"), (0, "stdout", "ab")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_scratch_and_says_what_is_stored(path, tmp_path):
    stored = nbformat.read(path, as_version=4)
    run = nbformat.from_dict(stored)
    client = nbclient.NotebookClient(run, timeout=HANGS_SECONDS, resources={"metadata": {"path": str(tmp_path)}})
    expected = outputs_of(stored)
    client.execute()
    said = outputs_of(run)
    if stored.metadata.get("hypothesis", hypothesis.__version__) != hypothesis.__version__:
        # The same examples are only promised under the same version: another may find another smallest program.
        said, expected = [output[:2] for output in said], [output[:2] for output in expected]
    assert said == expected


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_whole_and_tell_nothing_of_the_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert all(output.output_type != "error" for output in cell.outputs)
            assert not [output for output in cell.outputs if VIEW in output.get("data", {})]  # see store.py
    assert "widgets" not in notebook.metadata
    said = "".join(text for _, _, text in outputs_of(notebook))
    assert not _ADDRESS.search(said)
    assert not re.search(r"/tmp/|/home/|per second", said)


def test_there_are_notebooks():
    assert NOTEBOOKS
