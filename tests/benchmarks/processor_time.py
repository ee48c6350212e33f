"""The time of a run in several processes, which hardly depends on what else the machine does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Took", "took"]


class Took(NamedTuple):
    """Seconds of a run: on the clock, of processors in all, and of the busiest process, if workers do equal shares."""

    wall: float
    processor: float
    busiest: float


def took(run: Callable[[], Any], workers: int) -> Took:
    """Call `run`, which starts this many workers and waits for their end, and return what it took."""
    began, before = time.perf_counter(), os.times()
    run()
    wall, after = time.perf_counter() - began, os.times()
    mine, theirs = (sum(after[at : at + 2]) - sum(before[at : at + 2]) for at in (0, 2))
    return Took(wall, mine + theirs, max(mine, theirs / workers))
