"""What a sample says about what it did not show, with 95 % confidence intervals.

* A share (how often executions fail): E. B. Wilson, "Probable inference, the law of succession, and statistical
  inference", JASA 22 (1927). Sound also where nothing was seen: after n executions without a failure its upper end is
  about 3.84 / n.
* The probability that the next execution shows something new: the share of what was seen exactly once (I. J. Good,
  "The population frequencies of species and the estimation of population parameters", Biometrika 40, 1953, after
  Turing), with the normal limit law of W. W. Esty (Annals of Statistics 11, 1983).
* The mean of random probes of a tree (D. E. Knuth, "Estimating the efficiency of backtrack programs", Mathematics of
  Computation 29, 1975), with a log-normal interval, as befits a product of many factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

__all__ = ["LARGEST", "Interval", "mean_of_probes", "new_probability", "share"]

_Z = 1.959964  # the normal quantile of 97.5 %

#: Stands for itself and anything larger: numbers of interleavings exceed what a float holds.
LARGEST = 1e300


class Interval(msgspec.Struct, frozen=True):
    """An estimate (`value`) and its 95 % confidence interval from `low` to `high`."""

    value: float
    low: float
    high: float


def share(hits: int, trials: int) -> Interval | None:
    """The probability of a hit, by Wilson's score interval, from independent trials; None without trials."""
    if not trials:
        return None
    p, z2 = hits / trials, _Z * _Z
    scale = 1 + z2 / trials
    middle = (p + z2 / (2 * trials)) / scale
    half = _Z * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials)) / scale
    # At the ends rounding must not leave the estimate outside its own interval.
    return Interval(p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)))


def new_probability(once: int, twice: int, trials: int) -> Interval | None:
    """The probability that one more independent trial shows a kind not seen before; None without trials.

    once, twice: how many kinds were seen exactly once, exactly twice. Esty's variance vanishes with these counts, so
    that the interval is widened to Wilson's of the same share where that is wider.
    """
    wilson = share(once, trials)
    if wilson is None:
        return None
    p = wilson.value
    half = _Z * math.sqrt(once * (1 - p) + 2 * twice) / trials
    return Interval(p, max(0.0, min(wilson.low, p - half)), min(1.0, max(wilson.high, p + half)))


def mean_of_probes(logs: Sequence[float]) -> Interval | None:
    """The mean of the weights of random probes, given as natural logarithms; None if all weights are 0 (-inf).

    Few probes of a skewed tree mostly miss its heavy parts: the estimate is then mostly too low and so is its interval.
    Values above `LARGEST` are given as that.
    """
    largest = max(logs, default=-math.inf)
    if largest == -math.inf:
        return None
    scaled = [math.exp(log - largest) for log in logs]  # the weights themselves may exceed any float
    count = len(scaled)
    mean = math.fsum(scaled) / count
    variance = math.fsum((x - mean) ** 2 for x in scaled) / max(1, count - 1)
    half = _Z * math.sqrt(variance / count) / mean
    log_mean = largest + math.log(mean)
    return Interval(_exp(log_mean), _exp(log_mean - half), _exp(log_mean + half))


def _exp(log: float) -> float:
    return math.exp(log) if log < math.log(LARGEST) else LARGEST
