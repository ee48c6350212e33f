"""What the bytecode of a function says of it: which globals it names, which attributes, and where its loops are.

Worked out once for each code object. The functions and classes that are defined inside a function count as part of it.
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
#: By these the name of an attribute may be computed.
_BY_COMPUTED_NAME = frozenset({"getattr", "setattr", "delattr", "hasattr", "attrgetter", "methodcaller", "__dict__"})
_BEHIND_THE_SCENES = frozenset(
    {"__globals__", "__builtins__", "__subclasses__", "__code__", "f_back", "f_globals", "f_locals", "cr_frame",
     "gi_frame", "ag_frame", "cr_await", "gi_yieldfrom", "instruction", "_begun"}
)  # fmt: skip
#: The jump by which an `await` asks again. It is no loop of the function's.
_AWAITS_AGAIN = "JUMP_BACKWARD_NO_INTERRUPT"
_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_MOST = 4_096


class CodeFacts(NamedTuple):
    """What a code object says, nested ones included.

    globals, attributes: the names, sorted. computes: whether it may compute the name of an attribute; then its text
    constants are among the attributes. hidden: whether it may look at what no name shows: frames, the globals of other
    code, how many instructions it has run, what it imports. loops: of the code object alone, the first and the last
    offset of each. own: whether it is simaie's, and no guest's.
    """

    globals: tuple[str, ...]
    attributes: tuple[str, ...]
    computes: bool
    hidden: bool
    loops: tuple[tuple[int, int], ...]
    own: bool


# By identity: a code object is hashed and compared by all of its contents. The object is kept with its facts.
_known: dict[int, tuple[CodeType, CodeFacts]] = {}


def code_facts(code: CodeType) -> CodeFacts:
    """The facts about `code`."""
    found = _known.get(id(code))
    if found is not None:
        return found[1]
    if len(_known) >= _MOST:
        _known.clear()
    facts = _facts(code)
    _known[id(code)] = (code, facts)
    return facts


def is_own(filename: str) -> bool:
    """Whether a file is part of simaie and no guest program: the corpus consists of guests."""
    return filename.startswith(OWN_CODE) and not filename.startswith(_CORPUS)


def loops_around(code: CodeType, offset: int) -> bool:
    """Whether some loop of `code` may come back to `offset`."""
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
