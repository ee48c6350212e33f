"""Optimal dynamic partial-order reduction: every distinguishable execution, each one once."""
