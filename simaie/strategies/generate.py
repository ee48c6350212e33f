"""Generating examples of a strategy outside of a test: the same seed has the same examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis

__all__ = ["generate"]


def generate(strategy: Any, examples: int, seed: int, take: Callable[[Any], None]) -> None:
    """Call `take` with generated examples, in Hypothesis's phase of generation alone.

    Args:
        strategy: The strategy.
        examples: The number of examples at most.
        seed: The seed.
        take: Called with each example. What it raises, if it is no `Exception`, ends the generation.
    """
    settings = hypothesis.settings(
        max_examples=examples, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    seeded: Any = hypothesis.seed(seed)
    test: Any = hypothesis.given(strategy)
    seeded(settings(test(take)))()
