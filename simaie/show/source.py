"""The source of a compiled guest next to its trace: of each step, the instruction and the lines of its callers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simaie.show.format import clean
from simaie.trace import Event, Trace

__all__ = ["Frame", "Spot", "source_document", "spot_of"]

#: The lines above and below a line that are shown with it.
AROUND = 4


class Frame(NamedTuple):
    """A line of the source: that of the instruction, or that of a call that was inlined."""

    file: str
    line: int


class Spot(NamedTuple):
    """What a step executes in the guest's code.

    Attributes:
        disassembly: The instruction with its operands; may be empty.
        frames: Its line, then those of the calls around it, from the inside out.
    """

    disassembly: str
    frames: tuple[Frame, ...]


def spot_of(event: Event) -> Spot | None:
    """Return the place of a step in the guest's code; None if the guest is not machine code."""
    place = None if event.instruction is None else event.instruction.place
    if place is None:
        return None
    frames = (text.rpartition(":") for text in str(place).split(" < "))
    return Spot(place.disassembly, tuple(Frame(file, int(line)) for file, _, line in frames if _is_line(line)))


def _is_line(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 8


def source_document(trace: Trace, sources: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    """Return what a page shows of the source of a trace, as JSON values.

    Args:
        trace: The execution.
        sources: The lines of source files by name.

    Returns:
        ``spots``: ``[disassembly, [[file, line], ...]]`` of the places that occur; ``steps``: for each step the number
        of its place, -1 if it has none; ``files``: of each file the lines that are shown, as ``{number: text}``. Empty
        if no step has a place.
    """
    numbers: dict[Spot, int] = {}
    steps = [-1 if spot is None else numbers.setdefault(spot, len(numbers)) for spot in map(spot_of, trace.events)]
    if not numbers:
        return {}
    files: dict[str, dict[int, str]] = {}
    for frame in sorted({frame for spot in numbers for frame in spot.frames}):
        lines = sources.get(frame.file, ())
        for number in range(max(1, frame.line - AROUND), min(len(lines), frame.line + AROUND) + 1):
            files.setdefault(frame.file, {})[number] = clean(lines[number - 1].expandtabs(4))
    spots = [[clean(spot.disassembly), [[clean(file), line] for file, line in spot.frames]] for spot in numbers]
    return {"spots": spots, "steps": steps, "files": {clean(file): lines for file, lines in files.items()}}
