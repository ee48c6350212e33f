"""The page of a campaign: findings, what was proved, what is open, and the curves over time. It needs no network.

All text from programs, schemes and stores is escaped. The page runs no script, and says so to the browser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

from simaie.campaign.status import clock_text, counted
from simaie.campaign.summary import Finding, Point, Status, UnitStatus
from simaie.finding import Verdict
from simaie.printable import clean, clean_lines
from simaie.show.html_page import html_page

__all__ = ["STYLE", "campaign_page", "page_body"]

#: The largest number of units that a page lists of each verdict.
_MOST_UNITS = 1000
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 180, 60, 24
#: The curves, by the attribute of a point, with their headings.
_CURVES = {"traces": "traces", "handoffs": "kinds of hand-offs", "findings": "findings", "executions": "executions"}

STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --good: #2e7d32; --open: #b26a00; }
@media (prefers-color-scheme: dark) { :root { --bad: #ef9a9a; --good: #a5d6a7; --open: #ffcc80; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; }
h1 { font-size: 1.4em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3em .6em; border-bottom: 1px solid var(--line); vertical-align: top; }
th { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.violated { color: var(--bad); } .holds { color: var(--good); } .inconclusive { color: var(--open); }
pre, code { font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: .2em 0; }
.figures { display: flex; flex-wrap: wrap; gap: 1em 2.5em; padding: 0; }
.figures div { min-width: 7em; } .figures b { display: block; font-size: 1.5em; }
.curves { display: flex; flex-wrap: wrap; gap: 1em; } svg { max-width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
"""


def campaign_page(status: Status) -> str:
    """Return the page of a campaign as HTML."""
    return html_page(clean(status.store), STYLE.lstrip(), f"{page_body(status)}\n")


def page_body(status: Status, walks: str = "") -> str:
    """Return what the body of the page holds.

    Args:
        status: The state of the campaign.
        walks: What the address of a page begins with that walks through a finding; empty if there are no such pages.
    """
    return "\n".join(_parts(status, walks))


def _parts(status: Status, walks: str) -> Iterator[str]:
    word = status.verdict.value
    yield f'<h1>Campaign {_text(status.store)}: <span class="{word}">{word}</span></h1>'
    yield _figures(status)
    yield f"<p>{'May stop now' if status.may_stop else 'Go on'}: {_text(status.why)}.</p>"
    if status.growth:
        yield '<div class="curves">'
        for what, heading in _CURVES.items():
            yield curve(status.growth, what, heading)
        yield "</div>"
    yield f"<h2>Findings ({len(status.findings):,})</h2>"
    yield _findings(status.findings, walks)
    for heading, verdict in (
        ("Proved", Verdict.HOLDS), ("Open", Verdict.INCONCLUSIVE), ("Violated", Verdict.VIOLATED),
    ):  # fmt: skip
        units = [unit for unit in status.units if unit.verdict is verdict]
        if units:
            yield f"<h2>{heading} ({len(units):,})</h2>"
            yield _units(units, _ids_by_unit(status.findings))
    yield "<h2>Schedulers</h2>"
    yield _schedulers(status)
    yield "<h2>Covered of the schemes</h2>"
    yield _schemes(status)
    if status.problems:
        rows = [f"<tr><td>{_text(target)}</td><td>{_text(why)}</td></tr>" for target, why in status.problems.items()]
        yield "<h2>Cannot be loaded</h2>"
        yield f"<table>{''.join(rows)}</table>"
    yield "<h2>Runs</h2>"
    yield _runs(status)


def _ids_by_unit(findings: Sequence[Finding]) -> dict[str, str]:
    """Return, by the name of a unit, links to its findings."""
    ids: dict[str, list[str]] = {}
    for each in findings:
        for name in each.units:
            ids.setdefault(name, []).append(f'<a href="#{_text(each.finding)}">{_text(each.finding)}</a>')
    return {name: ", ".join(links) for name, links in ids.items()}


def _schedulers(status: Status) -> str:
    names = ("units", "executions", "seconds of work", "findings", "found by it alone")
    head = "".join(f'<th class="number">{name}</th>' for name in names)
    rows = "".join(
        f"<tr><td>{_text(each.scheduler)}</td>" + "".join(
            f'<td class="number">{value:,.0f}</td>'
            for value in (each.units, each.executions, each.seconds, each.findings, each.alone)
        ) + "</tr>"
        for each in status.schedulers
    )  # fmt: skip
    return f"<table><tr><th>scheduler</th>{head}</tr>{rows}</table>"


def _schemes(status: Status) -> str:
    rows = "".join(
        f'<tr><td>{_text(scheme)}</td><td class="number">{number:,}</td></tr>'
        for scheme, number in status.schemes.items()
    )
    return f'<table><tr><th>scheme</th><th class="number">kinds of hand-offs</th></tr>{rows}</table>'


