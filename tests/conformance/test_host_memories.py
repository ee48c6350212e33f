"""All host memories that are installed keep the contract; broken ones do not pass, each for its reason."""

from __future__ import annotations

import pytest

from simaie import plugins
from simaie.barrier import Barrier
from simaie.dependence import waits_for_drain
from simaie.host import store_buffer
from simaie.host.pso import PsoMemory
from simaie.host.sc import ScMemory
from simaie.host.tso import TsoMemory
from simaie.op import Kind, Op
from simaie.testing import check_host_memory
from simaie.testing.host_litmus import CLASSIC, shows


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


class DrainsOverlapsOutOfOrder(PsoMemory):
    """Stores that overlap in part drain in any order."""

    def ready(self, stores):
        seen = set()
        for entry in stores:
            if entry.fences == stores[0].fences and entry.key not in seen:
                seen.add(entry.key)
                yield entry


class IgnoresReleases(PsoMemory):
    """A store with release order is like any other."""

    def _buffer(self, actor, store):
        super()._buffer(actor, Op(Kind.STORE, store.cell, store.address, store.width, store.value))


class ForwardsWholeStoresOnly(TsoMemory):
    """A load of a part of what is buffered reads RAM."""

    def _merged(self, op, stores):
        return self._peek(op)


class ForwardsInOneByteOrder(TsoMemory):
    """A load that puts bytes together takes them for little endian."""

    def _merged(self, op, stores):
        value = super()._merged(op, stores)
        return int.from_bytes(value.to_bytes(op.width, self.ram.endian), "little")


class LosesStores(PsoMemory):
    """There is room for three."""

    def _buffer(self, actor, store):
        if len(self._buffers.get(actor, ())) < 3:
            super()._buffer(actor, store)


class LocksWithoutBarrier(TsoMemory):
    """Mutexes do not wait for the buffer."""

    def enabled(self, actor, op):
        mutex = op.kind in (Kind.LOCK, Kind.UNLOCK)
        return ScMemory.enabled(self, actor, op) if mutex else super().enabled(actor, op)


class LocksForTwo(TsoMemory):
    """A mutex is always free."""

    def enabled(self, actor, op):
        return (op.kind is Kind.LOCK and actor not in self._buffers) or super().enabled(actor, op)


class WaitsInRam(TsoMemory):
    """Who waits does not see its own buffered stores."""

    def _await(self, actor, op):
        return ScMemory._await(self, actor, op)


class ReservesInRam(TsoMemory):
    """A load-linked does not see its own buffered stores."""

    def perform(self, actor, op):
        if op.kind is Kind.LOAD_LINKED:
            return ScMemory.perform(self, actor, op)
        return super().perform(actor, op)


class KeepsReservations(PsoMemory):
    """A store that drains leaves the others' reservations."""

    def _break_reservations(self, actor, op):
        """Not."""


class StoresConditionallyAlways(TsoMemory):
    """A store-conditional needs no reservation."""

    def perform(self, actor, op):
        if op.kind is Kind.STORE_CONDITIONAL:
            self._store(actor, op)
            return 1
        return super().perform(actor, op)


class DrainsTheOther(TsoMemory):
    """Whose buffer drains is mixed up."""

    def drain(self, actor, key):
        super().drain(next((other for other in self._buffers if other != actor), actor), key)


class IncrementsTwice(TsoMemory):
    """An atomic read-modify-write is done again."""

    def perform(self, actor, op):
        if op.kind is Kind.FETCH:
            super().perform(actor, op)
        return super().perform(actor, op)


class NeverDrains(TsoMemory):
    """What is buffered stays so."""

    def drains(self, actor):
        return ()


class LoadsInNoOrder(TsoMemory):
    """A sequentially consistent load does not wait for the buffer."""

    def enabled(self, actor, op):
        return op.kind is Kind.LOAD or super().enabled(actor, op)


class FencesTooMuch(PsoMemory):
    """Every fence waits for the buffers."""

    def enabled(self, actor, op):
        return not (op.kind is Kind.FENCE and actor in self._buffers) and super().enabled(actor, op)


