"""Parts of the schemes in the tests."""

from __future__ import annotations

from simaie.op import Function
from simaie.schemes.scheme import Scheme

__all__ = ["read_modify_write"]


async def read_modify_write(scheme: Scheme, physical: int, width: int, function: Function) -> int:
    """Load, compute, store: three steps, which only a lock around them makes atomic."""
    old = await scheme.host.load(physical, width)
    await scheme.host.store(physical, width, function.apply(old))
    return old
