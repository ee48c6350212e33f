"""Shrinking: a failing execution cut down to the shortest that fails in the same way.

A schedule is a short list of deviations from a deterministic default, so that whatever is left of it after a cut is
a schedule again, and every candidate is judged by running it. What is small: see `size`. How the search keeps its
books: `workbench`. Each pass is a file and says what it guarantees; `shrinker` puts them in order.
"""

from simaie.replaying.shrink.shrinker import Shrinkable, shrink
from simaie.replaying.shrink.size import Size
from simaie.replaying.shrink.state import Attempt, ShrinkProgress, ShrinkReport

__all__ = ["Attempt", "ShrinkProgress", "ShrinkReport", "Shrinkable", "Size", "shrink"]
