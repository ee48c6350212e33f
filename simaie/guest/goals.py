"""Goals: what a guest states is to happen in some execution, such as the slow path of a lock.

``cpu.sometimes("retried", tries > 1)`` states that the condition is to be true somewhere in some execution, and
``cpu.reachable("slow path")`` that the place is to be reached. A search that never sees a goal happen has tested less
than its author believes, and a complete search then proves that it cannot happen. A goal is a record only: it is no
step, and changes neither the execution nor its verdict.

A goal that is never reached does not tell its name. Names that are written out in the source of the program are found
there; others are declared as ``Program(goals=...)``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

from simaie.arguments import require_text
from simaie.errors import UsageError
from simaie.guest.named import codes_of, functions_named, source_of
from simaie.host.loaded import plain

__all__ = ["merged_goals", "noted", "written_out"]

#: The methods of a vCPU that state goals; their first argument is the name.
_METHODS = frozenset({"sometimes", "reachable"})

def noted(goals: Mapping[str, bool], name: str, condition: Any) -> Mapping[str, bool]:
    """Return `goals`, with one more: whether each goal that was reached has happened.

    Raises:
        UsageError: The name is no text, or the condition is neither a bool nor an integer.
    """
    require_text("the name of a goal", name)
    if not name:
        raise UsageError("a goal needs a name, by which the report can say that it never happened")
    condition = plain(condition)  # the record is no branch of the guest
    if not isinstance(condition, int):
        raise UsageError(f"the condition of the goal {name!r} must be a bool or an integer, not {condition!r}")
    happened = bool(condition)
    known = goals.get(name)
    return goals if known or known is happened else {**goals, name: happened}


def merged_goals(goals: Iterable[Mapping[str, bool]]) -> dict[str, bool]:
    """Return the goals of several vCPUs as those of one execution."""
    found: dict[str, bool] = {}
    for each in goals:
        for name, happened in each.items():
            found[name] = happened or found.get(name, False)
    return found


def written_out(functions: Iterable[Any]) -> list[str]:
    """Return the names of goals that the source of `functions` writes out, and that of what they call, in its order."""
    found = (name for each in functions for function in functions_named(each) for name in _names_in(function))
    return list(dict.fromkeys(found))


def _names_in(function: FunctionType) -> Iterator[str]:
    if all(_METHODS.isdisjoint(code.co_names) for code in codes_of(function.__code__)):
        return  # most functions; to find the source takes time
    try:
        calls = [node for node in ast.walk(source_of(function)) if isinstance(node, ast.Call)]
    except (OSError, TypeError, SyntaxError):  # the source is not available
        return
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
            named = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
            for name in (*call.args[:1], *named):
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value
