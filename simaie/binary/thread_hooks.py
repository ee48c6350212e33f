"""What a thread does for functions that run in place of machine code: arguments, results, blocks that are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simaie.binary.calls import CCall
from simaie.binary.cells import mask
from simaie.binary.place import Place
from simaie.binary.recording import Recorded
from simaie.binary.thread_updates import ThreadUpdates
from simaie.errors import UnmodelledCodeError

__all__ = ["ThreadHooks"]


class ThreadHooks(ThreadUpdates):
    """A thread that calls functions which run in place of machine code."""

    def place_arguments(self, texts: Sequence[str]) -> tuple[int, int]:
        """Place the arguments of `main` at the top of the stack; return their number and the address of their table."""
        places: list[int] = []
        for text in texts:
            content = text.encode() + b"\0"
            self._top -= len(content)
            places.append(self._top)
            self._memory[self._top - self.low : self._top - self.low + len(content)] = content
        self._top = (self._top & -16) - self.word * (len(places) + 1)
        self._top &= -16
        for number, place in enumerate((*places, 0)):
            self.poke(self._top + self.word * number, self.word, place)
        return len(places), self._top

    async def begin_hook(self, name: str) -> int:
        """Begin the function `name`, which is run here; return the address to which it returns."""
        link = self._image.abi.link
        if link is None:
            following = await self.read(self.registers[self._stack], self.word)
        else:
            following = self.registers[self._code.cells.number(link)]
        place = self._calls.get((*self._before, name))
        if place is None:
            place = self._calls[*self._before, name] = Place(self._image, self._caller(), name, is_call=True)
        self._cpu.place, self.idle = place, 0
        return following

    def _caller(self) -> int:
        """Return the address of the instruction that calls a hook, or that jumps to it in place of a call.

        That is the last one of the block before. If it has no line, it belongs to a stub of the linker, of which there
        may be two (from Thumb to A32), and the block before that has jumped there.
        """
        calls = [self._code.lasts.get(block, self._entry) for block in self._before]
        return next((address for address in calls if self._image.lines.chain(address)), calls[0])

    async def arguments(self) -> tuple[int, ...]:
        """Return the first four arguments of a function that begins."""
        abi, registers = self._image.abi, self.registers
        if abi.arguments:
            return tuple(registers[self._code.cells.number(name)] for name in abi.arguments[:4])
        stack = registers[self._stack]
        return tuple([await self.read(stack + self.word * number, self.word) for number in range(1, 5)])

    def end_hook(self, following: int, result: int | None) -> int:
        """End a function that is run here; return the address of the next block."""
        registers, abi = self.registers, self._image.abi
        if result is not None:
            registers[self._code.cells.number(abi.result)] = result & mask(self.word)
        if abi.link is None:
            registers[self._stack] += self.word
        return following

    async def enter(self, block: Any) -> None:
        """Enter a block that a checker judges."""
        await block.__aenter__()
        self._open.append(block)

    async def begin_call(self, call: CCall, recorded: Recorded) -> None:
        """Record that a thread calls a function; `leave` records that it returns."""
        self._cpu.place, self.idle = Place(self._image, call.entry, "call", is_call=True), 0
        await self.enter(self.cpu.call(recorded.method, *recorded.arguments(call.arguments), ordered=True))

    async def leave(self, name: str, *returned: Any) -> None:
        """Leave the block that was entered last; a call of an object returns a value."""
        if not self._open:
            raise UnmodelledCodeError(f"{self._image.name}: {name} without a beginning, at {self.where}")
        block = self._open.pop()
        if returned:
            block.returns(returned[0])
        await block.__aexit__(None, None, None)

    async def abandon(self, error: BaseException) -> None:
        """Leave all blocks because of an error that ends the thread; open calls stay pending."""
        while self._open:
            await self._open.pop().__aexit__(type(error), error, None)

    def is_heap(self, address: int) -> bool:
        """Whether an address is on the heap."""
        return self._layout.is_heap(address)

    def note_block(self, address: int) -> None:
        """Let the place of the instruction say which block it frees, if the block was allocated before the threads."""
        block = self._layout.block_at(address)
        if block is not None:
            self._cpu.place = self._at.freeing(block)

    async def read(self, address: int, width: int) -> int:
        """Return the value of a location, private or shared."""
        value = self.peek(address, width)
        return await self._load(self._at, address, width) if value is None else value

    async def write(self, address: int, width: int, value: int) -> None:
        """Write a location, private or shared."""
        if not self.poke(address, width, value):
            await self._store(self._at, address, width, value)

    @property
    def _at(self) -> Place:
        """The place of the hook or of the instruction in execution."""
        return self._cpu.place or Place(self._image, self._entry, "call", is_call=True)
