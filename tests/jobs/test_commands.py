"""The commands that examine many programs: with several processes they have the results of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from kept.processes import SIMAIE, begun, soon

from simaie import Machine, Program, compare, ins
from simaie.audit import audit
from simaie.cli import main
from simaie.cli.fuzz import fuzz
from simaie.cli.status import Status
from simaie.corpus import cases
from simaie.errors import GuestError, Interrupted, UsageError
from simaie.exploration import search
from simaie.exploration.barriers import minimal_barriers
from simaie.exploration.in_order import InOrder, in_order
from simaie.exploration.workers import Pool

SB = """X86 {name}
{{ x=0; y=0; }}
 P0          | P1          ;
 MOV [x],${one}  | MOV [y],$1  ;
 MOV EAX,[y] | MOV EAX,[x] ;
exists (0:EAX=0 /\\ 1:EAX=0)
"""


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(each) for name, each in value.items() if name not in ("seconds", "saved")}
    return [without_times(each) for each in value] if isinstance(value, list | tuple) else value


# -- calls in order ----------------------------------------------------------------------------------------


def square(number: int) -> int:
    if number == 13:
        raise UsageError("13")
    return number * number


def test_an_error_is_raised_in_its_turn() -> None:
    assert list(in_order(square, range(12), 3)) == list(map(square, range(12)))
    results = in_order(square, range(100), 2)
    assert [next(results) for _ in range(13)] == [number * number for number in range(13)]
    with pytest.raises(UsageError, match="13"):
        next(results)


def test_what_cannot_be_sent_is_made_here() -> None:
    """A result that cannot be pickled, and a piece at which each worker dies."""
    here = os.getpid()

    def work(number: int) -> Any:
        if number == 1 and os.getpid() != here:
            os._exit(1)
        return (lambda: number) if number == 2 else number

    zero, one, two, three = in_order(work, range(4), 2)
    assert (zero, one, two(), three) == (0, 1, 2, 3)


def test_pieces_are_taken_when_there_is_work_for_them() -> None:
    taken = []

    def pieces() -> Any:
        for number in range(10_000):
            taken.append(number)
            yield number % 12

    results = in_order(square, pieces(), 2)
    next(results)
    assert len(taken) < 100
    results.close()


# -- commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [None, 1])
def test_fuzzing_finds_the_same(failures: int | None) -> None:
    def run(jobs: int) -> Any:
        told: list[Any] = []
        options: dict[str, Any] = {"examples": 20, "seed": 3, "failures": failures, "jobs": jobs}
        result = fuzz("arm", Machine("cas"), found=lambda failure: told.append(failure.trace.digest), **options)
        groups = [
            (group.signature, group.count, group.first.trace.digest, group.shortest.trace.digest)
            for group in result.signatures.groups
        ]
        counts = result.examples, result.executions, result.traces, result.failing
        return counts, result.digests, sorted(result.programs), groups, told

    one = run(1)
    assert one[3]
    assert run(2) == one


def test_the_audit_has_the_same_rows() -> None:
    def rows(jobs: int) -> Any:
        return [without_times(row) for row in audit(["cas", "aie-rfc"], [2, 6, 7, 8], jobs=jobs).as_dict()["rows"]]

    one = rows(1)
    assert len(one) > 2
    assert rows(2) == one


def test_ctrl_c_keeps_the_rows_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [row.program for row in audit(["aie-rfc"], [2, 6]).rows]
    take = Pool.take

    def taken(self: Pool[Any, Any], number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return take(self, number)

    monkeypatch.setattr(Pool, "take", taken)
    with pytest.raises(Interrupted) as caught:
        audit(["aie-rfc"], [2, 6], jobs=2)
    assert [row.program for row in caught.value.report.rows] == whole[:1]


def test_the_barriers_are_the_same() -> None:
    """Also the errors, and the order in which both are told."""
    programs = [case.program for case in cases() if case.needs.host == "tso"][:3]

    def found(jobs: int) -> Any:
        told: list[str] = []
        report = minimal_barriers(
            [programs[0], "missing.litmus", *programs[1:]],
            "aie-rfc",
            "tso",
            jobs=jobs,
            found=lambda program: told.append(program.name),
            errors=lambda name, error: told.append(f"{name}: {error}"),
        )
        return without_times(report.as_dict()), told

    one = found(1)
    assert len(one[1]) == 4
    assert found(2) == one


def test_comparisons_are_the_same(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.litmus").write_text(SB.format(name=f"SB{number}", one=1 + number))
    (tmp_path / "wrong.litmus").write_text("wrong")
    options = ("--scheme", "aie-rfc:barriers=none", "--host", "pso", "--format", "json")

    def compared(jobs: int) -> Any:
        folder = tmp_path / f"saved{jobs}"
        with begun(*SIMAIE, "compare", tmp_path, *options, "--save", folder, "--jobs", jobs) as process:
            ran = process.ended()
        return ran.status, without_times(ran.document), sorted(file.name for file in folder.glob("*"))

    one = compared(1)
    assert compared(2) == one
    assert len(one[1]["comparisons"]) == 3


@pytest.mark.parametrize("command", [("audit",), ("fuzz", "--scheme", "cas"), ("compare", "a", "b"), ("litmus", "a")])
def test_the_number_of_jobs_is_checked_everywhere(command: tuple[str, ...], capsys: pytest.CaptureFixture) -> None:
    assert main([*command, "--jobs", "none"]) == Status.ERROR
    assert "--jobs" in capsys.readouterr().err


# -- one comparison --------------------------------------------------------------------------------------


X, Y, Z = 0x40, 0x44, 0x48
#: A store-conditional that must fail if the other vCPU has begun behind the load, and is over before the store.
HOLDER = [
    ins("ldrex", X),
    ins("ldr", Y, into="begun"),
    ins("ldr", Z, into="over"),
    ins("strex", X, 2, into="failed"),
]
FLIPPER = [
    ins("str_", Y, 1),
    *(step for value in (1, 0) for step in (ins("ldrex", X), ins("strex", X, value, into=f"failed{value}"))),
    ins("str_", Z, 1),
]
ABA = Program("a-b-a", isa="arm", threads=[HOLDER, FLIPPER], init={X: 0, Y: 0, Z: 0})


async def load(cpu: Any) -> None:
    await cpu.ldr(X)


def sets(jobs: int, **options: Any) -> Any:
    told: list[str] = []
    found = compare(ABA, jobs=jobs, found=lambda failure: told.append(failure.trace.digest), **options)
    return without_times(found.as_dict()), told, [each.failure.index for each in found.forbidden]


@pytest.mark.parametrize("options", [{"scheme": "cas"}, {"scheme": "aie-rfc", "host": "tso"}, {"executions": 3}])
def test_a_comparison_of_one_program_is_the_same(options: dict[str, Any]) -> None:
    assert sets(2, **options) == (one := sets(1, **options))
    assert one[1] or options.get("scheme") != "cas"


@pytest.mark.parametrize("late", [True, False])
def test_witnesses_are_told_in_order_whenever_it_is_known_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """The worker may answer before the first execution, or after the last one."""
    one = sets(1, scheme="cas")
    assert one[1]
    ready = InOrder.is_ready.fget
    monkeypatch.setattr(InOrder, "is_ready", property(lambda calls: not late and soon(lambda: ready(calls))))
    monkeypatch.setattr(search, "_PROGRESS_EVERY", 1)
    assert sets(2, scheme="cas") == one


@pytest.mark.parametrize("known", [True, False])
def test_an_interrupted_comparison_keeps_what_is_possible(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """What is forbidden is said only if it is known what is allowed."""

    def interrupt(which: str, executions: int) -> None:
        assert which == "possible"
        if executions == 6:  # behind the two forbidden ones
            raise KeyboardInterrupt

    ready = InOrder.is_ready.fget
    monkeypatch.setattr(InOrder, "is_ready", property(lambda calls: known and soon(lambda: ready(calls))))
    monkeypatch.setattr(search, "_PROGRESS_EVERY", 1)
    with pytest.raises(Interrupted) as caught:
        compare(ABA, "cas", jobs=2, progress=interrupt)
    report = caught.value.report
    assert report.possible.executions == 6
    assert report.allowed.complete == known
    assert bool(report.forbidden) == known


def test_an_error_of_one_comparison_is_that_of_one_process() -> None:
    """Both searches meet it; the one for what is allowed comes first."""

    async def wrong(cpu: Any) -> None:
        if await cpu.ldr(X) == 1:
            raise ValueError("rare")

    program = Program("wrong", isa="arm", threads=[FLIPPER, wrong], init={X: 0})
    errors = []
    for jobs in (1, 2):
        with pytest.raises(GuestError, match="rare") as caught:
            compare(program, "cas", jobs=jobs)
        errors.append((str(caught.value), getattr(caught.value, "__notes__", None)))
    assert errors[0] == errors[1]


def test_a_comparison_whose_worker_dies_is_made_here() -> None:
    here = os.getpid()

    async def deadly(cpu: Any) -> None:
        if os.getpid() != here:
            os._exit(1)
        await load(cpu)

    program = Program("deadly", isa="arm", threads=[deadly, FLIPPER], init={X: 0}, watch={X: 4})
    one, two = (without_times(compare(program, "cas", jobs=jobs).as_dict()) for jobs in (1, 2))
    assert one == two
