"""The options of Arm's barriers: which accesses they order, in both instruction sets (Arm ARM, DDI 0487, B2.3.11).

The shareability domain makes no difference here: all vCPUs are in every domain. A DSB completes before any later
instruction executes. Therefore on AArch64 a DSB for stores (``st``) also keeps them before later loads, which the DMB
with that option does not. On 32-bit Arm the two are equal for data accesses, as in herd7's models.
"""

from __future__ import annotations

from simaie.barrier import parse_barrier

__all__ = ["OPTIONS", "completed_by", "ordered_by"]

_SUFFIXES = {"": "full", "ld": "ld-ld+ld-st", "st": "st-st"}
_STORES_BEFORE_ALL = "st-ld+st-st"
#: Option -> the orders that it keeps, in the spelling of `simaie.barrier`.
OPTIONS: dict[str, str] = {
    **{domain + suffix: kind for domain in ("ish", "nsh", "osh") for suffix, kind in _SUFFIXES.items()},
    **{suffix or "sy": kind for suffix, kind in _SUFFIXES.items()},
}


def ordered_by(option: str) -> str:
    """Return the orders that a DMB or DSB with `option` keeps, in the spelling of `simaie.barrier`.

    Args:
        option: An option of the barrier in lower case, or a set of orders, which is returned as it is.

    Raises:
        UsageError: `option` is neither.
    """
    kind = OPTIONS.get(option, option)
    parse_barrier(kind)
    return kind


def completed_by(option: str) -> str:
    """Return the orders that an AArch64 DSB with `option` keeps: accesses that a DMB names, before all later ones."""
    kind = ordered_by(option)
    return _STORES_BEFORE_ALL if option in OPTIONS and kind == _SUFFIXES["st"] else kind
