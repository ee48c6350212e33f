"""Mixed paths: several schemes in one machine, and the holes that each of them alone does not have."""

from __future__ import annotations

import pytest
from runs import execute

import simaie
from simaie import Machine, Program, Scheme, ins
from simaie.corpus.violations import violation
from simaie.errors import EscapedStateError, UnknownNameError, UsageError
from simaie.op import Kind
from simaie.plugins import Spec
from simaie.schemes.cas import CompareAndSwap
from simaie.schemes.holes import Hole

X = 0x100


def verdict(program, scheme, **options):
    machine = Machine(scheme, address_bits=12, **options)
    report = simaie.explore(program, machine, scheduler="dpor", failures=None)
    kinds = {finding.kind for failure in report.kept for finding in failure.findings}
    return report.verdict, report.statistics.executions, kinds


TORN = {"llsc-atomicity"}


@pytest.mark.parametrize(
    ("paths", "hole", "expected"),
    [
        ({"0": "monitor-spin", "*": "cas"}, Hole.ABA_BY_SC, ("violated", 8, TORN)),
        ({"*": "monitor-spin"}, Hole.ABA_BY_SC, ("holds", 15, set())),
        ({"0": "tlib", "*": "cas"}, Hole.LLSC, ("violated", 4, TORN)),
        ({"*": "tlib"}, Hole.LLSC, ("holds", 6, set())),
        # Two processes with the same scheme do not see each other's reservations.
        ({"0": "tlib", "*": "tlib"}, Hole.STORE, ("violated", 3, TORN)),
        ({"0": "tlib", "*": "tlib:granule=8"}, Hole.LLSC, ("violated", 4, TORN)),
    ],
)
def test_a_mixture_breaks_what_its_parts_keep(paths, hole, expected):
    assert verdict(violation(hole), paths) == expected


def test_an_interpreter_under_a_mutex_next_to_host_atomics_loses_an_update():
    add = ins("lock_xadd", X, 1, into="old")
    program = Program("xadd", isa="x86", threads=[[add], [add]], init={X: 0})
    paths = {"0": "global-lock", "*": "cas"}
    assert verdict(program, paths) == ("violated", 3, {"rmw-atomicity"})
    assert verdict(program, "global-lock")[0] == verdict(program, "cas")[0] == "holds"


# -- which path a vCPU takes -----------------------------------------------------------------------------


async def parent(cpu):
    await cpu.join(await cpu.spawn(child))


async def child(cpu):
    await cpu.ldrex(X)
    cpu.observe("failed", await cpu.strex(X, 1))


async def emulator_thread(device):
    await device.store(X, 0)


async def dma(device):
    await device.dma_write(X, 0)


def cells_of(program, paths):
    """Return the names of the cells that any execution accesses."""
    machine = Machine(paths, address_bits=12)
    report = simaie.explore(program, machine, scheduler="dpor", checkers=[seen := Seen()])
    assert report.complete
    return seen.names


class Seen:
    """Collects the names of cells."""

    def __init__(self):
        self.names = set()

    def __call__(self, trace):
        self.names |= {event.op.cell.name for event in trace.events if event.op.cell is not None}
        return ()


def test_a_child_and_a_device_take_the_path_of_their_names():
    program = Program("names", isa="arm", threads=[parent], devices=[emulator_thread], init={X: 0})
    assert cells_of(program, {"0.*": "hst", "dma*": "tlib", "*": "cas"}) == {
        "tag 0x100 of 0.*", "tag 0x100 of dma*", "lock 0x100 of dma*",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("device", "expected"), [(emulator_thread, "holds"), (dma, "violated")], ids=["through", "past"]
)
def test_a_device_writes_through_the_scheme_or_past_it(device, expected):
    """As the program says: `store` is an emulator's own thread that keeps the rules, `dma_write` is one that does not.

    The value does not change, so a scheme that compares values does not notice the write.
    """
    pair = [ins("ldrex", X), ins("strex", X, 1, into="failed")]
    program = Program("device", isa="arm", threads=[pair], devices=[device], init={X: 0})
    assert verdict(program, "tlib")[0] == expected
    assert verdict(program, {"*": "tlib"})[0] == expected


