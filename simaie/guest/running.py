"""What runs guest code that is no Python function, as the engine sees it.

The engine asks a suspended guest for its state, to find out that a loop has come back to where it was. For Python code
it reads frames. A `Runner` says it itself: a list of instructions and translated machine code have registers, and their
Python frames hold nothing else that matters.
"""

from __future__ import annotations

from types import CodeType
from typing import Any, ClassVar

__all__ = ["Runner"]


class Runner:
    """Runs guest code that is no Python function; its method `run` is the coroutine of the guest."""

    #: The code of the method `run` of each class of runners, by which the engine recognizes its frame.
    codes: ClassVar[set[CodeType]] = set()

    def __init_subclass__(cls) -> None:
        Runner.codes.add(cls.run.__code__)

    async def run(self) -> None:
        """Run to the end of the code."""
        raise NotImplementedError

    def guest_state(self) -> Any:
        """Return the state on which the rest of the run depends, made of plain values."""
        raise NotImplementedError

    @property
    def position(self) -> int:
        """The position in the code, which identifies the instruction in execution."""
        raise NotImplementedError

    @property
    def in_loop(self) -> bool:
        """Whether the instruction in execution may run again."""
        raise NotImplementedError

    @property
    def where(self) -> str:
        """The instruction in execution, as a message shows it."""
        raise NotImplementedError
