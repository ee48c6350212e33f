"""Pictures: what stands in them, that they need nothing else, and that a guest's names stay names."""

from __future__ import annotations

import base64
import itertools
import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

import simaie
from simaie import Machine, Program, Trace, corpus, ins
from simaie.corpus import cases
from simaie.errors import UsageError
from simaie.finding import Finding, Verdict
from simaie.op import Kind
from simaie.replaying.run import run
from simaie.show.picture import notebook_html, subject_of, to_html, to_perfetto, to_svg
from simaie.show.picture.document import page_document
from simaie.show.picture.state_history import Group, StateHistory

X, Y = 0x100, 0x200
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'\x1b[31m"
SVG = "{http://www.w3.org/2000/svg}"


def fail(program: Program, machine: Machine, **options) -> simaie.Failure:
    return simaie.explore(program, machine, scheduler="random-walk", **options).failures[0]


@pytest.fixture(scope="module", name="failure")
def fixture_failure() -> simaie.Failure:
    return fail(corpus.program("first-registration-window"), Machine("aie-rfc", address_bits=12)).shrink().failure


@pytest.fixture(scope="module", name="evil")
def fixture_evil() -> simaie.Failure:
    """A program with a name that would be markup, and observations that would, too."""

    async def thread(cpu):
        cpu.observe(EVIL, await cpu.load(X))
        await cpu.exception(EVIL)
        await cpu.store(X, 1)
        raise AssertionError(EVIL)

    return fail(Program(EVIL, isa="arm", threads=[thread] * 2, final=lambda m: False), Machine())


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def drawing_of(shown: str) -> str:
    """The drawing in what a notebook shows; as an image, which is shown of outputs that nobody trusts, too."""
    (source,) = [attributes["src"] for tag, attributes in Elements(shown).found if tag == "img"]
    return base64.b64decode(source.removeprefix("data:image/svg+xml;base64,")).decode()


def document(page: str) -> dict:
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)[1])


# -- state ---------------------------------------------------------------------------------------------


def state(places: StateHistory, step: int) -> dict[str, str]:
    """What every place holds after `step`, by the changes."""
    values = [place.before for place in places.places]
    for changes in places.changes[: step + 1]:
        for change in changes:
            assert values[change.place] == change.old  # so that a step back is as good as a step forward
            values[change.place] = change.new
    return {place.name: value for place, value in zip(places.places, values, strict=True)}


def test_every_place_is_known_after_every_step(failure):
    places = StateHistory(subject_of(failure))
    assert state(places, -1) == {"[0x100]/4": "0", "radix/10": "none", "lock 0x100": "free"}
    assert state(places, 5) == {"[0x100]/4": "5", "radix/10": "entry 0x100", "lock 0x100": "vCPU 0"}
    assert state(places, 7) == {"[0x100]/4": "1", "radix/10": "entry 0x100", "lock 0x100": "free"}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("case", [c for c in cases() if len(c.program.threads) < 4], ids=lambda c: c.name)
def test_the_last_state_is_the_one_that_the_execution_ended_in(case):
    for scheme in case.expected:
        needs = case.needs
        machine = Machine((scheme, needs.options), full_system=needs.full_system, host_word=needs.host_word,
                          address_bits=needs.address_bits)
        failure = simaie.explore(case.program, machine, scheduler="random-walk", executions=30,
                                 checkers=[lambda trace: (simaie.Finding("any", "an execution"),)]).failures[0]
        ended = state(StateHistory(subject_of(failure)), len(failure.trace))
        for name, value in failure.trace.outcome.items:
            if f"{name}/4" in ended:
                assert int(ended[f"{name}/4"], 0) == value & 0xFFFFFFFF  # watched wider, perhaps
        cells = {e.op.cell.name: e.op.cell for e in failure.trace.events if e.op.cell is not None}
        for name, cell in cells.items():
            if name.startswith("set "):
                assert (ended[name] == "empty") == (not cell.value)


