"""The options of the barriers of Arm: which accesses they order, in both instruction sets (Arm ARM, DDI 0487, B2.3.11).

The shareability domain makes no difference here: all vCPUs are in every domain. A DSB completes before any instruction
after it is executed, so on AArch64 one for stores (``st``) also keeps them before later loads, which the DMB of that
name does not. On 32-bit Arm the two are the same for data accesses, as in herd7's models.
"""

from __future__ import annotations

from simaie.barrier import parse_barrier

__all__ = ["OPTIONS", "completed_by", "ordered_by"]

_SUFFIXES = {"": "full", "ld": "ld-ld+ld-st", "st": "st-st"}
_STORES_BEFORE_ALL = "st-ld+st-st"
#: Option -> the orders it keeps, as `simaie.barrier` spells them.
OPTIONS: dict[str, str] = {
    **{domain + suffix: kind for domain in ("ish", "nsh", "osh") for suffix, kind in _SUFFIXES.items()},
    **{suffix or "sy": kind for suffix, kind in _SUFFIXES.items()},
}


def ordered_by(option: str) -> str:
    """What a DMB or DSB with `option` (in lower case) orders; the name of a set of orders stands for itself.

    UsageError if it is neither.
    """
    kind = OPTIONS.get(option, option)
    parse_barrier(kind)
    return kind


def completed_by(option: str) -> str:
    """What a DSB of AArch64 with `option` orders: the accesses that a DMB names, before whatever comes after."""
    kind = ordered_by(option)
    return _STORES_BEFORE_ALL if option in OPTIONS and kind == _SUFFIXES["st"] else kind
