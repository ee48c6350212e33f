"""The project's prose is plain English: no phrase of `house_words.toml` in docstrings, comments, messages and docs."""

from __future__ import annotations

import io
import json
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RULES = tomllib.loads((HERE / "house_words.toml").read_text(encoding="utf-8"))
PATTERNS = [(re.compile(rule["pattern"], re.MULTILINE), rule["better"]) for rule in RULES["phrase"]]
#: Where no phrase may be.
PLACES = [
    "simaie", "schedulers", "pytest_simaie", "simaie_command", "docs", "notebooks", "README.md", "CONTRIBUTING.md",
]  # fmt: skip
#: The kinds of tokens that hold prose; from Python 3.12 on an f-string is several tokens.
PROSE = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the text of each piece of prose: strings and comments of code, whole documents, cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in PROSE:
                yield token.start[0], token.string
    elif path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(text)["cells"], 1):
            yield number, "".join(cell["source"])
    else:
        yield 1, re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)


def phrases_in(paths: list[Path]) -> list[str]:
    """Each phrase found, as ``file:line: phrase; what is better``."""
    found = []
    for path in paths:
        for first, text in prose_of(path):
            for pattern, better in PATTERNS:
                for match in pattern.finditer(text):
                    line = first + text.count("\n", 0, match.start() + 1)
                    found.append(f"{path.relative_to(ROOT)}:{line}: {match[0].strip()!r}; {better}")
    return found


def files_below(*places: str) -> list[Path]:
    """The files with prose below these places."""
    found: list[Path] = []
    for place in places:
        root = ROOT / place
        below = sorted(root.rglob("*")) if root.is_dir() else [root]
        found += [path for path in below if path.suffix in (".py", ".md", ".ipynb") and "-checkpoint" not in path.name]
    return found


@pytest.mark.parametrize("rule", RULES["phrase"], ids=lambda rule: rule["bad"].replace(" ", "-"))
def test_each_pattern_finds_its_example(rule):
    assert re.search(rule["pattern"], rule["bad"])
    assert not re.search(rule["pattern"], rule["better"].partition(":")[0])


@pytest.mark.parametrize("place", PLACES)
def test_no_phrase_of_the_house_list_is_left(place):
    found = phrases_in(files_below(place))
    assert not found, "\n".join(found)


def test_the_prose_of_tests_only_gets_better():
    found = phrases_in(files_below("tests"))
    left = RULES["left"]["tests"]
    assert len(found) <= left, "new phrases of the house list:\n" + "\n".join(found[-20:])
    assert len(found) >= left, f"there are fewer now: in house_words.toml, lower left.tests to {len(found)}"
