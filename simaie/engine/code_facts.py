"""Facts about the bytecode of functions: the globals and attributes that they name, and the positions of their loops.

The facts are computed once for each code object. Functions and classes inside a function count as part of it.
"""

from __future__ import annotations

import dis
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from simaie.errors import OWN_CODE

__all__ = ["CodeFacts", "code_facts", "is_own", "loops_around"]

_CORPUS = str(Path(OWN_CODE, "corpus"))
_GLOBAL = frozenset({"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR", "IMPORT_FROM"})
#: Names by which code may compute the name of an attribute.
_BY_COMPUTED_NAME = frozenset({"getattr", "setattr", "delattr", "hasattr", "attrgetter", "methodcaller", "__dict__"})
_BEHIND_THE_SCENES = frozenset(
    {"__globals__", "__builtins__", "__subclasses__", "__code__", "f_back", "f_globals", "f_locals", "cr_frame",
     "gi_frame", "ag_frame", "cr_await", "gi_yieldfrom", "instruction", "_begun"}
)  # fmt: skip
#: The jump by which an `await` continues to wait; it is no loop of the function.
_AWAITS_AGAIN = "JUMP_BACKWARD_NO_INTERRUPT"
_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_MOST = 4_096


class CodeFacts(NamedTuple):
    """The facts about a code object, with the code objects inside it.

    Attributes:
        globals: The names of its globals, sorted.
        attributes: The names of its attributes, sorted.
        computes: Whether it may compute the name of an attribute; its text constants are then among `attributes`.
        hidden: Whether it may depend on something that no name shows: frames, the globals of other code, the number of
            instructions it has run, imports.
        loops: The first and the last offset of each loop, of the outer code object alone.
        own: Whether it is part of simaie, and of no guest.
    """

    globals: tuple[str, ...]
    attributes: tuple[str, ...]
    computes: bool
    hidden: bool
    loops: tuple[tuple[int, int], ...]
    own: bool


# The key is the identity, because hashing a code object reads all its contents. The object is kept with its facts, so
# that its identity stays unique.
_known: dict[int, tuple[CodeType, CodeFacts]] = {}


def code_facts(code: CodeType) -> CodeFacts:
    """Return the facts about `code`."""
    found = _known.get(id(code))
    if found is not None:
        return found[1]
    if len(_known) >= _MOST:
        _known.clear()
    facts = _facts(code)
    _known[id(code)] = (code, facts)
    return facts


def is_own(filename: str) -> bool:
    """Whether a file is part of simaie and no guest program; the files of the corpus are guest programs."""
    return filename.startswith(OWN_CODE) and not filename.startswith(_CORPUS)


def loops_around(code: CodeType, offset: int) -> bool:
    """Whether a loop of `code` may come back to `offset`."""
    return any(first <= offset <= last for first, last in code_facts(code).loops)


def _facts(code: CodeType) -> CodeFacts:
    names: set[str] = set()
    attributes: set[str] = set()
    strings: set[str] = set()
    loops: list[tuple[int, int]] = []
    hidden = False
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in _GLOBAL:
            names.add(instruction.argval)
        elif name in _ATTRIBUTE:
            attributes.add(instruction.argval)
        elif name == "IMPORT_NAME":
            hidden = True
        elif instruction.opcode in _JUMPS and name != _AWAITS_AGAIN and instruction.argval < instruction.offset:
            loops.append((instruction.argval, instruction.offset))
    computes = not _BY_COMPUTED_NAME.isdisjoint(names | attributes)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = code_facts(constant)
            names.update(inner.globals)
            attributes.update(inner.attributes)
            computes, hidden = computes or inner.computes, hidden or inner.hidden
        elif isinstance(constant, str):
            strings.add(constant)
    if computes:
        attributes |= strings
    hidden = hidden or not _BEHIND_THE_SCENES.isdisjoint(attributes)
    own = is_own(code.co_filename)
    return CodeFacts(tuple(sorted(names)), tuple(sorted(attributes)), computes, hidden, tuple(loops), own)
