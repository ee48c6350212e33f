"""All host memories that are installed keep the contract; broken ones do not pass, each for its reason."""

from __future__ import annotations

import pytest

from simaie import plugins
from simaie.barrier import Barrier
from simaie.host.pso import PsoMemory
from simaie.host.sc import ScMemory
from simaie.host.tso import TsoMemory
from simaie.op import Kind, Op
from simaie.testing import check_host_memory


@pytest.mark.parametrize("name", plugins.names(plugins.HOSTS))
def test_every_installed_host_memory_conforms(name):
    check_host_memory(plugins.resolve(plugins.HOSTS, name))


class ForgetsToForward(TsoMemory):
    """A vCPU does not see its own buffered stores."""

    def _forwarded(self, actor, op):
        return self._peek(op)


class ShowsStoresEarly(TsoMemory):
    """A buffered store is seen by everybody at once."""

    def _buffer(self, actor, store):
        super()._buffer(actor, store)
        if store.cell is None:
            self.ram.write(store.address, store.width, store.value)


class HasWeakLocks(TsoMemory):
    """Nothing waits for the buffers."""

    def enabled(self, actor, op):
        return ScMemory.enabled(self, actor, op) and not (op.kind is Kind.BEGIN_EXCLUSIVE and self._buffers)


class StopsTheWorldTooEarly(PsoMemory):
    """The world is stopped while stores are buffered."""

    def enabled(self, actor, op):
        return op.kind is Kind.BEGIN_EXCLUSIVE or super().enabled(actor, op)


class PromisesTooMuch(PsoMemory):
    """Says TSO, and is PSO."""

    order = Barrier.FULL & ~Barrier.ST_LD


class IgnoresStoreFences(PsoMemory):
    """A store-store fence does nothing."""

    def perform(self, actor, op):
        return None if op.kind is Kind.FENCE else super().perform(actor, op)


class DrainsOutOfOrder(TsoMemory):
    """The newest store to a place drains first."""

    def ready(self, stores):
        yield stores[-1]

    def drain(self, actor, key):
        self._store(actor, self._buffers[actor].pop().op)
        if not self._buffers[actor]:
            del self._buffers[actor]


class NeverDrains(TsoMemory):
    """What is buffered stays so."""

    def drains(self, actor):
        return ()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (ForgetsToForward, "program order"),
        (ShowsStoresEarly, "before it drained"),
        (HasWeakLocks, "does not wait"),
        (StopsTheWorldTooEarly, "world"),
        (PromisesTooMuch, "promises"),
        (IgnoresStoreFences, "in spite of the fences"),
        (DrainsOutOfOrder, "program order"),
        (NeverDrains, "nothing to drain"),
    ],
)
def test_a_broken_memory_does_not_pass(broken, reason):
    with pytest.raises(AssertionError, match=reason):
        check_host_memory(broken)


def test_the_memories_reorder_what_they_do_not_promise():
    """SB shows on both; MP, S, R by its stores, and 2+2W on PSO only; LB on none, since no load is delayed."""
    from simaie.testing.host_memories import _ODD, _litmus, _shows

    shown = {
        host.__name__: {name for name, threads, _ in _litmus() if _shows(host, [*threads], _ODD[name])}
        for host in (ScMemory, TsoMemory, PsoMemory)
    }
    assert shown == {"ScMemory": set(), "TsoMemory": {"SB", "R"}, "PsoMemory": {"SB", "R", "MP", "S", "2+2W"}}


def test_a_fence_of_another_order_does_not_help():
    """On TSO a store-store fence leaves store buffering as it is."""
    memory = TsoMemory()
    memory.perform("me", memory.admit(Op(Kind.STORE, None, 0x10, 4, 1)))
    assert memory.enabled("me", Op(Kind.FENCE, note="st-st"))
    assert memory.enabled("me", Op(Kind.FENCE, note="ld-ld+ld-st"))
    assert not memory.enabled("me", Op(Kind.FENCE, note="st-ld"))
