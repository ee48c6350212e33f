"""Optimal DPOR against the enumeration of all interleavings, on programs that mix kinds of instruction.

Both see the same of each program. Where interleavings are too many, a search by sleep sets alone, which sees as much,
takes their part; not so where a store-conditional depends on more than `simaie.dependence.conflict` knows.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simaie_schedulers.dfs import DepthFirst
from simaie_schedulers.dpor.search import Dpor
from simaie_schedulers.dpor.values import UNKNOWN, Values

from exhaustive.mixes import MIXES, mixed
from exhaustive.searches import search
from exhaustive.sleep_sets import SleepSets
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Scheduler
from simaie.trace import Ending, Trace

#: What of an execution is compared: each is a function of it.
PARTS: tuple[Callable[[Trace], object], ...] = (
    lambda trace: trace.ending,
    lambda trace: trace.outcome,
    lambda trace: trace.accepted,
    lambda trace: trace.faults and sorted((fault.vcpu, fault.message) for fault in trace.faults),
)
#: So many executions may the enumeration take, and the search by sleep sets.
INTERLEAVINGS, BEGUN = 120, 250
HOSTS = ("sc", "tso", "pso")
SCHEMES = ("native", "cas")
WASTE = ("sleep_set_blocked", "redundant", "presumed", "infeasible", "unforeseen")
#: Where a step may have to be tried in vain: which vCPU makes a local choice shows only afterwards.
TRYING = {"choices"}
CASES = [(name, scheme) for name, mix in MIXES.items() for scheme in SCHEMES]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("name", "scheme"), CASES)
def test_dpor_sees_what_all_interleavings_show(name, scheme, host):
    assert any(compare(mixed(name, seed), Machine(scheme, host=host), name) for seed in range(5))


@pytest.mark.soak
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("name", "scheme"), CASES)
def test_dpor_sees_what_all_interleavings_show_of_thousands(name, scheme, host):
    for seed in range(1_000, 1_000 + 10_000 // (len(CASES) * len(HOSTS)) + 1):
        compare(mixed(name, seed), Machine(scheme, host=host), name)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", MIXES)
def test_where_no_value_is_known_nothing_is_lost_either(name, host, monkeypatch):
    """Every compare-and-swap is presumed to write, and every wait is doubtful."""
    monkeypatch.setattr(Values, "at", lambda self, op, mask: UNKNOWN)
    machine = Machine("native", host=host)
    for seed in range(100, 103):
        made = mixed(name, seed)
        expected = _expected(made, machine, name)
        if expected is not None:
            scheduler = Dpor()
            assert _seen(made, scheduler, machine) == expected, made.name
            assert scheduler.complete
            assert scheduler.statistics["unforeseen"] == 0


def compare(made: Program, machine: Machine, name: str) -> bool:
    """Whether there were few enough interleavings to compare the two searches, which then agree."""
    expected = _expected(made, machine, name)
    if expected is None:
        return False
    scheduler = Dpor()
    assert _seen(made, scheduler, machine) == expected, made.name
    assert scheduler.complete
    assert name in TRYING or not any(scheduler.statistics[kind] for kind in WASTE), made.name
    return True


def _expected(made: Program, machine: Machine, name: str) -> set[object] | None:
    found = _seen(made, DepthFirst(), machine, INTERLEAVINGS)
    if found is None and not MIXES[name].may_reserve_more:
        return _seen(made, SleepSets(), machine, BEGUN)
    return found


def _seen(made: Program, scheduler: Scheduler, machine: Machine, limit: int = 20_000) -> set[object] | None:
    """What the executions show, those given up left aside; None if there are more than `limit`."""
    traces = search(made, scheduler, machine, limit)
    if traces is None:
        return None
    return {repr([part(trace) for part in PARTS]) for trace in traces if trace.ending is not Ending.PRUNED}
