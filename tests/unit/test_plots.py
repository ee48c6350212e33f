"""Plots: the rows that they draw, how they show themselves with and without Altair, and what cannot be plotted."""

from __future__ import annotations

import builtins
import re
from itertools import pairwise

import pytest

from simaie import Machine, Program, UsageError, explore, ins
from simaie.exploration import coverage
from simaie.plugins import SCHEDULERS, resolve
from simaie.replaying.run import run
from simaie.show.plots import Axis, bars, conflicts_of, lines, table
from simaie.show.plots.plot import BAD, MISSING

X = 0x1000


def increments(*addresses):
    def thread(address):
        return [ins("load", address, into=".r"), ins("reg_add", ".r", 1, into=".r"), ins("store", address, ".r")]

    return Program("increments", isa="x86", threads=[thread(a) for a in addresses], init=dict.fromkeys(addresses, 0),
                   final=lambda state: all(state[a] == addresses.count(a) for a in addresses))  # fmt: skip


def report(**options):
    limits = {"executions": 40, "failures": None}
    return explore(increments(X, X), Machine("native"), scheduler="random-walk", **limits, **options)


def test_the_coverage_plot_ends_with_the_figures_of_the_report():
    found = report(coverage=True)
    rows = found.plot_coverage().rows
    assert rows[-1] == {"executions": 40, "traces": found.statistics.coverage.traces}
    assert [row["traces"] for row in rows] == sorted(row["traces"] for row in rows)


def test_the_growth_curve_is_bounded_and_evenly_spaced(monkeypatch):
    monkeypatch.setattr(coverage, "MAX_POINTS", 8)
    growth = report(coverage=True).statistics.coverage.growth
    assert len(growth) <= 9
    assert growth[-1][0] == 40
    steps = {b[0] - a[0] for a, b in pairwise(growth[:-1])}
    assert len(steps) == 1


def test_a_report_without_coverage_says_how_to_have_it():
    with pytest.raises(UsageError, match="coverage=True"):
        report().plot_coverage()


def test_the_outcomes_plot_counts_executions_and_tells_refused_outcomes_apart():
    rows = report().plot_outcomes().rows
    assert sum(row["executions"] for row in rows) == 40
    assert {row["seen"] for row in rows} == {"accepted", "refused"}


def test_a_report_without_outcomes_is_a_clear_error():
    async def waits(cpu):
        await cpu.wait_until(X, lambda value: value == 1)

    stuck = Program("stuck", isa="x86", threads=[waits], init={X: 0})
    with pytest.raises(UsageError, match="ran to its end"):
        explore(stuck, executions=1).plot_outcomes()


def trace_of(program):
    return run(program, Machine("native"), resolve(SCHEDULERS, "round-robin")())


def test_conflicts_on_the_same_bytes_are_no_false_sharing():
    found = conflicts_of(trace_of(increments(X, X)))
    assert sum(count for count, _ in found.values()) >= 1
    assert all(false == 0 for _, false in found.values())


def test_neighbours_in_a_granule_share_it_falsely_and_apart_they_do_not():
    near, far = trace_of(increments(X, X + 8)), trace_of(increments(X, X + 16))
    assert any(false == count > 0 for count, false in conflicts_of(near).values())
    assert not any(count for count, _ in conflicts_of(far).values())
    assert any(count for count, _ in conflicts_of(far, 64).values())
    assert {row["granule"] for row in near.plot_conflicts().rows} == {"0x1000"}


def test_a_granule_is_a_power_of_two():
    with pytest.raises(UsageError, match="power of two"):
        conflicts_of(trace_of(increments(X, X)), 12)


def test_a_trace_without_memory_accesses_has_no_conflicts_to_plot():
    async def nothing(cpu):
        del cpu

    idle = trace_of(Program("idle", isa="x86", threads=[nothing]))
    with pytest.raises(UsageError, match="no access"):
        idle.plot_conflicts()


