"""Calls of compiled functions that are recorded at entry and return, and held against a specification."""

from __future__ import annotations

import json

import pytest
from elf_guests import ELF
from hypothesis import given, settings
from hypothesis import strategies as st

from simaie import Machine, Report, UsageError, Verdict, explore
from simaie.binary import binary_program
from simaie.binary.signatures import CType, Form, signatures
from simaie.cli import main
from simaie.errors import UnknownNameError
from simaie.strategies import calls

TARGETS = ("x86_64", "aarch64", "arm")
STACK = ["stack_push=push", "stack_pop=pop"]
CARELESS = ["careless_push=push", "stack_pop=pop"]


def report(target: str, threads: list[str], checker: str, executions: int = 1_000, **options) -> Report:
    program = binary_program(ELF / f"calls.{target}.so", threads, **options)
    return explore(program, Machine("native"), scheduler="dpor", checkers=[checker], executions=executions)


@pytest.mark.parametrize("target", TARGETS)
def test_a_stack_is_linearizable_and_one_that_loses_a_push_is_not(target):
    good = report(target, ["stack_push:7", "stack_pop"], "linearizable-stack", record=STACK, nothing=-1)
    assert good.verdict is Verdict.HOLDS
    calls = ["careless_push:7 stack_pop stack_pop", "careless_push:-8"]
    bad = report(target, calls, "linearizable-stack", record=CARELESS, nothing=-1)
    assert bad.verdict is Verdict.VIOLATED
    [finding] = bad.failures[0].findings
    assert finding.kind == "linearizability"


@pytest.mark.parametrize("target", TARGETS)
def test_arguments_and_results_are_values_of_their_types(target):
    found = report(target, ["stack_push:-8 stack_pop stack_pop"], "linearizable-stack", record=STACK, nothing=-1)
    assert found.verdict is Verdict.HOLDS
    wrong = report(target, ["stack_push:-8 stack_pop stack_pop"], "linearizable-stack", record=STACK)
    assert wrong.verdict is Verdict.VIOLATED  # the second pop returns -1, and not nothing
    calls = wrong.failures[0].trace.calls
    assert [(call.name, call.args, call.result) for call in calls] == [("push", (-8,), None), ("pop", (), -8),
                                                                       ("pop", (), -1)]  # fmt: skip
    assert all(call.ordered and call.completed for call in calls)


@pytest.mark.parametrize("target", TARGETS)
def test_a_null_pointer_is_nothing_and_truth_is_truth(target):
    found = report(target, ["stack_pop_pointer"], "linearizable-stack", record=["stack_pop_pointer=pop"])
    assert found.verdict is Verdict.HOLDS
    record = ["add", "contains", "careless_add=add"]
    good = report(target, ["add:3", "add:259 contains:3"], "linearizable-set", record=["add", "contains"])
    assert good.verdict is Verdict.HOLDS
    bad = report(target, ["careless_add:3", "careless_add:3"], "linearizable-set", record=record[2:])
    assert bad.verdict is Verdict.VIOLATED
    assert [call.result for call in bad.failures[0].trace.calls] == [True, True]


def test_only_the_named_functions_are_recorded():
    found = report("arm", ["stack_push:7 stack_pop"], "linearizable-stack", record=STACK[1:], nothing=-1)
    assert found.verdict is Verdict.VIOLATED
    assert [call.name for call in found.failures[0].trace.calls] == ["pop"]


def test_a_call_that_faults_stays_pending():
    program = binary_program(ELF / "calls.x86_64.so", ["crash:1"], record=["crash=push"])
    found = explore(program, Machine("native"), scheduler="dpor", checkers=["guest-fault", "linearizable-stack"])
    [finding] = found.failures[0].findings
    assert finding.kind == "guest-fault"
    assert [call.completed for call in found.failures[0].trace.calls] == [False]


def test_a_checker_of_calls_without_any_is_refused():
    with pytest.raises(UsageError, match="--record"):
        report("arm", ["stack_push:7"], "linearizable-stack")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"record": ["stack_pup"]}, UnknownNameError), ({"record": ["both"]}, UsageError),
        ({"record": "stack_push"}, UsageError), ({"nothing": -1}, UsageError),
        ({"record": STACK[:1], "nothing": "no"}, UsageError),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused(options, error):
    with pytest.raises(error):
        binary_program(ELF / "calls.arm.so", ["stack_push:1"], **options)


