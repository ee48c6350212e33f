"""Every claim of the README that is code is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    """One namespace for all blocks, as a reader would paste them; the file that it writes lands elsewhere."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)  # running them is the point
    assert (tmp_path / "failure.json").is_file()


def test_the_readme_names_only_schemes_and_schedulers_that_exist():
    from simaie import plugins

    text = (ROOT / "README.md").read_text()
    rows = {kind: next(line for line in text.splitlines() if line.startswith(f"| *{kind}*")) for kind in ("scheme", "scheduler")}
    assert set(plugins.names(plugins.SCHEMES)) <= set(re.findall(r"`([a-z0-9-]+)`", rows["scheme"]))
    assert set(plugins.names(plugins.SCHEDULERS)) <= set(re.findall(r"`([a-z0-9-]+)`", rows["scheduler"]))
