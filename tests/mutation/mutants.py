"""Mutants of the code that a verdict rests on: small changes that some test must notice.

cosmic-ray makes the changes; here is said which files are changed, which of the many changes are drawn, and which tests
are to notice.
"""

from __future__ import annotations

import ast
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from simaie.prng import Random

__all__ = ["AREAS", "Mutant", "copied", "draw", "passes", "survives"]

PROJECT = Path(__file__).parents[2]
#: A test that runs longer than this hangs, which counts as noticed. No limit holds for all tests together: without a
#: change they take many minutes on a busy machine, and a mutant that they overlook must not count as noticed.
SECONDS_PER_TEST = 300

#: Which files are changed -> the tests that must notice, the quickest first.
AREAS: dict[str, tuple[str, ...]] = {
    "simaie/check": ("tests/unit", "tests/conformance", "tests/exhaustive"),
    "simaie/host": ("tests/unit", "tests/conformance", "tests/exhaustive", "tests/litmus"),
    "simaie/schemes": ("tests/unit", "tests/conformance", "tests/exhaustive", "tests/litmus"),
    "simaie/aie": ("tests/unit", "tests/exhaustive"),
    "simaie/guest/isa": ("tests/unit", "tests/litmus", "tests/conformance"),
    "schedulers/simaie_schedulers": ("tests/unit", "tests/exhaustive", "tests/conformance", "tests/litmus"),
}
#: By area, the tests that are about nothing else: they notice most, and take seconds where a folder takes minutes.
_SHARP: dict[str, tuple[str, ...]] = {
    "simaie/check": ("unit/test_check_*.py", "exhaustive/test_checkers_invariant.py"),
    "simaie/host": ("unit/test_host.py", "unit/test_*split*.py", "unit/test_page_crossing.py",
                    "conformance/test_host_memories.py", "exhaustive/test_store_buffers.py"),
    "simaie/schemes": ("unit/test_schemes_*.py", "unit/test_reservation_rules.py", "unit/test_wide_accesses.py"),
    "simaie/aie": ("unit/test_aie_*.py", "unit/test_schemes_*.py"),
    "simaie/guest/isa": ("unit/test_isas.py", "unit/test_x86_instructions.py", "litmus/test_*_semantics.py"),
    "schedulers": ("unit/test_scheduler_d*.py", "exhaustive/test_dpor_effects.py", "exhaustive/test_dpor_counts.py",
                   "exhaustive/test_store_buffers.py", "exhaustive/test_mixes.py"),
}  # fmt: skip
#: Of the schedulers only the exhaustive search: whether chance is well spread is no matter of a verdict.
_SEARCH = ("dfs.py", "dfs_tree.py", "dpor")
_OPERATORS = (
    "AddNot", "NumberReplacer", "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ReplaceUnaryOperator_Delete_Not", "ZeroIterationForLoop",
    *(f"ReplaceComparisonOperator_{pair}" for pair in
      ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in
      ("Add_Sub", "Sub_Add", "BitAnd_BitOr", "BitOr_BitAnd", "LShift_RShift", "RShift_LShift", "Mul_Add")),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one file. before, after: the changed line. line: its number, from 1."""

    path: str
    operator: str
    occurrence: int

    @property
    def code(self) -> str:
        """The whole file, changed."""
        changed = mutate_code((PROJECT / self.path).read_text("utf-8"), _operator(self.operator), self.occurrence)
        assert isinstance(changed, str)
        return changed

    @property
    def change(self) -> tuple[int, str, str]:
        """The number of the changed line, from 1, and how it reads before and after."""
        before, after = (PROJECT / self.path).read_text("utf-8").splitlines(), self.code.splitlines()
        number = next(at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new)
        return number + 1, before[number].strip(), after[number].strip()

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it when lines have moved: the file, and the changed line before and after."""
        _, before, after = self.change
        return self.path, before, after

    def __str__(self) -> str:
        number, before, after = self.change
        return f"{self.path}:{number}: {before!r} -> {after!r}"


def _operator(name: str) -> object:
    return get_operator(f"core/{name}")()


class _Counter(Visitor):  # type: ignore[misc]  # cosmic-ray has no types
    """Counts the places at which an operator can change a file."""

    def __init__(self, operator: object) -> None:
        self._operator = operator
        self.count = 0

    def visit(self, node: object) -> object:
        self.count += sum(1 for _ in self._operator.mutation_positions(node))  # type: ignore[attr-defined]
        return node


def _all_mutants() -> Iterator[Mutant]:
    """Every mutant of every area, in a fixed order; some do not compile, or change nothing but an annotation."""
    for folder in AREAS:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if "schedulers" in folder and path.relative_to(PROJECT / folder).parts[0] not in _SEARCH:
                continue
            yield from _mutants_of(path)


def _mutants_of(path: Path) -> Iterator[Mutant]:
    source = path.read_text("utf-8")
    for name in _OPERATORS:
        counter = _Counter(_operator(name))
        counter.walk(get_ast(source))
        for occurrence in range(counter.count):
            yield Mutant(path.relative_to(PROJECT).as_posix(), name, occurrence)


def _changes_meaning(mutant: Mutant) -> bool:
    """Whether it compiles, and differs in more than what only type checkers read."""
    try:
        return _without_annotations(mutant.code) != _without_annotations((PROJECT / mutant.path).read_text("utf-8"))
    except SyntaxError:
        return False


def _without_annotations(source: str) -> str:
    """The program as text, without what only type checkers read."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def draw(count: int, seed: int) -> list[Mutant]:
    """`count` different mutants that compile and mean something else, each as likely as any other."""
    mutants = list(_all_mutants())
    Random(seed).shuffle(mutants)
    return list(itertools.islice(filter(_changes_meaning, mutants), count))


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether no test notices `mutant`, put into `copy`, a copy of the project that no other run uses."""
    path = copy / mutant.path
    original = path.read_text("utf-8")
    path.write_text(mutant.code, "utf-8")
    try:
        return all(passes(copy, tests) for tests in _stages(mutant.path))
    finally:
        path.write_text(original, "utf-8")


def passes(copy: Path, tests: Sequence[str]) -> bool:
    """Whether those tests pass in `copy`, and each of them ends."""
    hangs = ["-o", f"faulthandler_timeout={SECONDS_PER_TEST}", "-o", "faulthandler_exit_on_timeout=true"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *hangs, *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False).returncode == 0


def _stages(path: str) -> Iterator[tuple[str, ...]]:
    """The tests to run, the likeliest to notice first, and the slow folders only if all before them pass."""
    stem, module = Path(path).stem, path.removesuffix(".py").replace("/", ".")
    area = next(area for area in AREAS if path.startswith(area))
    folder = PROJECT / "tests"
    files = [file for file in sorted(folder.glob("*/test_*.py")) if _is_quick(file)]
    named = [file for file in files if stem.strip("_") in file.stem]
    importing = [file for file in files if f"from {module} import" in file.read_text("utf-8")]
    sharp = [file for pattern in _SHARP[area] for file in sorted(folder.glob(pattern))]
    done: set[Path] = set()
    for stage in (named, sharp, importing):
        fresh = [file for file in stage if file not in done]
        done.update(fresh)
        if fresh:
            yield tuple(file.relative_to(PROJECT).as_posix() for file in fresh)
    yield from ((tests,) for tests in AREAS[area])


def _is_quick(file: Path) -> bool:
    return file.parent.name in ("unit", "conformance", "exhaustive", "litmus")


def copied(folder: Path) -> Path:
    """A copy of the project in `folder`, with what the tests need."""
    ignored = shutil.ignore_patterns(".git", ".venv", "*cache*", "*.egg-info", ".coverage*", ".hypothesis")
    return Path(shutil.copytree(PROJECT, folder / PROJECT.name, ignore=ignored))
