"""The initial memory of a program of an ELF file, and its final check, each of which may be a function of the file."""

from __future__ import annotations

from typing import Any

from simaie.binary.alone import Memory, run_alone
from simaie.binary.calls import CCall, parse_calls
from simaie.binary.image import Image
from simaie.binary.layout import Layout
from simaie.binary.translation import Code
from simaie.errors import InputError, UsageError
from simaie.guest.program import FinalState

__all__ = ["FinalCheck", "initial_memory", "single_call"]

#: The bytes of initial memory that are written at once; those that are all 0 are left out.
_CHUNK = 256
_INT = 0xFFFF_FFFF  # what a function returns as an int


def single_call(image: Image, what: str, text: str) -> CCall:
    """Return the one call that a text names; UsageError if it names several."""
    calls = parse_calls(image, text)
    if len(calls) != 1:
        raise UsageError(f"{what} is one call, not {len(calls)}: {text!r}")
    return calls[0]


def initial_memory(code: Code, layout: Layout, init: str | None) -> dict[int, bytes]:
    """Return the writable memory of the file as `init` leaves it, without what is 0.

    Args:
        code: The program.
        layout: Where stacks lie.
        init: A call that runs before the threads; None for none.

    Raises:
        InputError: `init` faults, fails an assertion, or does not end.
    """
    image = code.image
    content = {region.start: bytearray(region.content) for region in image.writable}
    if init is not None:
        call = single_call(image, "init", init)
        memory = Memory(image.initial, image.abi.endian)
        try:
            run_alone(code, layout, call, memory, f"init {call.function}")
        except AssertionError as error:
            raise InputError(f"{image.name}: init {call.function}: an assertion failed: {error}") from None
        layout.blocks = tuple(memory.blocks)
        for address, value in memory.written.items():
            region = image.region(address)
            if region is not None:
                content[region.start][address - region.start] = value
            elif layout.is_heap(address):
                start = address - address % _CHUNK
                content.setdefault(start, bytearray(_CHUNK))[address - start] = value
            # else it is the stack of init
    return {
        start + at: bytes(data[at : at + _CHUNK])
        for start, data in content.items()
        for at in range(0, len(data), _CHUNK)
        if any(data[at : at + _CHUNK])
    }


class FinalCheck:
    """A final check that is a function of the file.

    Args:
        code: The program.
        layout: Where stacks lie.
        text: The call.
    """

    def __init__(self, code: Code, layout: Layout, text: str) -> None:
        self._code, self._layout = code, layout
        self._call = single_call(code.image, "final", text)

    def fingerprint_parts(self) -> tuple[Any, ...]:
        """Return what identifies the check, for the digest of a program."""
        return tuple(self._call)

    def __call__(self, state: FinalState) -> bool:
        """Return whether the state is acceptable: whether the function returns another int than 0."""
        state.name_locations(self._code.image.place)
        memory = Memory(lambda address, width: state.read(address, width=width), self._code.image.abi.endian)
        what = f"the final check {self._call.function}"
        return bool(run_alone(self._code, self._layout, self._call, memory, what) & _INT)