def test_the_first_path_that_matches_counts():
    assert verdict(violation(Hole.ABA_BY_SC), {"*": "monitor-spin", "0": "cas"})[0] == "holds"


# -- names -------------------------------------------------------------------------------------------------


def test_a_mixture_has_a_name_on_the_command_line():
    machine = Machine({"0": ("hst", {"sc": "mutex", "marks": False}), "*": CompareAndSwap})
    text = machine.arguments[machine.arguments.index("--scheme") + 1]
    assert text == "mixed:paths=0=hst:marks=false&sc=mutex;*=cas"
    assert machine.is_named
    again = Machine(text)
    assert again.scheme_spec == machine.scheme_spec == Spec.of(text)
    again.check_options()


def test_a_mixture_of_own_classes_has_none_and_runs():
    class Local(Scheme):
        """A class that no file defines at its top level."""

        async def atomic_rmw(self, cpu, address, width, function):
            return await self.host.fetch(address, width, function)

    machine = Machine({"0": Local, "*": "cas"}, address_bits=12)
    assert machine.named_scheme is None
    program = Program("swp", isa="arm", threads=[[ins("swp", X, 1)], [ins("swp", X, 2)]], init={X: 0})
    assert simaie.explore(program, machine, scheduler="dpor").verdict == "holds"


class Escaping(Scheme):
    """It keeps what vCPUs share in a list."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen = []

    async def store(self, cpu, address, width, value):
        self.seen.append(cpu.name)
        await self.host.store(address, width, value)


@pytest.mark.parametrize("scheme", [Escaping, f"{__file__}:Escaping"])
def test_shared_state_of_a_path_that_escapes_is_found(scheme):
    store = ins("str_", X, 1)
    program = Program("stores", isa="arm", threads=[[store], [store]], init={X: 0})
    with pytest.raises(EscapedStateError, match="seen"):
        simaie.explore(program, Machine({"0": scheme, "*": "cas"}, address_bits=12), scheduler="dpor")


def test_a_failure_of_a_mixture_replays(tmp_path):
    program = violation(Hole.ABA_BY_SC)
    report = simaie.explore(program, Machine({"0": "monitor-spin", "*": "cas"}, address_bits=12), scheduler="dpor")
    path = tmp_path / "failure.json"
    report.failures[0].save(path)
    replayed = simaie.replay(path, program=program)
    assert replayed.trace.digest == report.failures[0].trace.digest


def test_the_barriers_of_each_path_are_its_own():
    """An x86 guest needs its stores in order, which a PSO host does not keep."""
    store = ins("store", X, 1)
    program = Program("stores", isa="x86", threads=[[store], [store]], init={X: 0})
    machine = Machine({"0": "cas:barriers=full", "*": "cas:barriers=none"}, host="pso")
    kinds = [(event.actor, event.op.kind) for event in execute(program, machine).events]
    assert ("0", Kind.FENCE) in kinds
    assert ("1", Kind.FENCE) not in kinds


@pytest.mark.parametrize(
    "paths",
    [
        {},
        {"0": "cas"},
        {"": "cas", "*": "cas"},
        {0: "cas"},
        {"a=b": "cas", "*": "cas"},
        {"a;b": "cas", "*": "cas"},
        {"*": 5},
        {"*": {"*": "cas"}},
        {"*": "mixed"},
    ],
)
def test_wrong_paths_are_refused(paths):
    with pytest.raises(UsageError):
        Machine(paths).check_options()


@pytest.mark.parametrize("text", ["", "cas", "0=cas", "*=", "=cas;*=cas", "*=cas;*=hst"])
def test_wrong_text_is_refused(text):
    with pytest.raises(UsageError):
        Machine(("mixed", {"paths": text})).check_options()


def test_an_unknown_scheme_of_a_path_is_named():
    with pytest.raises(UnknownNameError, match="monitor-spin"):
        Machine({"*": "monitor-spi"}).check_options()
