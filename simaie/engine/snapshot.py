"""Snapshots of the local state of a suspended guest, which can be compared with each other.

A guest is a chain of coroutines, each awaiting the next, down to an instruction, the scheme's helper for it, and the
announced operation. What the guest does next is a function of the results of its operations and of:

* each frame of the chain: its position, its variables, and its evaluation stack, which holds the iterators of `for`
  loops and other temporaries;
* the cells that frames share with other functions, the globals that their code names, and the context variables that
  it reaches;
* the vCPU: the attributes that the guest has added, the observations, the recorded blocks, and the state that the
  scheme keeps for it;
* everything that can be reached from these through attributes of objects, functions and classes.

All of this is read (`simaie.engine.reading`). If a part of it cannot be read, there is no snapshot. If two snapshots
are equal, the guest therefore acts in the same way from both states.

A frame that still awaits the very same coroutine as before has not run in between. So an outer frame of the chain need
not be readable (it may hold a nursery), if all frames inside it are, and if they refer to the very same objects as
before. What these can reach has then not changed, and nothing else of this vCPU has run.

An object that several vCPUs share is read like any other. Guests that communicate through it, and not by operations,
are not deterministic.
"""

from __future__ import annotations

from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from simaie.engine.code_facts import is_own, loops_around
from simaie.engine.readable import Unreadable
from simaie.engine.reading import INSTRUCTION, Reader, awaited_by, frame_of
from simaie.errors import TRANSLATED
from simaie.guest.cpu import Cpu
from simaie.guest.running import Runner
from simaie.op import Op

__all__ = ["Snapshot", "loop_position", "snapshot", "where"]

_OPERATION: CodeType = Op.__await__.__code__  # the end of every chain


class Snapshot:
    """The state of a suspended guest.

    Args:
        reader: The reading.
        read: The numbers of tokens and of objects that belong to the state.
        anchor: What the innermost unreadable frame awaits; None if all frames could be read.
    """

    __slots__ = ("_anchor", "_objects", "_reader")

    def __init__(self, reader: Reader, read: tuple[int, int], anchor: Any) -> None:
        self._reader, self._anchor = reader, anchor  # the reader keeps the objects alive that it has read
        tokens, objects = read
        del reader.tokens[tokens:]
        self._objects = reader.objects[:objects]

    @property
    def digest(self) -> int:
        """A number that is equal in equal states, and hardly ever in others."""
        return hash(tuple(self._reader.tokens))

    def same_as(self, other: Snapshot) -> bool:
        """Whether the guest acts in the same way from both states."""
        if self._anchor is not other._anchor or self._reader.tokens != other._reader.tokens:
            return False
        return self._anchor is None or all(mine is its for mine, its in zip(self._objects, other._objects, strict=True))


def snapshot(coroutine: Any, cpu: Cpu) -> Snapshot | None:
    """Return the state of a suspended guest from its outermost coroutine; None if it cannot be read."""
    chain = _chain(coroutine)
    if not chain:
        return None
    reader, anchor = Reader(), None
    read: tuple[int, int] | None = None
    try:
        reader.value(cpu)
        for link in reversed(chain):
            anchor = awaited_by(link)
            reader.frame(link)
            reader.finish()
            read, anchor = (len(reader.tokens), len(reader.objects)), None
    except Unreadable:
        if read is None:
            return None
    assert read is not None
    return Snapshot(reader, read, anchor)


def where(coroutine: Any) -> str:
    """Return the position of a suspended guest: ``FILE:LINE``, or the item of a program that is data; else empty."""
    for link in reversed(_chain(coroutine) or []):
        if found := _where(frame_of(link)):
            return found
    return ""


def loop_position(coroutine: Any) -> tuple[int, ...] | None:
    """Return the position of each coroutine of the chain; None if no one is in a loop, so that it cannot come back."""
    position: list[int] = []
    in_loop = False
    for link in _chain(coroutine) or ():
        frame = frame_of(link)
        assert frame is not None
        code = frame.f_code
        if code is INSTRUCTION:
            continue
        if code in Runner.codes:
            runner = frame.f_locals["self"]
            position.append(runner.position)
            in_loop = in_loop or runner.in_loop
        elif code.co_filename.startswith(TRANSLATED):
            position.append(frame.f_lasti)
        else:
            position.append(frame.f_lasti)
            in_loop = in_loop or loops_around(code, frame.f_lasti)
    return tuple(position) if in_loop else None


def _chain(coroutine: Any) -> list[Any] | None:
    """Return the coroutines that await each other, from the outermost to the one that awaits an operation."""
    chain: list[Any] = []
    while True:
        frame = frame_of(coroutine)
        if frame is None:
            return None
        if frame.f_code is _OPERATION:
            return chain
        chain.append(coroutine)
        coroutine = awaited_by(coroutine)


def _where(frame: FrameType | None) -> str:
    """Return the position of a frame in the guest's source; empty if the frame belongs to simaie."""
    assert frame is not None
    code = frame.f_code
    if code in Runner.codes:
        return str(frame.f_locals["self"].where)
    filename = code.co_filename
    return "" if is_own(filename) or filename.startswith(TRANSLATED) else f"{Path(filename).name}:{frame.f_lineno}"
