"""Builds what is shipped, and installs it where it is alone.

A wheel goes into an empty environment, and what it depends on is taken from the environment that runs this.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Builds with the setuptools that is installed, as `build` would without isolation.
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[2])(sys.argv[1])"


@pytest.fixture(name="project", scope="session")
def fixture_project(tmp_path_factory):
    """A copy of what git would commit."""
    copy = tmp_path_factory.mktemp("packaging") / "project"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


def build(project, dist, how, **environment):
    """Build the sdist or the wheel of `project` into the folder `dist`."""
    dist.mkdir(exist_ok=True)
    words = [sys.executable, "-c", BUILD, str(dist), how]
    built = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False,
                           env={**os.environ, **environment})  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.fixture(name="dist", scope="session")
def fixture_dist(project):
    """The folder with the wheel and the sdist."""
    dist = project.parent / "dist"
    for how in ("build_sdist", "build_wheel"):
        build(project, dist, how, SIMAIE_COMPILE="")
    return dist


@pytest.fixture(name="wheel", scope="session")
def fixture_wheel(dist):
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(name="alone", scope="session")
def fixture_alone(wheel, tmp_path_factory):
    """The Python of an environment that has the wheel, and what the wheel depends on."""
    return installed(wheel, tmp_path_factory.mktemp("alone"))


@pytest.fixture(name="compiled", scope="session")
def fixture_compiled(project, tmp_path_factory):
    """The Python of an environment that has the wheel of `make wheel`; it takes 30 seconds of one core."""
    pytest.importorskip("mypyc", reason="mypyc compiles")
    if shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("a C compiler is not here")
    dist = project.parent / "compiled"
    build(project, dist, "build_wheel", SIMAIE_COMPILE="1", MYPYC_OPT_LEVEL="0", CFLAGS="-g0")
    (wheel,) = dist.glob("*.whl")
    return installed(wheel, tmp_path_factory.mktemp("compiled"))


def installed(wheel, folder):
    """Return the Python of a new environment in `folder`."""
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    site = Path(subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
                                        text=True).strip())  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for place in site_folders():
        # Links and not a .pth, so that an editable installation of this project does not come along.
        for each in place.iterdir():
            if not re.match(r"__|simaie|pytest_simaie|_?_editable|distutils|.*\.pth$", each.name):
                target = site / each.name
                if not target.exists():
                    target.symlink_to(each)
    return python


def site_folders() -> list[Path]:
    """Where this Python finds what is installed."""
    own = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    return list(dict.fromkeys([*own, *(Path(each) for each in sys.path if each.endswith("site-packages"))]))
