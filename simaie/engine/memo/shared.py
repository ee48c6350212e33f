"""Watches that the Python state which vCPUs share stays as it is: then what they do depends on results alone.

Read are the functions of the program with all that they reach (`simaie.engine.reading`), and the attributes of a scheme
that is not simaie's own (`simaie.engine.guard`). Clocks, random numbers and files are not seen.
"""

from __future__ import annotations

from typing import Any

from simaie.engine.attributes import is_own
from simaie.engine.guard import attributes_of, changed_attribute
from simaie.engine.readable import Unreadable
from simaie.engine.reading import Reader
from simaie.guest.code import Code
from simaie.guest.program import Program
from simaie.schemes.scheme import Scheme

__all__ = ["SharedState"]


class SharedState:
    """What the guests of `program`, and `scheme`, could share behind the engine's back, as it was in the beginning."""

    def __init__(self, program: Program) -> None:
        self._functions = [code for code in (*program.threads, *program.devices) if not isinstance(code, Code)]
        self._scheme: Scheme | None = None
        self._attributes: dict[str, Any] = {}
        self._reader = self._read()

    def watch(self, scheme: Scheme) -> None:
        """From now on the attributes of `scheme` must stay as they are, too."""
        if not is_own(type(scheme)):
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
        """Whether `value` is one of the objects that could change, and is watched."""
        return self._reader is not None and any(value is known for known in self._reader.objects)

    def changed(self) -> str:
        """What has changed, or cannot be read; empty if nothing."""
        if self._functions:
            now = self._read() if self._reader is not None else None
            if now is None or self._reader is None:
                return "the guests may share Python objects that cannot be read"
            if now.tokens != self._reader.tokens:
                return "the guests change Python objects that they share"
        if self._scheme is not None:
            now_held = attributes_of(self._scheme, of_base=False)
            if changed_attribute(self._scheme, self._attributes, now_held) is not None:
                return "the scheme changes its attributes"
        return ""
