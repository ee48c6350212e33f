"""A failure whose program is not at hand is shown as it was recorded, and not run again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from simaie import Failure, Limits, Machine, Program, corpus, explore
from simaie.cli import main
from simaie.errors import ReplayError, SimaieError, UsageError
from simaie.replaying.recorded import recorded
from simaie.schemes.native import Native

X = 0x1000
SOURCE = """
from simaie import Program

async def adder(cpu):
    async with cpu.call("add", 1, ordered=True) as call:
        await cpu.add(0x1000, 1)
        call.returns(None)

program = Program("from-a-file", isa="x86", threads=[adder, adder], init={0x1000: 7}, final=lambda m: m[0x1000] == 9)
raise_if_imported = None
"""


async def parent(cpu):
    thread = await cpu.spawn(child)
    await cpu.add(X, 1)
    await cpu.join(thread)


async def child(cpu):
    if await cpu.choose(2, "whether to add"):
        async with cpu.atomic("one"):
            await cpu.add(X, 1)
    await cpu.cmpxchg16b(X + 16, (1 << 127) - 1, 0)


SPAWNING = Program("spawning", isa="x86", threads=[parent, child], init={X: 5}, final=lambda m: m[X] == 8)


def failed(program: Program, machine: Machine | None = None) -> Failure:
    return explore(program, machine, scheduler="random-walk", executions=300).failures[0]


CASES = [
    (corpus.program("swp-against-swp"), Machine("none", address_bits=12)),
    (corpus.program("first-registration-window"), Machine("aie-rfc", address_bits=12)),
    (corpus.program("first-registration-window"), Machine("aie-v2", host="tso", address_bits=12)),
    (corpus.program("treiber-stack-arm-large"), Machine("cas", address_bits=12)),
    (corpus.program("szymanski-unfenced-x86"), Machine("native", host="tso", address_bits=12)),
    (SPAWNING, Machine()),
]


@pytest.mark.parametrize(("program", "machine"), CASES, ids=lambda case: getattr(case, "name", ""))
def test_it_is_shown_and_drawn_as_it_was(program, machine, tmp_path):
    failure = failed(program, machine)
    shown = recorded(failure.save(tmp_path / "a.json"))
    assert shown.trace.digest == failure.trace.digest
    assert shown.findings == failure.findings
    assert shown.verdict == failure.verdict
    assert shown.signature == failure.signature
    for name in ("svg", "perfetto", "explanation"):
        assert shown.render(name) == failure.render(name)
    page, original = shown.to_html(), failure.to_html()
    assert page.replace(shown.how_to_reproduce, "") == original.replace(failure.how_to_reproduce, "")


class OwnScheme(Native):
    """A scheme that a replay file cannot name: code of a module, which is not run."""


def test_the_machine_of_a_scheme_that_is_code_is_the_recorded_one(tmp_path):
    machine = Machine(
        OwnScheme, full_system=True, host_word=32, address_bits=40, endian="big", limits=Limits(9_000, 77)
    )
    shown = recorded(failed(SPAWNING, machine).save(tmp_path / "a.json")).machine
    assert (shown.full_system, shown.host_word, shown.address_bits, shown.endian) == (True, 32, 40, "big")
    assert (shown.limits.steps, shown.limits.threads) == (9_000, 77)
    assert "OwnScheme" in shown.scheme


@pytest.mark.parametrize("wrong", [{"host_word": 7}, {"address_bits": 0}, {"steps": 0}, {"threads": 10**9}])
def test_a_machine_that_cannot_be_is_a_replay_error(wrong, tmp_path):
    file = failed(SPAWNING).save(tmp_path / "a.json")
    document = json.loads(file.read_text())
    document["machine"] |= wrong
    file.write_text(json.dumps(document))
    with pytest.raises(ReplayError, match=next(iter(wrong))):
        recorded(file)


def test_it_does_not_run(tmp_path):
    shown = recorded(failed(SPAWNING).save(tmp_path / "a.json"), "give --program")
    for run in (shown.shrink, shown.steps, lambda: shown.save(tmp_path / "b.json")):
        with pytest.raises(SimaieError):
            run()
    with pytest.raises(UsageError, match="give --program"):
        shown.shrink()


@pytest.fixture(name="stranger")
def fixture_stranger(tmp_path, monkeypatch):
    """A replay file whose program is a Python file that is gone."""
    monkeypatch.chdir(tmp_path)
    Path("guest.py").write_text(SOURCE)
    assert main(["explore", "guest.py:program", "--save", "found", "--scheduler", "random-walk"]) == 1
    Path("guest.py").write_text("raise SystemExit('it ran')")
    (file,) = Path("found").glob("*.json")
    from simaie.guest import identity

    monkeypatch.setattr(identity, "_known", type(identity._known)())
    return file


def test_replay_and_show_say_that_it_was_not_run_again(stranger, capsys):
    capsys.readouterr()
    for command in ("replay", "show"):
        assert main([command, str(stranger)]) == (command == "replay"), "the recorded verdict, or no verdict"
        out, err = capsys.readouterr()
        assert "recorded, not run again" in out
        assert "add" in out
        assert "final-check" in out
        assert "--program" in err
    assert main(["replay", str(stranger), "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["how_to_reproduce"].startswith("recorded, not run again")
    assert len(document["trace"]["events"]) > 3
    assert main(["show", str(stranger), "--html", "a.html", "--svg", "a.svg", "--perfetto", "a.json"]) == 0
    assert "final-check" in Path("a.html").read_text()
    assert "it ran" not in capsys.readouterr().err


def test_what_has_to_run_is_refused(stranger, capsys):
    for command in ("check", "shrink"):
        assert main([command, str(stranger)]) == 2
        assert "--program" in capsys.readouterr().err


def test_a_scheme_class_is_shown_by_its_name(tmp_path, capsys):
    class Mine(Native):
        """A user's scheme."""

    failure = failed(SPAWNING, Machine(Mine, host="tso"))
    file = failure.save(tmp_path / "a.json")
    assert main(["replay", str(file)]) == 1
    assert f"under {failure.machine.scheme} on tso" in capsys.readouterr().out