ROWS = [{"n": 1, "m": 2, "who": "<b>"}, {"n": 2, "m": 5, "who": "other\x1b"}]
AXES = Axis("n", "number", numeric=True), Axis("m", "much", numeric=True, log=True), Axis("who", "who")


@pytest.mark.untraced
def test_a_plot_shows_itself_as_chart_drawing_and_text():
    pytest.importorskip("altair")
    bundle = lines("some", ROWS, *AXES)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml", "application/vnd.vegalite.v5+json"}
    assert "<b>" not in bundle["image/svg+xml"]


def test_every_kind_of_plot_is_a_valid_chart():
    pytest.importorskip("altair")
    for plot in (report(coverage=True).plot_coverage(), report().plot_outcomes(),
                 trace_of(increments(X, X)).plot_conflicts()):  # fmt: skip
        assert {"mark", "layer"} & set(plot.chart.to_dict())


def test_a_bar_too_short_to_be_seen_has_its_number():
    pytest.importorskip("altair")
    rows = [{"n": 100_000, "who": "often"}, {"n": 1, "who": "once"}]
    drawn = bars("some", rows, AXES[0], AXES[2]).to_svg()
    assert {">100,000<", ">1<"} <= set(re.findall(">[0-9,]+<", drawn))


def test_without_altair_a_plot_is_text_that_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "altair":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    plot = bars("some", ROWS, *AXES)
    bundle = plot._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert MISSING in bundle["text/plain"]
    assert "<b>" not in bundle["text/html"]
    assert "\x1b" not in bundle["text/plain"]
    with pytest.raises(UsageError, match=r"simaie\[notebook\]"):
        plot.to_svg()


def test_a_table_is_aligned_text_and_markup_in_which_words_stay_words():
    shown = table("figures", [{"who": "<b>", "n": 1_000}, {"who": "violated", "n": 5}], strong=["violated"])
    assert str(shown).split("\n")[1:] == ["who           n", "<b>       1,000", "violated      5"]
    assert "<td style=\"text-align:left\">&lt;b&gt;</td><td>1,000</td>" in shown._repr_html_()
    assert "<b>violated</b>" in shown._repr_html_()
    assert str(table("nothing", [])) == "nothing\n"


def test_what_is_refused_has_the_same_colour_in_every_plot():
    pytest.importorskip("altair")
    for wanted in ({"accepted"}, {"accepted", "refused"}):
        seen = [{"n": 1, "seen": name} for name in sorted(wanted, reverse=True)]
        scale = bars("some", seen, AXES[0], Axis("seen", "judged"), Axis("seen", "judged"),
                     meaning={"refused": BAD}).chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]  # fmt: skip
        colours = dict(zip(scale["domain"], scale["range"], strict=True))
        assert set(colours) == wanted
        assert colours.get("refused", BAD) == BAD


def test_many_vcpus_stand_in_their_order_and_each_cell_has_its_number():
    pytest.importorskip("altair")
    plot = trace_of(increments(*[X] * 12)).plot_conflicts()
    assert plot.x.names == tuple(str(number) for number in range(12))
    drawn = re.findall(r">(\d+)</text>", plot.to_svg())
    assert drawn.count("1") + drawn.count("0") >= 12


def test_a_long_plot_as_text_has_rows_of_every_series():
    rows = [{"n": n, "m": n, "who": who} for who in ("first", "second", "third") for n in range(100)]
    text = str(lines("some", rows, *AXES))
    assert all(who in text for who in ("first", "second", "third"))
    assert text.count("\n") <= 62


def test_rows_that_lack_a_field_are_a_clear_error():
    with pytest.raises(UsageError, match="row 1 has no field 'm'; it has 'n'"):
        lines("some", [{"n": 1, "m": 2}, {"n": 1}], *AXES[:2])
    with pytest.raises(UsageError, match="row 1 has no field 'n'; it has none"):
        table("some", [{"n": 1}, {}])
