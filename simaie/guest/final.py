"""The final check of a program: what it sees, and what it says of the final state.

It accepts by returning True, or None where it only asserts; it refuses by returning False or by an AssertionError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simaie.callbacks import decision
from simaie.errors import GuestError, SimaieError, raised
from simaie.trace import watched_name

__all__ = ["FinalState", "judge_final"]

#: From here on a number is easier to read in hexadecimal.
_HEXADECIMAL_FROM = 10_000


class FinalState:
    """What a program's final check sees: ``memory[address]`` reads 4 bytes; `registers` are the observations.

    Addresses are physical (in user mode without a page table: just the guest's).
    """

    def __init__(self, read: Callable[[int, int], int], registers: Mapping[str, int]) -> None:
        self._read = read
        self._seen: dict[str, int] = {}
        self.registers: dict[str, int] = _Registers(registers, self._seen)

    def __repr__(self) -> str:
        return "<FinalState>"  # without its address: it may stand in the text of a failed assertion

    def __getitem__(self, address: int) -> int:
        return self.read(address)

    def read(self, address: int, *, width: int = 4) -> int:
        """The unsigned value of the `width` bytes at `address`."""
        value = self._read(address, width)
        self._seen[watched_name(address) + ("" if width == 4 else f"/{width}")] = value
        return value

    @property
    def seen(self) -> dict[str, int]:
        """What was read so far, in that order, by the names that outcomes have: ``[0x1000]``, ``0:r``."""
        return dict(self._seen)


class _Registers(dict[str, int]):
    """The observations; notes which of them are looked at."""

    def __init__(self, registers: Mapping[str, int], seen: dict[str, int]) -> None:
        super().__init__(registers)
        self._seen = seen

    def __getitem__(self, name: str) -> int:
        value = self._seen[name] = super().__getitem__(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """The value of `name`, noted if there is one."""
        return self[name] if name in self else default  # noqa: SIM401 - this is that `get`

    def values(self) -> Any:  # a type that Python does not export
        """All are looked at."""
        self._seen.update(self)
        return super().values()

    def items(self) -> Any:  # as above
        """All are looked at."""
        self._seen.update(self)
        return super().items()


def judge_final(
    program: str, final: Callable[[FinalState], object], state: FinalState, shown: Mapping[str, int]
) -> str | None:
    """Ask `final` about `state`. Returns None if it accepts; else why it refuses, as far as that is known.

    Args:
        program: The name of its program.
        final: The check.
        state: What it is to see.
        shown: What the outcome shows already, by name.

    Raises:
        UsageError: It returned something else than a bool or None.
        GuestError: It raised something else than an AssertionError.
    """
    try:
        result = final(state)
    except AssertionError as error:
        text = " ".join(str(error).split())
        return _refusal([f"it asserts {text!r}"] if text else [], state.seen)
    except SimaieError:
        raise
    except Exception as error:
        what, where = raised(error)
        message = f"the final check of {program!r} raised {what}; it must return or assert"
        raise GuestError(message, where=where) from error
    if result is None or decision(f"the final check of program {program!r}", final, result):
        return None
    return _refusal([], {} if state.seen.items() <= shown.items() else state.seen)


def _refusal(said: list[str], seen: Mapping[str, int]) -> str:
    values = " ".join(f"{name}={v if abs(v) < _HEXADECIMAL_FROM else hex(v)}" for name, v in seen.items())
    return "; ".join([*said, f"it read {values}"] if values else said)
