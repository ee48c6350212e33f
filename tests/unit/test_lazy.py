"""`import simaie` imports next to nothing, and yet every public name is there."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest

import simaie
from simaie import corpus
from simaie.guest import text

PACKAGES = (simaie, corpus, text)


def loaded(code: str) -> set[str]:
    """The modules that a fresh process has imported after `code`."""
    words = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


def test_what_most_programs_never_use_is_imported_on_use():
    heavy = {"lark", "trio", "rich", "typer", "simaie.corpus.catalogue", "simaie.replaying.shrink", "simaie.show"}
    assert "simaie.exploration" not in loaded("import simaie")
    exploring = loaded(
        "from simaie import Program, explore, ins; explore(Program('p', isa='x86', threads=[[ins('lock_inc', 64)]]))"
    )
    assert "simaie.exploration.explorer" in exploring
    assert not heavy & exploring


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_there_and_is_what_type_checkers_see(package):
    """The imports under TYPE_CHECKING name the module that defines the name."""
    seen = {}
    for node in ast.walk(ast.parse(inspect.getsource(package))):
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.name: node.module for alias in node.names}
    for name in package.__all__:
        value = getattr(package, name)
        assert name in dir(package)
        if name in seen:
            assert getattr(sys.modules[seen[name]], name) is value


def test_modules_are_attributes_and_other_names_are_errors():
    code = "import simaie; simaie.litmus.parse; simaie.check.CHECKERS"
    assert "simaie.litmus.parsing" in loaded(code)
    with pytest.raises(AttributeError, match="nonsense"):
        simaie.nonsense  # noqa: B018  # to look it up is the test
    with pytest.raises(ImportError):
        exec("from simaie import nonsense")


def test_a_path_is_no_name_of_the_corpus_and_creates_nothing():
    assert "simaie.corpus.catalogue" not in loaded("from simaie import corpus; assert not corpus.has_program('a.py:b')")
    assert corpus.has_program(corpus.names()[0])
    assert not corpus.has_program("no-such-program")
