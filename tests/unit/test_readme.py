"""Every claim of the README that is code is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    """One namespace for all blocks, as a reader would paste them; the file that it writes lands elsewhere."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    settings.register_profile("readme", derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    before = settings.get_current_profile_name()
    settings.load_profile("readme")  # so that the properties in it draw the same each time, however busy the machine is
    try:
        for block in blocks:
            exec(compile(block, "README.md", "exec"), namespace)  # running them is the point
    finally:
        settings.load_profile(before)
    assert (tmp_path / "failure.json").is_file()


def test_the_readme_names_every_scheme_and_scheduler():
    from simaie import plugins

    lines = (ROOT / "README.md").read_text().splitlines()
    for kind, group in (("scheme", plugins.SCHEMES), ("scheduler", plugins.SCHEDULERS)):
        row = next(line for line in lines if line.startswith(f"| *{kind}*"))
        assert set(plugins.names(group)) <= set(re.findall(r"`([a-z0-9-]+)`", row))
