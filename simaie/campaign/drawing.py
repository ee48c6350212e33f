"""Hypothesis strategies of the user as targets of a campaign: globals of Python files that make programs.

The text of the file stands for the strategy, since a strategy itself has no digest. A file that has changed makes a new
unit, and a worker that has another file refuses the shard.
"""

from __future__ import annotations

import sys
from typing import Any

from simaie.definitions import definition, source_digest, value_of
from simaie.errors import InputError
from simaie.guest.program import Program

__all__ = ["drawn_program", "is_strategy", "strategy_digest", "strategy_of"]


def is_strategy(target: str) -> bool:
    """Whether a target is the global of a Python file that is a Hypothesis strategy; False if there is no such file."""
    place = definition(target)
    if place is None:
        return False
    try:
        value = value_of(*place)
    except InputError:
        return False
    hypothesis = sys.modules.get("hypothesis.strategies")  # a file with a strategy has imported it
    return hypothesis is not None and isinstance(value, hypothesis.SearchStrategy)


def strategy_digest(target: str) -> str:
    """Return the digest of the text of a strategy's file, which identifies the strategy."""
    place = definition(target)
    assert place is not None, "a strategy is FILE.py:NAME"
    return source_digest(place.path)


def strategy_of(target: str, digest: str) -> Any:
    """Return a strategy; InputError if its file is missing, cannot be imported, or has another digest."""
    place = definition(target)
    assert place is not None, "a strategy is FILE.py:NAME"
    return value_of(*place, digest)


def drawn_program(value: object, target: str) -> Program:
    """Return what a strategy has made; InputError if it is no program."""
    if not isinstance(value, Program):
        raise InputError(f"{target}: the strategy has to make programs, and made {type(value).__name__}")
    return value
