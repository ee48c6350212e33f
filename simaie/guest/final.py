"""The final check of a program: the state that it sees, and its verdict on that state.

It accepts by returning True, or None if it only asserts; it rejects by returning False or raising AssertionError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simaie.arguments import require_address, require_one_of
from simaie.callbacks import decision
from simaie.errors import GuestError, SimaieError, raised
from simaie.guest.operands import WIDTHS
from simaie.trace import watched_name

__all__ = ["FinalState", "judge_final"]

#: From this value on, a message shows a number in hexadecimal.
_HEXADECIMAL_FROM = 10_000


class FinalState:
    """The final state that a program's final check sees: ``memory[address]`` reads 4 bytes.

    Addresses are physical (in user mode without a page table: equal to the guest's).

    Args:
        read: Returns the unsigned value at (physical address, width in bytes).
        registers: The observations, by name.

    Attributes:
        registers: The observations, by name; reads of it are recorded.
    """

    def __init__(self, read: Callable[[int, int], int], registers: Mapping[str, int]) -> None:
        self._read = read
        self._symbol: Callable[[int], str] = _no_symbol
        self._seen: dict[str, int] = {}
        self.registers: dict[str, int] = _Registers(registers, self._seen)

    def __repr__(self) -> str:
        return "<FinalState>"  # without its address: the text of a failed assertion may contain it

    def __getitem__(self, address: int) -> int:
        return self.read(address)

    def read(self, address: int, *, width: int = 4) -> int:
        """Return the unsigned value of the `width` bytes at `address`.

        Args:
            address: Physical address.
            width: Width in bytes.
        """
        require_address("the address that the final check reads", address)
        require_one_of("the width that the final check reads", width, WIDTHS)
        value = self._read(address, width)
        symbol = self._symbol(address)
        name = f"[{symbol}]" if symbol else watched_name(address)
        self._seen[name + ("" if width == 4 else f"/{width}")] = value
        return value

    def name_locations(self, symbol: Callable[[int], str]) -> None:
        """Show the locations that are read from now on by their symbols.

        Args:
            symbol: Returns an address in terms of symbols, as in ``lock+0``; empty if no symbol contains it.
        """
        self._symbol = symbol

    @property
    def seen(self) -> dict[str, int]:
        """The values read so far, in that order, named as in outcomes: ``[0x1000]``, ``0:r``."""
        return dict(self._seen)


class _Registers(dict[str, int]):
    """The observations; records which of them are read."""

    def __init__(self, registers: Mapping[str, int], seen: dict[str, int]) -> None:
        super().__init__(registers)
        self._seen = seen

    def __getitem__(self, name: str) -> int:
        value = self._seen[name] = super().__getitem__(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of `name`, and record the read if there is one."""
        return self[name] if name in self else default  # noqa: SIM401 - this is that `get`

    def values(self) -> Any:  # a type that Python does not export
        """Return all values, and record that all were read."""
        self._seen.update(self)
        return super().values()

    def items(self) -> Any:  # as above
        """Return all items, and record that all were read."""
        self._seen.update(self)
        return super().items()


def _no_symbol(address: int) -> str:
    return ""


def judge_final(
    program: str, final: Callable[[FinalState], object], state: FinalState, shown: Mapping[str, int]
) -> str | None:
    """Run a final check on a state; return None if it accepts, else the known reason for the rejection.

    Args:
        program: Name of the program.
        final: The check.
        state: The state to check.
        shown: The values that the outcome shows already, by name.

    Raises:
        UsageError: The check returned something other than a bool or None.
        GuestError: The check raised something other than an AssertionError.
    """
    try:
        result = final(state)
    except AssertionError as error:
        text = " ".join(str(error).split())
        return _refusal([f"it asserts {text!r}"] if text else [], state.seen)
    except (SimaieError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `sys.exit` too
        what, where = raised(error)
        message = f"the final check of {program!r} raised {what}; it must return or assert"
        raise GuestError(message, where=where) from error
    if result is None or decision(f"the final check of program {program!r}", final, result):
        return None
    return _refusal([], {} if state.seen.items() <= shown.items() else state.seen)


def _refusal(said: list[str], seen: Mapping[str, int]) -> str:
    values = " ".join(f"{name}={v if abs(v) < _HEXADECIMAL_FROM else hex(v)}" for name, v in seen.items())
    return "; ".join([*said, f"it read {values}"] if values else said)
