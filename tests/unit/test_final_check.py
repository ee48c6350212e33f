"""What a final check may be and return, and what a refusal tells."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from simaie_schedulers.surw import SelectiveRandomWalk

from simaie import Machine, Program, UsageError, explore
from simaie.check import linearizable
from simaie.check.registry import checkers_of
from simaie.errors import GuestError
from simaie.strategies import failures, machines, programs

X = 0x1000


async def guest(cpu):
    cpu.observe("r", 3)
    await cpu.store(X, 20_000)


def program(final):
    return Program("asked", isa="x86", threads=[guest], init={X: 0}, final=final)


def judged(final):
    """(verdict, message of the finding)."""
    report = explore(program(final), Machine(), scheduler="dpor")
    return report.verdict.value, " ".join(f.message for failure in report.failures for f in failure.findings)


def asserts_nothing(state):
    assert state[X] == 20_000


def asserts_wrongly(state):
    assert state[X] == 1, f"the store is lost,\n and r is {state.registers['0:r']}"


@pytest.mark.parametrize("final", [asserts_nothing, lambda s: None, lambda s: True, lambda s: s[X] > 0])
def test_true_and_none_accept(final):
    assert judged(final) == ("holds", "")


def test_false_refuses_and_the_finding_says_what_was_read_unless_the_outcome_does():
    def final(state):
        return state.registers["0:r"] == 3 and state.read(X, width=8) == 0

    verdict, message = judged(final)
    assert verdict == "violated"
    assert f"it read 0:r=3 [{X:#x}]/8=0x4e20" in message
    verdict, message = judged(lambda state: state[X] == 0)
    assert verdict == "violated"
    assert "it read" not in message


def test_the_text_of_a_failed_assertion_is_in_the_finding_with_what_was_read():
    verdict, message = judged(asserts_wrongly)
    assert verdict == "violated"
    assert "the store is lost, and r is 3" in message
    assert f"it read [{X:#x}]=0x4e20 0:r=3" in message


@pytest.mark.parametrize(
    "read",
    [
        lambda registers: registers["0:r"],
        lambda registers: registers.get("0:r"),
        lambda registers: list(registers.values()),
        lambda registers: dict(registers.items()),
    ],
)
def test_registers_are_noted_however_they_are_read(read):
    def final(state):
        assert "1:r" not in state.registers
        assert state.registers.get("1:r") is None
        assert state.registers.get("1:r", 5) == 5
        read(state.registers)
        assert state is None

    assert "it read 0:r=3" in judged(final)[1]


class Almost:
    """As a bool of numpy: true or false, and no bool."""

    def __bool__(self):
        return True


class Partly:
    """Is no function of its own, and its result is a number."""

    def __call__(self, state):
        return state[X]


async def suspended(state):
    return False


def generating(state):
    yield False


RETURNED = [1, 0, (), (False,), (True, "why"), "no", [], {}, 1.0, Almost(), Ellipsis]


@pytest.mark.parametrize("returned", RETURNED, ids=lambda value: "Almost" if isinstance(value, Almost) else repr(value))
def test_what_is_no_bool_is_an_error_that_names_program_function_and_value(returned):
    def final(state):
        return returned

    with pytest.raises(UsageError) as caught:
        judged(final)
    for part in ("'asked'", f"{Path(__file__).name}:{final.__code__.co_firstlineno}", f"returned {returned!r}"):
        assert part in str(caught.value)


@pytest.mark.parametrize("final", [lambda s: suspended(s), lambda s: generating(s), Partly()])
def test_so_is_a_coroutine_a_generator_and_the_result_of_an_object(final):
    with pytest.raises(UsageError, match=r"test_final_check\.py:\d+\) returned"):
        judged(final)


class Suspended:
    """An object that is called like an ``async def``."""

    async def __call__(self, state):
        return False


async def both(state):
    yield False


@pytest.mark.parametrize("final", [suspended, generating, both, functools.partial(suspended), Suspended(), 5, "s"])
def test_what_does_not_run_when_called_is_refused_when_the_program_is_made(final):
    with pytest.raises(UsageError, match="'asked'"):
        program(final)


def test_what_it_raises_otherwise_is_an_error_of_the_guest():
    with pytest.raises(GuestError, match="'asked'"):
        judged(lambda state: 1 // 0)


# -- other functions that decide -------------------------------------------------------------------------


def test_a_specification_a_checker_and_a_wait_cannot_suspend():
    class Specification:
        initial = 0

        async def apply(self, state, name, args):
            return None

    with pytest.raises(UsageError, match="Specification"):
        linearizable(Specification())
    with pytest.raises(UsageError, match="suspended"):
        checkers_of([suspended])

    async def waits(cpu):
        await cpu.wait_until(X, suspended)

    with pytest.raises(UsageError, match="wait_until"):
        explore(Program("waits", isa="x86", threads=[waits]), Machine(), scheduler="dpor")


def test_what_accepts_a_failure_returns_a_bool():
    with pytest.raises(UsageError, match="accept"):
        failures(programs(isa="x86"), machines(["none"]), accept=suspended)

    @settings(max_examples=1, database=None, derandomize=True, phases=[Phase.generate])
    @given(failures(programs(isa="x86"), machines(["none"]), executions=5, accept=lambda failure: 1))
    def drawn(failure):
        pass

    with pytest.raises(UsageError, match=r"accept .* returned 1"):
        drawn()


def test_what_is_interesting_to_a_scheduler_cannot_suspend():
    with pytest.raises(UsageError, match="interesting"):
        SelectiveRandomWalk(interesting=suspended)


# -- python -O -------------------------------------------------------------------------------------------

OPTIMIZED = """
import simaie

X = 0x1000

def helper(value):
    assert value == 1

class Lock:
    async def take(self, cpu):
        assert await cpu.load(X) == 1

LOCK = Lock()

async def asserting(cpu):
    assert await cpu.load(X) == 1

async def helped(cpu):
    helper(await cpu.load(X))

async def locking(cpu):
    await LOCK.take(cpu)

async def plain(cpu):
    await cpu.load(X)

async def raising(cpu):
    if await cpu.load(X) != 1:
        raise AssertionError("not 1")

def final(state):
    assert state[X] == 1

def unrelated():
    assert False

exec("async def unknown(cpu): await cpu.load(X)")

def verdict(thread, final=None):
    try:
        program = simaie.Program("p", isa="x86", threads=[thread], init={X: 0}, final=final)
        return simaie.explore(program, scheduler="dpor").verdict.value
    except simaie.UsageError as error:
        return "refused"

print(*[verdict(thread) for thread in (asserting, helped, locking, unknown, plain, raising)],
      verdict(plain, final), verdict(plain, lambda state: state[X] == 1), verdict([simaie.ins("load", X)]))
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-O"], "refused refused refused refused holds violated refused violated holds"),
        ([], "violated violated violated holds holds violated violated violated holds"),
    ],
)
def test_a_program_with_asserts_is_refused_where_python_leaves_them_out(options, expected, tmp_path):
    script = tmp_path / "guests.py"
    script.write_text(OPTIMIZED)
    done = subprocess.run([sys.executable, *options, script], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (expected.split(), "")
