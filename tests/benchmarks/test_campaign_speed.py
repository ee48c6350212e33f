"""Campaigns: what a shard costs in the store, and how long a large store takes to say how it is."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from simaie.campaign import CampaignFile, Explore, Store, status_of
from simaie.campaign.planning import plan
from simaie.campaign.sketch import Sketch
from simaie.campaign.unit import Ending, Result
from simaie.prng import derive

pytestmark = pytest.mark.benchmark

SHARDS = 1_000_000
LARGE = CampaignFile(
    explore=(Explore(targets=("first-registration-window",), schemes=("cas", "aie-rfc"), seeds=SHARDS),)
)


def test_a_shard_of_a_second_costs_less_than_two_per_cent_in_the_store(tmp_path: Path) -> None:
    results = [
        Result(
            number=1, shard=shard, ending=Ending.DONE, executions=2000,
            sketch=Sketch(derive(shard, index) for index in range(2000)).encoded(),
        )
        for shard in range(100)
    ]  # fmt: skip
    with Store(tmp_path / "a.simaie", create=True) as store:
        store.plan(msgspec.json.encode(LARGE), plan(LARGE).units, b"{}")
        unit = store.units()[1]
        began = time.process_time()
        for result in results:
            store.add(result, unit, 1.0 * result.shard)
        cost = (time.process_time() - began) / len(results)
    print(f"\na shard costs {cost * 1000:.2f} ms in the store")
    assert cost < 0.02


def test_a_store_of_a_million_shards_says_how_it_is_in_a_second(tmp_path: Path) -> None:
    with Store(tmp_path / "a.simaie", create=True) as store:
        store.plan(msgspec.json.encode(LARGE), plan(LARGE).units, b"{}")
        data = msgspec.msgpack.encode(Result(number=1, shard=0, ending=Ending.DONE, executions=100))
        store.connection.execute("BEGIN")
        store.connection.executemany(
            "INSERT INTO shards VALUES (1, ?, ?)", ((shard, data) for shard in range(SHARDS))
        )
        store.connection.execute("UPDATE units SET shards = ?, next = ? WHERE number = 1", (SHARDS - 1, SHARDS))
        store.connection.execute("DELETE FROM shards WHERE shard = 17")
        store.connection.execute("COMMIT")
        tracemalloc.start()
        began = time.process_time()
        status = status_of(store)
        took = time.process_time() - began
        pending = list(store.pending())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    print(f"\nthe status takes {took * 1000:.1f} ms; with what is open, {peak / 1e6:.1f} MB")
    assert status.shards == SHARDS - 1
    assert pending[0].holes == (17,)
    assert took < 1.0
    assert peak < 20e6
