"""The documentation is complete: generated pages cover the code, written ones agree with it, links lead to files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer.main

from simaie import corpus, plugins
from simaie.cli.app import app
from simaie.cli.documents import Document
from simaie.cli.status import Status
from simaie.guest.isa import ISAS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

from _tools import pictures, tables  # noqa: E402 - it is no package of simaie's

WRITTEN = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(DOCS.rglob("*.md"))
#: Words of a private English that this project had, and that a native engineer would not use so.
HOUSE_WORDS = re.compile(
    r"\b(whoever|whom|somebody|nobody|everybody|anybody|shall|mend(?:s|ed)?|beside|(?:is|are) none|stands? in|"
    r"comes? of|(?:to|can|cannot) be had|so (?:many|long as)|how-manieth|its way with)\b|(?:^|[.:] )Who\b",
    re.MULTILINE,
)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 6000


def test_the_reference_of_the_command_line_has_every_command_and_option():
    page = tables.commands()
    for name, command in tables.all_commands(typer.main.get_command(app)).items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        options = [option for parameter in command.params for option in parameter.opts if option[0] == "-"]
        missing = [option for option in options if option not in section]
        assert section, name
        assert not missing, (name, missing)


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("reference/schemes.md", plugins.SCHEMES),
        ("reference/schedulers.md", plugins.SCHEDULERS),
        ("reference/hosts.md", plugins.HOSTS),
        ("reference/checkers.md", plugins.CHECKERS),
    ],
)
def test_the_reference_has_every_plug_in_with_a_description(path, group):
    page = tables.PAGES[path]()
    for name in plugins.names(group):
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert len(section.split()) >= 3, name


def test_the_reference_of_options_is_that_of_the_plug_ins():
    page = tables.PAGES["reference/schemes.md"]()
    assert "| `granule` | `16` |" in page.partition("\n## aie-rfc\n")[2].partition("\n## ")[0]
    assert "granule" not in page.partition("\n## cas\n")[2].partition("\n## ")[0]


def test_the_reference_of_instructions_has_every_instruction_of_every_isa():
    page = tables.instructions()
    common = page.partition("\n## Common to all\n")[2].partition("\n## ")[0]
    for isa, cls in ISAS.items():
        section = common + page.partition(f"\n## {isa}\n")[2].partition("\n## ")[0]
        missing = [name for name in cls.instruction_names() if f"| `{name}(" not in section]
        assert not missing, (isa, missing)


def test_the_reference_has_the_schema_of_each_document():
    page = tables.PAGES["reference/json.md"]()
    schemas = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert [schema["title"] for schema in schemas] == list(Document)
    assert all(f"## {document}" in page for document in Document)


def test_a_bar_in_a_cell_does_not_end_it():
    assert tables.table(["a"], [["x | y"]]).splitlines()[-1] == "| x \\| y |"


def test_the_page_of_exit_statuses_has_each():
    first = (DOCS / "reference/exit-statuses.md").read_text("utf-8").partition("Commands that")[0]
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", first, re.MULTILINE)}
    assert {int(status) for status in Status} <= listed


def test_the_number_of_audited_rows_is_that_of_the_corpus():
    page = (DOCS / "explanation/aie.md").read_text("utf-8")
    rows = {case.row for case in corpus.cases()}
    cases, audited = re.search(r"from 1 to (\d+), and `simaie audit` has a row for (\d+) of them", page).groups()
    assert int(audited) == len(rows)
    assert set(range(1, int(cases) + 1)) - rows == {int(n) for n in re.findall(r"\bCase (\d+) is", page)}


def test_a_folder_that_a_star_reads_is_written_by_one_command_of_all_pages():
    """All pages can be followed in one directory, one after the other."""
    text = "\n".join(page.read_text("utf-8") for page in WRITTEN)
    saved = re.findall(r"^(?:\$| {3}) simaie .*--save (\S+)/", text, re.MULTILINE)
    read = set(re.findall(r"^\$ simaie .* (\S+)/\*\.json", text, re.MULTILINE))
    assert len(read) >= 3
    assert not [folder for folder in read if saved.count(folder) != 1]


def test_the_generated_parts_are_those_that_the_pages_ask_for():
    asked = {name for page in WRITTEN for name in re.findall(r"<!-- generated: ([a-z-]+) -->", page.read_text("utf-8"))}
    assert asked == set(tables.PARTS)
    assert all(make().strip() for make in tables.PARTS.values())


def test_the_picture_of_the_counterexample_is_what_simaie_draws():
    assert (DOCS / "assets/counterexample.svg").read_text("utf-8") == pictures.counterexample(), "run `make pictures`"


def test_the_picture_of_the_layers_has_each_package_of_simaie():
    picture = pictures.layers()
    assert (DOCS / "assets/architecture.svg").read_text("utf-8") == picture, "run `make pictures`"
    folders = [path.name for path in (ROOT / "simaie").iterdir() if (path / "__init__.py").is_file()]
    assert len(folders) > 10
    assert not [name for name in folders if f">{name}<" not in picture]


@pytest.mark.parametrize("page", WRITTEN, ids=[str(page.relative_to(ROOT)) for page in WRITTEN])
def test_links_of_a_page_lead_to_files(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    generated = {DOCS / path for path in (*tables.PAGES, "changelog.md")}
    broken = []
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        path = (page.parent / unquote(target)).resolve()
        if ":" in target or path.exists() or path in generated:
            continue
        broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", WRITTEN, ids=[str(page.relative_to(ROOT)) for page in WRITTEN])
def test_a_page_is_in_plain_english(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert not [found[0] for found in HOUSE_WORDS.finditer(text)]


def test_the_notebooks_lead_from_one_to_the_next():
    """Also the page that lists them, which has them in their order."""
    names = [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    listed = re.findall(r"\(\.\./notebooks/([^)]+)\)", (DOCS / "notebooks.md").read_text("utf-8"))
    assert listed == names
    for number, name in enumerate(names):
        cells = json.loads((ROOT / "notebooks" / name).read_text("utf-8"))["cells"]
        links = re.findall(r"\(([^)]+\.ipynb)\)", "".join(cells[-1]["source"]))
        assert links == names[max(number - 1, 0) : number] + names[number + 1 : number + 2]