def _figures(status: Status) -> str:
    since = "" if status.since_new is None else f"{status.since_new:,.0f} s"
    figures = {
        "units": f"{len(status.units):,}",
        "proved": f"{status.count(Verdict.HOLDS):,}",
        "violated": f"{status.count(Verdict.VIOLATED):,}",
        "executions": f"{status.executions:,}",
        "shards": f"{status.shards:,}",
        "running time": f"{status.active:,.0f} s",
        "since the last new trace or finding": since,
    }
    cells = "".join(f"<div><b>{value}</b>{name}</div>" for name, value in figures.items() if value)
    return f'<div class="figures">{cells}</div>'


def _findings(findings: Sequence[Finding], walks: str) -> str:
    if not findings:
        return "<p>There are no findings.</p>"
    return "".join(
        f'<section id="{_text(each.finding)}"><h3><code>{_text(each.finding)}</code> under <code>{_text(each.scheme)}'
        f"</code></h3><p>{_text(each.text)}</p>"
        f"<p>{counted(each.count, 'execution')} in {counted(len(each.units), 'unit')}, found by {_found_by(each)}; "
        f"first seen {clock_text(each.seen)}{_seen_with(each)}; "
        f"the shortest has {each.length:,} steps.{_acceptance(each)}{_link(each, walks)}</p>"
        f"<pre>{_lines(each.summary)}</pre><pre>{_lines(each.command)}</pre></section>\n"
        for each in findings
    )


def _found_by(finding: Finding) -> str:
    return ", ".join(f"<code>{_text(name)}</code> ({count:,})" for name, count in finding.schedulers.items())


def _seen_with(finding: Finding) -> str:
    commit = f" at commit {_text(finding.revision)}" if finding.revision else ""
    return f" with simaie {_text(finding.version)}{commit}" if finding.version else ""


def _link(finding: Finding, walks: str) -> str:
    address = escape(walks + quote(finding.finding, safe=""))
    return f' <a href="{address}">Walk through it</a>' if walks else ""


def _acceptance(finding: Finding) -> str:
    if finding.accepted:
        return f" Accepted: {_text(finding.accepted)}."
    return f" It was accepted until {_text(finding.expired)}." if finding.expired else ""


def _units(units: Sequence[UnitStatus], findings: dict[str, str]) -> str:
    head = (
        '<tr><th>unit</th><th class="number">executions</th><th class="number">traces</th>'
        '<th class="number">next is new</th><th>reason, or findings</th></tr>'
    )
    rows = "".join(_unit(unit, findings.get(unit.name, "")) for unit in units[:_MOST_UNITS])
    more = len(units) - _MOST_UNITS
    return f"<table>{head}{rows}</table>" + (f"<p>{more:,} more are not shown.</p>" if more > 0 else "")


def _unit(unit: UnitStatus, findings: str) -> str:
    new = "" if unit.new_trace is None or not unit.executions else f"{unit.new_trace:.2g}"
    return (
        f'<tr><td>{_text(unit.name)}</td><td class="number">{unit.executions:,}</td>'
        f'<td class="number">{"" if unit.exact else "about "}{unit.traces:,}</td><td class="number">{new}</td>'
        f"<td>{_text(unit.reason) or findings}</td></tr>"
    )


def _runs(status: Status) -> str:
    head = "<tr><th>began</th><th>time</th><th>ended</th><th>workers</th><th>simaie</th><th>commit</th></tr>"
    rows = "".join(
        f"<tr><td>{clock_text(run.began)}</td><td>{run.active:,.0f} s</td>"
        f"<td>{_text(run.ending or 'running, or killed')}</td>"
        f"<td>{_text(run.workers)}</td><td>{_text(run.version)}</td><td>{_text(run.revision)}</td></tr>"
        for run in status.runs
    )
    return f"<table>{head}{rows}</table>"


def curve(growth: Sequence[Point], what: str, heading: str) -> str:
    """Return a curve over the running time as SVG.

    Args:
        growth: The points.
        what: The attribute of a point to draw.
        heading: What it is, in words.
    """
    values = [getattr(point, what) for point in growth]
    most, end = max(1, *values), max(growth[-1].active, 1e-9)
    wide, high = _WIDTH - _LEFT - 8, _HEIGHT - _BOTTOM - 20
    places = " ".join(
        f"{_LEFT + wide * point.active / end:.1f},{20 + high * (1 - value / most):.1f}"
        for point, value in zip(growth, values, strict=True)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="{heading} over time">'
        f'<text x="{_LEFT}" y="12">{heading}</text>'
        f'<text x="{_LEFT - 6}" y="26" text-anchor="end">{most:,}</text>'
        f'<text x="{_LEFT - 6}" y="{20 + high}" text-anchor="end">0</text>'
        f'<text x="{_WIDTH - 8}" y="{_HEIGHT - 6}" text-anchor="end">{end:,.0f} s</text>'
        f'<path d="M{_LEFT} 20V{20 + high}H{_WIDTH - 8}" fill="none" stroke="currentColor" opacity=".4"/>'
        f'<polyline points="{_LEFT},{20 + high} {places}" fill="none" stroke="currentColor" stroke-width="2"/></svg>'
    )


def _text(text: str) -> str:
    return escape(clean(text))


def _lines(text: str) -> str:
    return escape(clean_lines(text))
