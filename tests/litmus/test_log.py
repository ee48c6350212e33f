"""herd7's log: what its tools read, line for line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simaie.exploration.litmus import explore_litmus
from simaie.litmus import load, parse
from simaie.show.herd_log import condition_text, herd_log

TEXT = """X86 SB
Hash=0123
{}
 P0         | P10        ;
 MOV [x],$1 | MOV [y],$1 ;
 MOV EAX,[y]| MOV EAX,[x];
locations [x;]
%s
"""


def log(final: str, **options: int) -> list[str]:
    """The lines, the time left out."""
    lines = herd_log(explore_litmus(parse(TEXT % final), **options)).split("\n")  # type: ignore[arg-type]
    (time,) = [line for line in lines if line.startswith("Time SB ")]
    assert float(time.split()[2]) >= 0
    return [line for line in lines if line != time]


def test_a_whole_log() -> None:
    """Registers come before memory, threads in numeric order, and an empty line ends it."""
    assert log("exists (10:EAX=0 /\\ 0:EAX=1)") == [
        "Test SB Allowed",
        "States 3",
        "0:EAX=0; 10:EAX=1; [x]=1;",
        "0:EAX=1; 10:EAX=0; [x]=1;",
        "0:EAX=1; 10:EAX=1; [x]=1;",
        "Ok",
        "Witnesses",
        "Positive: 1 Negative: 2",
        "Condition exists (10:EAX=0 /\\ 0:EAX=1)",
        "Observation SB Sometimes 1 2",
        "Hash=0123",
        "",
        "",
    ]


def test_witnesses_of_a_forbidden_state_are_those_without_it() -> None:
    """herd7 turns the counts of witnesses round for `~exists`, not those of the observation."""
    lines = log("~exists (10:EAX=0 /\\ 0:EAX=1)")
    assert (lines[0], lines[5]) == ("Test SB Forbidden", "No")
    assert lines[7:10] == [
        "Positive: 2 Negative: 1",
        "Condition ~exists (10:EAX=0 /\\ 0:EAX=1)",
        "Observation SB Sometimes 1 2",
    ]


def test_a_required_state_and_none_at_all() -> None:
    """`forall` is required; no condition is a required `true`."""
    assert log("forall (10:EAX=1 \\/ 0:EAX=1)")[0] == "Test SB Required"
    lines = log("")
    assert (lines[0], lines[1:4]) == ("Test SB Required", ["States 1", "[x]=1;", "Ok"])
    assert "Condition forall (true)" in lines


def test_a_loop_that_was_cut_is_said_before_the_answer() -> None:
    """`Loop` is herd7's word for states that may be missing."""
    text = "X86 spin\n{}\n P0;\n L: MOV EAX,[x];\n CMP EAX,$1;\n JNE L;\nexists (0:EAX=1)\n"
    lines = herd_log(explore_litmus(parse(text))).split("\n")
    assert lines[1:5] == ["States 0", "Loop No", "Witnesses", "Positive: 0 Negative: 0"]
    assert lines[6] == "Observation spin Never 0 0"


def test_so_is_a_limit_that_ended_the_search() -> None:
    """Whoever compares logs must not take such a list of states for all there are."""
    assert "Loop No" in log("exists (10:EAX=0 /\\ 0:EAX=0)", executions=1)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("exists x=1 /\\ (y=2 \\/ 0:EAX=3)", "exists ([x]=1 /\\ ([y]=2 \\/ 0:EAX=3))"),
        ("exists (x=1 /\\ y=2) \\/ x=2", "exists ([x]=1 /\\ [y]=2 \\/ [x]=2)"),
        ("exists not (x=1) /\\ ~(x=1 /\\ y=1)", "exists (not ([x]=1) /\\ not ([x]=1 /\\ [y]=1))"),
        ("forall x != 1", "forall (not ([x]=1))"),
        ("forall x=1 => y=1 => x=2", "forall ([x]=1 => [y]=1 => [x]=2)"),
        ("forall (x=1 => y=1) => x=2", "forall (([x]=1 => [y]=1) => [x]=2)"),
        ("forall x=1 \\/ y=1 => x=2", "forall ([x]=1 \\/ [y]=1 => [x]=2)"),
        ("final x=y", "exists ([x]=y)"),
        ("(0:EAX=10:EAX)", "exists (0:EAX=10:EAX)"),
        ("exists true", "exists (true)"),
        ("exists x=-1", "exists ([x]=-1)"),
    ],
)
def test_conditions_read_back_as_what_they_were(written: str, text: str) -> None:
    """As few parentheses as the grammar allows, and what is written is what was read."""
    first = parse(TEXT % written)
    assert condition_text(first) == text
    assert condition_text(parse(TEXT % text)) == text


_LOCATION = r"(\d+:[A-Za-z$%][\w.]*|\[[A-Za-z]\w*\]|[A-Za-z]\w*\[\d+\])"
_HELD = r"(-?\d+|[A-Za-z]\w*|\{[-\d, ]*\})"
#: What mcompare7 accepts, line by line (herdtools7, tools/lexLog_tools.mll).
_LINES = re.compile(
    r"Test [\w/.+\-\[\]]+ (Allowed|Forbidden|Required)\n"
    r"States \d+\n"
    rf"({_LOCATION}={_HELD};( {_LOCATION}={_HELD};)*\n|\n)*"
    r"(Loop )?(Ok|No)\n"
    r"Witnesses\nPositive: \d+ Negative: \d+\n"
    r"Condition .+\n"
    r"Observation \S+ (Always|Sometimes|Never) \d+ \d+\n"
    r"Time \S+ \d+\.\d+\n"
    r"(Hash=\S+\n)?\n"
)


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "programs").glob("*.litmus")), ids=lambda f: f.stem)
def test_every_log_has_the_lines_that_the_tools_look_for(file: Path) -> None:
    """Whatever the test has: arrays, addresses, no condition."""
    assert _LINES.fullmatch(herd_log(explore_litmus(load(file))))
