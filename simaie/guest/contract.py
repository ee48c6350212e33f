"""The results that the methods of a scheme must return, and the errors for other results.

A vCPU checks every result before the guest sees it. None instead of a number, or 0 for "stored" as on Arm, is an error
of the scheme; the guest's use of it would hide where it came from.
"""

from __future__ import annotations

from typing import Any

from simaie.errors import SchemeError
from simaie.host.loaded import plain
from simaie.trace import AccessKind, Instruction

__all__ = ["method_of", "no_awaitable", "require_none", "require_number", "wrong_result"]

_METHODS = {
    AccessKind.LOAD: "load",
    AccessKind.PLAIN_RMW: "load",
    AccessKind.STORE: "store",
    AccessKind.ATOMIC: "atomic_rmw",
    AccessKind.LOAD_LINKED: "load_linked",
    AccessKind.STORE_CONDITIONAL: "store_conditional",
}


def require_number(scheme: Any, method: str, result: Any, width: int) -> int:
    """Return `result` after a check.

    Args:
        scheme: The scheme.
        method: Name of its method.
        result: What the method returned.
        width: Width of the value in bytes.

    Raises:
        SchemeError: `result` is not an unsigned integer of `width` bytes.
    """
    number = plain(result)
    if type(number) is not int or number >> 8 * width:
        raise _error(scheme, method, result, _number(width))
    return result  # type: ignore[no-any-return]  # an int, perhaps with its dependencies


def require_none(scheme: Any, method: str, result: Any) -> None:
    """Raise SchemeError unless `result` of the scheme's `method` is None."""
    if result is not None:
        raise _error(scheme, method, result, "None")


def wrong_result(scheme: Any, instruction: Instruction, result: Any) -> SchemeError:
    """Return the error for a `result` that is impossible for the kind of `instruction`.

    Args:
        scheme: The scheme.
        instruction: The instruction that the scheme performed.
        result: What its method returned.
    """
    method, access = method_of(instruction), instruction.access
    if access is AccessKind.STORE:
        return _error(scheme, method, result, "None")
    if access is AccessKind.STORE_CONDITIONAL:
        return _error(scheme, method, result, "a bool (True: stored)")
    return _error(scheme, method, result, _number(instruction.width))


def no_awaitable(scheme: Any, instruction: Instruction, body: Any) -> SchemeError:
    """Return the error for a method that returned `body`, which cannot be awaited.

    Args:
        scheme: The scheme.
        instruction: The instruction that the scheme performed.
        body: What its method returned.
    """
    must = "be an `async def`, or return an operation of the host port"
    return SchemeError(f"{type(scheme).__name__}.{method_of(instruction)} returned {body!r}; it must {must}")


def method_of(instruction: Instruction) -> str:
    """Return the name of the scheme's method that performs `instruction`."""
    if instruction.mnemonic == "wait":
        return "wait"
    if isinstance(instruction.effect, tuple):
        return "cmpxchg"
    return _METHODS.get(instruction.access, instruction.mnemonic.replace("-", "_"))


def _number(width: int) -> str:
    return f"an int of {width} {'byte' if width == 1 else 'bytes'}, unsigned (0 to {(1 << 8 * width) - 1:#x})"


def _error(scheme: Any, method: str, result: Any, must: str) -> SchemeError:
    return SchemeError(f"{type(scheme).__name__}.{method} returned {result!r}; it must return {must}")
