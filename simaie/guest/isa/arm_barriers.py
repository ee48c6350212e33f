"""The options of the barriers of Arm: which accesses they order, in both instruction sets (Arm ARM, DDI 0487, B2.3.11).

The shareability domain makes no difference here: all vCPUs are in every domain.
"""

from __future__ import annotations

from simaie.barrier import parse_barrier

__all__ = ["OPTIONS", "ordered_by"]

_SUFFIXES = {"": "full", "ld": "ld-ld+ld-st", "st": "st-st"}
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
