"""What `print` shows of a failure and of a trace, and reports and failures in pickles."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections import Counter

import msgspec
import pytest

import simaie
from simaie import Machine, Program, corpus, ins
from simaie.errors import ReplayError
from simaie.finding import Finding
from simaie.replaying.pickling import restored
from simaie.show.failure_view import failure_view
from simaie.show.trace_view import trace_view

NAME = "first-registration-window"


def judges(trace):
    """A checker that finds something in every execution."""
    return (Finding("found", "by a function of this module", (0,)),)


def explored(program=None, scheme="aie-v2", **options):
    program = corpus.program(NAME) if program is None else program
    return simaie.explore(program, Machine(scheme), scheduler="dfs", **{"failures": 3, **options})


@pytest.fixture(name="report", scope="module")
def fixture_report():
    return explored()


# --- print ---------------------------------------------------------------------------------------------


def test_a_failure_is_printed_as_the_command_line_shows_it(report):
    failure = report.failures[0]
    shown = str(failure).splitlines()
    assert shown[2:] == [line.plain.rstrip() for line in failure_view(failure, width=120)]
    assert NAME in shown[0]


def test_a_trace_is_printed_in_columns(report):
    trace = report.failures[0].trace
    assert str(trace).splitlines()[2:] == [line.plain.rstrip() for line in trace_view(trace, width=120)]


def test_the_representations_stay_short(report):
    failure = report.failures[0]
    assert repr(failure.trace) == f"<Trace of {NAME!r}: {len(failure.trace)} steps, finished>"
    assert "\n" not in repr(failure)
    assert failure.summary.splitlines() == [str(finding) for finding in failure.findings]


def test_control_characters_are_escaped_there_too():
    async def thread(cpu):
        await cpu.store(0x100, 1)

    def odd(trace):
        return (Finding("odd\x1b", "\x07\r\n", (0,)),)

    program = Program("name\x1b[2J", isa="arm", threads=[thread], checkers=[odd])
    failure = simaie.explore(program, executions=1).failures[0]
    assert not set(str(failure) + str(failure.trace)) & {"\x1b", "\x07", "\r"}


# --- pickles -------------------------------------------------------------------------------------------


def same(one, other):
    assert (one.seed, one.index, one.findings, one.checkers, one.scheduler, one.driver, dict(one.profile)) == (
        other.seed, other.index, other.findings, other.checkers, other.scheduler, other.driver, dict(other.profile),
    )  # fmt: skip
    assert one.trace.digest == other.trace.digest
    assert one.signature == other.signature
    assert one.program.digest == other.program.digest


@pytest.mark.parametrize(
    ("name", "scheme"), [(NAME, "aie-v2"), (NAME, "none"), ("anderson-lock-arm", "none"), ("barrier-x86", "none")]
)
def test_a_failure_of_the_corpus_comes_back_as_it_was(name, scheme):
    report = simaie.explore(corpus.program(name), Machine(scheme), scheduler="dpor", executions=5000)
    (failure,) = report.failures
    again = pickle.loads(pickle.dumps(failure))
    assert again.program is corpus.program(name)
    same(again, failure)


def test_a_report_comes_back_in_another_process(report, tmp_path):
    path = tmp_path / "report.pickle"
    path.write_bytes(pickle.dumps(report))
    code = (
        "import pickle, sys\n"
        "report = pickle.load(open(sys.argv[1], 'rb'))\n"
        "digests = [failure.trace.digest for failure in report.failures]\n"
        "print(report.verdict, report.failing, digests, sum(report.outcomes.values()))\n"
        "print(report.failures[0].explain())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    digests = [failure.trace.digest for failure in report.failures]
    first, _, rest = done.stdout.partition("\n")
    assert first == f"violated {report.failing} {digests} {sum(report.outcomes.values())}"
    assert rest == report.failures[0].explain() + "\n"


def test_a_report_keeps_its_parts(report):
    again = pickle.loads(pickle.dumps(report))
    assert again.outcomes == report.outcomes
    assert isinstance(again.outcomes, Counter)
    assert again.statistics == report.statistics
    assert [group.count for group in again.signatures] == [group.count for group in report.signatures]
    assert again.signatures[0].first is again.failures[0]
    assert again.as_dict() == report.as_dict()


def test_a_shrunk_failure_comes_back():
    shrunk = explored(failures=1).failures[0].shrink().failure
    again = pickle.loads(pickle.dumps(shrunk))
    same(again, shrunk)
    assert again.program.cuts == shrunk.program.cuts


def test_a_program_that_is_data_comes_back():
    adds = [ins("load", 0x100, into="r"), ins("reg_add", "r", 1, into="r"), ins("store", 0x100, "r")]
    program = Program("data", isa="arm", threads=[adds, adds], init={0x100: 0}, checkers=["serializability"])
    again = pickle.loads(pickle.dumps(program))
    assert again.digest == program.digest
    assert simaie.explore(again, scheduler="dfs").outcomes == simaie.explore(program, scheduler="dfs").outcomes


def test_checkers_come_back_by_name_or_as_functions():
    program = corpus.program(NAME)
    from simaie.check import LLSC_STRICT

    failure = explored(program, checkers=[judges, LLSC_STRICT, "progress"], executions=1).failures[0]
    again = pickle.loads(pickle.dumps(failure))
    assert again.checkers == (judges, LLSC_STRICT, "progress")
    assert again.checkers[1] is LLSC_STRICT


def test_a_copy_of_a_program_is_another_one():
    program = corpus.program(NAME)
    made = copy.copy(program)
    assert made is not program
    assert made.digest == program.digest


def test_a_failure_that_runs_differently_now_is_refused(report):
    _, (make, pickled) = report.failures[0].__reduce__()
    changed = msgspec.structs.replace(pickled, digest="0" * 32)
    with pytest.raises(ReplayError, match="runs differently now"):
        restored(make, changed)
