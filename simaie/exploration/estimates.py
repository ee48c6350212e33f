"""Estimates from a sample of executions, with 95 % confidence intervals.

* The share of failing executions: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
  JASA 22 (1927). The interval is sound even if nothing was seen: after n executions without a failure its upper end is
  about 3.84 / n.
* The probability that the next execution shows something new, which is the share of kinds that were seen exactly once
  (I. J. Good, "The population frequencies of species and the estimation of population parameters", Biometrika 40, 1953,
  after Turing), with the normal limit law of W. W. Esty (Annals of Statistics 11, 1983).
* The mean of random probes of a tree (D. E. Knuth, "Estimating the efficiency of backtrack programs", Mathematics of
  Computation 29, 1975), with a log-normal interval, because a weight is a product of many factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

__all__ = ["LARGEST", "Interval", "mean_of_probes", "new_probability", "share"]

_Z = 1.959964  # the normal quantile of 97.5 %

#: The largest estimate, which also replaces any larger one: numbers of interleavings exceed the range of a float.
LARGEST = 1e300


class Interval(msgspec.Struct, frozen=True):
    """An estimate `value` with its 95 % confidence interval from `low` to `high`."""

    value: float
    low: float
    high: float


def share(hits: int, trials: int) -> Interval | None:
    """Estimate the probability of a hit from independent trials, by Wilson's score interval; None without trials."""
    if not trials:
        return None
    p, z2 = hits / trials, _Z * _Z
    scale = 1 + z2 / trials
    middle = (p + z2 / (2 * trials)) / scale
    half = _Z * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials)) / scale
    # Near 0 and 1, rounding must not leave the estimate outside its own interval.
    return Interval(p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)))


def new_probability(once: int, twice: int, trials: int) -> Interval | None:
    """Estimate the probability that one more independent trial shows a new kind; None without trials.

    Esty's variance vanishes if both counts are 0. The interval is therefore widened to Wilson's interval of the same
    share if that is wider.

    Args:
        once: The number of kinds that were seen exactly once.
        twice: The number of kinds that were seen exactly twice.
        trials: The number of trials.
    """
    wilson = share(once, trials)
    if wilson is None:
        return None
    p = wilson.value
    half = _Z * math.sqrt(once * (1 - p) + 2 * twice) / trials
    return Interval(p, max(0.0, min(wilson.low, p - half)), min(1.0, max(wilson.high, p + half)))


def mean_of_probes(logs: Sequence[float]) -> Interval | None:
    """Estimate the mean weight of random probes from natural logarithms; None if all weights are 0 (-inf).

    Few probes of a skewed tree usually miss its heavy parts, so that estimate and interval are too low. Values above
    `LARGEST` become `LARGEST`.
    """
    largest = max(logs, default=-math.inf)
    if largest == -math.inf:
        return None
    scaled = [math.exp(log - largest) for log in logs]  # the weights themselves may exceed the range of a float
    count = len(scaled)
    mean = math.fsum(scaled) / count
    variance = math.fsum((x - mean) ** 2 for x in scaled) / max(1, count - 1)
    half = _Z * math.sqrt(variance / count) / mean
    log_mean = largest + math.log(mean)
    return Interval(_exp(log_mean), _exp(log_mean - half), _exp(log_mean + half))


def _exp(log: float) -> float:
    return math.exp(log) if log < math.log(LARGEST) else LARGEST
