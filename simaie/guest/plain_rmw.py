"""A read-modify-write without any guarantee: a load, then a store."""

from __future__ import annotations

from typing import Any

from simaie.guest.contract import require_none, require_number
from simaie.op import Function

__all__ = ["read_then_write"]


async def read_then_write(scheme: Any, cpu: Any, address: int, width: int, function: Function) -> int:
    """Load, then store what `function` makes of the value; return the old value.

    Args:
        scheme: The scheme that performs both accesses.
        cpu: The vCPU.
        address: Guest-virtual address.
        width: Width in bytes.
        function: Computes the new value from the old one.

    Raises:
        SchemeError: The scheme returned something else than a value of this width, or None for the store.
    """
    old = require_number(scheme, "load", await scheme.load(cpu, address, width), width)
    require_none(scheme, "store", await scheme.store(cpu, address, width, function.apply(old)))
    return old
