"""The ``async with`` blocks of guest code, `Cpu.atomic` and `Cpu.call`: they write records; ordered calls also step."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

from simaie.block import Block, Call
from simaie.errors import UsageError
from simaie.trace import Obligation

__all__ = ["AtomicBlock", "CallBlock", "EventualBlock", "check_closed"]

B = TypeVar("B", bound="AtomicBlock")


class AtomicBlock:
    """A block of one vCPU, open from ``async with`` to its end; it can be entered once.

    Args:
        cpu: The vCPU.
        block: The record of the block.
    """

    def __init__(self, cpu: Any, block: Block) -> None:
        self._cpu, self._block = cpu, block
        self._entered = False

    async def __aenter__(self: B) -> B:
        cpu, block = self._cpu, self._block
        if self._entered:
            raise UsageError(f"vCPU {cpu.name} enters {_name(block)} a second time; make a new one for each entry")
        self._entered = True
        self._check_entry(cpu.open_blocks)
        if not cpu.blocks:
            cpu.blocks, cpu.open_blocks = [], []
        block.first = cpu._begun
        cpu.blocks.append(block)
        cpu.open_blocks.append(block)
        await self._begun()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is GeneratorExit:
            return  # the execution is over; the block has not ended
        cpu, block = self._cpu, self._block
        if not cpu.open_blocks or cpu.open_blocks[-1] is not block:
            inner = _name(cpu.open_blocks[-1]) if cpu.open_blocks else "no block"
            raise UsageError(f"vCPU {cpu.name} leaves {_name(block)} while {inner} is open; use `async with`")
        if kind is None:
            await self._ending()
        cpu.open_blocks.pop()
        block.after = cpu._begun
        if kind is None:
            self._left()

    def _check_entry(self, around: list[Block]) -> None:
        """Raise UsageError if the block may not be entered inside the blocks `around`."""

    async def _begun(self) -> None:
        """Run when the block is open, before anything inside it."""

    async def _ending(self) -> None:
        """Run before the block ends without an exception."""

    def _left(self) -> None:
        """Run after the block has ended without an exception."""


class CallBlock(AtomicBlock):
    """A call in progress; guest code passes its result to `returns`. A call that an exception ends stays pending.

    Args:
        cpu: The vCPU.
        call: The record of the call.
    """

    _block: Call

    def __init__(self, cpu: Any, call: Call) -> None:
        super().__init__(cpu, call)
        self._returned = False

    def returns(self, result: Any = None) -> None:
        """Set the call's result: once, before the block ends."""
        if self._returned or self._block.after is not None:
            when = "a second time" if self._returned else "after its end"
            raise UsageError(f"vCPU {self._cpu.name}: {_name(self._block)} returns {when}; do it once, inside")
        self._returned = True
        self._block.result = result

    def _check_entry(self, around: list[Block]) -> None:
        outer = next((block for block in around if isinstance(block, Call)), None)
        if outer is not None:
            raise UsageError(
                f"vCPU {self._cpu.name} begins {_name(self._block)} inside {_name(outer)}; calls of one vCPU follow "
                "each other, so record either the outer or the inner ones"
            )

    async def _begun(self) -> None:
        if self._block.ordered:
            await self._cpu.end_of_call("call", write=False)

    async def _ending(self) -> None:
        if not self._returned:
            raise UsageError(
                f"vCPU {self._cpu.name}: {_name(self._block)} ended without a result; "
                "end it with call.returns(value), or call.returns() if it returns nothing"
            )
        if self._block.ordered:
            await self._cpu.end_of_call("return", write=True)

    def _left(self) -> None:
        self._block.completed = True


class EventualBlock:
    """A block of one vCPU that is to end in every fair execution. Only blocks that are open are recorded.

    Args:
        cpu: The vCPU.
        name: The name of the block.
    """

    def __init__(self, cpu: Any, name: str) -> None:
        self._cpu, self._name = cpu, name

    async def __aenter__(self) -> EventualBlock:
        cpu = self._cpu
        if any(each.name == self._name for each in cpu.obligations):
            raise UsageError(f"vCPU {cpu.name} begins the block {self._name!r} inside itself; name the inner one apart")
        cpu.obligations = (*cpu.obligations, Obligation(cpu.name, self._name, cpu._begun))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not GeneratorExit:  # then the execution is over, and the block has not ended
            self._cpu.obligations = tuple([each for each in self._cpu.obligations if each.name != self._name])


def _name(block: Block) -> str:
    return f"{'call' if isinstance(block, Call) else 'block'} {block.name!r}"


def check_closed(cpu: Any) -> None:
    """Raise UsageError if the thread of `cpu` ends inside a block."""
    if cpu.open_blocks:
        raise UsageError(f"vCPU {cpu.name} ends inside {_name(cpu.open_blocks[-1])}; open blocks by `async with` only")
