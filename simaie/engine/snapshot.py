"""The local state of a suspended guest, in a form that can be compared with what it is later.

A guest is a chain of coroutines, each awaiting the next, down to an instruction, the scheme's helper for it, and the
operation that it has announced. What it does next is a function of what the operations return and of

* each frame of the chain: where it stands, its variables, and its evaluation stack, where the iterators of `for` loops
  and other temporaries are;
* the cells that frames share with other functions, the globals that their code names, and the context variables that
  it reaches;
* the vCPU: the attributes that the guest has added, the observations, the blocks that it has recorded, and what the
  scheme keeps for it;
* whatever can be reached from these, be it an attribute of an object, of a function or of a class.

All of that is read (`simaie.engine.reading`), and where one part of it cannot be read there is no snapshot: two
snapshots that are equal are of states from which the guest does the same.

A frame that still awaits the very coroutine that it awaited then has not run in between. So a frame far out in the
chain need not be readable (it may hold a nursery), if all frames inside it are, and if they refer to the same objects
as then, not to equal ones: what they can reach has not changed, and nothing else of this vCPU's has run.

An object that several vCPUs share is read like any other. Guests that communicate by it, and not by operations, are not
deterministic.
"""

from __future__ import annotations

from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from simaie.engine.code_facts import is_own, loops_around
from simaie.engine.readable import Unreadable
from simaie.engine.reading import Reader, awaited_by, frame_of
from simaie.guest.code import Interpreter
from simaie.guest.cpu import Cpu
from simaie.op import Op

__all__ = ["Snapshot", "loop_position", "snapshot", "where"]

_INSTRUCTION: CodeType = Cpu._access.__code__  # the record of an instruction: another one each time
_INTERPRETER: CodeType = Interpreter.run.__code__
_OPERATION: CodeType = Op.__await__.__code__  # where every chain ends


class Snapshot:
    """A state. anchor: what the innermost frame that could not be read awaits; None if all could be read."""

    __slots__ = ("_anchor", "_objects", "_reader")

    def __init__(self, reader: Reader, read: tuple[int, int], anchor: Any) -> None:
        self._reader, self._anchor = reader, anchor  # the reader keeps alive what it has read
        tokens, objects = read
        del reader.tokens[tokens:]
        self._objects = reader.objects[:objects]

    def same_as(self, other: Snapshot) -> bool:
        """Whether the guest does the same from either."""
        if self._anchor is not other._anchor or self._reader.tokens != other._reader.tokens:
            return False
        return self._anchor is None or all(mine is its for mine, its in zip(self._objects, other._objects, strict=True))


def snapshot(coroutine: Any, cpu: Cpu) -> Snapshot | None:
    """The state of the guest whose outermost coroutine is given, suspended; None if it cannot be read."""
    chain = _chain(coroutine)
    if not chain:
        return None
    reader, anchor = Reader(), None
    read: tuple[int, int] | None = None
    try:
        reader.value(cpu)
        for link in reversed(chain):
            anchor = awaited_by(link)
            _read(reader, link)
            reader.finish()
            read, anchor = (len(reader.tokens), len(reader.objects)), None
    except Unreadable:
        if read is None:
            return None
    assert read is not None
    return Snapshot(reader, read, anchor)


def where(coroutine: Any) -> str:
    """Where a suspended guest stands: ``file:line``, or the item of a program as data; empty if only simaie knows."""
    for link in reversed(_chain(coroutine) or []):
        if found := _where(frame_of(link)):
            return found
    return ""


def loop_position(coroutine: Any) -> tuple[int, ...] | None:
    """Where each coroutine of the chain stands; None if none of them is in a loop, hence will not come back here."""
    position: list[int] = []
    in_loop = False
    for link in _chain(coroutine) or ():
        frame = frame_of(link)
        assert frame is not None
        code = frame.f_code
        if code is _INSTRUCTION:
            continue
        if code is _INTERPRETER:
            interpreter = frame.f_locals["self"]
            position.append(interpreter.position)
            in_loop = in_loop or interpreter.in_loop
        else:
            position.append(frame.f_lasti)
            in_loop = in_loop or loops_around(code, frame.f_lasti)
    return tuple(position) if in_loop else None


def _chain(coroutine: Any) -> list[Any] | None:
    """The coroutines that await each other, from the outermost to the one that awaits an operation."""
    chain: list[Any] = []
    while True:
        frame = frame_of(coroutine)
        if frame is None:
            return None
        if frame.f_code is _OPERATION:
            return chain
        chain.append(coroutine)
        coroutine = awaited_by(coroutine)


def _read(reader: Reader, link: Any) -> None:
    frame = frame_of(link)
    if frame is not None and frame.f_code is _INSTRUCTION:
        variables = frame.f_locals
        reader.tokens += [frame.f_lasti, *(variables[name] for name in ("mnemonic", "address", "width"))]
    else:
        reader.frame(link)


def _where(frame: FrameType | None) -> str:
    """Where the frame stands, as a reader of the guest's source would say; nothing in the midst of simaie."""
    assert frame is not None
    code = frame.f_code
    if code is _INTERPRETER:
        return str(frame.f_locals["self"].where)
    filename = code.co_filename
    return "" if is_own(filename) else f"{Path(filename).name}:{frame.f_lineno}"
