"""Notices changes of the Python state that vCPUs share: while there are none, a vCPU depends on its results alone.

The state consists of the functions of the program with all that they reach (`simaie.engine.reading`), and of the
attributes of a scheme that is not simaie's own (`simaie.engine.guard`). Clocks, random numbers and files are not seen.
"""

from __future__ import annotations

import dis
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from simaie.engine.attributes import has_own_parts_only
from simaie.engine.code_facts import code_facts
from simaie.engine.code_facts import is_own as is_own_file
from simaie.engine.guard import attributes_of, changed_attribute
from simaie.engine.memo.changed_names import VariablesOfGuests
from simaie.engine.memo.settled import rebinds
from simaie.engine.readable import Unreadable
from simaie.engine.reading import Reader
from simaie.guest.code import Code
from simaie.guest.program import Program
from simaie.schemes.scheme import Scheme

__all__ = ["SharedState"]


class SharedState:
    """The Python state that the guests of `program` and a scheme could share, as it was at the beginning."""

    def __init__(self, program: Program) -> None:
        self._functions = [code for code in (*program.vcpu_code, *program.devices) if not isinstance(code, Code)]
        self._scheme: Scheme | None = None
        self._attributes: dict[str, Any] = {}
        self._reader = self._read()
        self._cannot_change = self._reader is not None and all(map(_cannot_change, self._reader.objects))
        self._variables = VariablesOfGuests(() if self._cannot_change else program.vcpu_code)

    def watch(self, scheme: Scheme) -> None:
        """Watch the attributes of `scheme`, too."""
        if not has_own_parts_only(scheme):
            self._scheme, self._attributes = scheme, attributes_of(scheme, of_base=False)

    def _read(self) -> Reader | None:
        reader = Reader()
        try:
            for code in self._functions:
                reader.value(code)
            reader.finish()
        except Unreadable:
            return None
        return reader

    def is_shared(self, value: Any) -> bool:
        """Whether `value` is one of the watched objects."""
        return self._reader is not None and any(value is known for known in self._reader.objects)

    def changed(self) -> str:
        """Return what has changed or cannot be read; empty if nothing has."""
        if self._functions and not self._cannot_change:
            now = self._read() if self._reader is not None else None
            if now is None or self._reader is None:
                return "the guests may share Python objects that cannot be read"
            if now.tokens != self._reader.tokens:
                named = self._variables.changed()
                return f"the guests change Python objects that they share{': ' if named else ''}{named}"
        if self._scheme is not None:
            now_held = attributes_of(self._scheme, of_base=False)
            if changed_attribute(self._scheme, self._attributes, now_held) is not None:
                return "the scheme changes its attributes"
        return ""


_ASSIGN = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR"})


def _cannot_change(reached: Any) -> bool:
    """Whether no guest can change an object that guests reach.

    That is so of functions that assign only their own variables, and of what a variable holds where all functions do.
    """
    if isinstance(reached, FunctionType):
        return is_own_file(reached.__code__.co_filename) or not _assigns(reached.__code__)
    return isinstance(reached, CellType | ModuleType)


@cache
def _assigns(code: CodeType) -> bool:
    """Whether a function assigns something that is not its own, or may do so in a way that its code does not show."""
    facts = code_facts(code)
    if facts.computes or facts.hidden or rebinds(code):
        return True
    if any(instruction.opname in _ASSIGN for instruction in dis.get_instructions(code)):
        return True
    return any(_assigns(constant) for constant in code.co_consts if isinstance(constant, CodeType))
