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

#: Notebooks that search for long, and changes with which they search less. Whole, they are soaks.
LESS = {
    "03_schedulers": [("SEEDS, LIMIT = 12, 1_000", "SEEDS, LIMIT = 2, 20"), ("executions=100,", "executions=20,")],
    "05_write_a_scheme": [
        ("executions=60)", "executions=2)"),
        ("executions=3_000)", "executions=100)"),
        ('StoreTag, "hst:granule=4", "cas:on_exception=clear"', "StoreTag"),
    ],
    "06_property_based": [
        ("import HealthCheck, find,", "import HealthCheck, Phase, find,"),
        ("10_000)", "200)"),
        ("max_examples=2_000,", "max_examples=2_000, phases=[Phase.generate],"),  # what is found is not made smaller
    ],
}

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


def run_in(folder, notebook):
    client = nbclient.NotebookClient(notebook, timeout=HANGS_SECONDS, resources={"metadata": {"path": str(folder)}})
    client.execute()


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=pytest.mark.soak if path.stem in LESS else ()) for path in NOTEBOOKS],
)
def test_a_notebook_runs_from_scratch_and_says_what_is_stored(path, tmp_path):
    stored = nbformat.read(path, as_version=4)
    run = nbformat.from_dict(stored)
    expected = outputs_of(stored)
    run_in(tmp_path, run)
    said = outputs_of(run)
    if stored.metadata.get("hypothesis", hypothesis.__version__) != hypothesis.__version__:
        # The same examples are only promised under the same version: another may find another smallest program.
        said, expected = [output[:2] for output in said], [output[:2] for output in expected]
    assert said == expected


@pytest.mark.parametrize("name", LESS)
def test_a_notebook_that_searches_less_has_outputs_in_the_same_places(name, tmp_path):
    run = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    expected = [output[:2] for output in outputs_of(run)]
    for before, after in LESS[name]:
        changed = [cell for cell in run.cells if cell.cell_type == "code" and before in cell.source]
        assert changed, before
        for cell in changed:
            cell.source = cell.source.replace(before, after)
    run_in(tmp_path, run)
    assert [output[:2] for output in outputs_of(run)] == expected


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
