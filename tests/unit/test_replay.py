"""Replay: a failure comes back from its file, strictly or as far as it fits, or with one clear error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import simaie
from simaie import Machine, Program, plugins
from simaie.errors import DivergenceError, NondeterminismError, ReplayError, SimaieError, UnnamedCodeError, UsageError
from simaie.replaying import target
from simaie.replaying.file import read_replay_file
from simaie.schemes.native import Native

X = 0x1000

SOURCE = """
from simaie import Program

X = 0x1000

async def adder(cpu):
    await cpu.add(X, 1)

program = Program("from-a-file", isa="x86", threads=[adder, adder], init={X: 0}, final=lambda m: m[X] == 2)

def make():
    return program

def broken():
    raise ValueError("no")

not_a_program = 3
"""


@pytest.fixture(name="source")
def fixture_source(tmp_path):
    """A Python file with a racy program called `program`."""
    path = tmp_path / "guest.py"
    path.write_text(SOURCE)
    yield path
    for name in [n for n, m in sys.modules.items() if getattr(m, "__file__", None) == str(path)]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def fixture_remembered():
    """What other modules made is known to this process again afterwards, whatever a test here forgets."""
    from simaie.guest import identity

    known = list(identity._known)
    yield
    identity._known.update(known)


def fail(program: Program, machine: Machine | None = None, seed: int = 1) -> simaie.Failure:
    return simaie.explore(program, machine, scheduler="random-walk", seed=seed, executions=200).failures[0]


def forget(path: Path) -> None:
    """Make the process forget what it imported from `path`, as a new process would."""
    from simaie.guest import identity

    for name in [n for n, m in sys.modules.items() if getattr(m, "__file__", None) == str(path)]:
        del sys.modules[name]
    identity._known.clear()


async def adder(cpu):
    await cpu.add(X, 1)
    if await cpu.choose(2, "whether to go on"):
        await cpu.store(X + 4, 1)


RACY = Program("racy", isa="x86", threads=[adder, adder, adder], init={X: 0}, final=lambda m: m[X] == 3)


def test_a_saved_failure_replays_to_the_same_trace_with_the_same_findings(tmp_path):
    failure = fail(RACY)
    again = simaie.replay(failure.save(tmp_path / "deep" / "failure.json"))
    assert again.trace.digest == failure.trace.digest
    assert again.findings == failure.findings
    assert again.trace.schedule == failure.trace.schedule


@pytest.mark.parametrize("driver", ["inline", "trio"])
def test_a_failure_in_hand_replays_on_either_driver(driver):
    failure = fail(RACY)
    assert simaie.replay(failure, driver=driver).trace.digest == failure.trace.digest


def test_a_program_of_a_file_is_found_again_by_another_process(source, tmp_path):
    program = target.find_target(f"{source}:program")
    failure = fail(program)
    assert failure.target == f"{source}:program"
    saved = failure.save(tmp_path / "f.json")
    record = read_replay_file(saved)
    assert (record.program.source, record.program.variable) == ("guest.py", "program"), "relative to the replay file"
    forget(source)
    assert simaie.replay(saved, program=f"{source}:program").trace.digest == failure.trace.digest
    forget(source)
    assert simaie.replay(saved, trust=True).trace.digest == failure.trace.digest


def test_a_function_may_stand_for_the_program(source):
    assert target.find_target(f"{source}:make").name == "from-a-file"


def test_a_changed_source_is_not_even_imported(source, tmp_path):
    """A trusted replay file names a path; what stands there is run only if it is what was recorded."""
    saved = fail(target.find_target(f"{source}:program")).save(tmp_path / "f.json")
    forget(source)
    source.write_text("raise SystemExit('executed')")
    with pytest.raises(ReplayError):
        simaie.replay(saved, trust=True)


def test_a_source_that_is_gone_is_told(source, tmp_path):
    saved = fail(target.find_target(f"{source}:program")).save(tmp_path / "f.json")
    forget(source)
    source.unlink()
    with pytest.raises(ReplayError):
        simaie.replay(saved, trust=True)


def test_a_program_that_no_file_keeps_must_be_given(tmp_path):
    program = Program("local", isa="x86", threads=[adder, adder], init={X: 0}, final=lambda m: m[X] == 2)
    failure = fail(program)
    saved = failure.save(tmp_path / "f.json")
    assert simaie.replay(saved).trace.digest == failure.trace.digest, "this process still has it"
    forget(Path("nothing"))
    for trust in (False, True):
        with pytest.raises(UnnamedCodeError):
            simaie.replay(saved, trust=trust)
    assert simaie.replay(saved, program=program).trace.digest == failure.trace.digest


def test_a_scheme_class_must_be_given_again(tmp_path):
    class Mine(Native):
        """A user's scheme."""

    failure = fail(RACY, Machine(Mine))
    saved = failure.save(tmp_path / "f.json")
    with pytest.raises(ReplayError):
        simaie.replay(saved)
    assert simaie.replay(saved, machine=Machine(Mine)).trace.digest == failure.trace.digest


