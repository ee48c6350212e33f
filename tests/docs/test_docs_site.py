"""The documentation builds without a warning, and nothing in it is loaded from a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
pytest.importorskip("material")
pytest.importorskip("mkdocstrings")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_has_every_page_of_the_reference(site):
    for page in ("reference/cli.html", "reference/instructions.html", "reference/api/simaie.html", "glossary.html"):
        assert (site / page).is_file()
    assert "first-registration-window" in (site / "reference/cli.html").read_text("utf-8")
    assert 'id="simaie.explore"' in (site / "reference/api/simaie.html").read_text("utf-8")


def test_no_page_loads_anything_from_a_network(site):
    loads = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=["'](?:https?:)?//[^"']+""")
    found = {}
    for page in sorted(site.rglob("*.html")):
        loaded = [tag for tag in loads.findall(page.read_text("utf-8")) if 'rel="canonical"' not in tag]
        if loaded:
            found[page.name] = loaded
    assert not found
