"""The set of reservation holders: exact, unbounded, one step a method, alike in every process."""

from __future__ import annotations

import itertools

import pytest
from runs import X, execute, program, small

from simaie.aie.tiny_set import TinySet
from simaie.host.host import Host
from simaie.host.sc import ScMemory
from simaie.op import Kind
from simaie.prng import Random


class Bench:
    """A tiny set beside a set of Python, performed step by step."""

    def __init__(self) -> None:
        host = Host()
        self.guard = host.mutex("lock")
        self.tiny = TinySet(host, 0x40, self.guard)
        self.memory = ScMemory()
        self.model: set[int] = set()

    def perform(self, op):
        assert op.kind is Kind.UPDATE
        assert op.cell.guard is self.guard
        return self.memory.perform("0", op)

    def check(self) -> None:
        assert self.tiny.cell.value == tuple(sorted(self.model))


def test_every_short_history_agrees_with_a_set():
    actions = [(name, identity) for name in ("insert", "remove", "contains") for identity in (0, 1, 2)]
    for history in itertools.product([*actions, ("clear", None)], repeat=4):
        bench = Bench()
        for name, identity in history:
            result = bench.perform(getattr(bench.tiny, name)(*([] if identity is None else [identity])))
            if name == "contains":
                assert result is (identity in bench.model)
            {"insert": bench.model.add, "remove": bench.model.discard}.get(name, lambda _: None)(identity)
            if name == "clear":
                bench.model.clear()
            bench.check()


def test_hundreds_of_members_are_all_kept():
    bench = Bench()
    identities = list(range(700))
    Random(3).shuffle(identities)
    for identity in identities:
        bench.perform(bench.tiny.insert(identity))
        bench.model.add(identity)
    bench.check()
    assert all(bench.perform(bench.tiny.contains(identity)) for identity in identities)
    assert not bench.perform(bench.tiny.contains(700))


@pytest.mark.parametrize("threads", [300])
def test_no_reservation_of_hundreds_of_threads_is_lost(threads):
    """All load-link, then one store-conditional succeeds, and of the others none."""

    async def link(cpu):
        await cpu.ldrex(X)

    async def linker_then_storer(cpu):
        handles = [await cpu.spawn(link) for _ in range(threads)]
        await cpu.ldrex(X)
        for handle in handles:
            await cpu.join(handle)
        cpu.observe("failed", await cpu.strex(X, 1))

    trace = execute(program("arm", linker_then_storer), small("aie-rfc"))
    inserted = [event for event in trace.events if event.op.function and event.op.function.name.startswith("insert")]
    members = {int(event.op.function.name.split()[1]) for event in inserted}
    assert members == set(range(threads + 1))
    assert trace.outcome["0:failed"] == 0
    assert trace.outcome[f"[{X:#x}]"] == 1
