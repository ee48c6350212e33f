"""How fast this machine is now, so that a figure in milliseconds means the same on each."""

from __future__ import annotations

import time

__all__ = ["slowness"]

#: Run as a module is: its names are globals. Within a function the same loop takes a third of the time.
_LOOP = compile("x = 0\nfor i in range(300_000): x += i", "loop", "exec")
#: Seconds that it takes a machine of full speed.
_SECONDS = 0.02


def slowness() -> float:
    """Return how many times as long as a machine of full speed this one takes for a loop, in CPU time."""
    began = time.process_time()
    exec(_LOOP, {})
    return (time.process_time() - began) / _SECONDS
