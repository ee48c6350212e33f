"""x86 guests on hosts that reorder loads: which mapping keeps which shape, with the counts of graphs."""

from __future__ import annotations

import pytest
from test_minimal_barriers import litmus

from simaie import Machine, Program, compare, explore, ins, replay
from simaie.exploration.barriers import minimal_barriers
from simaie.exploration.judge_mapping import judge_mapping
from simaie.exploration.mapping_report import Judgement
from simaie.exploration.placement import Placement

X, Y, Z, W = 0x100, 0x200, 0x300, 0x400
SHAPES = ("sb", "mp", "lb", "s", "r", "2+2w", "iriw")
#: What x86 allows of these shapes anyway.
ALLOWED = {"sb", "r"}
#: Which of the shapes show a forbidden outcome under `cas` with a mapping, by host.
BROKEN = {
    "armv8": {
        "none": {"mp", "lb", "s", "2+2w", "iriw"},
        "store.before=st-st": {"mp", "lb", "s", "iriw"},
        "load.after=ld-ld+ld-st": {"mp", "s", "2+2w"},
        "load.before=ld-ld": {"mp", "lb", "s", "2+2w"},
        "box64:strongmem=0": {"mp", "lb", "s", "2+2w", "iriw"},
        "box64:strongmem=1": {"mp", "iriw"},
        "box64:strongmem=4": set(),
        "qemu": set(),
        "qemu-llsc": set(),
        "risotto": set(),
        "fex": set(),
        "acquire-release": set(),
    },
    "rvwmo": {
        "none": {"mp", "lb", "s", "2+2w", "iriw"},
        "riscv": set(),
        "riscv-llsc": set(),
        "riscv-leading": set(),
        "riscv/load.after=ld-ld": set(),  # the fence before stores keeps ld-st, too
        "riscv/load.after=ld-ld/store.before=st-st": {"lb", "s"},
    },
}  # fmt: skip


def shape(name):
    return litmus(name, "x86", "nothing", f"{name} of x86")


@pytest.mark.untraced
@pytest.mark.parametrize("host", BROKEN)
def test_a_mapping_keeps_these_shapes_and_no_others(host):
    for mapping, broken in BROKEN[host].items():
        found = {name for name in SHAPES if compare(shape(name), f"cas:mapping={mapping}", host=host).forbidden}
        assert found == broken, mapping


#: The numbers of graphs, counted by hand: without order every load reads either store, with it one combination less.
GRAPHS = {"sb": (4, 4), "mp": (4, 3), "lb": (4, 3), "s": (4, 3), "r": (4, 4), "2+2w": (4, 3), "iriw": (16, 15)}


@pytest.mark.parametrize("name", SHAPES)
def test_each_graph_is_visited_once(name):
    for mapping, count in zip(("none", "risotto"), GRAPHS[name], strict=True):
        report = explore(shape(name), Machine(f"cas:mapping={mapping}", host="armv8"), scheduler="dpor", failures=None)
        assert (report.executions, report.complete) == (count, True), mapping


def between(middle, other=("mfence",), init=None):
    """Store buffering of two vCPUs: between its store and its load the one has `middle`, and the other `other`."""
    threads = [
        [ins("store", X, 1), ins(*middle), ins("load", Y, into="r")],
        [ins("store", Y, 1), ins(*other), ins("load", X, into="r")],
    ]
    places = dict.fromkeys((X, Y, Z, W), 0) | (init or {})
    return Program("sb with something between", isa="x86", threads=threads, init=places)


def test_a_compare_and_swap_that_fails_is_a_fence_on_x86_and_none_on_armv8():
    """A failed CASAL stores nothing, so it orders no earlier store before a later load."""
    failing = between(("lock_cmpxchg", Z, 5, 6), init={Z: 1})
    shown = compare(failing, "cas:mapping=qemu", host="armv8").forbidden
    assert [(dict(each.state)["0:r"], dict(each.state)["1:r"]) for each in shown] == [(0, 0)]
    assert tuple(sorted(replay(shown[0].failure).trace.outcome.items)) == shown[0].state
    for mapping in ("qemu/atomic.failed=full", "risotto-llsc", "fex"):
        assert not compare(failing, f"cas:mapping={mapping}", host="armv8").forbidden, mapping
    succeeding = between(("lock_cmpxchg", Z, 1, 1), init={Z: 1})
    assert not compare(succeeding, "cas:mapping=qemu", host="armv8").forbidden


