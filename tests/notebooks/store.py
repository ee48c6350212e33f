"""Run notebooks and store their outputs: ``python tests/notebooks/store.py notebooks/01_first_race.ipynb ...``.

Widgets are stored as what stands for them where no front end runs. A stored view would name, by a random number, a
model that is gone with its kernel, and a front end would show that it is missing instead of the picture.

A notebook whose metadata name a version of Hypothesis shows what that version found.
"""

from __future__ import annotations

import copy
import sys

import hypothesis
import nbclient
import nbformat

VIEW = "application/vnd.jupyter.widget-view+json"


def store(path: str) -> None:
    """Run the notebook from scratch and write it back."""
    notebook = nbformat.read(path, as_version=4)
    metadata = copy.deepcopy(notebook.metadata)  # the version of Python that ran it is none of a reader's business
    client = nbclient.NotebookClient(notebook, timeout=120, record_timing=False, store_widget_state=False)
    client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(VIEW, None)
    if "hypothesis" in metadata:
        metadata.hypothesis = hypothesis.__version__
    notebook.metadata = metadata
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        store(name)