def changed(program_threads: int, extra_load: bool) -> Program:
    async def other(cpu):
        if extra_load:
            await cpu.load(X)
        await cpu.add(X, 1)
        if await cpu.choose(2, "whether to go on"):
            await cpu.store(X + 4, 1)

    return Program("racy", isa="x86", threads=[other] * program_threads, init={X: 0}, final=lambda m: m[X] == 3)


@pytest.mark.parametrize(("threads", "extra"), [(3, True), (2, False), (1, False)])
def test_a_strict_replay_of_a_changed_program_names_the_first_step_that_differs(threads, extra):
    failure = fail(RACY)
    with pytest.raises(DivergenceError) as caught:
        simaie.replay(failure, program=changed(threads, extra))
    step = caught.value.step
    assert 0 <= step <= len(failure.trace)
    assert caught.value.expected != caught.value.got


def test_a_strict_replay_names_the_first_value_that_differs_if_all_operations_are_equal():
    async def looks(cpu):
        await cpu.load(X)

    def started(value):
        return Program("started", isa="x86", threads=[looks, looks], init={X: value}, final=lambda m: False)

    failure = fail(started(1))
    with pytest.raises(DivergenceError, match=r"step 0: expected .* = 1, got .* = 5;"):
        simaie.replay(failure, program=started(5))
    assert simaie.replay(failure, program=started(5), mode="best-effort").trace.outcome[f"[{X:#x}]"] == 5


@pytest.mark.parametrize(("threads", "extra"), [(3, True), (2, False), (1, False)])
def test_a_best_effort_replay_goes_as_far_as_it_fits(threads, extra):
    again = simaie.replay(fail(RACY), program=changed(threads, extra), mode="best-effort")
    assert again.trace.ending == "finished"


def test_a_guest_that_depends_on_more_than_its_schedule_is_told_when_saved(tmp_path):
    calls = []

    async def forgetful(cpu):
        calls.append(1)
        await cpu.store(X, len(calls))

    program = Program("state", isa="x86", threads=[forgetful], init={X: 0}, final=lambda m: m[X] == 0)
    failure = fail(program)
    with pytest.raises(NondeterminismError):
        failure.save(tmp_path / "f.json")
    assert not (tmp_path / "f.json").exists()


def test_the_mode_must_exist():
    with pytest.raises(UsageError):
        simaie.replay(fail(RACY), mode="roughly")  # type: ignore[arg-type]  # the mistake under test


# -- files that are none --------------------------------------------------------------------------


@pytest.fixture(name="saved", scope="module")
def fixture_saved(tmp_path_factory):
    return fail(RACY).save(tmp_path_factory.mktemp("replay") / "f.json")


@pytest.mark.untraced
def test_every_truncation_of_a_replay_file_is_one_clear_error(saved, tmp_path):
    data = saved.read_bytes().rstrip()
    for length in range(0, len(data), 7):
        path = tmp_path / "cut.json"
        path.write_bytes(data[:length])
        with pytest.raises(ReplayError):
            read_replay_file(path)


