"""What runs guest code that is no Python function, as the engine sees it.

The engine asks a suspended guest for its state, to find out that a loop has come back to where it was. For Python code
it reads frames. A `Runner` says it itself: a list of instructions and translated machine code have registers, and their
Python frames hold nothing else that matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any, ClassVar, NamedTuple

__all__ = ["RestartPoint", "RolledBack", "Runner"]


class RestartPoint(NamedTuple):
    """The state of a guest before an instruction, to which it can be taken back.

    Attributes:
        position: The position of the instruction in the code.
        registers: The registers.
        observations: What the vCPU has observed.
    """

    position: int
    registers: tuple[int, ...]
    observations: tuple[tuple[str, int], ...]


class RolledBack(Exception):
    """Takes a guest back to an earlier instruction; a scheme raises it in the middle of one, and it is no error.

    Args:
        point: Where the guest goes on.
    """

    def __init__(self, point: RestartPoint) -> None:
        super().__init__(point)
        self.point = point


class Runner:
    """Runs guest code that is no Python function; its method `run` is the coroutine of the guest.

    Attributes:
        is_one_token: Whether two of its states are the same if they are equal: no part of them changes, and none equals
            a value of another type.
        rounds: The rounds of loops since the last operation. If a runner counts them it ends the guest after some
            number of them, whatever time they take, and a watchdog waits for that as long as the number grows.
    """

    #: The code of the method `run` of each class of runners, by which the engine recognizes its frame.
    codes: ClassVar[set[CodeType]] = set()
    is_one_token: ClassVar[bool] = False
    rounds: int = 0

    def __init_subclass__(cls) -> None:
        Runner.codes.add(cls.run.__code__)

    async def run(self) -> None:
        """Run to the end of the code."""
        raise NotImplementedError

    def guest_state(self) -> Any:
        """Return the state on which the rest of the run depends, made of plain values."""
        raise NotImplementedError

    def restart_point(self) -> RestartPoint | None:
        """Return the state before the instruction in execution; None if the guest cannot be taken back to it."""
        return None

    @property
    def position(self) -> int:
        """The position in the code, which identifies the instruction in execution."""
        raise NotImplementedError

    @property
    def in_loop(self) -> bool:
        """Whether the instruction in execution may run again."""
        raise NotImplementedError

    def running(self, variables: Mapping[str, Any]) -> str:
        """Return where the guest is between two operations.

        Args:
            variables: Those of its method `run`, which is running.
        """
        return self.where

    @property
    def where(self) -> str:
        """The instruction in execution, as a message shows it."""
        raise NotImplementedError
