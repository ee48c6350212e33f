"""Plug-ins of other distributions: one that is broken, or one name for two, is a clear error that names whose it is."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

import pytest

from simaie import Machine, Program, explore, ins, plugins
from simaie.cli import main
from simaie.errors import UsageError
from simaie.guest.isa import ISAS, isa_class
from simaie.plugins import Spec
from simaie.schemes.cas import CompareAndSwap

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


def forget():
    """Forget what is installed."""
    for known in (plugins._registered, plugins._group, plugins._loaded):
        known.cache_clear()


@pytest.fixture(name="install")
def fixture_install(tmp_path, monkeypatch):
    """Installs a distribution that registers entry points, for this process."""
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()

    def install(name: str, group: str, *points: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(METADATA.format(name=name))
        (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *points]))
        forget()

    yield install
    forget()


def test_the_distributions_are_read_once_for_all_groups(monkeypatch):
    readings = []

    def counted():
        readings.append(1)
        return metadata.entry_points()

    monkeypatch.setattr(plugins, "entry_points", counted)
    forget()
    for group in (plugins.SCHEMES, plugins.HOSTS, plugins.SCHEDULERS):
        assert plugins.names(group)
    assert len(readings) == 1
    forget()


def test_a_plug_in_of_another_distribution_is_found_by_name(install):
    install("others", plugins.SCHEMES, "theirs = simaie.schemes.cas:CompareAndSwap")
    assert plugins.resolve(plugins.SCHEMES, "theirs") is CompareAndSwap
    assert Machine("theirs").scheme == "theirs"


@pytest.mark.parametrize(
    ("group", "name", "kind"),
    [
        (plugins.SCHEMES, "cas", "scheme"),
        (plugins.SCHEDULERS, "dpor", "scheduler"),
        (plugins.HOSTS, "sc", "host"),
        (plugins.CHECKERS, "progress", "checker"),
        (plugins.ISAS, "arm", "instruction set"),
    ],
)
def test_nothing_replaces_a_built_in_silently(install, group, name, kind):
    install("impostor", group, f"{name} = simaie.schemes.none:NoScheme")
    with pytest.raises(UsageError) as caught:
        plugins.resolve(group, name)
    assert f"two {kind}s are called {name!r}" in str(caught.value)
    assert "'impostor'" in str(caught.value)
    assert "'simaie'" in str(caught.value)


def test_an_instruction_set_of_another_distribution_has_its_own_name(install, tmp_path):
    (tmp_path / "theirs.py").write_text("import simaie\nclass Theirs(simaie.ArmCpu):\n    isa = 'theirs'\n")
    points = "theirs = theirs:Theirs", "other = theirs:Theirs", "none = simaie.errors:UsageError"
    install("others", plugins.ISAS, *points)
    assert "theirs" in ISAS
    program = Program("p", isa="theirs", threads=[[ins("swp", 0x100, 1)]])
    assert Program("p", isa=program.cpu_class, threads=[[]]).isa == "theirs"
    assert explore(program, scheduler="dpor").verdict == "holds"
    with pytest.raises(UsageError, match="registered as 'other', but its attribute isa is 'theirs'"):
        isa_class("other")
    with pytest.raises(UsageError, match="must be a class that derives from"):
        isa_class("none")


def test_two_of_one_name_that_are_neither_ours_are_an_error_too(install):
    install("one", plugins.SCHEMES, "fresh = simaie.schemes.none:NoScheme")
    install("other", plugins.SCHEMES, "fresh = simaie.schemes.cas:CompareAndSwap")
    with pytest.raises(UsageError, match=r"'one'.*'other'|'other'.*'one'"):
        plugins.names(plugins.SCHEMES)


def test_the_same_registered_twice_is_no_error(install):
    """As when one distribution is on the path twice."""
    install("twice", plugins.SCHEMES, "cas = simaie.schemes.cas:CompareAndSwap")
    assert plugins.resolve(plugins.SCHEMES, "cas") is CompareAndSwap


@pytest.mark.parametrize(
    "value", ["no_such_module:Thing", "simaie.schemes.cas:NoSuchClass", "raises_when_imported:Thing", "exits:Thing"]
)
def test_one_that_cannot_be_imported_names_its_distribution(install, tmp_path, value, capsys):
    (tmp_path / "raises_when_imported.py").write_text("raise KeyError('deep inside')\n")
    (tmp_path / "exits.py").write_text("import sys; sys.exit(0)\n")
    install("broken", plugins.SCHEMES, f"theirs = {value}")
    with pytest.raises(UsageError) as caught:
        Machine("theirs")
    assert f"{value} of the distribution 'broken'" in str(caught.value)
    assert main(["explore", "first-registration-window", "--scheme", "theirs"]) == 2
    assert "'broken'" in capsys.readouterr().err


def test_a_broken_one_does_not_spoil_the_list(install, capsys):
    install("broken", plugins.SCHEMES, "theirs = no_such_module:Thing")
    assert main(["list", "schemes"]) == 0
    out = capsys.readouterr().out
    assert "'broken'" in out
    assert "aie-rfc" in out


def test_two_of_one_name_are_one_line_on_the_command_line(install, tmp_path):
    """In a process of its own: the options' help names the plug-ins as soon as the commands are imported."""
    install("impostor", plugins.SCHEMES, "cas = simaie.schemes.none:NoScheme")
    words = [sys.executable, "-m", "simaie", "explore", "first-registration-window", "--scheme", "cas"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "'impostor'" in done.stderr
    assert plugins.SCHEMES not in done.stdout


@pytest.mark.parametrize("text", ["mine.py:Mine:a=1,b-c=none", "cas", "dfs:preemptions=2", "some:dir/mine.py:Mine"])
def test_a_specification_is_read_back_as_it_is_written(text):
    assert plugins.Spec.of(str(plugins.Spec.of(text))) == plugins.Spec.of(text)


def test_options_without_a_text_have_no_word():
    assert plugins.Spec("scripted", {"schedule": ["0"]}).word is None
    assert plugins.Spec("x", {"a": "1"}).word is None
    assert plugins.Spec("x", {"a": "b,c=d"}).word is None
    assert plugins.Spec("x", {"a": 1, "b": None}).word == "x:a=1,b=none"
    assert plugins.Spec("x", {"barriers": "none"}).word == "x:barriers=none"


@pytest.mark.parametrize(
    ("choice", "options", "expected"),
    [
        ("cas", {"barriers": "full"}, "cas:barriers=full"),
        ("cas:barriers=none", {"barriers": "full"}, "cas:barriers=none"),
        ("cas:narrow=word", {"barriers": "full", "single_copy": "lse2"}, "cas:barriers=full,narrow=word"),
        (("cas", {"narrow": "word"}), {"barriers": "full"}, "cas:barriers=full,narrow=word"),
        ("cas:narrow=word", {}, "cas:narrow=word"),
    ],
)
def test_a_choice_takes_the_options_that_it_has_and_does_not_set(choice, options, expected):
    found = plugins.with_options(plugins.SCHEMES, choice, options)
    assert Spec.of(found) == Spec.of(expected)


def test_a_class_takes_the_options_that_it_has():
    found = plugins.with_options(plugins.SCHEMES, CompareAndSwap, {"barriers": "full", "single_copy": "lse2"})
    assert (found.func, found.keywords) == (CompareAndSwap, {"barriers": "full"})
    assert plugins.with_options(plugins.SCHEMES, CompareAndSwap, {"single_copy": "lse2"}) is CompareAndSwap
