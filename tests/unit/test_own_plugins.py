"""Host memories, schedulers, schemes and checkers of one's own, written against the public names alone."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import simaie
from simaie import Barrier, Kind, Machine, Op, Program, UsageError
from simaie.errors import HostError
from simaie.host.memory import fill
from simaie.host.sc import ScMemory
from simaie.host.tso import TsoMemory
from simaie.testing import check_host_memory

X, Y = 0x1000, 0x2000


class Wrapped:
    """A host memory that keeps no `Ram` of its own to be filled: it knows the protocol only."""

    def __init__(self, inner):
        self._inner = inner
        self.buffers_stores = inner.buffers_stores
        self.order = inner.order

    def admit(self, op):
        return self._inner.admit(op)

    def drains(self, actor):
        return self._inner.drains(actor)

    def drain(self, actor, key):
        self._inner.drain(actor, key)

    def enabled(self, actor, op):
        return self._inner.enabled(actor, op)

    def perform(self, actor, op):
        return self._inner.perform(actor, op)

    def read(self, address, width):
        return self._inner.read(address, width)


class WrappedSc(Wrapped):
    """As a class, with an order of its objects only."""

    def __init__(self, endian):
        super().__init__(ScMemory(endian))


def wrapped_tso(endian):
    """As a function."""
    return Wrapped(TsoMemory(endian))


def store_buffering():
    async def first(cpu):
        await cpu.store(X, 1)
        cpu.observe("r", await cpu.load(Y))

    async def second(cpu):
        await cpu.store(Y, 1)
        cpu.observe("r", await cpu.load(X))

    init = {X: 0, Y: 0, 0x3000: 0x01020304, 0x3010: (0x1122334455667788, 8), 0x3020: b"abc"}
    watch = {0x3000: 1, 0x3010: 8, 0x3020: 4}
    return Program("store-buffering", isa="x86", threads=[first, second], init=init, watch=watch)


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize(("own", "known"), [(WrappedSc, "sc"), (wrapped_tso, "tso")])
def test_a_host_memory_that_passes_its_suite_runs_as_the_one_that_it_wraps(own, known, endian):
    check_host_memory(own, rounds=4)
    found = [
        simaie.explore(store_buffering(), Machine(host=host, endian=endian), scheduler="dfs", failures=None)
        for host in (own, known)
    ]
    assert found[0].verdict == found[1].verdict == "holds"
    assert found[0].outcomes == found[1].outcomes
    assert Machine(host=own).host_order == Machine(host=known).host_order


def test_a_host_memory_is_compared_and_replayed():
    compared = simaie.compare(store_buffering(), "native", host=wrapped_tso, allowed_host="sc")
    assert compared.verdict == "violated"
    failure = compared.forbidden[0].failure
    assert simaie.replay(failure).trace.digest == failure.trace.digest


def test_initial_values_have_drained_before_the_first_step():
    memory = wrapped_tso("big")
    fill(memory, [(X, 4, 0x01020304), (Y, 2, b"ab")], "big")
    assert list(memory.drains("loader")) == []
    assert (memory.read(X, 1), memory.read(Y, 2)) == (1, int.from_bytes(b"ab", "big"))
    assert memory.enabled("0", Op(Kind.BEGIN_EXCLUSIVE))


@pytest.mark.parametrize("host", [WrappedSc("little"), ScMemory()])
def test_an_object_is_no_host(host):
    with pytest.raises(UsageError, match=f"write host={type(host).__name__}"):
        Machine(host=host)


class Orderless(WrappedSc):
    """Without the attribute."""

    def __init__(self, endian):
        super().__init__(endian)
        del self.order


class WordyOrder(WrappedSc):
    """With another type of order."""

    def __init__(self, endian):
        super().__init__(endian)
        self.order = "full"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (int, "raised ValueError"),
        (lambda endian: None, "it lacks admit"),
        (lambda: None, "raised TypeError"),
        (Orderless, "it lacks order"),
        (WordyOrder, "must be a simaie.Barrier"),
    ],
)
def test_what_makes_no_host_memory_is_refused_at_once(host, words):
    with pytest.raises(HostError, match=words):
        Machine(host=host)


def test_an_order_may_stand_in_the_class_or_in_the_object():
    class InClass(WrappedSc):
        order = Barrier.NONE

        def __init__(self, endian):
            self._inner = ScMemory(endian)
            self.buffers_stores = False

    assert Machine(host=InClass).host_order == Barrier.NONE
    assert Machine(host=WrappedSc).host_order == Barrier.FULL


class GivesUp(simaie.Scheduler):
    """Gives up every execution but the first few steps."""

    def choose(self, offer: simaie.Offer) -> simaie.Candidate | None:
        return offer.default if offer.step < 2 else None


def test_a_scheduler_may_give_an_execution_up():
    report = simaie.explore(store_buffering(), scheduler=GivesUp(), executions=3)
    assert report.verdict == "inconclusive"
    assert report.statistics.pruned == 3


def test_a_fair_scheduler_hands_on_that_its_inner_one_gave_up():
    from simaie_schedulers.fair import Fair

    report = simaie.explore(store_buffering(), scheduler=Fair(GivesUp()), executions=2)
    assert report.statistics.pruned == 2


# --- the public names ----------------------------------------------------------------------------------

TYPED = '''
from collections.abc import Iterable
from typing import assert_type

import simaie
from simaie import (
    AArch64Cpu, ArmCpu, Candidate, Checker, Finding, Host, HostMemory, Kind, Machine, MipsCpu, Offer, Op, PpcCpu,
    Program, RiscvCpu, Scheduler, Scheme, SharedCell, Trace, VCpu, X86Cpu,
)


class Mine(Scheme):
    async def load(self, cpu: VCpu, address: int, width: int) -> int:
        cell: SharedCell = self.host.cell("cell", 0)
        host: Host = self.host
        await cell.store(1)
        return await host.load(address, width)


class First(Scheduler):
    def choose(self, offer: Offer) -> Candidate | None:
        return offer.candidates[0] if offer.candidates[0].op.kind is Kind.LOAD else None


def judges(trace: Trace) -> Iterable[Finding]:
    return ()


class Judge:
    order_sensitive = True

    def __call__(self, trace: Trace) -> tuple[Finding, ...]:
        return ()


def memory(endian: str) -> HostMemory:
    raise NotImplementedError


async def arm(cpu: ArmCpu) -> None:
    assert_type(await cpu.ldrex(0x100), int)


async def x86(cpu: X86Cpu) -> None:
    assert_type(await cpu.lock_xadd(0x100, 1), int)


checkers: list[Checker] = [judges, Judge()]
program = Program("typed", isa="arm", threads=[arm])
report = simaie.explore(program, Machine(Mine, host=memory), scheduler=First, checkers=checkers)
assert_type(report, simaie.Report)
report.plot_outcomes().to_svg()
report.failures[0].trace.plot_conflicts().to_svg()
running: Candidate | None = Offer().running
operation: Op = Op(Kind.FENCE)
others: tuple[type[simaie.Cpu], ...] = (AArch64Cpu, MipsCpu, PpcCpu, RiscvCpu)
'''


def test_plug_ins_written_against_the_public_names_are_typed(tmp_path):
    pytest.importorskip("mypy")
    path = tmp_path / "typed.py"
    path.write_text(textwrap.dedent(TYPED))
    root = Path(simaie.__file__).parents[1]
    # With the options of the project, so that the cache of `make types` serves here too.
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_there():
    assert sorted(simaie.__all__) == sorted(set(simaie.__all__))
    for name in simaie.__all__:
        assert hasattr(simaie, name)


def test_no_function_hides_a_package():
    code = (
        "import simaie, simaie.exploration, simaie.replaying, types\n"
        "assert isinstance(simaie.explore, types.FunctionType)\n"
        "assert isinstance(simaie.replay, types.FunctionType)\n"
        "import pkgutil\n"
        "modules = {module.name for module in pkgutil.iter_modules(simaie.__path__)}\n"
        "print(sorted(modules & set(simaie.__all__)))\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_there_is_one_definition_of_a_scheme():
    import simaie.protocols

    assert not [name for name in dir(simaie.protocols) if "Scheme" in name]
