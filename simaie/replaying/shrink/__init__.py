"""Shrinking: the search for the shortest execution that fails in the same way as a given one.

A schedule is a short list of deviations from a deterministic default. Any part of it is a schedule too, and every
candidate is judged by running it. The module `size` defines what is short, and `state` has the state of the search.
Each pass is a module and documents its guarantee; `shrinker` runs the passes in order.
"""

from simaie.replaying.shrink.shrinker import Shrinkable, shrink
from simaie.replaying.shrink.size import Size
from simaie.replaying.shrink.state import Attempt, ShrinkProgress, ShrinkReport

__all__ = ["Attempt", "ShrinkProgress", "ShrinkReport", "Shrinkable", "Size", "shrink"]