@pytest.mark.parametrize("text", ["", "  \n", "[]", "3", "null", "{}", '{"schema": "other"}', "\x00\xff", "[" * 100_000,
                                  '{"schema": "simaie-replay", "version": 99}',
                                  '{"schema": "simaie-replay", "version": 1}'])
def test_a_foreign_file_is_one_clear_error(text, tmp_path):
    path = tmp_path / "foreign.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ReplayError):
        read_replay_file(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ReplayError):
            read_replay_file(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("machine", "scheme"), "nope"),
        (("machine", "host"), "nope"),
        (("machine", "host_word"), 7),
        (("machine", "options"), {"nope": 1}),
        (("machine", "steps"), 0),
        (("program", "digest"), "0"),
        (("program", "corpus"), "nope"),
        (("switches",), [[0, "7"]]),
        (("steps",), []),
        (("digest",), 3),
        (("unknown",), 1),
    ],
)
def test_every_field_is_checked(saved, tmp_path, path, value):
    """A damaged field is a SimaieError, whatever it is; nothing else comes out."""
    data = json.loads(saved.read_text())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(data))
    forget_program = path[0] == "program"
    if forget_program:
        forget(Path("nothing"))
    with pytest.raises(SimaieError):
        simaie.replay(damaged)


# -- targets --------------------------------------------------------------------------------------


def test_targets_that_name_nothing_are_told(source, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name")
    for bad in ("no-such-program", str(source), f"{source}:nothing", f"{source}:not_a_program", f"{source}:broken",
                f"{tmp_path}/none.py:program", f"{broken}:program"):
        with pytest.raises(SimaieError):
            target.find_target(bad)


# -- decisions relative to operations ------------------------------------------------------------------


def _adds(*, before=(), without_load=False):
    """Two vCPUs that add without atomicity, with accesses before that the recorded program does not have."""

    async def adds(cpu):
        for address in before:
            await cpu.load(address)
        if not without_load:
            await cpu.load(X + 8)
        old = await cpu.load(X)
        await cpu.store(X, old + 1)

    return Program("lost-update", isa="x86", threads=[adds, adds], init={X: 0, X + 8: 0}, final=lambda m: m[X] == 2)


@pytest.mark.parametrize("change", [{"before": [X + 4]}, {"before": [X, X + 4]}, {"without_load": True}], ids=str)
def test_best_effort_follows_across_an_inserted_or_removed_access(change):
    """The update is lost as in the recording, although every step has another number."""
    failure = fail(_adds())
    again = simaie.replay(failure, program=_adds(**change), mode="best-effort")
    assert [finding.kind for finding in again.findings] == ["final-check"]
    assert again.diverged.startswith("step 0: expected vCPU ")


def test_an_execution_that_is_as_recorded_does_not_diverge():
    failure = fail(_adds())
    again = simaie.replay(failure, mode="best-effort")
    assert (again.diverged, again.trace.digest) == ("", failure.trace.digest)


@pytest.mark.parametrize("scheduler", ["random-walk", "dfs", "dpor", "pct", "surw", "coverage-guided"])
def test_another_scheduler_goes_on_after_the_last_decision(scheduler):
    """A third vCPU, which the recording does not have, is chosen by the scheduler that goes on."""
    failure = fail(_adds())
    more = Program("more", isa="x86", threads=[*_adds().threads, _adds().threads[0]], init={X: 0, X + 8: 0})
    lasts = plugins.resolve(plugins.SCHEDULERS, scheduler)()
    again = simaie.replay(failure, program=more, continue_with=lasts)
    recorded = [event.form for event in failure.trace.events]
    assert [event.form for event in again.trace.events if event.actor != "2"] == recorded
    assert again.diverged == f"step {len(recorded)}: expected the end of the execution, got vCPU 2: load [{X + 8:#x}]/4"
    assert simaie.replay(failure, program=more, continue_with=scheduler).trace.digest == again.trace.digest


def test_a_wrong_scheduler_to_go_on_is_reported_before_the_file_is_read(tmp_path):
    for wrong, message in (("unknown", "unknown scheduler"), (3, "continue_with must be a name")):
        with pytest.raises(UsageError, match=message):
            simaie.replay(tmp_path / "none.json", continue_with=wrong)