@pytest.mark.parametrize("host", ["tso", "pso"])
def test_store_buffers_fill_and_drain(host):
    threads = [[ins("store", X, 1), ins("load", Y, into="r")], [ins("store", Y, 1), ins("load", X, into="r")]]
    program = Program("sb", isa="x86", threads=threads, init={X: 0}, final=lambda m: any(m.registers.values()))
    trace = fail(program, Machine(host=host)).trace
    places = StateHistory(subject_of(trace))
    buffers = [i for i, place in enumerate(places.places) if place.group is Group.BUFFER]
    for step, event in enumerate(trace.events):
        if event.op.kind is Kind.BUFFER:
            (change,) = places.changes[step]
            assert change.place in buffers
            assert change.new.endswith(":= 1")
    ended = state(places, len(trace))
    assert all(ended[places.places[i].name] == "empty" for i in buffers)
    assert ended["[0x100]/4"] == "1"


def test_a_function_that_cannot_be_asked_again_makes_its_cell_unknown():
    def once(value):
        raise RuntimeError

    trace = fail(corpus.program("first-registration-window"), Machine("aie-rfc", address_bits=12)).trace
    events = list(trace.events)
    cell = next(e.op.cell for e in events if e.op.cell is not None)
    op = simaie.op.Op(Kind.FETCH, cell, function=simaie.op.Function("once", once))
    changed = Trace(program="x", events=[simaie.trace.Event("0", op, 3)], ending=trace.ending, outcome=trace.outcome,
                    schedule=trace.schedule, waiting={})
    assert state(StateHistory(subject_of(changed)), 0) == {cell.name: "?"}


# -- the page ------------------------------------------------------------------------------------------


def test_the_page_has_every_step_with_its_marks_and_changes(failure):
    data = document(failure.to_html())
    steps = [row for row in data["rows"] if row[2] >= 0]
    assert [row[2] for row in steps] == list(range(len(failure.trace))) == list(range(len(data["changes"])))
    assert {row[2] for row in steps if 1 in row[4]} == set(failure.findings[0].steps)
    assert data["findings"][0]["explanation"] in failure.explain()


def test_page_and_drawing_have_the_verdict_of_the_findings(failure):
    def verdicts(given, findings=()):
        drawing = ET.fromstring(to_svg(given, findings)).find(f"{SVG}title").text
        page = re.search("<title>(.*?)</title>", to_html(given, findings))[1]
        assert page == drawing
        return document(to_html(given, findings))["verdict"], drawing.removesuffix(subject_of(given).title).strip()

    perhaps = Finding("any", "", (), verdict=Verdict.INCONCLUSIVE)
    assert verdicts(failure) == ("violated", "VIOLATED")
    assert verdicts(failure.trace, [perhaps]) == ("inconclusive", "INCONCLUSIVE")
    assert verdicts(failure.trace, [perhaps, Finding("any", "", ())]) == ("violated", "VIOLATED")
    assert verdicts(failure.trace) == ("", "")  # a trace does not say whether it was checked


def test_labels_and_values_of_the_ending_are_apart(failure):
    data = document(failure.to_html())
    assert [label for label, _ in data["ending"]] == ["ending", "outcome"]
    texts = {e.text: e for e in ET.fromstring(failure.to_svg()).iter(f"{SVG}text")}
    for label, value in data["ending"]:
        assert texts[label].get("class") != texts[value].get("class")
        assert texts[label].get("y") == texts[value].get("y")
        assert float(texts[label].get("x")) + 7.25 * len(label) < float(texts[value].get("x"))


def test_the_command_in_a_notebook_is_on_one_line(failure):
    (styles,) = [attributes["style"] for tag, attributes in Elements(notebook_html(failure)).found if tag == "code"]
    assert "white-space:pre" in styles.split(";")


def test_the_page_asks_for_nothing_outside_itself(failure, evil):
    for page in (failure.to_html(), evil.to_html()):
        elements = Elements(page).found
        assert not [a for _, attributes in elements for a in attributes if a in ("src", "href") or a.startswith("on")]
        assert [tag for tag, _ in elements].count("script") == 2