def older(file: Path) -> Path:
    document = json.loads(file.read_text())
    del document["trace"]
    file.write_text(json.dumps({**document, "version": 1}))
    return file


def test_a_file_of_version_1_is_replayed_and_shown(tmp_path, stranger, capsys):
    file = failed(corpus.program("swp-against-swp"), Machine("none", address_bits=12)).save(tmp_path / "a.json")
    digest = json.loads(file.read_text())["digest"]
    capsys.readouterr()
    assert main(["replay", str(older(file)), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["trace"]["digest"] == digest
    assert main(["replay", str(older(stranger))]) == 1
    assert "store [0x1000]/4" in capsys.readouterr().out
    assert main(["show", str(stranger), "--html", "a.html", "--svg", "a.svg", "--perfetto", "a.json"]) == 0


def changed(file: Path, change) -> Path:
    document = json.loads(file.read_text())
    change(document["trace"], document)
    other = file.with_name("changed.json")
    other.write_text(json.dumps(document))
    return other


def test_a_trace_that_was_changed_is_refused(tmp_path):
    file = failed(SPAWNING).save(tmp_path / "a.json")

    def other_value(trace, document):
        trace["events"][1][2] = 77

    def fewer(trace, document):
        trace["events"].pop()

    def elsewhere(trace, document):
        trace["events"][0][1] = 10**6

    def wide(trace, document):
        trace["ops"][0][3] = 10**9

    def itself(trace, document):
        trace["ops"][0][4] = {"op": 0}

    def no_isa(trace, document):
        trace["isa"] = "z80"

    def large_memory(trace, document):
        trace["init"] = [[0, 10**9, 1]]

    for change in (other_value, fewer, elsewhere, wide, itself, no_isa, large_memory):
        with pytest.raises(SimaieError):
            recorded(changed(file, change))


def test_a_lasso_has_a_cycle_within_its_steps_and_no_other_execution_has_one(tmp_path):
    async def spins(cpu):
        while await cpu.load(X):
            pass

    program = Program("spins", isa="x86", threads=[spins], init={X: 1})
    file = failed(program, Machine(limits=Limits(tries=None))).save(tmp_path / "a.json")
    assert recorded(changed(file, lambda trace, document: None)).trace.cycle == 1
    for change in ({"cycle": -1}, {"cycle": 2}, {"cycle": None}, {"cycle": "0"}, {"ending": "finished"}):
        with pytest.raises(ReplayError, match="cycle"):
            recorded(changed(file, lambda trace, document, change=change: trace.update(change)))


def test_a_fence_of_orders_that_do_not_exist_is_refused(tmp_path):
    from simaie.replaying.file import read_replay_file
    from simaie.replaying.trace_record import trace_of

    def unknown_orders(trace, document):
        trace["ops"][0][9] = 16

    record = read_replay_file(changed(failed(SPAWNING).save(tmp_path / "a.json"), unknown_orders))
    with pytest.raises(ValueError, match="orders 16"):
        trace_of(record.trace, "spawning", record.schedule)


def test_a_forged_trace_that_cannot_be_drawn_is_one_clear_error(tmp_path):
    """Its digest is right, since a forger can work it out; what draws it is not at the forger's mercy."""
    from simaie.replaying.file import read_replay_file
    from simaie.replaying.trace_record import trace_of

    file = failed(SPAWNING).save(tmp_path / "a.json")

    def no_value(trace, document):
        for event in trace["events"]:
            event[2] = None
        for op in trace["ops"]:
            op[4] = "text"

    forged = changed(file, no_value)
    record = read_replay_file(forged)
    assert record.trace is not None
    document = json.loads(forged.read_text())
    document["digest"] = trace_of(record.trace, "spawning", record.schedule).digest
    forged.write_text(json.dumps(document))
    shown = recorded(forged)
    for name in ("svg", "perfetto", "explanation", "html"):
        with contextlib.suppress(ReplayError):  # some renderers do not mind
            assert shown.render(name)