def test_a_type_that_is_no_integer_is_refused_and_so_is_a_file_without_types():
    with pytest.raises(UsageError, match="no integer"):
        binary_program(ELF / "calls.arm.so", ["both:1"], record=["both"])
    with pytest.raises(UsageError, match="-g"):
        binary_program(ELF / "locks.arm.elf", ["fas"], record=["fas"])
    with pytest.raises(UsageError, match="whole program"):
        binary_program(ELF / "whole.arm.so", main=[], record=["main"])


def test_signatures_are_read_from_debug_information():
    found = signatures((ELF / "calls.aarch64.so").read_bytes())
    assert found["stack_push"] == ((CType(Form.SIGNED, 4),), None, True)
    assert found["stack_pop_pointer"] == ((), CType(Form.POINTER, 8), True)
    assert found["add"] == ((CType(Form.UNSIGNED, 1),), CType(Form.TRUTH, 1), True)
    assert signatures((ELF / "locks.arm.elf").read_bytes()) == {}
    content = bytearray((ELF / "calls.aarch64.so").read_bytes())
    for number in range(0, len(content), 499):
        signatures(bytes(content[:number] if number % 2 else content[:number] + b"\0" + content[number + 1 :]))


def test_a_recorded_program_has_a_digest_of_its_own():
    path, threads = ELF / "calls.arm.so", ["stack_push:1"]
    plain = binary_program(path, threads)
    named = binary_program(path, threads, record=STACK[:1])
    other = binary_program(path, threads, record=["stack_push=enqueue"])
    assert len({plain.digest, named.digest, other.digest}) == 3


def test_the_command_line_records_and_a_replay_does_so_again(tmp_path, capsys):
    threads = ["--thread", "careless_push:7 stack_pop stack_pop", "--thread", "careless_push:8", "--nothing", "-1"]
    record = ["--record", "careless_push=push", "--record", "stack_pop=pop", "--checker", "linearizable-stack"]
    target = str(ELF / "calls.x86_64.so")
    search = ["--scheduler", "dpor", "--save", str(tmp_path), "--format", "json"]
    assert main(["explore", target, *threads, *record, *search]) == 1
    document = json.loads(capsys.readouterr().out)
    assert "--record careless_push=push --record stack_pop=pop --nothing -1" in document["failures"][0]["command"]
    [saved] = document["saved"]
    assert main(["replay", saved]) == 1


# -- drawn calls ------------------------------------------------------------------------------------------


@given(calls({"stack_push": st.integers(1, 9), "stack_pop": ()}, threads=2, each=2))
@settings(max_examples=6, derandomize=True, database=None, deadline=None)
def test_drawn_calls_of_a_stack_are_linearizable(threads):
    found = report("arm", threads, "linearizable-stack", 100, record=STACK, nothing=-1)
    assert found.verdict is not Verdict.VIOLATED


@given(calls({"f": (st.integers(0, 3), st.integers(-2, 2)), "g": None}, threads=3, each=4))
@settings(max_examples=50, derandomize=True, database=None, deadline=None)
def test_drawn_calls_have_the_asked_form(threads):
    assert 1 <= len(threads) <= 3
    for text in threads:
        words = text.split(" ")
        assert 1 <= len(words) <= 4
        for word in words:
            name, *arguments = word.split(":")
            assert (name, len(arguments)) in (("f", 2), ("g", 0))
            assert all(-2 <= int(argument) <= 3 for argument in arguments)


@pytest.mark.parametrize(
    ("functions", "options"),
    [({}, {}), ({"f": 7}, {}), ({"f g": ()}, {}), ({"f": ()}, {"threads": 0}), ({"f": ()}, {"each": 1_000_000}),
     ({"f": (7,)}, {}), (["f"], {}), ({7: ()}, {})],
)  # fmt: skip
def test_a_strategy_of_wrong_calls_is_refused(functions, options):
    with pytest.raises(UsageError):
        calls(functions, **options)
