"""The tests with known answers on armv8 and rvwmo: exactly the states of herd7, accesses of mixed sizes included.

For x86 tests: which ways to emulate them on Arm keep the states of TSO.
"""

from __future__ import annotations

from typing import Any

import pytest

import simaie
from simaie.exploration.litmus import HERD_SCHEME, explore_litmus
from simaie.litmus import load
from simaie.litmus.lowering import UnsupportedError, lower
from simaie.machine import Machine
from simaie.trace import Ending

from .outcomes import State, comparable
from .test_known_answers import FOLDER, INDEX
from .test_known_answers import pytestmark as needs_corpus

pytestmark = [needs_corpus, pytest.mark.untraced]

#: Architecture, host, the model of herd7, and the number of tests that can be read.
HOSTS = [("AArch64", "armv8", "aarch64", 105), ("RISCV", "rvwmo", "rvwmo", 63)]


def states(entry: dict[str, Any], scheme: str, host: str) -> tuple[set[State], set[State], int] | None:
    """Our states, those of herd7, and the number of executions; None if the test is not supported."""
    assert FOLDER is not None
    test = load(FOLDER / entry["file"])
    model = "tso" if entry["arch"].startswith("X86") else entry["native_model"]
    try:
        result = explore_litmus(test, Machine(scheme, host=host))
    except UnsupportedError:
        return None
    assert result.complete, entry["id"]
    expected = entry["expected"][model]["states"]
    return comparable(test, result.states), comparable(test, expected), result.executions


@pytest.mark.parametrize(("arch", "host", "model", "readable"), HOSTS)
def test_states_are_those_of_herd7(arch: str, host: str, model: str, readable: int) -> None:
    compared = executions = 0
    for entry in INDEX:
        if entry["arch"] != arch or model not in entry["expected"]:
            continue
        both = states(entry, HERD_SCHEME, host)
        if both is None:
            continue
        ours, expected, count = both
        assert ours == expected, f"{entry['id']}: {len(ours - expected)} too many, {len(expected - ours)} missing"
        compared += 1
        executions += count
    assert compared == readable
    assert executions == {"armv8": 823, "rvwmo": 718}[host]


@pytest.mark.parametrize(
    ("barriers", "forbidden"),
    [("guest", 62), ("ld-ld+ld-st+st-st", 2)],
)  # fmt: skip
def test_what_x86_guests_see_of_an_arm_host(barriers: str, forbidden: int) -> None:
    """The tests with a forbidden state; with all barriers those in which a locked compare-and-exchange fails."""
    bad = []
    for entry in INDEX:
        if entry["arch"] in ("X86", "X86_64") and "tso" in entry["expected"]:
            both = states(entry, f"cas:barriers={barriers}", "armv8")
            if both is not None and both[0] - both[1]:
                bad.append(entry["name"])
    assert len(bad) == forbidden
    if forbidden < 10:
        assert all("cas" in name for name in bad)


def test_native_executions_are_clean_for_every_checker() -> None:
    """A trace in which loads were reordered breaks no checker: what the architecture allows is no finding."""
    assert FOLDER is not None
    for arch, host, _, _ in HOSTS:
        for entry in [each for each in INDEX if each["arch"] == arch][::4]:
            try:
                program = lower(load(FOLDER / entry["file"])).program
            except UnsupportedError:
                continue
            report = simaie.explore(program, Machine("native", host=host), scheduler="dpor", failures=None)
            assert not report.failures, (entry["id"], report.failures[0].findings)
            assert Ending.DEADLOCK not in {failure.trace.ending for failure in report.failures}