def test_what_a_guest_puts_into_names_is_text_in_every_picture(evil):
    assert {tag for tag, _ in Elements(evil.to_html()).found} == {
        "html", "head", "meta", "title", "style", "body", "noscript", "script"
    }
    drawing = ET.fromstring(evil.to_svg())
    tags = {element.tag.removeprefix(SVG) for element in drawing.iter()}
    assert tags <= {"svg", "title", "style", "rect", "text", "path"}
    for thing in (evil, simaie.explore(evil.program, scheduler="random-walk", executions=3)):
        shown = Elements(thing._repr_html_()).found
        assert {tag for tag, _ in shown} <= {"div", "img", "p", "code", "pre"}
        assert [attributes["src"][:19] for tag, attributes in shown if tag == "img"] == ["data:image/svg+xml;"]
    assert "\x1b" not in evil.to_html() + evil.to_svg() + evil.to_perfetto()


@pytest.mark.untraced
def test_a_long_trace_is_folded_and_stays_small():
    async def busy(cpu):
        for i in range(480):
            await cpu.lock_inc(X)
            await cpu.store(X + 64 * (1 + i % 8), i)

    program = Program("busy", isa="x86", threads=[busy] * 3, init={X: 0})
    walk = simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")()
    trace = run(program, Machine("aie-rfc", address_bits=12), walk)
    assert len(trace) >= 10_000
    page = to_html(trace)
    assert len(page) < 5_000_000
    data = document(page)
    shown = len(data["rows"]) - sum(last - first + 1 for first, last in data["hidden"])
    assert shown < 60


def test_folds_do_not_overlap_and_leave_every_guilty_step_in_sight():
    program = corpus.program("aliases-user-mode-arm")
    threads = [[*[ins("str_", Y, 1)] * 40, *thread] for thread in program.threads]
    long = Program("long", isa="arm", threads=threads, init={X: 0}, pages=program.pages, final=program.final)
    failure = fail(long, Machine("aie-rfc", address_bits=13))
    data = page_document(subject_of(failure))
    hidden = [row for first, last in data["hidden"] for row in range(first, last + 1)]
    assert hidden == sorted(set(hidden))
    assert hidden
    assert not [row for row in hidden if data["rows"][row][4]]


# -- drawing, timeline, notebook -----------------------------------------------------------------------


def test_the_drawing_is_well_formed_and_marks_the_guilty_accesses(failure):
    drawing = ET.fromstring(failure.to_svg())
    guilty = [e for e in drawing.iter(f"{SVG}rect") if e.get("class") == "sim-guilty"]
    assert len(guilty) == len(failure.findings[0].steps)
    width, height = float(drawing.get("width")), float(drawing.get("height"))
    for element in drawing.iter(f"{SVG}text"):
        assert 0 <= float(element.get("x")) <= width
        assert 0 <= float(element.get("y")) <= height


def test_a_drawing_of_many_vcpus_keeps_its_texts_inside():
    program = Program("many", isa="x86", threads=[[ins("lock_inc", X)]] * 20, init={X: 0})
    walk = simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")()
    drawing = ET.fromstring(to_svg(run(program, Machine("aie-rfc", address_bits=12), walk)))
    texts = drawing.findall(f"{SVG}text")
    assert max(float(e.get("x")) + 7.3 * len(e.text) for e in texts) <= float(drawing.get("width"))


def test_the_timeline_has_a_track_for_each_vcpu_and_lock_and_joins_the_guilty_steps(failure):
    events = json.loads(failure.to_perfetto())["traceEvents"]
    names = {e["args"]["name"] for e in events if e["ph"] == "M"}
    assert {"vCPU 0", "vCPU 1", "lock 0x100"} <= names
    steps = [e for e in events if e["ph"] == "X" and "step" in e["args"]]
    assert [e["ts"] for e in steps] == list(range(len(failure.trace)))
    assert [e["ph"] for e in events if e["ph"] in "stf"] == ["s", "t", "f"]
    (held,) = [e for e in events if e["ph"] == "X" and e["pid"] == 2]
    assert (held["ts"], held["dur"]) == (3, 5)


def test_slices_of_a_track_nest(failure):
    """What the format asks for: two slices of a track are apart, or one lies within the other."""
    events = [e for e in json.loads(failure.to_perfetto())["traceEvents"] if e["ph"] == "X"]
    spans = [(e["pid"], e["tid"], e["ts"], e["ts"] + e["dur"]) for e in events]
    for pid, tid, a, b in spans:
        for other in spans:
            c, d = other[2:]
            assert other[:2] != (pid, tid) or b <= c or d <= a or (a <= c and d <= b) or (c <= a and b <= d)


