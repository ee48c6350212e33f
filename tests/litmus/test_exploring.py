"""The search itself: limits, counts, many files, in one process and in several."""

from __future__ import annotations

from pathlib import Path

import pytest

from simaie.errors import UnknownNameError, UsageError
from simaie.exploration.litmus import LitmusResult, explore_litmus
from simaie.exploration.litmus_files import LitmusSettings, explore_litmus_files
from simaie.litmus import LitmusError, load, parse
from simaie.litmus.lowering import UnsupportedError
from simaie.machine import Machine

PROGRAMS = sorted(str(path) for path in (Path(__file__).parent / "programs").glob("x86*.litmus"))
WRITERS = "X86 w{n}\n{{}}\n {header};\n {cells};\n{final}\n"


def writers(count: int, final: str) -> str:
    """Each thread stores its number plus one."""
    header = "|".join(f"P{i}" for i in range(count))
    cells = "|".join(f"MOV [x],${i + 1}" for i in range(count))
    return WRITERS.format(n=count, header=header, cells=cells, final=final)


@pytest.mark.parametrize(("count", "executions"), [(1, 1), (2, 2), (3, 6), (4, 24)])
def test_executions_are_choices_of_coherence_order(count: int, executions: int) -> None:
    """n stores to one location have n! orders; (n-1)! of them end with a given one."""
    result = explore_litmus(parse(writers(count, "exists (x=1)")))
    assert (result.executions, len(result.states)) == (executions, count)
    assert (result.verdict.positive, result.verdict.negative) == (executions // count, executions - executions // count)


def test_a_filter_drops_executions_from_every_count() -> None:
    """As in herd7."""
    result = explore_litmus(parse(writers(3, "filter not (x=3)\nforall (x=1)")))
    assert (result.executions, result.verdict.positive, result.verdict.negative) == (6, 2, 2)
    assert result.states == ((("x", 1),), (("x", 2),))


def test_a_limit_leaves_the_search_incomplete_and_the_answer_unsure() -> None:
    """Unless a witness has been found, which no further execution can undo."""
    for final, conclusive in (("exists (x=9)", False), ("~exists (x=9)", False), ("forall (x=9)", True), ("", False)):
        result = explore_litmus(parse(writers(3, final)), executions=2)
        assert (result.executions, result.complete, result.conclusive) == (2, False, conclusive), final
    assert not explore_litmus(parse(writers(3, "")), seconds=1e-9).complete
    with pytest.raises(UsageError):
        explore_litmus(parse(writers(3, "")), executions=0)


def test_no_condition_at_all_holds_in_every_state() -> None:
    """There is one state, the empty one."""
    result = explore_litmus(parse(writers(2, "")))
    assert (result.states, result.verdict.answer, result.verdict.observation) == (((),), "Ok", "Always")


def test_emulation_schemes_can_be_asked_too() -> None:
    """Under a lock around every atomic instruction a plain store slips in between; under the ideal it does not."""
    text = "X86_64 t\n{}\n P0 | P1;\n lock incl (x) | movl $5,(x);\nforall (x=5 \\/ x=6)\n"
    assert explore_litmus(parse(text), Machine("native")).verdict.answer == "Ok"
    assert explore_litmus(parse(text), Machine("global-lock")).states == ((("x", 1),), (("x", 5),), (("x", 6),))


def test_files_come_out_in_order_whatever_the_number_of_workers(tmp_path: Path) -> None:
    """What is wrong with one is a value, and the others go on."""
    broken = tmp_path / "broken.litmus"
    broken.write_text("X86 broken\n{\n")
    beyond = tmp_path / "beyond.litmus"
    beyond.write_text("X86 beyond\n{}\n P0;\n FLY;\n")
    paths = [PROGRAMS[0], str(broken), *PROGRAMS[1:], str(beyond), str(tmp_path / "missing"), PROGRAMS[0]]
    ones, twos = (list(explore_litmus_files(paths, jobs=jobs)) for jobs in (1, 2))
    for path, one, two in zip(paths, ones, twos, strict=True):
        assert type(one) is type(two)
        if isinstance(one, LitmusResult):
            assert isinstance(two, LitmusResult)
            assert one.test == load(path) == two.test
            assert (one.states, one.verdict) == (two.states, two.verdict)
        else:
            assert one.file == path
            assert str(one) == str(two)
    assert [type(ones[at]) for at in (1, -3, -2)] == [LitmusError, UnsupportedError, LitmusError]


def test_settings_that_cannot_be_are_refused_before_any_file_is_read() -> None:
    """At once, not with the first result."""
    for settings, jobs in (
        (LitmusSettings(rounds=-1), 1),
        (LitmusSettings(executions=0), 1),
        (LitmusSettings(seconds=-1.0), 1),
        (LitmusSettings(), 0),
    ):
        with pytest.raises(UsageError):
            explore_litmus_files([], settings, jobs=jobs)
    for settings in (LitmusSettings(host="nowhere"), LitmusSettings(scheme="nothing")):
        with pytest.raises(UnknownNameError):
            explore_litmus_files([], settings)
    with pytest.raises(UsageError, match="foo"):
        explore_litmus_files([], LitmusSettings(scheme="native:foo=1"))


def test_an_interrupt_keeps_what_was_found_and_ends_the_run(tmp_path: Path) -> None:
    """The result that it cut short comes out as far as it got, and no other file is begun."""
    calls = []

    def interrupt(number: int, executions: int) -> None:
        calls.append((number, executions))
        if executions:
            raise KeyboardInterrupt

    threads = [" MOV [x],$1 ", " MOV [x],$2 ", " MOV [x],$3 ", " MOV [x],$4 ", " MOV [x],$5 "]
    file = tmp_path / "five.litmus"
    file.write_text(f"X86 five\n{{}}\n P0|P1|P2|P3|P4;\n{'|'.join(threads)};\nexists x=7\n")
    results = explore_litmus_files([str(file), str(file)], progress=interrupt)
    result = next(results)
    assert isinstance(result, LitmusResult)
    assert (result.interrupted, result.complete, result.conclusive) == (True, False, False)
    assert result.executions >= 64
    assert result.states
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert [number for number, _ in calls] == [0, 0]


def test_a_scheme_that_lacks_something_fails_the_file_that_needs_it(tmp_path: Path) -> None:
    """Not the others."""
    needy = tmp_path / "needy.litmus"
    needy.write_text("X86 needy\n{}\n P0;\n XCHG [x],EAX;\n")
    from simaie.schemes.scheme import Scheme

    with pytest.raises(UsageError, match="does not emulate"):
        explore_litmus(load(needy), Machine(Scheme))
