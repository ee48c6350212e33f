"""Hooks of mkdocs: the site gets the generated reference pages, the changelog and the notebooks."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from _tools import tables  # noqa: E402 - mkdocs loads this file by its path


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages, the changelog and the notebooks to the site."""
    for path, page in tables.PAGES.items():
        files.append(File.generated(config, path, content=page()))
    files.append(File.generated(config, "changelog.md", content=_changelog()))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{notebook.name}", abs_src_path=str(notebook)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put generated parts into a page, and lead its links to notebooks to those of the site."""
    # In the repository the folder of the notebooks is next to docs/; on the site it is inside.
    markdown = re.sub(r"\]\(\.\./((?:\.\./)*notebooks/)", r"](\1", markdown)
    return re.sub(r"<!-- generated: ([a-z-]+) -->", lambda found: tables.PARTS[found[1]](), markdown)


def _changelog() -> str:
    """Return the changelog, its links relative to the site and not to the repository."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "](")
