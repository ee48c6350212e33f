"""What is shipped: the wheel and the sdist are built, and the wheel runs the README's code where it is alone.

`conftest.py` builds and installs them.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = {"simaie", "simaie_command", "simaie_schedulers", "pytest_simaie"}


@pytest.fixture(name="elsewhere")
def fixture_elsewhere(tmp_path, monkeypatch):
    """A project that has folders of the names that ours has."""
    for name in ("schedulers", "tests", "simaie_notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not mine')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def test_the_wheel_has_our_packages_and_nothing_else_on_top(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert not [name for name in names if "/tests/" in name or name.endswith((".pyc", ".ipynb"))]


def test_the_wheel_has_what_is_no_python(wheel):
    """Every file of the packages that git has: grammars, assets, the marks that say that there are types."""
    folders = [*PACKAGES, "schedulers/simaie_schedulers"]
    listed = subprocess.check_output(["git", "ls-files", *folders], cwd=ROOT, text=True)
    assert {name.removeprefix("schedulers/") for name in listed.split()} <= set(zipfile.ZipFile(wheel).namelist())


def test_the_sdist_has_the_tests_and_all_that_they_read(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    missing = {name for name in listed if not name.startswith(".")} - names
    assert not missing, sorted(missing)[:10]


def test_the_code_of_the_readme_runs_from_the_wheel_in_a_project_with_such_folders(alone, elsewhere):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    whole = "\n\n".join(block for block in blocks if "hypothesis" not in block and "pytest" not in block)
    assert "simaie.explore" in whole
    settled = whole.replace("TestNative().runTest()", "")  # Hypothesis's blocks are run by the test of the README
    (elsewhere / "readme.py").write_text(re.sub(r"class TestNative.*?\n\n", "", settled, flags=re.DOTALL))
    done = subprocess.run([alone, "readme.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    where = "import simaie, simaie_schedulers; print(simaie.__file__, simaie_schedulers.__file__)"
    for place in subprocess.check_output([alone, "-c", where], text=True).split():
        assert Path(place).is_relative_to(alone.parents[1])


def test_the_command_line_of_the_wheel(alone, elsewhere):
    """Its default scheduler is a package of its own, whatever else is called so."""
    assert elsewhere
    words = [alone, "-m", "simaie", "explore", "first-registration-window", "--format", "json"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1
    assert "aie-rfc" in subprocess.check_output([alone, "-m", "simaie", "list", "schemes"], text=True)


def test_every_dependency_has_a_floor():
    """Without one, the oldest version that there ever was is allowed."""
    for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"],
                 *PROJECT["optional-dependencies"]["notebook"]]:  # fmt: skip
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?>=[\d.]+", line), line
