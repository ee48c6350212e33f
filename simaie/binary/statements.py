"""Python statements of a translated block, and the removal of those whose value nothing reads.

Most of what a lifter says about an instruction is its effect on flags, which the next instruction overwrites.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

__all__ = ["Statement", "effect", "without_dead"]

_REGISTER = re.compile(r"R\[\d+\]")


class Statement(NamedTuple):
    """One line.

    Attributes:
        text: The line, without indentation.
        target: The variable that it assigns; empty if it has another effect.
        reads: The variables that it reads.
        depth: The depth of its indentation; a statement that is indented may not run.
        ends: Whether the block may end here, so that all registers matter.
        kept: Whether it must stay although its target is not read.
    """

    text: str
    target: str = ""
    reads: tuple[str, ...] = ()
    depth: int = 0
    ends: bool = False
    kept: bool = False


def effect(text: str, reads: Iterable[str] = ()) -> Statement:
    """Return a statement that has an effect: it reads `reads` and all registers in its text, and always stays."""
    return Statement(text, reads=(*reads, *_REGISTER.findall(text)))


def without_dead(statements: Sequence[Statement], lasting: Collection[str]) -> list[Statement]:
    """Return `statements` without the assignments that nothing reads.

    Args:
        statements: A block, whose last statement ends it.
        lasting: The variables that matter after the block.
    """
    live: set[str] = set(lasting)
    left: list[Statement] = []
    for statement in reversed(statements):
        if statement.ends:
            live = {*lasting, *live} if statement.depth or statement.text.startswith("if") else set(lasting)
        if statement.target and not statement.kept:
            if statement.target not in live:
                continue
            if not statement.depth:
                live.discard(statement.target)
        live.update(statement.reads)
        left.append(statement)
    return _without_empty(left[::-1])


def _without_empty(statements: Iterable[Statement]) -> list[Statement]:
    """Give each header whose body is gone a body again."""
    made: list[Statement] = []
    for statement in statements:
        if made and made[-1].text.endswith(":") and statement.depth <= made[-1].depth:
            made.append(Statement("pass", depth=made[-1].depth + 1))
        made.append(statement)
    return made
