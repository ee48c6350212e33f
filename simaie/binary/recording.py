"""Calls of functions that are recorded at their entry and return, without a word in the code.

A specification judges them (`simaie.check.linearizability`). What a function takes and returns is read from its debug
information, so that a call is one of values: ``pop() = -1`` and not of what a register holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simaie.binary.image import Image
from simaie.binary.signatures import Form, Signature
from simaie.errors import UsageError

__all__ = ["Recorded", "recorded_functions"]


class Recorded(NamedTuple):
    """A function whose calls are recorded.

    Attributes:
        method: The name of the call in the record.
        signature: What the function takes and returns.
        nothing: The result that means that nothing was found; None if there is no such integer.
    """

    method: str
    signature: Signature
    nothing: int | None

    def arguments(self, given: Sequence[int]) -> tuple[int | bool | None, ...]:
        """Return the arguments of a call as values."""
        return tuple(type_.value(value) for type_, value in zip(self.signature.parameters, given, strict=False))

    def result(self, register: int) -> int | bool | None:
        """Return the result of a call as a value; None if the function returns nothing, or found nothing."""
        returned = self.signature.result
        return None if returned is None else returned.value(register, self.nothing)


def recorded_functions(image: Image, record: Sequence[str], nothing: int | None) -> dict[str, Recorded]:
    """Return the functions whose calls are recorded, by name.

    Args:
        image: The program.
        record: ``FUNCTION``, or ``FUNCTION=METHOD`` if the specification has another name for it.
        nothing: The integer result that means that nothing was found.

    Raises:
        UnknownNameError: There is no function of such a name.
        UsageError: Its debug information does not say what it takes and returns, or that is no integer.
    """
    if not record:
        return {}
    known = image.signatures
    found: dict[str, Recorded] = {}
    for text in record:
        function, _, method = text.partition("=")
        image.require(function, function=True)
        if function not in known:
            raise UsageError(
                f"{image.name}: the types of {function!r} are not known, so its calls cannot be recorded; compile with "
                "-g, or call simaie_call and simaie_return in the code"
            )
        _require_registers(image, function, known[function])
        found[function] = Recorded(method or function, known[function], nothing)
    return found


def _require_registers(image: Image, function: str, signature: Signature) -> None:
    """Raise UsageError if a value of a function is no integer of at most one register."""
    types = [*signature.parameters, *([] if signature.result is None else [signature.result])]
    if any(type_.form is Form.OTHER or type_.size > image.abi.word for type_ in types):
        raise UsageError(
            f"{image.name}: {function!r} takes or returns a value that is no integer or pointer of at most "
            f"{image.abi.word} bytes; call simaie_call and simaie_return in the code"
        )
