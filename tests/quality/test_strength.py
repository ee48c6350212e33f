"""A counterexample stays as convincing as what was found: A-B-A keeps its B, from wherever it comes, and from any seed.

A foreign store of the value that was there already breaks the architectural rule too, but it misleads no program, and a
reader who is shown that one will take the finding for a false alarm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

import simaie
from simaie import Failure, Machine, Program, explore, ins, strategies
from simaie.cli.fuzz import fuzz
from simaie.exploration.counterexamples import counterexamples
from simaie.op import owner_of
from simaie.schemes.scheme import Scheme
from simaie.trace import AccessKind

X = 0x100
SEEDS = range(20)
LOOP = [ins("ldrex", X, into="r0"), ins("strex", X, 7, into="r1")]
#: Besides the two stores of A-B-A there is one of the value that is there, which alone breaks the architectural rule.
NOISY = [ins("ldr", X + 8, into="r0"), ins("str_", X, 0), ins("str_", X, 1), ins("str_", X, 0), ins("str_", X + 8, 2)]


def storers_of_another_value(failure: Failure) -> set[str]:
    """The vCPUs that stored to the reserved word, and not what its load-linked had read, before a store-conditional.

    Read off the steps, without any checker of simaie's.
    """
    linked: dict[str, tuple[int, int]] = {}
    since: dict[str, set[str]] = {}
    found: set[str] = set()
    for event in failure.trace.events:
        vcpu, access = owner_of(event.actor), event.instruction.access if event.instruction else None
        if access is AccessKind.LOAD_LINKED and event.reads_ram:
            linked[vcpu], since[vcpu] = (event.op.address, event.value), set()
        if not event.writes_ram:
            continue
        if access is AccessKind.STORE_CONDITIONAL:
            found |= since.get(vcpu, set())
        for other, (address, value) in linked.items():
            if other != vcpu and address == event.op.address and event.op.value != value:
                since[other].add(vcpu)
    return found


def noisy(seed: int) -> Program:
    """A-B-A among other instructions, of which the seed says how many."""
    spare = [ins("str_", X + 64 * number, number) for number in range(1, 1 + seed % 3)]
    return Program("noisy", isa="arm", threads=[[*spare, *LOOP], [*NOISY, *spare], spare], init={X: 0})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_b_a_keeps_a_store_of_another_value_from_explore(seed):
    """Also where the checker that found it does not look at values."""
    report = explore(noisy(seed), Machine("cas"), scheduler="random-walk", seed=seed, failures=30)
    assert report.strongest is not None
    assert storers_of_another_value(report.strongest)
    small = report.strongest.shrink().failure
    assert storers_of_another_value(small) == {"1"}
    assert sum(len(thread) for thread in small.program.threads) <= 5


def silent(seed: int) -> Program:
    """The reserved word is stored to, and always with the value that it has."""
    return Program("silent", isa="arm", threads=[LOOP, [ins("str_", X, 0)] * (1 + seed)], init={X: 0})


def test_a_b_a_keeps_a_store_of_another_value_from_fuzz(monkeypatch):
    """Of a few programs, so that few examples are enough; some of them have a weaker failure only."""
    few = st.builds(lambda number, loud: (noisy if loud else silent)(number), st.integers(0, 2), st.booleans())
    monkeypatch.setattr(strategies, "programs", lambda isa, **shape: few)
    for seed in SEEDS:
        result = fuzz("arm", Machine("cas"), examples=8, seed=seed)
        assert len(result.signatures.groups) > 1, seed
        (found,) = counterexamples(result.signatures.groups[:1])
        assert storers_of_another_value(found.failure) == {"1"}, seed


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_a_b_a_that_fuzz_finds_by_itself_keeps_a_store_of_another_value(seed):
    kinds = ["load-linked", "store-conditional"]
    result = fuzz("arm", Machine("cas"), examples=2000, seed=seed, kinds=kinds, vcpus=2)
    found = [each.failure for each in counterexamples(result.signatures.groups)]
    assert storers_of_another_value(found[0])


class Hst(Scheme):
    """Every load-linked and store marks a table's entry, and then accesses memory; a store-conditional looks at it."""

    name: ClassVar[str] = "hst"

    def __init__(self, *given: Any, **usual: Any) -> None:
        super().__init__(*given, **usual)
        self.mark = self.host.cell("mark", None)

    async def load_linked(self, cpu: Any, address: int, width: int) -> int:
        await self.mark.store(cpu.name)
        value = await self.host.load(address, width)
        cpu.local = value
        return value

    async def store(self, cpu: Any, address: int, width: int, value: int) -> None:
        await self.mark.store(cpu.name)
        await self.host.store(address, width, value)

    async def store_conditional(self, cpu: Any, address: int, width: int, value: int) -> bool:
        await self.host.begin_exclusive()
        mine = await self.mark.load() == cpu.name and await self.host.load(address, width) == cpu.local
        if mine:
            await self.host.store(address, width, value)
        await self.host.end_exclusive()
        return mine


@pytest.mark.parametrize("seed", range(4))
def test_the_hole_of_hst_keeps_two_storers(seed):
    """Both have marked when the load-linked marks; then one stores another value, and one the first again."""
    spare = [ins("str_", X, 1), ins("ldr", X + 4, into="r")]
    threads = [LOOP, [ins("str_", X, 1), *spare], [ins("str_", X, 0), ins("ldr", X + 4, into="r")]]
    program = Program("two storers", isa="arm", threads=threads, init={X: 0})
    report = explore(program, Machine(Hst), scheduler="random-walk", seed=seed, failures=30)
    assert report.strongest is not None
    small = report.strongest.shrink().failure
    assert len(storers_of_another_value(small)) == 1
    writers = {event.actor for event in small.trace.events if event.writes_ram}
    assert writers == {"0", "1", "2"}


def test_a_b_a_keeps_a_store_of_another_value_from_pytest(pytester):
    pytester.makepyfile("""
import pytest
from test_strength import noisy

@pytest.mark.parametrize("number", range(20))
@pytest.mark.simaie(scheme="cas", scheduler="random-walk")
def test_noisy(number):
    return noisy(number)
""")
    pytester.syspathinsert(Path(__file__).parent)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly", "--simaie-seed", "3")
    result.assert_outcomes(failed=len(SEEDS))
    files = sorted((pytester.path / ".simaie").glob("*.json"))
    assert len(files) == len(SEEDS)
    for file in files:
        assert storers_of_another_value(simaie.replay(file)) == {"1"}