def test_failures_reports_and_traces_show_themselves_in_a_notebook(failure):
    report = simaie.explore(failure.program, failure.machine, scheduler="random-walk")
    for thing in (failure, failure.trace, report):
        assert thing._repr_html_() == notebook_html(thing)
        assert drawing_of(thing._repr_html_()) == to_svg(failure if thing is not failure.trace else thing)
    holds = simaie.explore(failure.program, Machine("native"), scheduler="dpor")
    assert "HOLDS" in holds._repr_html_()


def test_what_no_shell_can_name_is_run_again_from_python(failure):
    known = simaie.explore(corpus.program("first-registration-window"), failure.machine).failures[0]
    assert known.how_to_reproduce == known.command
    program = Program("made here", isa="x86", threads=[[ins("lock_inc", X)]] * 2, init={X: 0})
    unknown = simaie.explore(program, Machine("none"), scheduler="dpor").failures[0]
    assert unknown.how_to_reproduce.startswith("failure.save(")
    assert "simaie explore" not in unknown._repr_html_()


@pytest.mark.parametrize("draw", [to_html, to_svg, to_perfetto])
def test_an_empty_execution_can_be_drawn_and_nothing_else_can_but_failures_and_traces(draw):
    trace = run(Program("empty", isa="x86", threads=[[]]), Machine(),
                simaie.plugins.resolve(simaie.plugins.SCHEDULERS, "random-walk")())
    assert draw(trace)
    with pytest.raises(UsageError):
        draw("a trace")


def test_pictures_are_the_same_every_time(failure):
    again = simaie.replay(failure)
    assert again.to_html() == failure.to_html()
    assert again.to_svg() == failure.to_svg()
    assert again.to_perfetto() == failure.to_perfetto()


# -- colours ---------------------------------------------------------------------------------------------


def colours(css: str, names: str) -> list[list[tuple[float, ...]]]:
    """The colours of the vCPUs, for light and for dark."""
    found = [tuple(int(c[i : i + 2], 16) / 255 for i in (0, 2, 4)) for c in re.findall(names + r"(\w{6})", css)]
    assert len(found) == 14
    return [found[:7], found[7:]]


def linear(colour):
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]


def contrast(a, b) -> float:
    """WCAG 2.1, 1.4.11."""
    light, dark = sorted((sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (a, b)),
                         reverse=True)
    return (light + 0.05) / (dark + 0.05)


#: Machado, Oliveira, Fernandes 2009: what who lacks the long or the middle cones sees, severity 1.
SEEN = {
    "everything": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}  # fmt: skip


def seen(colour, matrix):
    mixed = (sum(w * c for w, c in zip(row, linear(colour), strict=True)) for row in matrix)
    return [max(0.0, min(1.0, c)) ** (1 / 2.2) for c in mixed]


def test_the_page_and_the_drawing_have_the_same_colours(failure):
    page, drawing = to_html(failure), to_svg(failure)
    assert colours(page, r"--c\d: #") == colours(drawing, r"sim-c\d\{fill:#")


@pytest.mark.parametrize(("scheme", "paper"), [(0, "ffffff"), (1, "16181b")])
def test_bars_stand_out_from_the_paper(failure, scheme, paper):
    """At least 3:1, as WCAG has it for graphical objects."""
    ground = tuple(int(paper[i : i + 2], 16) / 255 for i in (0, 2, 4))
    assert all(contrast(colour, ground) >= 3 for colour in colours(to_html(failure), r"--c\d: #")[scheme])


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize("eyes", SEEN)
def test_the_first_four_colours_can_be_told_apart_by_the_colour_blind(failure, scheme, eyes):
    """The rest repeat a hue in another lightness; the columns and their names say it as well."""
    four = [seen(colour, SEEN[eyes]) for colour in colours(to_html(failure), r"--c\d: #")[scheme][:4]]
    assert all(math.dist(a, b) >= 0.15 for a, b in itertools.combinations(four, 2))
