"""Checkers are had by name or as functions; what they cannot decide is inconclusive; the command judges a file."""

import json

import pytest

import simaie
from simaie import Finding, Machine, Program, UsageError, Verdict, plugins
from simaie.check import CHECKERS, DEFAULT, checkers_of
from simaie.check.serializability import serializability
from simaie.cli import main
from simaie.cli.status import Status
from simaie.errors import UnknownNameError
from simaie.finding import verdict_of

X = 0x100


async def adder(cpu):
    await cpu.add(X, 1)


RACY = Program("racy", isa="x86", threads=[adder, adder], init={X: 0}, final=lambda m: m[X] == 2)
UNCHECKED = Program("unchecked", isa="x86", threads=[adder, adder], init={X: 0})


def explore(program=RACY, scheduler="dfs", **options):
    return simaie.explore(program, Machine("native"), scheduler=scheduler, **options)


# -- by name ------------------------------------------------------------------------------------------


def test_every_checker_is_registered_under_its_name():
    assert {name: plugins.resolve(plugins.CHECKERS, name) for name in plugins.names(plugins.CHECKERS)} == CHECKERS
    assert set(DEFAULT) <= set(CHECKERS.values())


def test_names_and_functions_may_be_mixed():
    def mine(trace):
        return ()

    assert checkers_of(["serializability", mine]) == (serializability, mine)


def test_exploring_takes_names():
    assert explore(UNCHECKED).verdict == "holds"
    report = explore(UNCHECKED, checkers=["serializability"])
    assert report.verdict == "violated"
    assert report.failures[0].findings[0].kind == "serializability"


@pytest.mark.parametrize("wrong", [["serialisability"], ["serializability:depth=2"], "serializability", [3], [None]])
def test_what_is_no_checker_is_one_usage_error(wrong):
    with pytest.raises(UsageError):
        explore(checkers=wrong)


def test_an_unknown_name_suggests_the_similar_one_and_knows_all():
    with pytest.raises(UnknownNameError) as caught:
        checkers_of(["serialisability"])
    assert "'serializability'" in str(caught.value)
    assert set(CHECKERS) <= set(caught.value.known)


def test_replaying_takes_names(tmp_path):
    path = explore().failures[0].save(tmp_path / "f.json")
    kinds = [finding.kind for finding in simaie.replay(path, checkers=["serializability"]).findings]
    assert kinds == ["serializability"]


# -- three verdicts ---------------------------------------------------------------------------------------


def finding(verdict):
    return Finding("test", f"it is {verdict}", verdict=verdict)


def test_the_verdict_of_findings_is_the_worst_known():
    violated, unknown = finding(Verdict.VIOLATED), finding(Verdict.INCONCLUSIVE)
    assert verdict_of([]) is Verdict.HOLDS
    assert verdict_of([unknown]) is Verdict.INCONCLUSIVE
    assert verdict_of([unknown, violated]) is verdict_of([violated]) is Verdict.VIOLATED


def test_what_cannot_be_decided_never_holds_and_is_no_failure():
    report = explore(checkers=[lambda trace: [finding(Verdict.INCONCLUSIVE)]])
    assert (report.verdict, report.complete, report.failing) == ("inconclusive", False, 0)
    assert "it is inconclusive" in report.reason


def test_a_violation_is_one_whatever_else_could_not_be_decided():
    both = [finding(Verdict.INCONCLUSIVE), finding(Verdict.VIOLATED)]
    report = explore(checkers=[lambda trace: both])
    assert report.verdict == "violated"
    assert report.failures[0].verdict is Verdict.VIOLATED


def test_who_judges_time_is_not_convinced_by_one_order_of_each_kind():
    def judge(trace):
        return ()

    assert explore(scheduler="dpor", checkers=[judge]).verdict == "holds"
    for judged in (True, lambda trace: True, lambda trace: len(trace) > 3):
        judge.order_sensitive = judged
        report = explore(scheduler="dpor", checkers=[judge])
        assert (report.verdict, report.complete) == ("inconclusive", False)
        assert "do not conflict" in report.reason
        assert explore(scheduler="dfs", checkers=[judge]).verdict == "holds"
    judge.order_sensitive = lambda trace: len(trace) > 1_000
    assert explore(scheduler="dpor", checkers=[judge]).verdict == "holds"


# -- the command -------------------------------------------------------------------------------------------


@pytest.fixture(name="saved")
def fixture_saved(tmp_path):
    return str(explore().failures[0].save(tmp_path / "racy.json"))


def run(capsys, *argv):
    status = main(list(argv))
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_judges_by_the_default_checkers(saved, capsys):
    status, out, _ = run(capsys, "check", saved, "--format", "json")
    document = json.loads(out)
    assert status == Status.VIOLATED
    assert document["verdict"] == "violated"
    assert [entry["checker"] for entry in document["checkers"]] == [
        next(name for name, known in CHECKERS.items() if known is checker) for checker in DEFAULT
    ]
    assert [entry["checker"] for entry in document["checkers"] if entry["findings"]] == ["final-check"]


def test_the_command_judges_by_the_checkers_that_are_named(saved, capsys):
    status, out, _ = run(
        capsys, "check", saved, "--checker", "rmw-atomicity", "--checker", "serializability", "--format", "json"
    )
    document = json.loads(out)
    assert status == Status.VIOLATED
    found = {entry["checker"]: [f["verdict"] for f in entry["findings"]] for entry in document["checkers"]}
    assert found == {"rmw-atomicity": [], "serializability": ["violated"]}
    assert [f["kind"] for f in document["findings"]] == ["serializability"]


def test_nothing_found_in_one_execution_is_inconclusive(saved, capsys):
    assert run(capsys, "check", saved, "--checker", "lock-leak")[0] == Status.INCONCLUSIVE


def test_the_text_has_a_line_for_each_checker(saved, capsys):
    status, out, _ = run(capsys, "check", saved, "--checker", "lock-leak", "--checker", "serializability")
    assert status == Status.VIOLATED
    assert {"lock-leak", "serializability"} <= {line.split(" ")[0] for line in out.splitlines()}


def test_an_unknown_checker_is_a_bad_command_line_that_names_the_list(saved, capsys):
    status, out, err = run(capsys, "check", saved, "--checker", "nonsense")
    assert (status, out) == (Status.ERROR, "")
    assert "simaie list checkers" in err


def test_a_file_that_is_none_is_a_bad_input(tmp_path, capsys):
    assert run(capsys, "check", str(tmp_path / "none.json"))[0] == Status.ERROR


def test_exploring_on_the_command_line_takes_names_and_its_command_repeats_them(tmp_path, capsys):
    path = tmp_path / "guest.py"
    path.write_text(
        "import simaie\n"
        "async def adder(cpu):\n    await cpu.add(0x100, 1)\n"
        "program = simaie.Program('adders', isa='x86', threads=[adder, adder], init={0x100: 0})\n"
    )
    common = ["explore", f"{path}:program", "--scheduler", "dfs", "--no-coverage", "--format", "json"]
    assert run(capsys, *common)[0] == Status.HOLDS
    status, out, _ = run(capsys, *common, "--checker", "serializability")
    (failure,) = json.loads(out)["failures"]
    assert status == Status.VIOLATED
    assert "--checker serializability" in failure["command"]
    assert run(capsys, *common, "--checker", "nonsense")[0] == Status.ERROR