def test_the_read_of_a_compare_and_swap_that_fails_is_not_behind_an_earlier_store():
    """So a fence behind it comes too late, and one before it is needed."""
    threads = [
        [ins("store", X, 1), ins("lock_cmpxchg", Y, 5, 6, into="r")],
        [ins("store", Y, 1), ins("mfence"), ins("load", X, into="r")],
    ]
    program = Program("sb with a failing compare-and-swap as load", isa="x86", threads=threads, init={X: 0, Y: 0})
    for mapping in ("qemu", "qemu/atomic.failed=full", "risotto"):
        assert compare(program, f"cas:mapping={mapping}", host="armv8").forbidden, mapping
    for mapping in ("qemu/atomic.before=full", "risotto-llsc", "fex"):
        assert not compare(program, f"cas:mapping={mapping}", host="armv8").forbidden, mapping
    assert all(
        chosen & Placement.BEFORE_ATOMICS for chosen in minimal_barriers([program], "cas", "armv8", places=True).minimal
    )


def test_an_atomic_of_two_exclusives_is_no_fence_on_armv8():
    exchanged = between(("xchg", Z, 1), ("xchg", W, 1))
    for scheme, host in (("cas:mapping=qemu-llsc", "armv8"), ("cas:mapping=qemu", "armv8:atomics=llsc")):
        assert len(compare(exchanged, scheme, host=host).forbidden) == 1, (scheme, host)
    for scheme, host in (("cas:mapping=qemu", "armv8"), ("cas:mapping=risotto-llsc", "armv8:atomics=llsc")):
        assert not compare(exchanged, scheme, host=host).forbidden, (scheme, host)


@pytest.mark.untraced
def test_the_fewest_barriers_on_armv8_and_their_places():
    report = minimal_barriers([shape(name) for name in SHAPES], "cas", "armv8", places=True)
    # Behind loads, ld-ld and ld-st are the same DMB ISHLD.
    assert [chosen.text for chosen in report.minimal] == [
        "load.after=ld-ld/store.before=st-st",
        "load.after=ld-st/store.before=st-st",
        "load.after=ld-ld/store.after=st-st",
        "load.after=ld-st/store.after=st-st",
        "load.before=ld-ld/store.before=ld-st+st-st",
        "load.before=ld-ld/store.before=ld-st/store.after=st-st",
    ]
    on_rvwmo = minimal_barriers([shape(name) for name in SHAPES], "cas", "rvwmo", places=True)
    assert len(on_rvwmo.minimal) == 8  # each of three orders at either of two places
    for need in report.needs:
        assert tuple(sorted(replay(need.forbidden.failure).trace.outcome.items)) == need.forbidden.state


def test_the_failed_compare_and_swap_needs_a_barrier_of_its_own():
    failing = between(("lock_cmpxchg", Z, 5, 6), init={Z: 1})
    report = minimal_barriers([failing], "cas:mapping=qemu", "armv8", places=True)
    assert Placement.BEHIND_FAILED in report.minimal
    assert all(need.forbidden.failure.machine.scheme.startswith("cas:mapping=qemu") for need in report.needs)


@pytest.mark.untraced
def test_mappings_are_judged_on_armv8():
    programs = [shape(name) for name in SHAPES]
    exact = judge_mapping(programs, "cas:mapping=risotto", "armv8")
    assert exact.judgement is Judgement.EXACT
    # Each of ld-ld and ld-st alone is the whole DMB ISHLD, so that neither is missed while the other is there.
    assert {part.change: part.missed_by for part in exact.parts if part.missed_by} == {"store.before=none": "mp of x86"}
    assert exact.weaker == "risotto/load.after=ld-st/atomic.order=relaxed"
    on_rvwmo = judge_mapping(programs, "cas:mapping=risotto", "rvwmo")
    assert {part.change: part.missed_by for part in on_rvwmo.parts if part.missed_by} == {
        "load.after=ld-st": "mp of x86",
        "load.after=ld-ld": "lb of x86",
        "store.before=none": "mp of x86",
    }
    stronger = judge_mapping(programs, "cas:mapping=acquire-release", "armv8")
    assert stronger.judgement is Judgement.STRONGER  # LDAR waits for the STLR before it
    assert [program.name for program in stronger.stronger] == ["sb of x86", "r of x86"]
    assert "the order of loads behind earlier releases" in {part.what for part in stronger.never_missed}
    assert stronger.weaker.startswith("acquire-release/load.order=acquire")  # LDAPR: what `fex` does