class EndsThreadsEarly(PsoMemory):
    """A vCPU may end with stores in its buffers."""

    def enabled(self, actor, op):
        return op.kind is Kind.EXIT or super().enabled(actor, op)


class UpdatesOverStores(TsoMemory):
    """An update of a cell overtakes the vCPU's own store to it."""

    def perform(self, actor, op):
        return ScMemory.perform(self, actor, op) if op.kind is Kind.UPDATE else super().perform(actor, op)


class StoresWhenAsked(TsoMemory):
    """A sleep that asks for a reservation stores."""

    def _part(self, actor, part):
        if part.kind is not Kind.STORE_CONDITIONAL:
            return super()._part(actor, part)
        stored = self._would_store(actor, part)
        if stored:
            self.ram.write(part.address, part.width, part.value)
        return stored


class LosesWhenAsked(PsoMemory):
    """A sleep that asks for a reservation ends it."""

    def _would_store(self, actor, op):
        held = super()._would_store(actor, op)
        self.reservations.pop(actor, None)
        return held


class SleepsOn(ScMemory):
    """A sleep does not notice that its reservation is lost."""

    def _would_store(self, actor, op):
        return int(actor in self.reservations)


class WakesAtOnce(ScMemory):
    """A sleep ends although the reservation holds."""

    def _would_store(self, actor, op):
        return 0


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
        (LoadsInNoOrder, "load .* does not wait|does not wait"),
        (FencesTooMuch, "fence .*st-st.* waits|is disabled"),
        (EndsThreadsEarly, "exit does not wait"),
        (UpdatesOverStores, "UPDATE overtakes"),
        (DrainsOverlapsOutOfOrder, "program order|over a part"),
        (IgnoresReleases, "release"),
        (ForwardsWholeStoresOnly, "program order"),
        (ForwardsInOneByteOrder, "program order"),
        (LosesStores, "program order"),
        (LocksWithoutBarrier, "mutex"),
        (LocksForTwo, "unlocked by a vCPU"),
        (WaitsInRam, "await"),
        (ReservesInRam, "load-linked"),
        (KeepsReservations, "reserved bytes"),
        (StoresConditionallyAlways, "store-conditional"),
        (DrainsTheOther, "another vCPU"),
        (IncrementsTwice, "program order"),
        (StoresWhenAsked, "await .* stores"),
        (LosesWhenAsked, "although the reservation is not lost"),
        (SleepsOn, "although another vCPU stored"),
        (WakesAtOnce, "although the reservation is not lost"),
    ],
)
def test_a_broken_memory_does_not_pass(broken, reason):
    with pytest.raises(AssertionError, match=reason):
        check_host_memory(broken)


def test_the_memories_reorder_what_they_do_not_promise():
    """SB shows on both; MP, S, R by its stores, and 2+2W on PSO only; LB on none, since no load is delayed."""
    shown = {
        host.__name__: {test.name for test in CLASSIC if shows(host, test.threads, test.odd)}
        for host in (ScMemory, TsoMemory, PsoMemory)
    }
    assert shown == {"ScMemory": set(), "TsoMemory": {"SB", "R"}, "PsoMemory": {"SB", "R", "MP", "S", "2+2W"}}


def test_a_fence_of_another_order_does_not_help():
    """On TSO a store-store fence leaves store buffering as it is."""
    memory = TsoMemory()
    memory.perform("me", memory.admit(Op(Kind.STORE, None, 0x10, 4, 1)))
    assert memory.enabled("me", Op(Kind.FENCE, orders=Barrier.ST_ST))
    assert memory.enabled("me", Op(Kind.FENCE, orders=Barrier.LD_LD | Barrier.LD_ST))
    assert not memory.enabled("me", Op(Kind.FENCE, orders=Barrier.ST_LD))


def test_what_the_suite_expects_is_its_own(monkeypatch):
    """A memory that asks `waits_for_drain` does not pass if that forgets a sequentially consistent load."""
    monkeypatch.setattr(store_buffer, "waits_for_drain", lambda op: op.kind is not Kind.LOAD and waits_for_drain(op))
    with pytest.raises(AssertionError, match="does not wait"):
        check_host_memory(TsoMemory)
