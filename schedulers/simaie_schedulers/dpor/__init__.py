"""Optimal dynamic partial-order reduction: each distinguishable execution exactly once."""
